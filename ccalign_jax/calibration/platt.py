"""Probabilities by a logistic curve of the score."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from ccalign_jax.calibration.counts import ScoreCounts
from ccalign_jax.calibration.likelihood import maximise

__all__ = ["Platt", "fit_platt"]


class Platt(NamedTuple):
    """P(match | score) = 1 / (1 + exp(−scale · score − offset)).

    Attributes:
        scale: ≥ 0.
        offset: the log odds at a score of 0.
    """

    scale: float
    offset: float

    def probabilities(self, scores: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
        """The probability that a pair of each score is a match."""
        return 0.5 + 0.5 * np.tanh(0.5 * (self.scale * np.asarray(scores, np.float64) + self.offset))


def fit_platt(counts: ScoreCounts) -> Platt:
    """The curve of largest likelihood, for labels that lie a little inside of 0 and 1, so that no pair is certain.

    References:
        Platt, 1999, "Probabilistic outputs for support vector machines".

    Example:
        >>> from ccalign_jax.calibration import count_scores
        >>> scores = np.linspace(0, 1, 2000)
        >>> drawn = np.random.default_rng(0).uniform(size=2000) < 1 / (1 + np.exp(6 - 8 * scores))
        >>> [round(number) for number in fit_platt(count_scores(scores, drawn))]
        [8, -6]
    """
    matches, others = counts.right.sum(), counts.others.sum()
    # Of a right pair and of another one: as if one pair more of each kind had been seen.
    high, low = (matches + 1) / (matches + 2), 1 / (others + 2)
    positive, total = counts.right * high + counts.others * low, counts.total
    middle = np.average(counts.scores, weights=total)
    spread = np.sqrt(np.average((counts.scores - middle) ** 2, weights=total)) or 1.0
    scores = (counts.scores - middle) / spread

    def likelihood(values: np.ndarray) -> tuple[float, np.ndarray]:
        logits = values[0] * scores + values[1]
        level = positive @ logits - total @ np.logaddexp(0.0, logits)
        beyond = positive - total * (0.5 + 0.5 * np.tanh(0.5 * logits))
        return level / total.sum(), np.array([beyond @ scores, beyond.sum()]) / total.sum()

    prior = np.log(positive.sum() / (total.sum() - positive.sum()))
    scale, offset = maximise(likelihood, np.array([1.0, prior]), least=(0.0, -np.inf))
    return Platt(float(scale / spread), float(offset - scale * middle / spread))
