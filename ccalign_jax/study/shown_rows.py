"""Rows of a test part before and after a map, with their captions and pictures, for TensorBoard's projector."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import jax
import numpy as np
from jaxtyping import UInt8

from ccalign_jax.data.originals import caption_text
from ccalign_jax.encoders.images import ImageReference, open_image
from ccalign_jax.extraction.pictures import Pictures
from ccalign_jax.measurement.measure import IDENTITY
from ccalign_jax.training import Recipe, map_part

if TYPE_CHECKING:
    from ccalign_jax.study.sweep_result import SweepResult

__all__ = ["ShownRows", "shown_rows"]

IMAGES, ROWS = 300, 3000  # at most
PIXELS = 48


class ShownRows(NamedTuple):
    """Rows and what they are.

    Attributes:
        tensors: `[n, d]` by name, before and after the map.
        columns: names of what is known of each row.
        labels: `[n]`, in these columns.
        pictures: `[n, p, p, 3]`, of each row its image; None where no image is known.
    """

    tensors: dict[str, np.ndarray]
    columns: tuple[str, ...]
    labels: list[tuple[str, ...]]
    pictures: UInt8[np.ndarray, "n p p 3"] | None


def shown_rows(result: SweepResult) -> ShownRows:
    """Images of the test part of the first fold and their captions, before and after the map that the fold chose."""
    plan, name = result.plan, result.summary["selected"]["per_fold"][0]
    embeddings, arrays = result.inputs or plan.arrays()
    part = jax.tree.map(lambda leaf: np.asarray(leaf[0]), arrays.test)
    count = min(int((part.images >= 0).sum()), IMAGES)
    images = part.images[:count]
    labels: list[tuple[str, ...]] = [("image", key, "") for key in plan.data.keys[images]]
    owners, places = [np.arange(count)], []
    starts = np.cumsum([0, *(len(plan.data.text[language]) for language in plan.data.languages)])
    for number, language in enumerate(plan.data.languages):
        owner = part.image_of[number]
        place = np.flatnonzero((owner >= 0) & (owner < count))[: (ROWS - count) // len(plan.data.languages)]
        for image, row in zip(images[owner[place]], part.captions[number][place] - starts[number], strict=True):
            labels.append((language, plan.data.keys[image], caption_text(plan.data, language, row) or ""))
        owners.append(owner[place])
        places.append(place)
    chosen = next((one for one in result.outcomes if one.name == name), result.identity)
    tensors = {}
    for when, one in (("before", result.identity), (f"after {name}", chosen)):
        trial = one.trial
        aligner = plan.space.aligner(*((IDENTITY, Recipe()) if trial is None else (trial.aligner, trial.recipe)))
        rows = map_part(aligner, {} if trial is None else one.params[0], embeddings, part)
        texts = [np.asarray(text)[place] for text, place in zip(rows.text, places, strict=True)]
        tensors[when] = np.concatenate([np.asarray(rows.image)[:count], *texts])
    known = Pictures(plan.data)
    found = [known.find(int(image)) for image in images]
    pictures = _pictures(found)[np.concatenate(owners)] if any(found) else None
    return ShownRows(tensors, ("what", "image key", "caption"), labels, pictures)


def _pictures(images: Sequence[ImageReference | None]) -> UInt8[np.ndarray, "n p p 3"]:
    """Small pictures, cut to squares; white where an image is not known or damaged."""
    found = np.full((len(images), PIXELS, PIXELS, 3), 255, np.uint8)
    for picture, reference in zip(found, images, strict=True):
        if reference is None:
            continue
        try:
            image = open_image(reference, extra="tensorboard")
        except ValueError:
            continue
        side = min(image.size)
        left, top = ((length - side) // 2 for length in image.size)
        picture[:] = image.resize((PIXELS, PIXELS), box=(left, top, left + side, top + side))
    return found
