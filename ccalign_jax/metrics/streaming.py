"""Exact ranks among millions of rows that need not fit in memory: both directions in one pass over tiles of scores.

A gold answer's score must be the very number that its rivals are held against: the same inner product from a matrix
product of another shape may differ in its last bit. So gold pairs are gathered into blocks and tiles of the shapes that
all others have, and what must tie with itself is checked to have done so.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ccalign_jax.metrics.counts import Ranks, count_around, ranks_from_counts
from ccalign_jax.metrics.ranks import cosine_scores
from ccalign_jax.metrics.scoring import take_off
from ccalign_jax.numerics import AnyArray, unit_rows
from ccalign_jax.tiles import map_row_tiles, visit_tiles

__all__ = ["MEMORY", "Rows", "stream_neighbours", "stream_ranks"]

MEMORY = 2**30
QUERY_TILE, GALLERY_TILE = 512, 4096  # 8 MiB of scores: on a CPU they are counted before they leave the cache
MOST_TILES = 16  # of a block of the gallery: the next one is read while it is at work
FINISHED_ROWS = 2**16  # whose ranks are made of counts at one time
COPIES = 4  # of a block: as read, the next one being read, in float32, and mapped

RowMap = Callable[[Float[Array, "b d"]], Float[Array, "b w"]]
Progress = Callable[[int, int], None]


class Rows(Protocol):
    """What rows are read from: a NumPy array, a memory map, an HDF5 data set, ..."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __getitem__(self, rows: Any) -> Any: ...


