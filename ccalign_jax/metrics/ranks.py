"""Exact, tie-safe ranks from tiles of scores: counts of better and equal rivals, without sorting."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from ccalign_jax.metrics.counts import Ranks, count_around, each_answer_once, ranks_from_counts
from ccalign_jax.tiles import map_row_tiles

__all__ = [
    "BLOCK_ENTRIES",
    "Scorer",
    "cosine_scores",
    "rank",
    "rank_both_directions",
    "rank_pairs",
    "ranks_from_scores",
    "tile_rows",
]

BLOCK_ENTRIES = 2**25  # scores held at once: 128 MiB
CACHED_ROWS = 512  # queries a tile on a CPU

# What it returns should be a matrix product as it stands: see `scoring.Scoring`.
Scorer = Callable[[PyTree[Array], PyTree[Array]], Float[Array, "q g"]]


def cosine_scores(queries: Float[Array, "q d"], gallery: Float[Array, "g d"]) -> Float[Array, "q g"]:
    """Inner products of rows at full float32 precision, whatever their dtype; the cosine if rows have unit length.

    Equal rows have equal scores, inside of `jit` and outside. So a side of one row is doubled, since XLA's product of a
    matrix and a vector sums equal rows in different orders; and both sides are contracted as they lie, since the
    product with a transposed copy, which `gallery.T` is outside of `jit`, does so for a few queries.
    """
    wide = jnp.promote_types(jnp.result_type(queries, gallery), jnp.float32)
    left, right = (
        jnp.concatenate([side, side]) if len(side) == 1 else side
        for side in (jnp.asarray(queries, wide), jnp.asarray(gallery, wide))
    )
    scores = jax.lax.dot_general(left, right, (((1,), (1,)), ((), ())), precision=jax.lax.Precision.HIGHEST)
    return scores[: len(queries), : len(gallery)]


@partial(jax.jit, static_argnames="query_axis")
def ranks_from_scores(
    scores: Float[Array, "q g"],
    gold: Int[Array, "q k"],
    *,
    gallery_mask: Bool[Array, " g"] | None = None,
    query_axis: Literal[0, 1] = 0,
) -> Ranks:
    """Ranks of the gold answers within a block that holds the whole gallery.

    The scores of the gold answers are read out of the block itself: the same inner product from another
    matrix product may differ in its last bit, which would turn ties into wins and losses.

    Args:
        scores: `[q, g]`, higher is nearer, NaN below all; `[g, q]` where `query_axis` is 1.
        gold: `[q, k]` gallery places of the gold answers, -1 for none; one that is listed twice counts once.
        gallery_mask: True where the gallery item exists; all by default.
        query_axis: the axis of the queries.

    Example:
        >>> ranks_from_scores(jnp.array([[0.5, 0.9, 0.5]]), jnp.array([[0]])).equal.tolist()
        [1]
    """
    axis = 1 - query_axis
    # NaN compares with nothing: a query that has no score would else count as no query, and raise the mean.
    scores = jnp.where(jnp.isnan(scores), jnp.finfo(scores.dtype).min, scores)
    if gallery_mask is not None:
        scores = jnp.where(jnp.expand_dims(gallery_mask, query_axis), scores, -jnp.inf)
    gold = each_answer_once(jnp.asarray(gold))
    exists = gold >= 0
    place = jnp.maximum(gold, 0)
    if query_axis == 0:
        gold_scores = jnp.take_along_axis(scores, place, axis=1)
    else:
        gold_scores = jnp.take_along_axis(scores, place.T, axis=0).T
    gold_scores = jnp.where(exists, gold_scores, -jnp.inf)
    return ranks_from_counts(gold_scores, exists, *count_around(scores, gold_scores, axis))


def rank(
    queries: PyTree[Array],
    gallery: PyTree[Array],
    gold: Int[Array, "q k"],
    *,
    gallery_mask: Bool[Array, " g"] | None = None,
    score: Scorer = cosine_scores,
    block_entries: int = BLOCK_ENTRIES,
) -> Ranks:
    """Ranks of every query's gold answers in the gallery, tile by tile over the queries.

    Args:
        queries: `[q, d]` rows, or any tree of arrays with `q` rows that `score` understands.
        gallery: likewise with `g` rows.
        gold: `[q, k]` gallery rows of the gold answers, -1 for none; one that is listed twice counts once.
        gallery_mask: True where the gallery item exists; all by default.
        score: scores a tile of queries against the gallery.
        block_entries: how many scores may be held at once.

    Raises:
        ValueError: gold answers of another shape, or beyond the gallery; the latter cannot be checked inside of `jit`.

    Example:
        >>> rank(jnp.eye(3), jnp.eye(3), jnp.arange(3)[:, None]).better.tolist()
        [0, 0, 0]
    """
    rows = jax.tree.leaves(queries)[0].shape[0]
    if jnp.ndim(gold) != 2 or len(gold) != rows or 0 in gold.shape[1:]:
        raise ValueError(f"gold {jnp.shape(gold)} must be [{rows}, k], k at least 1, gallery rows of each query")
    items = jax.tree.leaves(gallery)[0].shape[0]
    _check_gold(gold, items)
    size = tile_rows(items, block_entries)

    def one_tile(tile):
        rows, answers = tile
        return ranks_from_scores(score(rows, gallery), answers - 1, gallery_mask=gallery_mask)

    # One up, so that the zeros that fill the last tile are no queries: tied with everything, they would take as
    # many rounds of the loops over ties as the gallery has items.
    return map_row_tiles(one_tile, (queries, gold + 1), size=size)


def _check_gold(gold: Int[Array, "q k"], items: int) -> None:
    if not isinstance(gold, jax.core.Tracer) and gold.size and int(gold.max()) >= items:
        raise ValueError(f"gold has row {int(gold.max())}, the gallery {items} rows, counted from 0")


def tile_rows(gallery: int, block_entries: int = BLOCK_ENTRIES) -> int:
    """Queries a tile, of which `block_entries` scores against the gallery may be held at once."""
    # On a CPU, scores that stay in the cache are counted half again as fast.
    most = CACHED_ROWS if jax.default_backend() == "cpu" else block_entries
    return max(1, min(most, block_entries // gallery))


def rank_pairs(
    text: PyTree[Array],
    image: PyTree[Array],
    image_of: Int[Array, " m"],
    captions_of: Int[Array, "n k"],
    *,
    image_mask: Bool[Array, " n"] | None = None,
    score: Scorer = cosine_scores,
    block_entries: int = BLOCK_ENTRIES,
) -> tuple[Ranks, Ranks]:
    """Both directions of retrieval between the captions of one language and their images.

    Args:
        text: `[m, d]` caption rows, or a tree that `score` understands.
        image: `[n, d]` image rows, likewise.
        image_of: `[m]` image of each caption, -1 where the row is no caption.
        captions_of: `[n, k]` captions of each image, -1 for none.
        image_mask: True where the row is an image; all by default.
        score: scores captions against images.
        block_entries: how many scores may be held at once.

    Returns:
        Text→image ranks `[m]` (every caption a query among all images) and image→text ranks `[n]` (every
        image that has captions a query among all captions).
    """
    return rank_both_directions(
        text,
        image,
        image_of[:, None],
        captions_of,
        query_mask=image_of >= 0,
        gallery_mask=image_mask,
        score=score,
        block_entries=block_entries,
    )


def rank_both_directions(
    queries: PyTree[Array],
    gallery: PyTree[Array],
    gold: Int[Array, "q k"],
    gold_back: Int[Array, "g j"],
    *,
    query_mask: Bool[Array, " q"] | None = None,
    gallery_mask: Bool[Array, " g"] | None = None,
    score: Scorer = cosine_scores,
    block_entries: int = BLOCK_ENTRIES,
) -> tuple[Ranks, Ranks]:
    """The ranks of the queries in the gallery, and of the gallery's items among the queries.

    Args:
        queries, gallery, gold, gallery_mask, score, block_entries: as in `rank`.
        gold_back: `[g, j]` query rows that each gallery item should find, -1 for none.
        query_mask: True where the query exists; all by default.

    Raises:
        ValueError: as `rank`.

    Example:
        >>> there = jnp.arange(2)[:, None]
        >>> [side.better.tolist() for side in rank_both_directions(jnp.eye(2), jnp.ones((2, 2)), there, there)]
        [[0, 0], [0, 0]]
    """
    rows, items = (jax.tree.leaves(side)[0].shape[0] for side in (queries, gallery))
    _check_gold(gold, items)
    _check_gold(gold_back, rows)
    if rows * items <= block_entries:  # one block serves both
        scores = score(queries, gallery)
        return (
            ranks_from_scores(scores, gold, gallery_mask=gallery_mask),
            ranks_from_scores(scores, gold_back, gallery_mask=query_mask, query_axis=1),
        )
    return (
        rank(queries, gallery, gold, gallery_mask=gallery_mask, score=score, block_entries=block_entries),
        rank(
            gallery,
            queries,
            gold_back,
            gallery_mask=query_mask,
            score=lambda items, rows: score(rows, items).T,
            block_entries=block_entries,
        ),
    )
