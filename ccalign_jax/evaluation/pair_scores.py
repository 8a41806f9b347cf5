"""Scores of held-out captions with every image of their gallery, counted, and with their own image, one by one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from ccalign_jax.calibration import ScoreCounts
from ccalign_jax.calibration.counts import merge
from ccalign_jax.metrics.ranks import tile_rows

__all__ = ["Gallery", "PairScores", "count_above", "join", "score_pairs"]

STEPS = 10_000  # of the score, from one whole number to the next, in which pairs are counted


class Gallery(NamedTuple):
    """Captions of one language and images that a map was not trained on, as unit rows of one space.

    Attributes:
        text: `[m, d]` captions.
        image: `[n, d]`, among which each caption is searched.
        owner: `[m]`, the row of each caption's image.
        groups: `[n]`, of the images; a caption is right for all images of its own image's group.
        first: `[n]`, images of the first half; what is fitted on one half is measured on the other.
    """

    text: Float[np.ndarray, "m d"]
    image: Float[np.ndarray, "n d"]
    owner: Int[np.ndarray, " m"]
    groups: Int[np.ndarray, " n"]
    first: Bool[np.ndarray, " n"]

    def tiles(self) -> Iterator[tuple[slice, Float[np.ndarray, "t n"], Bool[np.ndarray, "t n"]]]:
        """Captions, their scores with all images, and which of these are right, some captions at a time."""
        size = tile_rows(len(self.image))
        for start in range(0, len(self.text), size):
            rows = slice(start, start + size)
            right = self.groups[self.owner[rows]][:, None] == self.groups
            yield rows, self.text[rows] @ self.image.T, right


class PairScores(NamedTuple):
    """Scores of pairs, of one language or of several.

    Attributes:
        both, halves: counts of all pairs, and of captions with images of one half; other pairs weigh as in a gallery
            of the size that was asked for.
        own: `[m]`, the score of each caption with its own image.
        place: `[m]`, images that score as high or higher, its own among them.
        groups: `[m]`, of its image.
        first: `[m]`, whether its image is in the first half.
    """

    both: ScoreCounts
    halves: tuple[ScoreCounts, ScoreCounts]
    own: Float[np.ndarray, " m"]
    place: Int[np.ndarray, " m"]
    groups: Int[np.ndarray, " m"]
    first: Bool[np.ndarray, " m"]


def score_pairs(held: Gallery, size: int) -> PairScores:
    """The scores of all pairs of a gallery, counted as in one of `size` images."""
    count, half = 2 * STEPS + 1, held.first
    found = np.zeros((3, 2, count))  # all, and each half; right and others
    own, place = np.empty(len(held.text), np.float32), np.empty(len(held.text), np.int64)
    for rows, scores, right in held.tiles():
        own[rows] = np.take_along_axis(scores, held.owner[rows, None], 1)[:, 0]
        place[rows] = (scores >= own[rows, None]).sum(axis=1)
        cells = np.rint((np.clip(scores, -1, 1) + 1) * STEPS).astype(np.int32) + count * ~right
        found[0] += np.bincount(cells.ravel(), minlength=2 * count).reshape(2, count)
        for number, part in enumerate((half, ~half), 1):
            inside = cells[part[held.owner[rows]]][:, part]
            found[number] += np.bincount(inside.ravel(), minlength=2 * count).reshape(2, count)
    grid = np.arange(-STEPS, STEPS + 1) / STEPS
    images = (len(half), half.sum(), (~half).sum())
    parts = [_counts(grid, each, _weight(size, number)) for each, number in zip(found, images, strict=True)]
    return PairScores(parts[0], (parts[1], parts[2]), own, place, held.groups[held.owner], half[held.owner])


def count_above(
    held: Gallery, size: int, thresholds: Sequence[float]
) -> tuple[Float[np.ndarray, " m"], Float[np.ndarray, " m"]]:
    """Right results and all results of each caption within its half, at or above the threshold of that half.

    Args:
        held: captions and images.
        size: of the gallery that results are counted for.
        thresholds: for the first half, and for the second.
    """
    half = held.first
    right_of, all_of = np.zeros(len(held.text)), np.zeros(len(held.text))
    for rows, scores, right in held.tiles():
        mine = half[held.owner[rows]]
        above = (scores >= np.where(mine, *thresholds)[:, None]) & (mine[:, None] == half)
        matches = (above & right).sum(axis=1)
        weight = np.where(mine, _weight(size, half.sum()), _weight(size, (~half).sum()))
        right_of[rows], all_of[rows] = matches, matches + weight * (above.sum(axis=1) - matches)
    return right_of, all_of


def join(parts: Sequence[PairScores]) -> PairScores:
    """The scores of several sets or languages together."""
    halves = [merge(part.halves[number] for part in parts) for number in (0, 1)]
    rows = (np.concatenate(each) for each in zip(*(part[2:] for part in parts), strict=True))
    return PairScores(merge(part.both for part in parts), (halves[0], halves[1]), *rows)


def _weight(size: int, images: int) -> float:
    """Of each other image among so many, for a gallery of `size`."""
    return (size - 1) / max(int(images) - 1, 1)


def _counts(grid: np.ndarray, found: np.ndarray, weight: float) -> ScoreCounts:
    there = found.any(axis=0)
    return ScoreCounts(grid[there], found[0, there], found[1, there]).weigh_others(weight)
