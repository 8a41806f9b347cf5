"""Permutation nulls of diagnostics of row-aligned sets: their distribution when rows are aligned at random."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ccalign_jax.diagnostics import similarity
from ccalign_jax.diagnostics.neighbours import NEIGHBOURS, local_hsic, nearest_rows
from ccalign_jax.diagnostics.similarity import Moments
from ccalign_jax.numerics import AnyArray

__all__ = ["NULL_ROWS", "PAIRED", "SAMPLE_ROWS", "Calibrated", "calibrate_pairs", "sample_rows"]

SAMPLE_ROWS = 2000
NULL_ROWS = 554  # the seed study's test split
QUANTILE = 0.95
PAIRED = (
    "gram_correlation",
    "gram_rank_correlation",
    "biased_cka",
    "unbiased_cka",
    "neighbour_jaccard",
    "mutual_neighbours",
    "cknna",
)
GLOBAL = {
    "gram_correlation": similarity.gram_correlation,
    "biased_cka": similarity.biased_cka,
    "unbiased_cka": similarity.unbiased_cka,
}

Rows = Float[AnyArray, "n d"]


class Calibrated(NamedTuple):
    """A diagnostic against its permutation null.

    Attributes:
        value: on the rows as they are aligned.
        null_mean: mean over the permutations.
        null_std: standard deviation over them, ddof 1.
        p: (1 + number of permutations with at least this value) / (1 + permutations), one-sided.
        calibrated: (value − null_mean) / (1 − null_mean): 0 is no more than chance, 1 is perfect.
        gated: (value − τ) / (1 − τ), at least 0, with τ the 95 % quantile of the permutations and the value.
    """

    value: float
    null_mean: float
    null_std: float
    p: float
    calibrated: float
    gated: float


def sample_rows(count: int, limit: int = SAMPLE_ROWS) -> Int[np.ndarray, " m"]:
    """Sorted row numbers, all of them or, of more than `limit`, the same `default_rng(0)` draw as the seed study's.

    Example:
        >>> sample_rows(3).tolist(), len(sample_rows(5000))
        ([0, 1, 2], 2000)
    """
    if count <= limit:
        return np.arange(count)
    return np.sort(np.random.default_rng(0).choice(count, limit, replace=False))


def calibrate_pairs(
    sets: Sequence[Rows],
    key: Array,
    permutations: int = 200,
    *,
    k: int = NEIGHBOURS,
    names: Sequence[str] = PAIRED,
) -> dict[str, dict[tuple[int, int], Calibrated]]:
    """Paired diagnostics between all pairs of row-aligned sets, calibrated against permutations of the rows of one set.

    After Gröger, Wen & Brbić, 2026, "Revisiting the Platonic Representation Hypothesis: An Aristotelian View", arXiv
    2602.14486. Their own calibrated score is `gated`; `calibrated` compares with the mean instead, as the adjusted
    Rand index does. All pairs share the permutations.

    Args:
        sets: `[n, d_s]` each; n of some hundreds: time and memory grow with n².
        key: draws the permutations.
        permutations: how many.
        k: neighbours.
        names: the diagnostics wanted, of `PAIRED`.

    Returns:
        For each name, by pair of places (i, j) with i < j.

    Raises:
        ValueError: row counts that differ, or too few rows for k.

    Example:
        >>> rows = jax.random.normal(jax.random.key(0), (40, 5))
        >>> found = calibrate_pairs([rows, 2 * rows], jax.random.key(1), 99)["mutual_neighbours"][0, 1]
        >>> found.value, found.p, found.calibrated
        (1.0, 0.01, 1.0)
    """
    grams = similarity.gram_matrices(sets)
    orders = _orders(key, permutations, len(grams[0]))
    pairs = [(i, j) for i in range(len(sets)) for j in range(i + 1, len(sets))]
    if not pairs:
        return {name: {} for name in names}
    read: dict[str, Float[np.ndarray, "p pairs"]] = {}
    if set(GLOBAL) & set(names):
        read |= _global_nulls(grams, orders, pairs, GLOBAL)
    if "gram_rank_correlation" in names:
        ranks = [similarity.gram_ranks(gram) for gram in grams]
        read |= _global_nulls(ranks, orders, pairs, {"gram_rank_correlation": similarity.gram_correlation})
    if {"neighbour_jaccard", "mutual_neighbours", "cknna"} & set(names):
        read |= _local_nulls(grams, orders, pairs, k)
    return {name: {pair: _summary(read[name][:, place]) for place, pair in enumerate(pairs)} for name in names}


def _orders(key: Array, permutations: int, count: int) -> Int[Array, "p n"]:
    """The identity and then the permutations: one program computes the value and its null, with equal rounding."""
    drawn = jax.vmap(lambda key: jax.random.permutation(key, count))(jax.random.split(key, permutations))
    return jnp.concatenate([jnp.arange(count)[None], drawn])


def _summary(read: Float[np.ndarray, " p"]) -> Calibrated:
    value, null = float(read[0]), np.asarray(read[1:], np.float64)
    mean, bar = float(null.mean()), float(np.quantile(read, QUANTILE))

    def above(floor: float) -> float:
        return (value - floor) / (1.0 - floor) if floor < 1.0 else 0.0

    return Calibrated(
        value=value,
        null_mean=mean,
        null_std=float(null.std(ddof=1)) if len(null) > 1 else 0.0,
        p=float((1 + np.sum(null >= value)) / (1 + len(null))),
        calibrated=above(mean),
        gated=max(above(bar), 0.0),
    )


@jax.jit
def _permuted_inner(off: Float[Array, "s n n"], orders: Int[Array, "p n"]) -> Float[Array, "p s s"]:
    """Sums of products of each matrix with each, the second one's rows and columns permuted."""
    flat = off.reshape(off.shape[0], -1)

    def one(order: Int[Array, " n"]) -> Float[Array, "s s"]:
        moved = off[:, order][:, :, order].reshape(flat.shape)
        return jnp.matmul(flat, moved.T, precision=jax.lax.Precision.HIGHEST)

    return jax.lax.map(one, orders)