@dataclasses.dataclass(frozen=True)
class _Source:
    """Rows read in blocks of one size, mapped and lengthened by one compiled function."""

    name: str
    rows: Rows
    block: int
    prepare: Callable[[AnyArray, AnyArray | None], tuple[Array, Array]]
    penalty: Float[np.ndarray, " n"] | None

    def __len__(self) -> int:
        return self.rows.shape[0]

    def take(self, places: slice | np.ndarray) -> Float[Array, "block w"]:
        """These rows, at most a block of them; behind them zeros."""
        return self.prepared(places, self.read(places))

    def prepared(self, places: slice | np.ndarray, read: tuple[np.ndarray, np.ndarray | None]) -> Array:
        rows, finite = self.prepare(*read)
        if not np.asarray(finite).all():
            first = int(np.flatnonzero(~np.asarray(finite))[0])
            row = places.start + first if isinstance(places, slice) else places[first]
            raise ValueError(f"row {row} of the {self.name} holds NaN or infinity; leave it out")
        return rows

    def read(self, places: slice | np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        found = np.zeros((self.block, *self.rows.shape[1:]), self.rows[:1].dtype)
        taken = self.rows[places]
        found[: len(taken)] = taken
        if self.penalty is None:
            return found, None
        more = np.zeros(self.block, np.float32)
        more[: len(taken)] = self.penalty[places]
        return found, more

    def blocks(self) -> Iterator[tuple[slice, Array]]:
        """All rows, block by block; the next is read while one is at work."""
        places = [slice(start, min(start + self.block, len(self))) for start in range(0, len(self), self.block)]
        with ThreadPoolExecutor(max_workers=1) as pool:
            ahead = pool.submit(self.read, places[0])
            for here, later in zip(places, [*places[1:], None], strict=True):
                read = ahead.result()
                if later is not None:
                    ahead = pool.submit(self.read, later)
                yield here, self.prepared(here, read)


def stream_ranks(
    queries: Rows,
    gallery: Rows,
    gold: Int[np.ndarray, "q k"],
    *,
    map_queries: RowMap = unit_rows,
    map_gallery: RowMap = unit_rows,
    penalties: tuple[Float[np.ndarray, " q"], Float[np.ndarray, " g"]] | None = None,
    memory: int = MEMORY,
    progress: Progress = lambda done, total: None,
) -> tuple[Ranks, Ranks]:
    """Ranks of every query in the gallery, and of every item of the gallery among the queries, as NumPy arrays.

    Args:
        queries: `[q, d]`, any float dtype, in memory or on disk; read block by block.
        gallery: `[g, d]`, likewise.
        gold: `[q, k]` gallery rows of the gold answers of each query, -1 for none. The gold answers of an item of
            the gallery are the queries that have it among theirs.
        map_queries: from float32 rows to those whose inner products are the scores; unit rows by default. A map:
            `lambda rows: unit_rows(aligner.text(params, rows, language))`.
        map_gallery: likewise; both must come to one width.
        penalties: taken off twice each inner product: from `stream_neighbours`, the score is CSLS.
        memory: bytes that blocks of rows may take, at least what one tile takes. What is counted takes some 16 bytes
            a row and gold answer more.
        progress: called with blocks done, and blocks in all.

    Raises:
        ValueError: shapes that do not fit, gold answers that are not in the gallery, or rows with NaN or infinity.
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
    sides = _sources(queries, gallery, map_queries, map_gallery, penalties, memory)
    back = _turn_round(gold, gallery.shape[0])
    owner, place = np.nonzero(gold >= 0)
    item = gold[owner, place]
    scores = _gold_scores(*sides, owner, item)
    bars = np.full(gold.shape, np.inf, np.float32), np.full(back.shape, np.inf, np.float32)
    bars[0][owner, place] = scores
    bars[1][item, _place_within(item)] = scores
    start = tuple((np.zeros(bar.shape, np.int32), np.zeros(bar.shape, np.int32)) for bar in bars)
    counts = _visit_blocks(_count_tile, *sides, bars, start, progress)
    by_query, by_item = (_finish(*given) for given in zip((gold, back), bars, counts, strict=True))
    return by_query, by_item


def stream_neighbours(
    queries: Rows,
    gallery: Rows,
    *,
    k: int = 10,
    map_queries: RowMap = unit_rows,
    map_gallery: RowMap = unit_rows,
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
        ValueError: k < 1, or rows with NaN or infinity.

    References:
        Conneau et al., 2018, "Word Translation Without Parallel Data".

    Example:
        >>> rows = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
        >>> [side.tolist() for side in stream_neighbours(rows, rows[:2], k=2)]
        [[0.5, 0.5, 0.5], [0.5, 1.0]]
    """
    if k < 1:
        raise ValueError(f"k is {k}; it must be at least 1")
    sides = _sources(queries, gallery, map_queries, map_gallery, None, memory)
    counts = [min(k, len(other)) for other in reversed(sides)]
    nearest = tuple(np.full((len(side), most), -np.inf, np.float32) for side, most in zip(sides, counts, strict=True))
    nothing = tuple(np.zeros((len(side), 0), np.float32) for side in sides)
    of_queries, of_items = _visit_blocks(_nearest_tile, *sides, nothing, nearest, progress)
    return of_queries.mean(axis=1), of_items.mean(axis=1)


def _sources(queries, gallery, map_queries, map_gallery, penalties, memory: int) -> tuple[_Source, _Source]:
    rows = queries, gallery
    if any(len(side.shape) != 2 or 0 in side.shape for side in rows):
        raise ValueError(
            f"queries {tuple(queries.shape)} and gallery {tuple(gallery.shape)} must be rows [n, d], n > 0"
        )
    maps = map_queries, map_gallery
    like = [jax.ShapeDtypeStruct((1, side.shape[1]), jnp.float32) for side in rows]
    widths = [jax.eval_shape(one, side).shape[1] for one, side in zip(maps, like, strict=True)]
    if widths[0] != widths[1]:
        raise ValueError(
            f"queries come out {widths[0]} wide and the gallery {widths[1]}; both maps must lead to one space"
        )
    if penalties is not None and [len(one) for one in penalties] != [side.shape[0] for side in rows]:
        raise ValueError(f"penalties {[len(one) for one in penalties]} must be one number a query, and one an item")
    tile = (QUERY_TILE, GALLERY_TILE)
    row_bytes = COPIES * 4 * max(widths[0], *(side.shape[1] for side in rows))
    found: list[_Source] = []
    for number, side in enumerate(rows):
        share = memory // 2 if number == 0 else memory - found[0].block * row_bytes
        tiles = max(1, min(share // (row_bytes * tile[number]), -(-side.shape[0] // tile[number]), MOST_TILES))
        prepare = _prepare(maps[number], number)
        found.append(
            _Source(
                ("queries", "gallery")[number],
                side,
                tiles * tile[number],
                prepare,
                None if penalties is None else penalties[number],
            )
        )
    return found[0], found[1]


@functools.lru_cache(maxsize=16)
def _prepare(row_map: RowMap, number: int) -> Callable[[AnyArray, AnyArray | None], tuple[Array, Array]]:
    """Map rows and, with penalties, lengthen them: one program for all blocks of a side, gathered ones too."""

    def prepare(rows: Array, penalty: Array | None) -> tuple[Array, Array]:
        mapped = row_map(rows.astype(jnp.float32))
        finite = jnp.isfinite(rows).all(axis=1)
        if penalty is None:
            return mapped, finite
        return take_off(2.0 * mapped, penalty, mapped, penalty)[number], finite

    return jax.jit(prepare)


def _scores(rows: Float[Array, "t w"], columns: Float[Array, "c w"]) -> Float[Array, "t c"]:
    scores = cosine_scores(rows, columns)
    return jnp.where(jnp.isnan(scores), jnp.finfo(scores.dtype).min, scores)


def _count_tile(rows: Any, columns: Any, row_counts: Any, column_counts: Any) -> tuple[Any, Any]:
    """What stands above, and level with, the gold answers of the rows, and those of the columns."""
    scores = _scores(rows[0], columns[0])

    def add(counts: tuple[Array, Array], bars: Array, exists: Array, axis: int) -> tuple[Array, ...]:
        kept = jnp.where(jnp.expand_dims(exists, 1 - axis), scores, -jnp.inf)
        more = jax.lax.map(lambda bar: count_around(kept, bar, axis), bars.T)
        return tuple(count + found.T for count, found in zip(counts, more, strict=True))

    return add(row_counts, rows[1], columns[2], 1), add(column_counts, columns[1], rows[2], 0)


def _nearest_tile(rows: Any, columns: Any, row_nearest: Array, column_nearest: Array) -> tuple[Array, Array]:
    """The highest scores that rows, and columns, have seen."""
    scores = _scores(rows[0], columns[0])

    def keep(nearest: Array, scores: Array, exists: Array) -> Array:
        kept = jnp.where(exists[None, :], scores, -jnp.inf)
        most = nearest.shape[1]
        found = jax.lax.top_k(kept, min(most, kept.shape[1]))[0]
        return jax.lax.top_k(jnp.concatenate([nearest, found], axis=1), most)[0]

    return keep(row_nearest, scores, columns[2]), keep(column_nearest, scores.T, rows[2])


@partial(jax.jit, static_argnums=0)
def _visit_block(visit: Callable, rows: Any, columns: Any, row_state: Any, column_state: Any) -> tuple[Any, Any]:
    def turned(columns: Any, rows: Any, column_state: Any, row_state: Any) -> tuple[Any, Any]:
        row_state, column_state = visit(rows, columns, row_state, column_state)
        return column_state, row_state

    # The inner loop copies its tiles: those of the queries are the small ones.
    column_state, row_state = visit_tiles(
        turned, columns, rows, column_state, row_state, row_size=GALLERY_TILE, column_size=QUERY_TILE
    )
    return row_state, column_state


def _visit_blocks(
    visit: Callable, queries: _Source, gallery: _Source, given: tuple, states: tuple, progress: Progress
) -> tuple[Any, Any]:
    """Carry the states, host arrays, through all tiles; `visit` sees (rows, given, exists) of each side."""
    total = -(-len(queries) // queries.block) * -(-len(gallery) // gallery.block)
    done = 0
    for here, rows in queries.blocks():
        row_given, row_state = _part((given[0], states[0]), here, queries.block)
        row_exists = np.arange(queries.block) < here.stop - here.start
        for there, columns in gallery.blocks():
            column_given, column_state = _part((given[1], states[1]), there, gallery.block)
            column_exists = np.arange(gallery.block) < there.stop - there.start
            row_state, column_state = _visit_block(
                visit, (rows, row_given, row_exists), (columns, column_given, column_exists), row_state, column_state
            )
            _put_back(states[1], column_state, there)
            done += 1
            progress(done, total)
        _put_back(states[0], row_state, here)
    return states[0], states[1]


def _part(tree: Any, places: slice, size: int) -> Any:
    def cut(leaf: np.ndarray) -> np.ndarray:
        found = np.zeros((size, *leaf.shape[1:]), leaf.dtype)
        found[: places.stop - places.start] = leaf[places]
        return found

    return jax.tree.map(cut, tree)


def _put_back(whole: Any, part: Any, places: slice) -> None:
    def put(leaf: np.ndarray, found: Array) -> None:
        leaf[places] = np.asarray(found)[: places.stop - places.start]

    jax.tree.map(put, whole, part)


def _gold_scores(queries: _Source, gallery: _Source, owner: np.ndarray, item: np.ndarray) -> Float[np.ndarray, " p"]:
    """The score of each pair, from tiles as all others are from."""
    size = min(queries.block, gallery.block) // QUERY_TILE * QUERY_TILE
    found = [np.zeros(0, np.float32)]
    for start in range(0, len(owner), size):
        here = slice(start, min(start + size, len(owner)))
        rows, columns = queries.take(owner[here]), gallery.take(item[here])
        found.append(np.asarray(_pair_scores(rows[:size], columns[:size]))[: here.stop - start])
    return np.concatenate(found)


@jax.jit
def _pair_scores(rows: Float[Array, "p w"], columns: Float[Array, "p w"]) -> Float[Array, " p"]:
    def one_tile(tile: tuple[Array, Array]) -> Array:
        # Behind the barrier stands a tile like any other, whatever a compiler might make of its zeros.
        columns = jax.lax.optimization_barrier(jnp.pad(tile[1], [(0, GALLERY_TILE - QUERY_TILE), (0, 0)]))
        return jnp.diagonal(jax.lax.optimization_barrier(_scores(tile[0], columns)))

    tiles = [side.reshape(-1, QUERY_TILE, side.shape[1]) for side in (rows, columns)]
    return jax.lax.map(one_tile, (tiles[0], tiles[1])).reshape(-1)


def _turn_round(gold: Int[np.ndarray, "q k"], items: int) -> Int[np.ndarray, "g j"]:
    """For each item of the gallery the queries that it answers."""
    owner, place = np.nonzero(gold >= 0)
    item = gold[owner, place]
    within = _place_within(item)
    back = np.full((items, within.max(initial=0) + 1), -1, np.int64)
    back[item, within] = owner
    return back


def _place_within(items: Int[np.ndarray, " p"]) -> Int[np.ndarray, " p"]:
    """0, 1, 2 … among the entries that are equal."""
    order = np.argsort(items, kind="stable")
    ordered = items[order]
    starts = np.flatnonzero(np.diff(ordered, prepend=-1))
    found = np.empty(len(items), np.int64)
    found[order] = np.arange(len(items)) - np.repeat(starts, np.diff(starts, append=len(items)))
    return found


@jax.jit
def _ranks(gold_scores: Array, exists: Array, above: Array, level: Array) -> Ranks:
    given = gold_scores, exists, above, level
    return map_row_tiles(lambda tile: ranks_from_counts(*tile), given, size=FINISHED_ROWS)


def _finish(gold: np.ndarray, bars: np.ndarray, counts: tuple[np.ndarray, np.ndarray]) -> Ranks:
    exists = gold >= 0
    if np.any(exists & (counts[1] < 1)):
        row = int(np.flatnonzero((exists & (counts[1] < 1)).any(axis=1))[0])
        raise FloatingPointError(
            f"the gold answer of row {row} scored otherwise a second time, so that counts would be wrong; "
            "this device does not multiply tiles of one shape alike"
        )
    return jax.tree.map(np.asarray, _ranks(bars, exists, *counts))
