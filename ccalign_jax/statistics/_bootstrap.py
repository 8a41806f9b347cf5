"""The cluster bootstrap: ratios and medians in resamples of whole clusters, and percentile intervals from them."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float, Integer, Real, UInt

from ccalign_jax.statistics._draws import DRAWS, LEVEL, blocks

__all__ = ["bootstrap_weights", "percentile_interval", "ratio_draws", "weighted_median_draws"]

STRETCHES = 64  # a draw's median is first sought among so many stretches of the sorted values, then within one


def bootstrap_weights(clusters: int, *, draws: int = DRAWS, seed: int) -> UInt[np.ndarray, "draws clusters"]:
    """How often each cluster is drawn in each resample of as many clusters, with replacement.

    A cluster is what moves together: an image with all its captions, in every language. The same weights serve every
    figure of the same clusters, so that figures can be compared draw by draw.

    Args:
        clusters: n, at least 1.
        draws: number of resamples, at least 1; the first ones do not depend on how many follow.
        seed: of NumPy's default generator.

    Returns:
        `[draws, n]` unsigned integers, each row sums to n; uint8 unless a number above 255 comes up.

    Raises:
        ValueError: no cluster or no draw.

    References:
        Efron & Tibshirani, 1993, "An Introduction to the Bootstrap";
        Field & Welsh, 2007, "Bootstrapping clustered data".

    Example:
        >>> bootstrap_weights(3, draws=2, seed=0).tolist()
        [[0, 2, 1], [3, 0, 0]]
    """
    if clusters < 1 or draws < 1:
        raise ValueError(f"{clusters} clusters and {draws} draws; both must be at least 1")
    generator = np.random.default_rng(seed)
    weights = np.empty((draws, clusters), np.uint8)
    for block in blocks(draws, clusters):
        rows = block.stop - block.start
        drawn = generator.integers(clusters, size=(rows, clusters))
        drawn += clusters * np.arange(rows)[:, None]
        times = np.bincount(drawn.ravel(), minlength=rows * clusters).reshape(rows, clusters)
        needed = np.promote_types(weights.dtype, np.min_scalar_type(times.max()))
        weights = weights.astype(needed, copy=False)
        weights[block] = times
    return weights


def ratio_draws(
    weights: Integer[np.ndarray, "draws n"], sums: Real[np.ndarray, "n k m"], counts: Real[np.ndarray, "n k"]
) -> Float[np.ndarray, "k m draws"]:
    """Sum over count of every column in every draw: each figure as it would be in each resample.

    What is summed is the distance from the figure itself, so that float32 products leave errors below 1e-6 in
    figures up to 1. A change is best drawn from the difference of the two sums: equal ones then give exactly 0.

    Args:
        weights: `[draws, n]` from `bootstrap_weights`.
        sums: `[n, k, m]`, of m metrics over the queries of a cluster, for k sorts of queries (language × direction).
        counts: `[n, k]` ≥ 0, how many queries those are; where it is 0, the sums are not looked at.

    Returns:
        `[k, m, draws]` float32; NaN where a draw has no query.

    Raises:
        ValueError: shapes that do not fit.

    Example:
        >>> sums, counts = np.array([[[1.0]], [[1.0]]]), np.array([[1], [3]])
        >>> ratio_draws(np.array([[1, 1], [2, 0]]), sums, counts).tolist()
        [[[0.5, 1.0]]]
    """
    draws, n = weights.shape
    counts = np.asarray(counts, np.float64)
    if sums.ndim != 3 or counts.shape != sums.shape[:2] or len(sums) != n:
        shapes = f"weights {weights.shape}, sums {sums.shape} and counts {counts.shape}"
        raise ValueError(f"{shapes} must be [draws, n], [n, k, m] and [n, k]")
    _, k, m = sums.shape
    sums = np.where(counts[..., None] > 0, sums, 0.0).astype(np.float64)
    figures = sums.sum(0) / np.maximum(counts.sum(0), 1.0)[:, None]
    distances = sums - counts[..., None] * figures
    columns = np.concatenate([distances.reshape(n, k * m), counts], axis=1).astype(np.float32)
    found = np.full((k, m, draws), np.nan, np.float32)
    for block in blocks(draws, n):
        products = (weights[block].astype(np.float32) @ columns).T
        queries = products[k * m :, None]
        np.divide(products[: k * m].reshape(k, m, -1), queries, out=found[..., block], where=queries > 0)
    found += figures[..., None].astype(np.float32)
    return found


def weighted_median_draws(
    values: Real[np.ndarray, " q"], owner: Integer[np.ndarray, " q"], weights: Real[np.ndarray, "draws n"]
) -> Float[np.ndarray, " draws"]:
    """The median of the values in every draw, each value counted as often as its cluster was drawn.

    Exactly `np.median(np.repeat(values, weights[draw][owner]))`: an even number of them has the mean of the two in
    the middle. The medians of resamples lie near that of the sample: the sorted values there are cut into stretches,
    of equal values if there are few. One product says which stretch holds the middle of a draw, and only one whose
    values differ is summed value by value.

    Args:
        values: `[q]`, without NaN.
        owner: `[q]` in [0, n), the cluster of each value.
        weights: `[draws, n]` from `bootstrap_weights`; `MEDIAN_DRAWS` of them are enough for an interval. Where they
            serve many figures, float32 ones need not be converted for each.

    Returns:
        `[draws]` float32; NaN where a draw has no value.

    Raises:
        ValueError: shapes that do not fit, a NaN, or an owner that is no cluster.

    Example:
        >>> weights = np.array([[1, 1], [2, 0], [1, 2]])
        >>> weighted_median_draws(np.array([7.0, 1, 2]), np.array([0, 1, 1]), weights).tolist()
        [2.0, 7.0, 2.0]
    """
    draws, n = weights.shape
    values, owner = np.asarray(values, np.float64), np.asarray(owner, np.intp)
    if values.ndim != 1 or owner.shape != values.shape:
        raise ValueError(f"values {values.shape} and owner {owner.shape} must both be [q]")
    if np.isnan(values).any():
        raise ValueError(f"{np.isnan(values).sum()} of {len(values)} values are NaN; leave those queries out")
    if len(owner) and not 0 <= owner.min() <= owner.max() < n:
        raise ValueError(f"owners run from {owner.min()} to {owner.max()}, but the weights are of {n} clusters")
    found = np.full(draws, np.nan, np.float32)
    if not len(values):
        return found
    order = np.argsort(values)
    values, owner = values[order], owner[order]
    ends = _stretch_ends(values, np.bincount(owner))
    starts = np.append(0, ends[:-1])
    stretch_of = np.repeat(np.arange(len(ends)), ends - starts)
    counts = np.bincount(len(ends) * owner + stretch_of, minlength=len(ends) * n)
    exact: Any = np.float32 if float(weights.max(initial=0)) * len(values) < 2**24 else np.float64
    held = counts.reshape(n, len(ends)).astype(exact)
    for block in blocks(draws, n):
        some = weights[block]
        until = np.cumsum(some.astype(exact, copy=False) @ held, axis=1)
        total = until[:, -1]
        middle = np.zeros(len(some))
        for rank in ((total - 1) // 2, total // 2):
            stretch = np.minimum(np.sum(until <= rank[:, None], axis=1), len(ends) - 1)
            value = values[starts[stretch]]
            for each in np.unique(stretch[values[starts[stretch]] != values[ends[stretch] - 1]]):
                hit = np.flatnonzero(stretch == each)
                inside = slice(starts[each], ends[each])
                left = rank[hit] - (until[hit, each - 1] if each else 0)
                value[hit] = _value_at(values[inside], owner[inside], some[hit], left)
            middle += value / 2
        found[block] = np.where(total > 0, middle, np.nan)
    return found


def _stretch_ends(
    values: Float[np.ndarray, " q"], sizes: Integer[np.ndarray, " n"]
) -> Integer[np.ndarray, " stretches"]:
    """Where stretches of sorted values end, at changes of value: fine where resamples may have their median.

    The number of a draw's values below the sample's median has a standard deviation of at most half the root of the
    sum of the clusters' squared sizes; six of them are left on either side.
    """
    reach = 3 * np.sqrt(np.sum(sizes.astype(np.float64) ** 2))
    changes = np.flatnonzero(np.diff(values)) + 1
    first, last = np.searchsorted(changes, [len(values) / 2 - reach, len(values) / 2 + reach])
    near = changes[max(first - 1, 0) : last + 1]
    if len(near) >= STRETCHES:
        near = near[np.linspace(0, len(near) - 1, STRETCHES - 1).astype(np.intp)]
    return np.append(near, len(values))


def _value_at(
    values: Float[np.ndarray, " q"],
    owner: Integer[np.ndarray, " q"],
    weights: Real[np.ndarray, "draws n"],
    place: Float[np.ndarray, " draws"],
) -> Float[np.ndarray, " draws"]:
    """Of the sorted values, each counted as often as its cluster was drawn, the one at a place of each draw."""
    found = np.empty(len(weights))
    for block in blocks(len(weights), len(values)):
        running = np.cumsum(weights[block][:, owner], axis=1, dtype=np.int64)
        below = np.sum(running <= place[block, None], axis=1)
        found[block] = values[np.minimum(below, len(values) - 1)]
    return found


def percentile_interval(
    draws: Real[np.ndarray, "*columns draws"], *, level: float = LEVEL
) -> tuple[Float[np.ndarray, "*columns"], Float[np.ndarray, "*columns"]]:
    """The interval between the quantiles (1 − level) / 2 and (1 + level) / 2 of the draws of each column.

    Args:
        draws: `[..., draws]`; a NaN is no draw, and left out.
        level: share of the draws that the interval holds, in (0, 1).

    Returns:
        Lower and upper ends, `[...]` float64, interpolated linearly as `np.quantile` does; NaN without any draw.

    Raises:
        ValueError: a level outside (0, 1), or an axis without draws.

    References:
        Efron & Tibshirani, 1993, "An Introduction to the Bootstrap", chapter 13.

    Example:
        >>> [float(end) for end in percentile_interval(np.array([4.0, np.nan, 0, 1, 2, 3]), level=0.5)]
        [1.0, 3.0]
    """
    if not 0 < level < 1:
        raise ValueError(f"level is {level}; it must be above 0 and below 1")
    if not draws.shape[-1]:
        raise ValueError("there are no draws to take an interval from")
    ordered = np.sort(draws, axis=-1)  # NaN stands last
    last = np.maximum(np.sum(~np.isnan(ordered), axis=-1, keepdims=True) - 1, 0)

    def quantile(share: float) -> np.ndarray:
        place = share * last
        below = np.floor(place).astype(np.intp)
        low = np.take_along_axis(ordered, below, axis=-1).astype(np.float64)
        high = np.take_along_axis(ordered, np.minimum(below + 1, last), axis=-1)
        return (low + (high - low) * (place - below))[..., 0]

    return quantile((1 - level) / 2), quantile((1 + level) / 2)
