"""States carried through all tiles of the scores of two sides, block by block."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ccalign_jax.metrics.ranks import cosine_scores
from ccalign_jax.metrics.sources import Source
from ccalign_jax.tiles import visit_tiles

__all__ = ["Progress", "pair_scores", "tile_scores", "visit_blocks"]

Progress = Callable[[int, int], None]


def tile_scores(rows: Float[Array, "t w"], columns: Float[Array, "c w"], sizes: tuple[int, int]) -> Float[Array, "t c"]:
    """Inner products; NaN, which compares with nothing, below all.

    Args:
        sizes: rows and columns of the tiles that are multiplied. Fewer are filled up with zeros: products of one shape
            give equal pairs equal scores.
    """
    scores = cosine_scores(_fill_up(rows, sizes[0]), _fill_up(columns, sizes[1]))
    scores = jnp.where(jnp.isnan(scores), jnp.finfo(scores.dtype).min, scores)
    if scores.shape == (len(rows), len(columns)):
        return scores
    # The barrier keeps a compiler from multiplying only what is kept.
    return jax.lax.optimization_barrier(scores)[: len(rows), : len(columns)]


def _fill_up(rows: Float[Array, "t w"], size: int) -> Float[Array, "s w"]:
    if len(rows) == size:
        return rows
    # Behind the barrier stands a tile like any other, whatever a compiler might make of its zeros.
    return jax.lax.optimization_barrier(jnp.pad(rows, [(0, size - len(rows)), (0, 0)]))


@partial(jax.jit, static_argnums=(0, 1))
def _visit_block(
    visit: Callable, sizes: tuple[int, int], rows: Any, columns: Any, row_state: Any, column_state: Any
) -> tuple[Any, Any]:
    def turned(columns: Any, rows: Any, column_state: Any, row_state: Any) -> tuple[Any, Any]:
        row_state, column_state = visit(sizes, rows, columns, row_state, column_state)
        return column_state, row_state

    # The inner loop copies its tiles: those of the queries are the small ones.
    column_state, row_state = visit_tiles(
        turned, columns, rows, column_state, row_state, row_size=sizes[1], column_size=sizes[0]
    )
    return row_state, column_state


def visit_blocks(
    visit: Callable, queries: Source, gallery: Source, given: tuple, states: tuple, progress: Progress
) -> tuple[Any, Any]:
    """Carry the states, host arrays, through all tiles.

    `visit` sees the sizes that `tile_scores` takes, and (rows, given, exists) and the state of each side.
    """
    total = -(-len(queries) // queries.block) * -(-len(gallery) // gallery.block)
    done, sizes = 0, (queries.tile, gallery.tile)
    for here, rows in queries.blocks():
        row_given, row_state = _part((given[0], states[0]), here, queries.counted)
        row_exists = np.arange(queries.counted) < here.stop - here.start
        for there, columns in gallery.blocks():
            column_given, column_state = _part((given[1], states[1]), there, gallery.counted)
            column_exists = np.arange(gallery.counted) < there.stop - there.start
            row_state, column_state = _visit_block(
                visit,
                sizes,
                (rows[: queries.counted], row_given, row_exists),
                (columns[: gallery.counted], column_given, column_exists),
                row_state,
                column_state,
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


def pair_scores(queries: Source, gallery: Source, owner: np.ndarray, item: np.ndarray) -> Float[np.ndarray, " p"]:
    """The score of each pair, from tiles as all others are from."""
    size = min(queries.block, gallery.block) // queries.tile * queries.tile
    found = [np.zeros(0, np.float32)]
    for start in range(0, len(owner), size):
        here = slice(start, min(start + size, len(owner)))
        rows, columns = queries.take(owner[here]), gallery.take(item[here])
        scores = _pair_scores(rows[:size], columns[:size], (queries.tile, gallery.tile))
        found.append(np.asarray(scores)[: here.stop - start])
    return np.concatenate(found)


@partial(jax.jit, static_argnums=2)
def _pair_scores(rows: Float[Array, "p w"], columns: Float[Array, "p w"], sizes: tuple[int, int]) -> Float[Array, " p"]:
    def one_tile(tile: tuple[Array, Array]) -> Array:
        return jnp.diagonal(jax.lax.optimization_barrier(tile_scores(*tile, sizes)))

    tiles = [side.reshape(-1, sizes[0], side.shape[1]) for side in (rows, columns)]
    return jax.lax.map(one_tile, (tiles[0], tiles[1])).reshape(-1)
