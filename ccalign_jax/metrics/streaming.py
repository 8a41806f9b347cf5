"""Exact ranks among millions of rows that need not fit in memory: both directions in one pass over tiles of scores.

A gold answer's score must be bitwise the score that its rivals are compared with: the same inner product from a matrix
product of another shape may differ in its last bit. So gold pairs are gathered into blocks and tiles of the shapes that
all others have, and what must tie with itself is checked to have done so.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ccalign_jax.metrics.blocks import Progress, pair_scores, tile_scores, visit_blocks
from ccalign_jax.metrics.counts import Ranks, count_around, each_answer_once, ranks_from_counts
from ccalign_jax.metrics.sources import RowMap, Rows, as_scaled, make_sources
from ccalign_jax.numerics import place_within
from ccalign_jax.tiles import map_row_tiles

__all__ = ["MEMORY", "stream_neighbours", "stream_ranks"]

MEMORY = 2**30
FINISHED_ROWS = 2**16  # whose ranks are made of counts at one time


def stream_ranks(
    queries: Rows,
    gallery: Rows,
    gold: Int[np.ndarray, "q k"],
    *,
    map_queries: RowMap = as_scaled,
    map_gallery: RowMap = as_scaled,
    penalties: tuple[Float[np.ndarray, " q"], Float[np.ndarray, " g"]] | None = None,
    memory: int = MEMORY,
    progress: Progress = lambda done, total: None,
) -> tuple[Ranks, Ranks]:
    """Ranks of every query in the gallery, and of every item of the gallery among the queries, as NumPy arrays.

    Args:
        queries: `[q, d]`, any float dtype and length, in memory or on disk; read block by block, scaled to length one.
        gallery: `[g, d]`, likewise.
        gold: `[q, k]` gallery rows of the gold answers of each query, -1 for none; one that is listed twice counts
            once. The gold answers of an item of the gallery are the queries that have it among theirs.
        map_queries: from float32 unit rows to those whose inner products are the scores; none by default. For a
            learned map `lambda rows: aligners.map_captions(aligner, params, rows, language)`, or what
            `study.map_rows` gives.
        map_gallery: likewise; both must come to one width.
        penalties: taken off twice each inner product: from `stream_neighbours`, the score is CSLS.
        memory: bytes that blocks of rows may take, at least what one tile takes. What is counted takes some fifty
            bytes more for a row with one gold answer.
        progress: called with blocks done, and blocks in all.

    Raises:
        ValueError: shapes that do not fit, gold answers that are not in the gallery, or rows that are all zero
            or hold NaN or infinity.
        FloatingPointError: a gold answer that does not score the same twice, so that counts would be wrong by one.

    Example:
        >>> t2i, i2t = stream_ranks(np.eye(3), np.eye(3), np.arange(3)[:, None])
        >>> t2i.better.tolist(), i2t.tied.tolist()
        ([0, 0, 0], [1, 1, 1])
    """
    gold = np.asarray(gold)
    if gold.ndim != 2 or len(gold) != queries.shape[0] or gold.size == 0:
        raise ValueError(f"gold {gold.shape} must be [{queries.shape[0]}, k], k at least 1, gallery rows of each query")
    if gold.max() >= gallery.shape[0]:
        raise ValueError(f"gold names row {gold.max()} of the gallery, which has {gallery.shape[0]}; count from 0")
    gold = each_answer_once(gold)
    sides = make_sources(queries, gallery, map_queries, map_gallery, penalties, memory)
    back = _turn_round(gold, gallery.shape[0])
    owner, place = np.nonzero(gold >= 0)
    item = gold[owner, place]
    scores = pair_scores(*sides, owner, item)
    thresholds = np.full(gold.shape, np.inf, np.float32), np.full(back.shape, np.inf, np.float32)
    thresholds[0][owner, place] = scores
    thresholds[1][item, place_within(item)] = scores
    start = tuple(
        (np.zeros(threshold.shape, np.int32), np.zeros(threshold.shape, np.int32)) for threshold in thresholds
    )
    counts = visit_blocks(_count_tile, *sides, thresholds, start, progress)
    by_query, by_item = (_finish(*given) for given in zip((gold, back), thresholds, counts, strict=True))
    return by_query, by_item


def stream_neighbours(
    queries: Rows,
    gallery: Rows,
    *,
    k: int = 10,
    map_queries: RowMap = as_scaled,
    map_gallery: RowMap = as_scaled,
    memory: int = MEMORY,
    progress: Progress = lambda done, total: None,
) -> tuple[Float[np.ndarray, " q"], Float[np.ndarray, " g"]]:
    """Mean score of each query with its k nearest in the gallery, and of each item with its k nearest queries.

    As `penalties` of `stream_ranks` they make CSLS out of the cosine, with banks that are the queries and the gallery
    themselves: transductive. With another gallery, say of training rows, the first is r(x) of an inductive one.

    Args:
        k: ≥ 1; all of a smaller side.
        queries, gallery, map_queries, map_gallery, memory, progress: as in `stream_ranks`.

    Raises:
        ValueError: k < 1, or rows that are all zero or hold NaN or infinity.

    References:
        Conneau et al., 2018, "Word Translation Without Parallel Data".

    Example:
        >>> rows = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
        >>> [side.tolist() for side in stream_neighbours(rows, rows[:2], k=2)]
        [[0.5, 0.5, 0.5], [0.5, 1.0]]
    """
    if k < 1:
        raise ValueError(f"k is {k}; it must be at least 1")
    sides = make_sources(queries, gallery, map_queries, map_gallery, None, memory)
    counts = [min(k, len(other)) for other in reversed(sides)]
    nearest = tuple(np.full((len(side), most), -np.inf, np.float32) for side, most in zip(sides, counts, strict=True))
    nothing = tuple(np.zeros((len(side), 0), np.float32) for side in sides)
    of_queries, of_items = visit_blocks(_nearest_tile, *sides, nothing, nearest, progress)
    return of_queries.mean(axis=1), of_items.mean(axis=1)


def _count_tile(
    sizes: tuple[int, int], rows: Any, columns: Any, row_counts: Any, column_counts: Any
) -> tuple[Any, Any]:
    """Add the counts of one tile: items above and level with the gold answers of its rows, and of its columns."""
    scores = tile_scores(rows[0], columns[0], sizes)

    def add(counts: tuple[Array, Array], thresholds: Array, exists: Array, axis: int) -> tuple[Array, ...]:
        kept = jnp.where(jnp.expand_dims(exists, 1 - axis), scores, -jnp.inf)
        return tuple(map(jnp.add, counts, count_around(kept, thresholds, axis)))

    return add(row_counts, rows[1], columns[2], 1), add(column_counts, columns[1], rows[2], 0)


def _nearest_tile(
    sizes: tuple[int, int], rows: Any, columns: Any, row_nearest: Array, column_nearest: Array
) -> tuple[Array, Array]:
    """The highest scores that rows, and columns, have seen."""
    scores = tile_scores(rows[0], columns[0], sizes)

    def keep(nearest: Array, scores: Array, exists: Array) -> Array:
        kept = jnp.where(exists[None, :], scores, -jnp.inf)
        most = nearest.shape[1]
        found = jax.lax.top_k(kept, min(most, kept.shape[1]))[0]
        return jax.lax.top_k(jnp.concatenate([nearest, found], axis=1), most)[0]

    return keep(row_nearest, scores, columns[2]), keep(column_nearest, scores.T, rows[2])


def _turn_round(gold: Int[np.ndarray, "q k"], items: int) -> Int[np.ndarray, "g j"]:
    """For each item of the gallery the queries that it answers."""
    owner, place = np.nonzero(gold >= 0)
    item = gold[owner, place]
    within = place_within(item)
    back = np.full((items, within.max(initial=0) + 1), -1, np.int64)
    back[item, within] = owner
    return back


@jax.jit
def _ranks(gold_scores: Array, exists: Array, above: Array, level: Array) -> Ranks:
    given = gold_scores, exists, above, level
    return map_row_tiles(lambda tile: ranks_from_counts(*tile), given, size=FINISHED_ROWS)


def _finish(gold: np.ndarray, thresholds: np.ndarray, counts: tuple[np.ndarray, np.ndarray]) -> Ranks:
    exists = gold >= 0
    if np.any(exists & (counts[1] < 1)):
        row = int(np.flatnonzero((exists & (counts[1] < 1)).any(axis=1))[0])
        raise FloatingPointError(
            f"the gold answer of row {row} scored otherwise a second time, so that counts would be wrong; "
            "this device does not multiply tiles of one shape alike"
        )
    return jax.tree.map(np.asarray, _ranks(thresholds, exists, *counts))
