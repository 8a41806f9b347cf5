"""Rows of both sides whose inner products are scores, and the banks of other rows that scores look at."""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

__all__ = ["Banks", "Scoring", "take_off"]


class Banks(NamedTuple):
    """A bank of other rows for each side, of the same width, mapped and scaled as the side itself.

    Attributes:
        queries: `[a, d]`, a > 0, rows of the queries' side.
        gallery: `[b, d]`, b > 0, rows of the gallery's side.
        query_mask: `[a]`, True where the row exists; all by default.
        gallery_mask: `[b]`, likewise.
    """

    queries: Float[Array, "a d"]
    gallery: Float[Array, "b d"]
    query_mask: Bool[Array, " a"] | None = None
    gallery_mask: Bool[Array, " b"] | None = None


class Scoring(NamedTuple):
    """Prepared rows of both sides; the score is their inner product.

    It serves both directions: what is subtracted for a query is the same for all of its rivals. It stands in two more
    columns: a score must come out of the matrix product whole, for a compiler that adds something to it may do so in
    two places with two roundings, and a gold answer would not tie with itself.

    Attributes:
        queries: `[q, d]` or `[q, d + 2]`.
        gallery: `[g, d]` or `[g, d + 2]`.
    """

    queries: Float[Array, "q w"]
    gallery: Float[Array, "g w"]


def take_off(
    queries: Float[Array, "q d"], off_query: Float[Array, " q"], gallery: Float[Array, "g d"], off_gallery: Array
) -> Scoring:
    """Rows whose inner products are those of the given ones, less an offset of each side."""
    before = [queries, -off_query[:, None], jnp.ones_like(off_query)[:, None]]
    after = [gallery, jnp.ones_like(off_gallery)[:, None], -off_gallery[:, None]]
    return Scoring(jnp.concatenate(before, axis=1), jnp.concatenate(after, axis=1))
