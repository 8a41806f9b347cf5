"""Examples of retrieval before and after a map: hits gained, hits lost, and the largest losses of rank."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Iterator, Sequence
from itertools import cycle, islice
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from ccalign_jax._names import DIRECTIONS
from ccalign_jax.data import EmbeddingSet
from ccalign_jax.data.originals import caption_text
from ccalign_jax.encoders.images import open_image
from ccalign_jax.extraction.pictures import Pictures
from ccalign_jax.study.examples.mapped_fold import MappedFold
from ccalign_jax.study.plan import Plan

__all__ = ["choose_evenly", "retrieval_examples"]

SHOWN = 3  # of each kind and direction
NEAREST = 3  # items of the gallery
THUMBNAILS, SIDE, QUALITY = 32, 96, 70  # how many at most, pixels of the longer side, of JPEG
RULE = (
    "gained: not first before, first after; lost: the other way round; both drawn at random from all such queries. "
    "worst: the largest losses of rank. Languages take turns; an image is shown once in each list."
)


class _Pool(NamedTuple):
    """The queries of one direction, of all folds and languages; an array a field, the last as in `Queries`."""

    fold: Int[np.ndarray, " q"]
    language: Int[np.ndarray, " q"]
    row: Int[np.ndarray, " q"]
    image: Int[np.ndarray, " q"]
    before: Float[np.ndarray, " q"]
    after: Float[np.ndarray, " q"]

    @property
    def gained(self) -> Bool[np.ndarray, " q"]:
        return (self.before > 1) & (self.after == 1)

    @property
    def lost(self) -> Bool[np.ndarray, " q"]:
        return (self.before == 1) & (self.after > 1)


def retrieval_examples(plan: Plan, folds: Sequence[MappedFold]) -> dict[str, Any]:
    """Equally many hits gained, hits lost and largest losses of each direction, as `examples` of `examples.json`."""
    found: dict[str, Any] = {"rule": RULE}
    shown: list[int] = []
    images_of = [np.asarray(fold.part.images) for fold in folds]
    for number, direction in enumerate(DIRECTIONS):
        pool = _pool(folds, direction)
        draw = np.random.default_rng([plan.config.seed, number])
        shuffled = draw.permutation(len(pool.row))
        losses = np.argsort(pool.before - pool.after, kind="stable")
        orders = {
            "gained": shuffled[pool.gained[shuffled]],
            "lost": shuffled[pool.lost[shuffled]],
            "worst": losses[(pool.after > pool.before)[losses]],
        }
        found[direction] = {
            "queries": len(pool.row),
            "counts": {"gained": int(pool.gained.sum()), "lost": int(pool.lost.sum())},
        }
        for turn, (kind, order) in enumerate(orders.items()):
            images = [int(images_of[int(pool.fold[place])][pool.image[place]]) for place in order]
            chosen = choose_evenly(pool.language[order], images, SHOWN, first=turn * SHOWN)
            examples = [_example(plan.data, folds, direction, pool, int(order[place])) for place in chosen]
            shown += [image for example in examples for image in _pictures(plan.data, direction, example)]
            found[direction][kind] = examples
    found["thumbnails"] = dict(islice(_thumbnails(plan.data, dict.fromkeys(shown)), THUMBNAILS))
    return found


def choose_evenly(languages: Sequence[int] | np.ndarray, images: Sequence[int], count: int, *, first: int) -> list[int]:
    """Places of the first candidates, languages taking turns, and no image twice.

    Args:
        languages, images: of each candidate, the best first.
        count: how many to choose, fewer where there are no more.
        first: the turn to begin with.

    Example:
        >>> choose_evenly([0, 0, 0, 1], [5, 5, 6, 7], 3, first=0)
        [0, 3, 2]
    """
    places = np.arange(len(languages))
    queues = {int(one): iter(places[np.asarray(languages) == one].tolist()) for one in np.unique(languages)}
    names = list(queues)
    chosen: list[int] = []
    used: set[int] = set()
    for name in islice(cycle(names), first % max(len(names), 1), None):
        if len(chosen) == count or not queues:
            break
        place = next((one for one in queues.get(name, ()) if images[one] not in used), None)
        if place is None:
            queues.pop(name, None)
            continue
        chosen.append(place)
        used.add(images[place])
    return chosen


def _pool(folds: Sequence[MappedFold], direction: str) -> _Pool:
    parts = []
    for number, fold in enumerate(folds):
        for language in range(len(fold.part.image_of)):
            row, image, before, after, _ = fold.queries(direction, language)
            place = (np.full(len(row), number), np.full(len(row), language))
            parts.append((*place, row, image, before, after))
    return _Pool(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def _example(data: EmbeddingSet, folds: Sequence[MappedFold], direction: str, pool: _Pool, at: int) -> dict[str, Any]:
    """One query: its language, image and caption, its rank before and after, and the nearest items of the gallery."""
    fold, language = folds[pool.fold[at]], int(pool.language[at])
    row, image = int(pool.row[at]), int(pool.image[at])
    name, part = data.languages[language], fold.part
    starts = np.cumsum([0, *(len(data.text[one]) for one in data.languages)])

    def text(caption: int) -> str | None:
        return caption_text(data, name, int(part.captions[language][caption]) - int(starts[language]))

    def nearest(texts: Sequence[np.ndarray], images: np.ndarray) -> list[dict[str, Any]]:
        query, gallery = (texts[language], images) if direction == "t2i" else (images, texts[language])
        found = np.argsort(-(gallery @ query[row]), kind="stable")[:NEAREST]
        owners = found if direction == "t2i" else np.asarray(part.image_of[language])[found]
        captions = [None] * len(found) if direction == "t2i" else [text(int(one)) for one in found]
        return [
            {"image": str(data.keys[part.images[owner]]), "caption": caption, "right": bool(owner == image)}
            for owner, caption in zip(owners, captions, strict=True)
        ]

    return {
        "fold": fold.number,
        "language": name,
        "image": str(data.keys[part.images[image]]),
        "caption": text(row) if direction == "t2i" else None,
        "before": round(float(pool.before[at]), 2),
        "after": round(float(pool.after[at]), 2),
        "nearest_before": nearest(*fold.before),
        "nearest_after": nearest(*fold.after),
    }


def _pictures(data: EmbeddingSet, direction: str, example: dict[str, Any]) -> Iterator[int]:
    """The images that an example shows: its own, and where a caption is the query those found first."""
    keys = [example["image"]]
    if direction == "t2i":
        keys += [example[key][0]["image"] for key in ("nearest_before", "nearest_after")]
    for key in keys:
        yield int(np.searchsorted(data.keys, key))


def _thumbnails(data: EmbeddingSet, images: Iterable[int]) -> Iterator[tuple[str, str]]:
    """Key and JPEG, as base64, of those images that are known."""
    pictures = Pictures(data)
    for image in images:
        if (found := pictures.find(image)) is None:
            continue
        try:
            picture = open_image(found)
        except ValueError:  # damaged since
            continue
        picture.thumbnail((SIDE, SIDE))
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=QUALITY)
        yield str(data.keys[image]), base64.b64encode(file.getvalue()).decode()
