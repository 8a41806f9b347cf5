"""Cluster bootstrap: replicates of ratios over whole clusters, and percentile intervals from them."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Integer, Real, UInt

from ccalign_jax.statistics._blocks import blocks, unlike_rows
from ccalign_jax.statistics._constants import LEVEL, REPLICATES

__all__ = ["bootstrap_weights", "percentile_interval", "ratio_replicates"]

MANY_REPLICATES, SOME_REPLICATES, GUESS = (
    4096,
    256,
    0.04,
)  # where quantiles are first guessed from some of the replicates


def bootstrap_weights(
    clusters: int, *, replicates: int = REPLICATES, seed: int
) -> UInt[np.ndarray, "replicates clusters"]:
    """Bootstrap weights: how often each cluster is drawn, with replacement, in each replicate of as many clusters.

    A cluster is resampled as a whole: an image with all its captions, in every language. The same weights serve every
    estimate from the same clusters, so that estimates can be compared replicate by replicate.

    Args:
        clusters: n, at least 1.
        replicates: number of replicates, at least 1; the first ones do not depend on how many follow.
        seed: of NumPy's default generator.

    Returns:
        `[replicates, n]` unsigned integers, each row sums to n; uint8 unless a number above 255 comes up.

    Raises:
        ValueError: no cluster or no replicate.

    References:
        Efron & Tibshirani, 1993, "An Introduction to the Bootstrap";
        Field & Welsh, 2007, "Bootstrapping clustered data".

    Example:
        >>> bootstrap_weights(3, replicates=2, seed=0).tolist()
        [[0, 2, 1], [3, 0, 0]]
    """
    if clusters < 1 or replicates < 1:
        raise ValueError(f"{clusters} clusters and {replicates} replicates; both must be at least 1")
    generator = np.random.default_rng(seed)
    weights = np.empty((replicates, clusters), np.uint8)
    for block in blocks(replicates, clusters):
        rows = block.stop - block.start
        drawn = generator.integers(clusters, size=(rows, clusters))
        drawn += clusters * np.arange(rows)[:, None]
        times = np.bincount(drawn.ravel(), minlength=rows * clusters).reshape(rows, clusters)
        needed = np.promote_types(weights.dtype, np.min_scalar_type(times.max()))
        weights = weights.astype(needed, copy=False)
        weights[block] = times
    return weights


def ratio_replicates(
    weights: Integer[np.ndarray, "replicates n"], sums: Real[np.ndarray, "n k m"], counts: Real[np.ndarray, "n k"]
) -> Float[np.ndarray, "k m replicates"]:
    """Bootstrap replicates of the ratio sum / count of every column.

    Distances from the ratio itself are summed, so that float32 products leave errors below 1e-6 in ratios up to 1. For
    a change, give the difference of the two sums: equal ones then give exactly 0.

    Args:
        weights: `[replicates, n]` from `bootstrap_weights`.
        sums: `[n, k, m]`, of m metrics over the queries of a cluster, for k sorts of queries (language × direction).
        counts: `[n, k]` ≥ 0, how many queries those are; where it is 0, the sums are not looked at.

    Returns:
        `[k, m, replicates]` float32; NaN where a replicate has no query.

    Raises:
        ValueError: shapes that do not fit.

    Example:
        >>> sums, counts = np.array([[[1.0]], [[1.0]]]), np.array([[1], [3]])
        >>> ratio_replicates(np.array([[1, 1], [2, 0]]), sums, counts).tolist()
        [[[0.5, 1.0]]]
    """
    replicates, n = weights.shape
    counts = np.asarray(counts, np.float64)
    if sums.ndim != 3 or counts.shape != sums.shape[:2] or len(sums) != n:
        shapes = f"weights {weights.shape}, sums {sums.shape} and counts {counts.shape}"
        raise ValueError(f"{shapes} must be [replicates, n], [n, k, m] and [n, k]")
    _, k, m = sums.shape
    sums = np.where(counts[..., None] > 0, sums, 0.0).astype(np.float64)
    estimates = sums.sum(0) / np.maximum(counts.sum(0), 1.0)[:, None]
    distances = sums - counts[..., None] * estimates
    columns = np.concatenate([distances.reshape(n, k * m), counts], axis=1).astype(np.float32)
    columns, place = unlike_rows(np.ascontiguousarray(columns.T))
    found = np.empty((k, m, replicates), np.float32)
    estimates = estimates[..., None].astype(np.float32)
    for block in blocks(replicates, n):
        products = columns @ weights[block].astype(np.float32).T
        ratios, queries = products[place[: k * m]].reshape(k, m, -1), products[place[k * m :], None]
        if queries.min() > 0:
            ratios /= queries
        else:
            ratios = np.divide(ratios, queries, out=np.full_like(ratios, np.nan), where=queries > 0)
        np.add(ratios, estimates, out=found[..., block])
    return found


def percentile_interval(
    replicates: Real[np.ndarray, "*columns replicates"], *, level: float = LEVEL
) -> tuple[Float[np.ndarray, "*columns"], Float[np.ndarray, "*columns"]]:
    """Percentile interval: quantiles (1 − level) / 2 and (1 + level) / 2 of the replicates of each column.

    Args:
        replicates: `[..., replicates]`; NaN is left out.
        level: share of the replicates that the interval holds, in (0, 1).

    Returns:
        Lower and upper ends, `[...]` float64, interpolated linearly as `np.quantile` does; NaN where all are NaN.

    Raises:
        ValueError: a level outside (0, 1), or an axis without replicates.

    References:
        Efron & Tibshirani, 1993, "An Introduction to the Bootstrap", chapter 13.

    Example:
        >>> [float(end) for end in percentile_interval(np.array([4.0, np.nan, 0, 1, 2, 3]), level=0.5)]
        [1.0, 3.0]
    """
    if not 0 < level < 1:
        raise ValueError(f"level is {level}; it must be above 0 and below 1")
    if not replicates.shape[-1]:
        raise ValueError("there are no replicates to take an interval from")
    columns = replicates.reshape(-1, replicates.shape[-1])
    ends = np.array([_ends(column, (1 - level) / 2, (1 + level) / 2) for column in columns], np.float64)
    low, high = ends.reshape(*replicates.shape[:-1], 2).transpose(-1, *range(replicates.ndim - 1))
    return low, high


def _ends(replicates: Real[np.ndarray, " replicates"], low: float, high: float) -> tuple[float, float]:
    """Two quantiles; of many replicates only those beyond a rough guess of them are sorted."""
    last = len(replicates) - 1
    if len(replicates) >= MANY_REPLICATES:
        some = np.sort(replicates[:: len(replicates) // SOME_REPLICATES])
        outer = [round(share * (len(some) - 1)) for share in (low + GUESS, high - GUESS)]
        if outer[0] < outer[1] and not np.isnan(some[-1]):
            below, above = (
                np.sort(replicates[replicates < some[outer[0]]]),
                np.sort(replicates[replicates > some[outer[1]]]),
            )
            first = len(replicates) - len(above)  # the place of the first of those above
            if int(low * last) + 1 < len(below) and int(high * last) >= first and not np.isnan(np.sum(replicates)):
                return _quantile(below, low * last), _quantile(above, high * last - first)
    ordered = np.sort(replicates)  # NaN stands last
    last = max(len(replicates) - int(np.isnan(replicates).sum()) - 1, 0)
    return _quantile(ordered[: last + 1], low * last), _quantile(ordered[: last + 1], high * last)


def _quantile(ordered: Real[np.ndarray, " replicates"], place: float) -> float:
    below = int(place)
    start, end = float(ordered[below]), float(ordered[min(below + 1, len(ordered) - 1)])
    return start + (end - start) * (place - below)
