"""What a migration is given: pairs of rows by both encoders, an index, and queries with their relevant documents."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from ccalign_jax.data.checks import unsound_rows
from ccalign_jax.errors import InputError
from ccalign_jax.metrics.ranks import tile_rows
from ccalign_jax.numerics import AnyArray, unit_float32

__all__ = ["DIRECTIONS", "Direction", "Task", "make_task", "nearest", "unit_rows_of"]

Direction = Literal["queries", "documents"]
DIRECTIONS: tuple[Direction, ...] = ("queries", "documents")
HELD_OUT, MOST_QUERIES = 0.2, 1000
MIN_PAIRS = 50


class Task(NamedTuple):
    """Rows of unit length, float32, in the space of the old and of the new encoder.

    Attributes:
        pairs_old, pairs_new: `[n, d_old]` and `[n, d_new]`: the same texts or documents by both, to fit maps on.
        index_old: `[g, d_old]`, the documents that are searched.
        index_new: `[g, d_new]`, the same re-embedded; None if they are not.
        queries_new: `[q, d_new]`.
        queries_old: `[q, d_old]`; None if they are not at hand.
        relevant: `[q, k]`, rows of the index, -1 for none.
        held_out: whether the queries are documents that were taken out of the pairs, and their relevant document is
            the nearest one in the new space.
    """

    pairs_old: Float[np.ndarray, "n d_old"]
    pairs_new: Float[np.ndarray, "n d_new"]
    index_old: Float[np.ndarray, "g d_old"]
    index_new: Float[np.ndarray, "g d_new"] | None
    queries_new: Float[np.ndarray, "q d_new"]
    queries_old: Float[np.ndarray, "q d_old"] | None
    relevant: Int[np.ndarray, "q k"]
    held_out: bool = False

    @property
    def reference(self) -> str:
        """What recovery is a share of: `re-embedded`, or `old encoder` where the index was not embedded anew."""
        return "old encoder" if self.index_new is None else "re-embedded"


def make_task(
    old: Float[AnyArray, "n d_old"],
    new: Float[AnyArray, "n d_new"],
    *,
    index: Float[AnyArray, "g d_old"] | None = None,
    new_index: Float[AnyArray, "g d_new"] | None = None,
    queries: Float[AnyArray, "q d_new"] | None = None,
    old_queries: Float[AnyArray, "q d_old"] | None = None,
    relevant: Int[AnyArray, "q k"] | None = None,
    seed: int = 0,
) -> Task:
    """Check rows, and hold documents out as queries where there are none.

    Args:
        old, new: the same texts or documents by the old and by the new encoder, row by row.
        index: the documents that are searched, by the old encoder; None for `old`, whose re-embedding is `new`.
        new_index: those of `index` by the new encoder.
        queries: by the new encoder. None holds out a fifth of the pairs, at most 1,000: each is a query whose relevant
            document is its nearest one in the new space, so that re-embedding is right by definition.
        old_queries: the same by the old encoder.
        relevant: rows of the index, -1 for none.
        seed: draws what is held out.

    Raises:
        InputError: rows that do not go together, too few pairs, or nothing to compare with.
    """
    rows = {"old": old, "new": new, "index": index, "new_index": new_index}
    rows |= {"queries": queries, "old_queries": old_queries}
    found = {name: unit_rows_of(name, value) for name, value in rows.items() if value is not None}
    _same_length(found, "old", "new", "pair by ids, or give as many rows of both")
    _same_length(found, "index", "new_index", "give the same documents")
    _same_length(found, "queries", "old_queries", "give the same queries")
    for name, like in (("index", "old"), ("old_queries", "old"), ("new_index", "new"), ("queries", "new")):
        if name in found and found[name].shape[1] != found[like].shape[1]:
            raise InputError(f"{name}: width {found[name].shape[1]}, but {like} has {found[like].shape[1]}")
    if len(found["old"]) < MIN_PAIRS:
        raise InputError(f"old, new: {len(found['old'])} pairs; give at least {MIN_PAIRS}")
    if queries is None:
        if index is not None:
            raise InputError("index: without queries the pairs themselves are searched; give queries and relevant, too")
        return _hold_out(found["old"], found["new"], seed)
    if relevant is None:
        raise InputError("queries: their relevant documents are missing; give relevant, rows of the index")
    searched = found.get("index", found["old"])
    again = found["new"] if index is None else found.get("new_index")
    gold = np.asarray(relevant)
    gold = gold[:, None] if gold.ndim == 1 else gold
    if len(gold) != len(found["queries"]) or gold.max(initial=-1) >= len(searched):
        raise InputError(
            f"relevant: {len(gold)} queries and row {gold.max(initial=-1)}; there are {len(found['queries'])} queries "
            f"and {len(searched)} documents, counted from 0"
        )
    asked = (gold >= 0).any(axis=1)
    if not asked.any():
        raise InputError("relevant: no query has a relevant document in the index")
    if again is None and old_queries is None:
        raise InputError("index: give new_index or old_queries, without which there is nothing to compare with")
    old_rows = found.get("old_queries")
    old_rows = None if old_rows is None else old_rows[asked]
    return Task(found["old"], found["new"], searched, again, found["queries"][asked], old_rows, gold[asked])


def nearest(queries: Float[np.ndarray, "q d"], gallery: Float[np.ndarray, "g d"]) -> Int[np.ndarray, "q 1"]:
    """The row of the gallery with the largest inner product, of each query; of equal ones the first."""
    size = tile_rows(len(gallery))
    tiles = [np.argmax(queries[start : start + size] @ gallery.T, axis=1) for start in range(0, len(queries), size)]
    return np.concatenate(tiles)[:, None]


def _hold_out(old: np.ndarray, new: np.ndarray, seed: int) -> Task:
    order = np.random.default_rng(seed).permutation(len(old))
    queries, kept = np.split(order, [min(round(HELD_OUT * len(order)), MOST_QUERIES)])
    queries, kept = np.sort(queries), np.sort(kept)
    gold = nearest(new[queries], new[kept])
    return Task(old[kept], new[kept], old[kept], new[kept], new[queries], old[queries], gold, held_out=True)


def unit_rows_of(name: str, rows: AnyArray) -> Float[np.ndarray, "n d"]:
    """Rows of unit length, float32; errors begin with `name`.

    Raises:
        InputError: no matrix of floating-point numbers, or a row that is zero or not finite.
    """
    found = np.asarray(rows)
    if found.ndim != 2 or found.dtype.kind not in "fV":
        raise InputError(f"{name}: shape {found.shape}, {found.dtype}; give rows [n, d] of floating-point numbers")
    if (bad := unsound_rows(found)).any():
        raise InputError(f"{name}: row {int(bad.argmax())} is zero or not finite ({int(bad.sum())} are); leave it out")
    return unit_float32(found)


def _same_length(found: dict[str, np.ndarray], one: str, other: str, fix: str) -> None:
    if one in found and other in found and len(found[one]) != len(found[other]):
        raise InputError(f"{one} has {len(found[one])} rows, {other} {len(found[other])}; {fix}")
