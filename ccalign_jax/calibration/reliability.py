"""How far probabilities are from shares of right pairs, on pairs that they were not fitted on."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, Real

__all__ = ["Reliability", "calibration_error", "first_half", "reliability"]

BINS = 10


class Reliability(NamedTuple):
    """Mean probability and share of right pairs, by bins of equal weight that rise in probability.

    Attributes:
        probability: `[b]`, the mean in each bin.
        right: `[b]`, the share of right pairs.
        weight: `[b]`, of its pairs.
    """

    probability: Float[np.ndarray, " b"]
    right: Float[np.ndarray, " b"]
    weight: Float[np.ndarray, " b"]

    @property
    def error(self) -> float:
        """Expected calibration error: the mean difference of probability and share, by weight."""
        return float(self.weight @ abs(self.probability - self.right) / self.weight.sum())


def reliability(
    probabilities: Float[np.ndarray, " n"],
    right: Real[np.ndarray, " n"] | Bool[np.ndarray, " n"],
    weights: Float[np.ndarray, " n"] | None = None,
    *,
    bins: int = BINS,
) -> Reliability:
    """The bins of a reliability diagram.

    Args:
        probabilities: of pairs, or of groups of pairs.
        right: whether each is right, or the share of them that is.
        weights: of each; None for 1.
        bins: at most as many, each of the same weight as far as pairs can be divided.

    References:
        Naeini, Cooper & Hauskrecht, 2015, "Obtaining well calibrated probabilities using Bayesian binning"; Nixon et
        al., 2019, "Measuring calibration in deep learning", on bins of equal weight.

    Example:
        >>> found = reliability(np.array([0.1, 0.1, 0.6, 0.6]), np.array([False, False, True, False]), bins=2)
        >>> found.probability.tolist(), found.right.tolist(), round(found.error, 2)
        ([0.1, 0.6], [0.0, 0.5], 0.1)
    """
    weights = np.ones(len(probabilities)) if weights is None else weights
    order = np.argsort(probabilities, kind="stable")
    ordered = weights[order]
    middle = np.cumsum(ordered) - 0.5 * ordered
    place = np.minimum((bins * middle / ordered.sum()).astype(int), bins - 1)
    total, given, matched = (
        np.bincount(place, ordered * values, bins) for values in (1.0, probabilities[order], np.asarray(right)[order])
    )
    there = total > 0
    return Reliability(given[there] / total[there], matched[there] / total[there], total[there])


def calibration_error(probabilities: Float[np.ndarray, " n"], right: Bool[np.ndarray, " n"]) -> float:
    """Expected calibration error: mean difference of probability and share of right ones, over bins of equal size.

    Example:
        >>> calibration_error(np.full(40, 0.75), np.arange(40) % 2 == 0)
        0.25
    """
    return reliability(probabilities, right).error


def first_half(groups: Int[np.ndarray, " n"]) -> Bool[np.ndarray, " n"]:
    """Whether each row is in the first of two random halves, the same for all rows of a group.

    What is fitted on one half is measured on the other, and the other way round.

    Example:
        >>> first_half(np.array([5, 5, 8, 9, 9])).tolist()
        [False, False, True, True, True]
    """
    chosen = np.random.default_rng(0).permutation(np.unique(groups))[::2]
    return np.asarray(np.isin(groups, chosen))
