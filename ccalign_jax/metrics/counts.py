"""Ranks from counts of the items above and level with each gold answer, in expectation over ties, without sorting."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from ccalign_jax.numerics import AnyArray

__all__ = ["GAINS", "NDCG_PLACES", "Ranks", "count_around", "each_answer_once", "ranks_from_counts"]

STRIPS = 8  # more than a dozen, and XLA writes them out again
PACKED_BITS = 15
PACKED = 2**PACKED_BITS  # blocks below this size have both of their counts in one 32-bit sum
NDCG_PLACES = 10  # nDCG looks no further down
GAINS = np.concatenate([[0.0], np.cumsum(1 / np.log2(np.arange(NDCG_PLACES) + 2))])  # of the first 0 … 10 places


Gold = TypeVar("Gold", Array, np.ndarray)


class Ranks(NamedTuple):
    """Ranks of the gold answers of each query; ties are counted, not broken.

    Attributes:
        better: `[q]` int32, rivals (items that are not gold) that score above the best gold answer.
        equal: `[q]` int32, rivals that tie with it.
        tied: `[q]` int32, gold answers that tie for the best, itself included; 0 marks a row that is no
            query, because it has no gold answer.
        reciprocal_rank: `[q]` float32, expected over random orders of the ties.
        average_precision: `[q]` float32, over all gold answers, likewise expected (McSherry & Najork,
            2008, "Computing Information Retrieval Performance Measures Efficiently in the Presence of
            Tied Scores").
        ndcg: `[q]` float32, normalised discounted cumulative gain of the first ten places, over all gold
            answers, likewise expected (Järvelin & Kekäläinen, 2002, "Cumulated Gain-Based Evaluation of IR
            Techniques"): a gold answer at place p gains 1 / log₂(1 + p).
    """

    better: Int[AnyArray, " q"]
    equal: Int[AnyArray, " q"]
    tied: Int[AnyArray, " q"]
    reciprocal_rank: Float[AnyArray, " q"]
    average_precision: Float[AnyArray, " q"]
    ndcg: Float[AnyArray, " q"]


def count_around(scores: Float[Array, "q g"], thresholds: Float[Array, "q k"], axis: int) -> tuple[Array, Array]:
    """Numbers of scores above and equal to each of a query's thresholds, both `[q, k]`.

    Args:
        scores: `[q, g]`, without NaN; `[g, q]` where `axis` is 0.
        thresholds: `[q, k]`.
        axis: the axis of the gallery, which is counted over.

    Example:
        >>> [count.tolist() for count in count_around(jnp.array([[0.5, 0.9, 0.5]]), jnp.array([[0.5, 0.9]]), 1)]
        [[[1, 0]], [[2, 1]]]
    """

    def around(threshold: Float[Array, " q"]) -> tuple[Array, Array]:
        threshold = jnp.expand_dims(threshold, axis)
        if scores.shape[axis] < PACKED:  # one pass over the block instead of two
            packed = _sum_in_strips(
                lambda strip: jnp.where(strip > threshold, jnp.int32(PACKED), strip == threshold), scores, axis
            )
            return packed >> PACKED_BITS, packed & (PACKED - 1)
        above = _sum_in_strips(lambda strip: (strip > threshold).astype(jnp.int32), scores, axis)
        return above, _sum_in_strips(lambda strip: (strip == threshold).astype(jnp.int32), scores, axis)

    if thresholds.shape[1] == 1:
        above, level = around(thresholds[:, 0])
        return above[:, None], level[:, None]
    # One threshold at a time: XLA fuses k comparisons into a loop ten times slower than their sum.
    above, level = jax.lax.map(around, thresholds.T)
    return above.T, level.T


def _sum_in_strips(what: Callable[[Array], Array], block: Array, axis: int) -> Array:
    """`what(block).sum(axis)`, a few strips of the block added up before they are summed.

    On a CPU, XLA writes what it sums over more than 32 entries out first, as large as the block, and only then sums it:
    a quarter of the matrix product's time, or more. Strips that are added are compared as they are read.
    """
    width = block.shape[axis] // STRIPS
    strips = [jax.lax.slice_in_dim(block, start * width, (start + 1) * width, axis=axis) for start in range(STRIPS)]
    total = jnp.sum(functools.reduce(jnp.add, map(what, strips)), axis=axis, dtype=jnp.int32)
    rest = jax.lax.slice_in_dim(block, STRIPS * width, None, axis=axis)
    return total + jnp.sum(what(rest), axis=axis, dtype=jnp.int32)


def each_answer_once(gold: Gold) -> Gold:
    """The gold answers `[q, k]` of each query in ascending order, with -1 for those that repeat another of the row.

    Example:
        >>> each_answer_once(np.array([[4, 2, 4]])).tolist()
        [[2, 4, -1]]
    """
    if gold.shape[1] == 1:
        return gold
    xp = np if isinstance(gold, np.ndarray) else jnp
    gold = xp.sort(gold, axis=1)
    repeats = gold[:, 1:] == gold[:, :-1]
    return xp.concatenate([gold[:, :1], xp.where(repeats, -1, gold[:, 1:])], axis=1)


def ranks_from_counts(
    gold_scores: Float[Array, "q k"], exists: Bool[Array, "q k"], above: Int[Array, "q k"], level: Int[Array, "q k"]
) -> Ranks:
    """Ranks from counts of the items above and level with each gold answer.

    Args:
        gold_scores: `[q, k]`, the score of each gold answer.
        exists: `[q, k]`, False where there is none.
        above: `[q, k]`, items of the gallery that score above it, gold or not.
        level: `[q, k]`, items that score the same, itself included.

    Example:
        >>> one = jnp.ones((1, 1), int)
        >>> ranks_from_counts(jnp.zeros((1, 1)), one > 0, one, 3 * one).equal.tolist()
        [2]
    """
    gold_scores = jnp.where(exists, gold_scores, -jnp.inf)
    known = exists.any(axis=1)
    best = jnp.argmax(gold_scores, axis=1)[:, None]
    tied = (gold_scores == jnp.max(gold_scores, axis=1, keepdims=True)) & exists
    tied = jnp.where(known, jnp.sum(tied, axis=1, dtype=jnp.int32), 0)
    take = functools.partial(jnp.take_along_axis, indices=best, axis=1, mode="promise_in_bounds")
    better, equal = (take(counts)[:, 0] for counts in (above, level))
    better, equal = jnp.where(known, better, 0), jnp.where(known, equal - tied, 0)
    level = jnp.where(exists, level, 1)
    return Ranks(
        better=better.astype(jnp.int32),
        equal=equal.astype(jnp.int32),
        tied=tied,
        reciprocal_rank=jnp.where(known, _expected_reciprocal(better, equal, jnp.maximum(tied, 1)), 0.0),
        average_precision=_average_precision(gold_scores, exists, above, level),
        ndcg=_discounted_gain(exists, above, level),
    )


def _expected_reciprocal(better: Array, equal: Array, tied: Array) -> Array:
    """E[1 / rank of the first gold] when `tied` gold and `equal` rivals stand in random order behind `better`."""

    def body(carry):
        step, none_yet, total = carry
        left = tied + equal - step
        here = none_yet * tied / jnp.maximum(left, 1)
        return step + 1, none_yet - here, total + here / (better + 1 + step)

    start = jnp.zeros_like(better, jnp.float32)
    last = jnp.max(equal, initial=0)
    return jax.lax.while_loop(lambda carry: carry[0] <= last, body, (jnp.int32(0), start + 1.0, start))[2]


def _average_precision(
    gold_scores: Float[Array, "q k"], exists: Bool[Array, "q k"], above: Int[Array, "q k"], level: Int[Array, "q k"]
) -> Float[Array, " q"]:
    """Mean over the gold answers of the precision expected at each, over its places in its tie group."""
    gold_above, gold_level = count_around(gold_scores, gold_scores, 1)
    missing = jnp.sum(~exists, axis=1, keepdims=True)  # they stand level with answers at minus infinity
    gold_level = gold_level - jnp.where(jnp.isneginf(gold_scores), missing, 0)

    def body(carry):
        step, total = carry
        gold_before = gold_above + 1 + (step * (gold_level - 1)).astype(jnp.float32) / jnp.maximum(level - 1, 1)
        return step + 1, total + jnp.where(step < level, gold_before / (above + 1 + step), 0.0)

    start = jnp.zeros(gold_scores.shape, jnp.float32)
    total = jax.lax.while_loop(lambda carry: carry[0] < jnp.max(level, initial=0), body, (jnp.int32(0), start))[1]
    return jnp.sum(jnp.where(exists, total / level, 0.0), axis=1) / jnp.maximum(jnp.sum(exists, axis=1), 1)


def _discounted_gain(
    exists: Bool[Array, "q k"], above: Int[Array, "q k"], level: Int[Array, "q k"]
) -> Float[Array, " q"]:
    """Sum over the gold answers of the gain expected at each, over the sum if they stood first.

    Unlike precision, the gain of a gold answer depends on its own place alone: the mean over its tie group.
    """
    gains = jnp.asarray(GAINS, jnp.float32)
    first, last = (gains[jnp.minimum(places, NDCG_PLACES)] for places in (above, above + level))
    most = gains[jnp.minimum(jnp.sum(exists, axis=1), NDCG_PLACES)]
    return jnp.sum(jnp.where(exists, (last - first) / level, 0.0), axis=1) / jnp.where(most > 0, most, 1.0)
