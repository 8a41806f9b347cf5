"""Training images of a map among the images that it is evaluated on; only the others are tested."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ccalign_jax.checkpoints import Checkpoint
from ccalign_jax.data import EmbeddingSet
from ccalign_jax.data.fingerprints import recognise

__all__ = ["Overlap", "find_overlap"]


class Overlap(NamedTuple):
    """A data set split into a map's training images and others.

    Attributes:
        scored: the other images; all, if every image is a training image or none is known to be.
        left_out: the training images; None if none is left out.
        about: counts, the `training_images` entry of a summary.
    """

    scored: EmbeddingSet
    left_out: EmbeddingSet | None
    about: dict[str, Any]

    @property
    def tested(self) -> bool:
        """Whether intervals and tests of the map's change mean anything: not on its training images."""
        return self.left_out is not None or not self.about["seen"]


def find_overlap(data: EmbeddingSet, checkpoint: Checkpoint) -> Overlap:
    """Split a data set into training images of a map and others.

    Args:
        data: to be evaluated.
        checkpoint: with or without fingerprints of its training images.
    """
    if checkpoint.training_images is None:
        return Overlap(data, None, {"known": False, "images": len(data), "seen": None})
    found = recognise(data, checkpoint.training_images)
    seen, by_key, by_row = (int(each.sum()) for each in (found.images, found.by_key, found.by_row))
    about = {"known": True, "images": len(data), "seen": seen, "by_key": by_key, "by_row": by_row}
    if seen in (0, len(data)):
        return Overlap(data, None, about)
    fresh = data.keep(~found.images, "they are training images of the map")
    return Overlap(fresh, data.take(np.flatnonzero(found.images)), about)
