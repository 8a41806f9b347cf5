"""Bounds that hold for a new query with a chosen probability, whatever the distribution of scores."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float, Int

__all__ = ["conformal_bound", "coverage_band"]


def conformal_bound(values: Float[np.ndarray, " m"], groups: Int[np.ndarray, " m"], coverage: float) -> float:
    """An upper bound of the value of a new query, which holds with probability `coverage` or more.

    The value is how badly a query conforms, such as minus the cosine of a caption and its image: all images whose
    value is at most the bound are then a set that holds the right one. The guarantee is for a random query of a new
    group, such as a random caption of a new image, if groups are exchangeable; no distribution is assumed, and queries
    of one group may depend on each other. Each group has the same weight.

    Args:
        values: of held-out queries.
        groups: of each query.
        coverage: in (0, 1).

    Returns:
        One of the values, or infinity where there are too few groups: it takes coverage / (1 − coverage) of them.

    References:
        Vovk, Gammerman & Shafer, 2005, "Algorithmic learning in a random world"; Lee, Barber & Willett, 2023,
        "Distribution-free inference with hierarchical data".

    Example:
        >>> values = np.arange(9.0)
        >>> conformal_bound(values, np.arange(9), 0.8), conformal_bound(values, np.arange(9), 0.95)
        (7.0, inf)
    """
    _, place, counts = np.unique(groups, return_inverse=True, return_counts=True)
    order = np.argsort(values, kind="stable")
    covered = np.cumsum((1.0 / counts[place])[order])  # groups, of which one more, the new one, may be anywhere
    enough = np.flatnonzero(covered >= coverage * (len(counts) + 1) - 1e-9)
    return float(values[order][enough[0]]) if len(enough) else float("inf")


def coverage_band(calibrated: int, tested: int, coverage: float, *, level: float = 0.95) -> tuple[float, float]:
    """Where the coverage among new queries lies with probability `level`, for one query a group and no ties.

    Args:
        calibrated: groups that the bound was found on.
        tested: new groups.
        coverage: that the bound was found for.
        level: of the band.

    Returns:
        Quantiles (1 − level) / 2 and (1 + level) / 2 of the share of new queries that are covered, which is
        beta-binomial; (1, 1) where the bound is infinite.

    References:
        Angelopoulos & Bates, 2023, "Conformal prediction: a gentle introduction", section 3.2.

    Example:
        >>> [round(end, 3) for end in coverage_band(500, 500, 0.9)]
        [0.86, 0.934]
    """
    from scipy.stats import betabinom

    place = math.ceil(coverage * (calibrated + 1) - 1e-9)
    if place > calibrated:
        return 1.0, 1.0
    ends = betabinom.ppf([(1 - level) / 2, (1 + level) / 2], tested, place, calibrated + 1 - place)
    return float(ends[0] / tested), float(ends[1] / tested)
