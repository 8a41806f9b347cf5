"""Probabilities that rise with the score, of no other form: isotonic regression."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from ccalign_jax.calibration.counts import ScoreCounts

__all__ = ["Isotonic", "fit_isotonic"]


class Isotonic(NamedTuple):
    """P(match | score) that never falls: linear between knots, constant beyond them.

    Attributes:
        scores: `[k]`, the knots, ascending.
        shares: `[k]`, the probability at each.
    """

    scores: Float[np.ndarray, " k"]
    shares: Float[np.ndarray, " k"]

    def probabilities(self, scores: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
        """The probability that a pair of each score is a match."""
        return np.interp(scores, self.scores, self.shares)


def fit_isotonic(counts: ScoreCounts) -> Isotonic:
    """The rising function of least squared error, by pooling adjacent violators.

    References:
        Ayer et al., 1955; Zadrozny & Elkan, 2002, "Transforming classifier scores into accurate multiclass probability
        estimates".

    Example:
        >>> from ccalign_jax.calibration import count_scores
        >>> scores, right = np.array([0.1, 0.2, 0.3, 0.4]), np.array([False, True, False, True])
        >>> fit_isotonic(count_scores(scores, right)).probabilities(scores).tolist()
        [0.0, 0.5, 0.5, 1.0]
    """
    from scipy.optimize import isotonic_regression

    there = counts.total > 0
    scores, total = counts.scores[there], counts.total[there]
    found = isotonic_regression(counts.right[there] / total, weights=total)
    ends = np.unique(np.concatenate([found.blocks[:-1], found.blocks[1:] - 1]))  # the first and last of each block
    return Isotonic(scores[ends], found.x[ends])
