"""The images of an embedded data set, found again where the extraction read them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path, PurePosixPath

from ccalign_jax.data import EmbeddingSet
from ccalign_jax.data.originals import image_file
from ccalign_jax.encoders.images import ImageReference
from ccalign_jax.errors import InputError
from ccalign_jax.extraction.sources import open_source

__all__ = ["Pictures"]

MOST = 200_000  # images of a source that is read through for the places of some


class Pictures:
    """Finds images by their number in a data set: files of its folder, or what its source holds.

    A source, such as WebDataset tars or Parquet, is read through once, when the first image is asked for, without its
    images; one on a hub, one that has moved and a very large one are not.

    Args:
        data: as loaded from the folder of an extraction.

    Example:
        >>> import numpy as np
        >>> Pictures(EmbeddingSet.build("toy", np.eye(2), {"en": np.eye(2)})).find(0) is None
        True
    """

    def __init__(self, data: EmbeddingSet):
        self.data = data

    def find(self, image: int) -> ImageReference | None:
        """What `open_image` takes; None where the image is not known, or its key leads out of the folder."""
        key = PurePosixPath(str(self.data.keys[image]))
        if key.is_absolute() or ".." in key.parts:
            return None
        return image_file(self.data, image) or self._held.get(str(self.data.keys[image]))

    @cached_property
    def _held(self) -> Mapping[str, ImageReference]:
        """Images of the source by key; empty where it cannot be read any more."""
        config = self.data.originals.source
        place = None if config is None else config.get("source") or config.get("captions")
        if config is None or place is None or len(self.data) > MOST or not _is_here(place):
            return {}
        captions, languages, splits = (config.get(name) for name in ("captions", "languages", "splits"))
        try:
            source = open_source(None, captions, languages, source=config.get("source"), splits=splits)
            return {item.key: item.image for item in source.items()}
        except (InputError, OSError, ValueError):  # moved, or changed since
            return {}


def _is_here(place: str) -> bool:
    """Whether a source is a path, perhaps after its kind, and not a name on a hub."""
    return Path(place).exists() or (not place.startswith("hub:") and Path(place.partition(":")[2] or place).exists())
