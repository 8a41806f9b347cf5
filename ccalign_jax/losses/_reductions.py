"""Reductions of the scores of an anchor over its candidates, each with its derivative: the parts of a loss."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from ccalign_jax.numerics import masked_log_sum_exp

__all__ = ["REDUCTIONS", "Reduction"]

Mask = Bool[Array, "..."]


class Reduction(NamedTuple):
    """A number that each anchor gets from its scores; `known` and `exists` broadcast to them, as in `Direction`.

    Attributes:
        reduce: `(scores, known, exists, axis) -> total`.
        merge: `(totals, axis) -> total`, what several sets of candidates come to together.
        slope: `(scores, total, known, exists) -> slopes`, the derivative of the total in each score.
        start: the total of no candidates.
    """

    reduce: Callable[[Array, Mask, Mask, int], Array]
    merge: Callable[[Array, int], Array]
    slope: Callable[[Array, Array, Mask, Mask], Array]
    start: float


def _log_sum(kept: Callable[[Mask, Mask], Mask]) -> Reduction:
    """log Σ exp over some of the candidates."""

    def slope(scores: Array, total: Array, known: Mask, exists: Mask) -> Array:
        here = kept(known, exists)
        return jnp.where(here, jnp.exp(jnp.where(here, scores - total, 0.0)), 0.0)

    return Reduction(
        lambda scores, known, exists, axis: masked_log_sum_exp(scores, kept(known, exists), axis=axis),
        lambda totals, axis: masked_log_sum_exp(totals, ~jnp.isneginf(totals), axis=axis),
        slope,
        -jnp.inf,
    )


def _sum(term: Callable[[Array, Mask, Mask], Array], slope: Callable[[Array, Mask, Mask], Array]) -> Reduction:
    """Σ of a term over all candidates."""
    return Reduction(
        lambda scores, known, exists, axis: jnp.sum(term(scores, known, exists), axis=axis),
        lambda totals, axis: jnp.sum(totals, axis=axis),
        lambda scores, total, known, exists: slope(scores, known, exists),
        0.0,
    )


def _binary_cost(scores: Float[Array, ...], known: Mask, exists: Mask) -> Array:
    return jnp.where(exists, jax.nn.softplus(jnp.where(known, -scores, scores)), 0.0)


def _binary_slope(scores: Float[Array, ...], known: Mask, exists: Mask) -> Array:
    return jnp.where(exists, jax.nn.sigmoid(scores) - known, 0.0)


def _kept_scores(scores: Float[Array, ...], known: Mask, exists: Mask) -> Array:
    return jnp.where(exists & known, scores, 0.0)


def _ones(scores: Float[Array, ...], known: Mask, exists: Mask) -> Array:
    return jnp.broadcast_to(exists & known, scores.shape).astype(scores.dtype)


REDUCTIONS: dict[str, Reduction] = {
    "log_sum_of_all": _log_sum(lambda known, exists: exists),
    "log_sum_of_rivals": _log_sum(lambda known, exists: exists & ~known),
    "log_sum_of_positives": _log_sum(lambda known, exists: exists & known),
    "sum_of_positives": _sum(_kept_scores, _ones),
    "count_of_positives": _sum(_ones, lambda scores, known, exists: jnp.zeros_like(scores)),
    "binary_cost": _sum(_binary_cost, _binary_slope),
}
