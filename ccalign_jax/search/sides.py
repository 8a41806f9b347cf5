"""One map of captions and images, with what is searched through it: an index of each, and their calibrations."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from ccalign_jax._names import IDENTITY
from ccalign_jax.calibration import SoftmaxCalibration, fit_softmax
from ccalign_jax.calibration.softmax import CANDIDATES
from ccalign_jax.data import EmbeddingSet
from ccalign_jax.evaluation.held_out import HeldOut
from ccalign_jax.learned_map import LearnedMap
from ccalign_jax.numerics import unit_float32
from ccalign_jax.search.exported import identity_map
from ccalign_jax.search.index import SearchIndex

__all__ = ["CaptionRows", "Pairs", "Side", "caption_rows", "collapse", "held_out_pairs", "open_side"]

CAPTIONS = 300  # nearest captions that are looked at: of some hundred images
QUERIES = 1500  # held-out captions that a calibration is fitted on, at most


class CaptionRows(NamedTuple):
    """The captions of all languages, one after the other.

    Attributes:
        languages: of the data, sorted.
        language: `[m]`, the number of each caption's.
        row: `[m]`, its row among those of its language.
        image: `[m]`, the row of its image.
    """

    languages: tuple[str, ...]
    language: Int[np.ndarray, " m"]
    row: Int[np.ndarray, " m"]
    image: Int[np.ndarray, " m"]


class Pairs(NamedTuple):
    """Candidates of held-out captions, on which a calibration is fitted.

    Attributes:
        scores: `[q, k]` cosines of the nearest candidates; -inf for none.
        right: `[q, k]`, those of the caption's own image, or of its group.
        groups: `[q]`, of the caption's image.
        sizes: `[q]`, images among which they are the nearest.
    """

    scores: Float[np.ndarray, "q k"]
    right: Bool[np.ndarray, "q k"]
    groups: Int[np.ndarray, " q"]
    sizes: Int[np.ndarray, " q"]

    def calibration(self, without: int | None = None) -> SoftmaxCalibration | None:
        """The calibration that they give, without those of one group; None for too few."""
        kept = self.groups != (-1 if without is None else without)
        return fit_softmax(*(part[kept] for part in self))


@dataclasses.dataclass(frozen=True, eq=False)
class Side:
    """What is searched before, or after alignment.

    Attributes:
        learned: the map; the identity before alignment.
        images, captions: indices; captions may be left out.
        image_pairs, caption_pairs: for calibrations; None where there are none.
        image_scores, caption_scores: the calibrations of all pairs.
    """

    learned: LearnedMap
    images: SearchIndex
    captions: SearchIndex | None
    image_pairs: Pairs | None = None
    caption_pairs: Pairs | None = None
    image_scores: SoftmaxCalibration | None = None
    caption_scores: SoftmaxCalibration | None = None

    def caption_query(self, rows: Float[np.ndarray, "q d"], language: str | None) -> Float[np.ndarray, "q w"]:
        """Captions to compare with captions: before alignment in the space of their encoder, whatever images have."""
        return unit_float32(rows) if self.learned.about["aligner"] == IDENTITY else self.learned(rows, language)


def caption_rows(data: EmbeddingSet) -> CaptionRows:
    """Where each caption of a data set stands."""
    counts = [len(data.image_of[language]) for language in data.languages]
    return CaptionRows(
        data.languages,
        np.repeat(np.arange(len(counts)), counts),
        np.concatenate([np.arange(count) for count in counts]),
        np.concatenate([data.image_of[language] for language in data.languages]).astype(np.int64),
    )


def open_side(
    learned: LearnedMap, data: EmbeddingSet, like: Side | None = None, *, captions: bool, faiss: bool | None
) -> Side:
    """The indices of a data set through a map.

    Args:
        learned: the map.
        data: what is searched.
        like: a side whose images are as they are; shared where the map leaves them so.
        captions: index them, too.
        faiss: as in `SearchIndex`.
    """
    if not learned.aligner.trains_image:
        images = like.images if like is not None else SearchIndex(data.image, faiss=faiss)
    else:
        images = SearchIndex(learned.map_images(data.image, name=f"{data.name}: image"), faiss=faiss)
    side = Side(learned, images, None)
    if not captions:
        return side
    rows = np.concatenate([side.caption_query(data.text[language], language) for language in data.languages])
    return dataclasses.replace(side, captions=SearchIndex(rows, faiss=faiss))


def held_out_pairs(held: Sequence[HeldOut], *, before: bool, captions: bool) -> tuple[Pairs, Pairs | None]:
    """Candidates of held-out captions: among the held-out images, and among the images of their captions.

    Args:
        held: maps, and images that they were not trained on.
        before: by the rows as they are, in place of the maps.
        captions: the second as well.
    """
    images: list[tuple[np.ndarray, ...]] = []
    texts: list[tuple[np.ndarray, ...]] = []
    random = np.random.default_rng(0)
    share = min(1.0, QUERIES / sum(len(rows) for one in held for rows in one.data.text.values()))
    # No more than half of the smallest gallery, so that the weight of the others is known.
    most = min(CANDIDATES, max(1, min(len(one.data) for one in held) // 2))
    for one in held:
        side = open_side(identity_map(one.learned) if before else one.learned, one.data, captions=captions, faiss=False)
        data, where = one.data, caption_rows(one.data)
        for number, language in enumerate(data.languages):
            count = len(data.text[language])
            chosen = np.sort(random.permutation(count)[: max(1, round(share * count))])
            rows, group = data.text[language][chosen], data.groups[data.image_of[language][chosen]]
            found = side.images.search(side.learned(rows, language), most)
            sizes = np.full(len(chosen), len(data))
            images.append((found.scores, data.groups[found.rows] == group[:, None], group, sizes))
            if side.captions is None:
                continue
            several = np.bincount(data.groups[where.image])[group] > 1  # another caption that could be found
            if not several.any():
                continue
            near = side.captions.search(side.caption_query(rows[several], language), CAPTIONS)
            itself = (where.language[near.rows] == number) & (where.row[near.rows] == chosen[several, None])
            owners, scores = collapse(where.image[near.rows], np.where(itself, -np.inf, near.scores), most)
            right = (owners >= 0) & (data.groups[owners] == group[several, None])
            texts.append((scores, right, group[several], sizes[several]))
    return _joined(images), _joined(texts) if texts else None


def collapse(
    owners: Int[np.ndarray, "q m"], scores: Float[np.ndarray, "q m"], count: int
) -> tuple[Int[np.ndarray, "q k"], Float[np.ndarray, "q k"]]:
    """The first of each owner in lists that are sorted by score, at most `count`; -1 and -inf behind.

    Example:
        >>> collapse(np.array([[4, 4, 2]]), np.array([[0.9, 0.8, 0.7]]), 3)[0].tolist()
        [[4, 2, -1]]
    """
    found = np.full((len(owners), count), -1, np.int64)
    values = np.full((len(owners), count), -np.inf)
    for number, each in enumerate(owners):
        there = np.flatnonzero(np.isfinite(scores[number]))
        first = there[np.sort(np.unique(each[there], return_index=True)[1])][:count]
        found[number, : len(first)], values[number, : len(first)] = each[first], scores[number, first]
    return found, values


def _joined(parts: Sequence[tuple[np.ndarray, ...]]) -> Pairs:
    return Pairs(*map(np.concatenate, zip(*parts, strict=True)))
