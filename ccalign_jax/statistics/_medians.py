"""Cluster bootstrap of medians."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Integer, Real

from ccalign_jax.statistics._blocks import BLOCK_ENTRIES, blocks

__all__ = ["weighted_medians"]

STRETCHES = 16  # a replicate's median is first sought among so many stretches of the sorted values, then within one
COLUMN_ENTRIES = 1 << 21  # clusters × columns × stretches that are counted at a time


def weighted_medians(
    values: Sequence[Real[np.ndarray, " q"]],
    owners: Sequence[Integer[np.ndarray, " q"]],
    weights: Real[np.ndarray, "replicates n"],
) -> Float[np.ndarray, "columns replicates"]:
    """Bootstrap replicates of the median of each column of values, by its own owners.

    Exactly `np.median(np.repeat(values, weights[replicate][owner]))`. The medians of replicates lie near that of the
    sample: the sorted values there are cut into `STRETCHES`. One product for many columns finds the stretch that holds
    the middle of a replicate, and only a stretch whose values differ is summed value by value.

    Args:
        values: of each column `[q]`, without NaN.
        owners: of each column `[q]` in [0, n), the cluster of each value.
        weights: `[replicates, n]` from `bootstrap_weights`; `MEDIAN_REPLICATES` of them are enough for an interval.

    Returns:
        `[columns, replicates]` float32; NaN where a replicate has no value.

    Raises:
        ValueError: shapes that do not fit, a NaN, or an owner that is no cluster.

    Example:
        >>> weights = np.array([[1, 1], [2, 0], [1, 2]])
        >>> weighted_medians([np.array([7.0, 1, 2])], [np.array([0, 1, 1])], weights).tolist()
        [[2.0, 7.0, 2.0]]
    """
    replicates, n = weights.shape
    columns = [_checked(*column, n) for column in zip(values, owners, strict=True)]
    found = np.full((len(columns), replicates), np.nan, np.float32)
    kept = [number for number, (column, _) in enumerate(columns) if len(column)]
    size = max(1, COLUMN_ENTRIES // (n * (STRETCHES + 1)))
    for start in range(0, len(kept), size):
        some = kept[start : start + size]
        found[some] = _medians([columns[number] for number in some], weights)
    return found


def _checked(values: Any, owner: Any, n: int) -> tuple[Float[np.ndarray, " q"], Integer[np.ndarray, " q"]]:
    values, owner = np.asarray(values, np.float64), np.asarray(owner, np.intp)
    if values.ndim != 1 or owner.shape != values.shape:
        raise ValueError(f"values {values.shape} and owner {owner.shape} must both be [q]")
    if np.isnan(values).any():
        raise ValueError(f"{np.isnan(values).sum()} of {len(values)} values are NaN; leave those queries out")
    if len(owner) and not 0 <= owner.min() <= owner.max() < n:
        raise ValueError(f"owners run from {owner.min()} to {owner.max()}, but the weights are of {n} clusters")
    return values, owner


class _Stretches(NamedTuple):
    """Sorted columns cut into stretches, each of the values above the edge before and up to its own.

    Attributes:
        values: `[columns, q]` ascending, padded with infinity.
        owner: `[columns, q]` of each value.
        edges: `[columns, stretches]`, the last is the largest value.
        first, last: `[columns, stretches]`, places of the values that are below the edge.
        held: `[n, columns, stretches]`, how many values each cluster has there.
    """

    values: Float[np.ndarray, "columns q"]
    owner: Integer[np.ndarray, "columns q"]
    edges: Float[np.ndarray, "columns stretches"]
    first: Integer[np.ndarray, "columns stretches"]
    last: Integer[np.ndarray, "columns stretches"]
    held: Integer[np.ndarray, "n columns stretches"]


def _cut(columns: Sequence[tuple[np.ndarray, np.ndarray]], n: int) -> _Stretches:
    """Stretches that are short where the medians of replicates may lie.

    The number of a replicate's values below the sample's median has a standard deviation of at most half the root of
    the sum of the clusters' squared sizes; six of them are left on either side.
    """
    sizes = np.array([len(values) for values, _ in columns])
    shape = len(columns), sizes.max()
    sorted_values, owners = np.full(shape, np.inf), np.zeros(shape, np.intp)
    reach = np.empty(len(columns))
    for row, (values, owner) in enumerate(columns):
        order = np.argsort(values)
        sorted_values[row, : len(order)], owners[row, : len(order)] = values[order], owner[order]
        reach[row] = 3 * np.sqrt(np.sum(np.bincount(owner).astype(np.float64) ** 2))
    along = np.linspace(-1, 1, STRETCHES) if STRETCHES > 1 else np.zeros(1)
    places = (sizes[:, None] / 2 + reach[:, None] * along).clip(0, sizes[:, None] - 1).astype(np.intp)
    lowest = np.take_along_axis(sorted_values, places[:, :1], axis=1)
    under = np.maximum(np.sum(sorted_values < lowest, axis=1) - 1, 0)  # the value before, so that ties stand alone
    edges = np.take_along_axis(sorted_values, np.column_stack([under, places, sizes - 1]), axis=1)
    edges = np.sort(np.where(np.diff(edges, axis=1, append=np.inf) > 0, edges, edges[:, -1:]), axis=1)
    edges = edges[:, : np.sum(edges < edges[:, -1:], axis=1).max() + 1]  # few, where there are few values
    last = np.stack([np.searchsorted(*row) for row in zip(sorted_values, edges, strict=True)])
    until = np.stack([np.searchsorted(*row, side="right") for row in zip(sorted_values, edges, strict=True)])
    first = np.column_stack([np.zeros(len(columns), np.intp), np.minimum(until, sizes[:, None])[:, :-1]])
    counts = np.diff(until, axis=1, prepend=0)  # equal edges: the first has the values, those after have none
    kept = np.arange(shape[1]) < sizes[:, None]
    stretch = np.repeat(np.arange(edges.size), counts.ravel())  # column by column, as the values stand
    held = np.bincount(owners[kept] * edges.size + stretch, minlength=n * edges.size)
    return _Stretches(sorted_values, owners, edges, first, np.maximum(last, first), held.reshape(n, *edges.shape))


def _medians(
    columns: Sequence[tuple[np.ndarray, np.ndarray]], weights: Real[np.ndarray, "replicates n"]
) -> Float[np.ndarray, "columns replicates"]:
    replicates, n = weights.shape
    cut = _cut(columns, n)
    each = np.arange(len(columns))
    exact: Any = np.float32 if float(weights.max(initial=0)) * cut.values.shape[1] < 2**24 else np.float64
    held = cut.held.reshape(n, -1).astype(exact)
    found = np.empty((len(columns), replicates), np.float32)
    for block in blocks(replicates, max(n, cut.edges.size)):
        some = weights[block].astype(exact)
        until = np.cumsum((some @ held).reshape(len(some), *cut.edges.shape), axis=2)
        total = until[..., -1]
        middle = np.zeros(total.shape)
        for rank in ((total - 1) // 2, total // 2):
            stretch = np.minimum(np.sum(until <= rank[..., None], axis=2), cut.edges.shape[1] - 1)
            value = cut.edges[each, stretch]
            open_ = np.nonzero(cut.last[each, stretch] > cut.first[each, stretch])
            before = np.take_along_axis(until, np.maximum(stretch - 1, 0)[..., None], axis=2)[..., 0]
            left = rank - np.where(stretch > 0, before, 0)
            value[open_] = _values_at(cut, some, open_[0], open_[1], stretch[open_], left[open_])
            middle += value / 2
        found[:, block] = np.where(total > 0, middle, np.nan).T
    return found


def _values_at(
    cut: _Stretches,
    weights: Real[np.ndarray, "replicates n"],
    replicate: Integer[np.ndarray, " some"],
    column: Integer[np.ndarray, " some"],
    stretch: Integer[np.ndarray, " some"],
    place: Real[np.ndarray, " some"],
) -> Float[np.ndarray, " some"]:
    """The value at a place of a stretch of a column in a replicate, each counted as often as its cluster was drawn."""
    first, length = cut.first[column, stretch], (cut.last - cut.first)[column, stretch]
    found = np.empty(len(replicate))
    order = np.argsort(length, kind="stable")
    start = 0
    while start < len(order):  # stretches of about the same length together
        end = np.searchsorted(length[order], 2 * length[order[start]], side="right")
        end = min(end, start + max(1, BLOCK_ENTRIES // int(length[order[start]])))
        some = order[start:end]
        inside = np.arange(length[some].max())
        at = np.minimum(first[some, None] + inside, cut.values.shape[1] - 1)
        running = np.cumsum(weights[replicate[some, None], cut.owner[column[some, None], at]], axis=1)
        below = np.sum((running <= place[some, None]) & (inside < length[some, None]), axis=1)
        found[some] = cut.values[column[some], first[some] + below]  # after the last of them stands the edge
        start = end
    return found
