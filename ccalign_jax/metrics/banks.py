"""Neighbourhood statistics of each row against a reference bank, which score corrections subtract."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from ccalign_jax.metrics.ranks import BLOCK_ENTRIES, cosine_scores
from ccalign_jax.numerics import masked_log_sum_exp
from ccalign_jax.tiles import map_row_tiles

__all__ = ["log_sum_of_bank", "mean_of_nearest", "mean_row"]


def mean_row(bank: Float[Array, "b d"], mask: Bool[Array, " b"] | None = None) -> Float[Array, " d"]:
    """Mean of the rows that the mask keeps; zero where it keeps none.

    Example:
        >>> mean_row(jnp.eye(2), jnp.array([True, False])).tolist()
        [1.0, 0.0]
    """
    kept = _all_or(mask, bank)
    return jnp.sum(jnp.where(kept[:, None], bank, 0.0), axis=0) / jnp.maximum(jnp.sum(kept), 1)


def mean_of_nearest(
    rows: Float[Array, "n d"],
    bank: Float[Array, "b d"],
    mask: Bool[Array, " b"] | None = None,
    *,
    k: int,
    block_entries: int = BLOCK_ENTRIES,
) -> Float[Array, " n"]:
    """Mean of the k highest inner products of each row with the bank, tile by tile over the rows.

    Args:
        rows: `[n, d]`.
        bank: `[b, d]`, b > 0.
        mask: True where the row of the bank exists; all by default. 0 comes out where it keeps none.
        k: ≥ 1; all of a smaller bank.
        block_entries: how many scores may be held at once.

    Raises:
        ValueError: k < 1.

    Example:
        >>> mean_of_nearest(jnp.eye(2), jnp.array([[1.0, 0.0], [0.5, 0.0], [0.0, 1.0]]), k=2).tolist()
        [0.75, 0.5]
    """
    if k < 1:
        raise ValueError(f"k is {k}; it must be at least 1")
    kept = _all_or(mask, bank)

    def one_tile(tile: Float[Array, "t d"]) -> Float[Array, " t"]:
        scores = jnp.where(kept, cosine_scores(tile, bank), -jnp.inf)
        highest = jax.lax.top_k(scores, min(k, len(bank)))[0]
        there = highest > -jnp.inf
        return jnp.sum(jnp.where(there, highest, 0.0), axis=1) / jnp.maximum(jnp.sum(there, axis=1), 1)

    return map_row_tiles(one_tile, rows, size=max(1, block_entries // len(bank)))


def log_sum_of_bank(
    rows: Float[Array, "n d"],
    bank: Float[Array, "b d"],
    mask: Bool[Array, " b"] | None = None,
    *,
    scale: float | Float[Array, ""] = 1.0,
    block_entries: int = BLOCK_ENTRIES,
) -> Float[Array, " n"]:
    """log Σ exp of the scaled inner products of each row with the bank, tile by tile over the rows.

    Args:
        rows, bank, mask, block_entries: as in `mean_of_nearest`.
        scale: that the inner products are multiplied by.

    Example:
        >>> log_sum_of_bank(jnp.zeros((1, 2)), jnp.eye(2)[:1]).tolist()
        [0.0]
    """
    kept = _all_or(mask, bank)

    def one_tile(tile: Float[Array, "t d"]) -> Float[Array, " t"]:
        total = masked_log_sum_exp(scale * cosine_scores(tile, bank), kept)
        return jnp.where(jnp.isneginf(total), 0.0, total)  # an empty bank takes nothing off

    return map_row_tiles(one_tile, rows, size=max(1, block_entries // len(bank)))


def _all_or(mask: Bool[Array, " b"] | None, bank: Float[Array, "b d"]) -> Bool[Array, " b"]:
    return jnp.ones(len(bank), bool) if mask is None else mask
