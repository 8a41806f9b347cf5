"""Pairs counted by their score: right ones, and others."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

__all__ = ["ScoreCounts", "count_scores", "merge"]


class ScoreCounts(NamedTuple):
    """How many right and how many other pairs have each score; counts may be weights.

    Attributes:
        scores: `[k]`, each once, ascending.
        right: `[k]`, pairs of a caption and its image.
        others: `[k]`, pairs of a caption and another image.
    """

    scores: Float[np.ndarray, " k"]
    right: Float[np.ndarray, " k"]
    others: Float[np.ndarray, " k"]

    @property
    def total(self) -> Float[np.ndarray, " k"]:
        """Right and other pairs, `[k]`."""
        return self.right + self.others

    def weigh_others(self, weight: float) -> ScoreCounts:
        """Other pairs counted `weight` times, as in a gallery with so many times as many other images.

        Example:
            >>> count_scores(np.array([0.1, 0.9]), np.array([False, True])).weigh_others(3.0).others.tolist()
            [3.0, 0.0]
        """
        return self._replace(others=self.others * weight)


def count_scores(scores: Float[np.ndarray, ...], right: Bool[np.ndarray, ...]) -> ScoreCounts:
    """The counts of pairs.

    Args:
        scores: of pairs, in any shape.
        right: whether each is a match.

    Example:
        >>> counts = count_scores(np.array([0.2, 0.7, 0.2]), np.array([False, True, True]))
        >>> counts.scores.tolist(), counts.right.tolist(), counts.others.tolist()
        ([0.2, 0.7], [1.0, 1.0], [1.0, 0.0])
    """
    found, place = np.unique(np.asarray(scores, np.float64), return_inverse=True)
    answers = np.asarray(right, bool).ravel()
    matches, others = (np.bincount(place.ravel()[which], minlength=len(found)) for which in (answers, ~answers))
    return ScoreCounts(found, matches.astype(np.float64), others.astype(np.float64))


def merge(parts: Iterable[ScoreCounts]) -> ScoreCounts:
    """The counts of all parts together."""
    listed = list(parts)
    scores, place = np.unique(np.concatenate([part.scores for part in listed]), return_inverse=True)
    right, others = (
        np.bincount(place, np.concatenate([getattr(part, side) for part in listed]), len(scores))
        for side in ("right", "others")
    )
    return ScoreCounts(scores, right, others)