def _global_nulls(
    matrices: Sequence[Float[np.ndarray, "n n"]],
    orders: Int[Array, "p n"],
    pairs: Sequence[tuple[int, int]],
    functions: Mapping[str, Callable[[Moments], Float[np.ndarray, "s s"]]],
) -> dict[str, Float[np.ndarray, "p pairs"]]:
    sums = similarity.moments(matrices)
    count = len(matrices[0])
    means = [np.diagonal(one).mean(dtype=np.float64) - sums.diagonal[i].mean() for i, one in enumerate(matrices)]
    off = np.stack([one - np.float32(mean) for one, mean in zip(matrices, means, strict=True)])
    off[:, np.arange(count), np.arange(count)] = 0.0
    inner = np.asarray(_permuted_inner(off, orders), np.float64)
    moved = np.asarray(orders)
    read = {name: np.zeros((len(moved), len(pairs))) for name in functions}
    for place, (i, j) in enumerate(pairs):
        for number, order in enumerate(moved):
            cross = inner[number, i, j]
            both = Moments(
                inner=np.array([[sums.inner[i, i], cross], [cross, sums.inner[j, j]]]),
                row_sums=np.stack([sums.row_sums[i], sums.row_sums[j, order]]),
                diagonal=np.stack([sums.diagonal[i], sums.diagonal[j, order]]),
            )
            for name, function in functions.items():
                read[name][number, place] = function(both)[0, 1]
    return read


@jax.jit
def _permuted_neighbours(
    neighbours: Int[Array, "s n k"],
    values: Float[Array, "s n k"],
    first: Int[Array, " pairs"],
    second: Int[Array, " pairs"],
    orders: Int[Array, "p n"],
) -> tuple[Array, Array, Array]:
    """For each permutation and pair: mean Jaccard, mean share in common, and the numerator of CKNNA."""
    width = neighbours.shape[2]

    def one(order: Int[Array, " n"]) -> tuple[Array, Array, Array]:
        back = jnp.argsort(order)
        moved, moved_values = back[neighbours[:, order]], values[:, order]

        def pair(places: tuple[Array, Array]) -> tuple[Array, Array, Array]:
            i, j = places
            shared = jnp.sum(neighbours[i][:, :, None] == moved[j][:, None, :], axis=(1, 2))
            local = local_hsic(neighbours[i], values[i], moved[j], moved_values[j])
            return jnp.mean(shared / (2 * width - shared)), jnp.mean(shared / width), local

        return jax.lax.map(pair, (first, second))

    return jax.lax.map(one, orders)


def _local_nulls(
    grams: Sequence[Float[np.ndarray, "n n"]], orders: Int[Array, "p n"], pairs: Sequence[tuple[int, int]], k: int
) -> dict[str, Float[np.ndarray, "p pairs"]]:
    neighbours = np.stack([nearest_rows(gram, k) for gram in grams]).astype(np.int32)
    values = np.stack([np.take_along_axis(gram, near, axis=1) for gram, near in zip(grams, neighbours, strict=True)])
    first, second = np.array(pairs, np.int32).T
    jaccard, mutual, local = _permuted_neighbours(neighbours, values, first, second, orders)
    every = np.arange(len(grams), dtype=np.int32)
    itself = np.asarray(_permuted_neighbours(neighbours, values, every, every, orders[:1])[2], np.float64)[0]
    scale = np.sqrt(np.maximum(itself[first] * itself[second], 0.0))
    cknna = np.where(scale > 0, np.asarray(local, np.float64) / np.where(scale > 0, scale, 1.0), 0.0)
    return {
        "neighbour_jaccard": np.asarray(jaccard, np.float64),
        "mutual_neighbours": np.asarray(mutual, np.float64),
        "cknna": cknna,
    }
