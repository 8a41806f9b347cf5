"""Arrays visited tile by tile, so that only one tile's intermediate results exist: for losses, ranks and scores."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
from jaxtyping import Array

__all__ = ["even_tiles", "map_row_tiles", "visit_tiles"]

Tree = TypeVar("Tree")
Other = TypeVar("Other")
Result = TypeVar("Result")
Visit = Callable[[Tree, Other, Any, Any], tuple[Any, Any]]


def even_tiles(count: int, size: int) -> tuple[int, int]:
    """Number and size of tiles that hold `count` rows, none above `size`, padded as little as may be.

    Example:
        >>> even_tiles(10, 8)
        (2, 5)
    """
    tiles = max(1, -(-count // size))
    return tiles, max(1, -(-count // tiles))


def visit_tiles(
    visit: Visit, rows: Tree, columns: Other, row_state: Any, column_state: Any, *, row_size: int, column_size: int
) -> tuple[Any, Any]:
    """Carry the states of rows and of columns through all tiles of rows against columns.

    A reduction over columns for each row, and over rows for each column, takes one pass over their products.

    Args:
        visit: `(rows, columns, row_state, column_state) -> (row_state, column_state)` of a tile. Rows that fill the
            last tile up are zeros, and False in a mask: let a mask be among the leaves.
        rows: tree of arrays `[r, ...]`.
        columns: tree of arrays `[c, ...]`.
        row_state: tree of arrays `[r, ...]` to begin with.
        column_state: likewise `[c, ...]`.
        row_size: rows a tile, at most.
        column_size: columns a tile, at most.

    Returns:
        Both states after the last tile.

    Example:
        >>> add = lambda r, c, rs, cs: (rs + jnp.outer(r, c).sum(1), cs + jnp.outer(r, c).sum(0))
        >>> done = visit_tiles(add, jnp.ones(3), jnp.arange(2.0), jnp.zeros(3), jnp.zeros(2), row_size=2, column_size=1)
        >>> [state.tolist() for state in done]
        [[1.0, 1.0, 1.0], [0.0, 3.0]]
    """
    row_count, column_count = _count(rows), _count(columns)
    row_tiling, column_tiling = even_tiles(row_count, row_size), even_tiles(column_count, column_size)
    every_column = _cut(columns, *column_tiling)

    def one_row_tile(column_state: Any, given: tuple[Tree, Any]) -> tuple[Any, Any]:
        tile, state = given

        def one_tile(state: Any, given: tuple[Other, Any]) -> tuple[Any, Any]:
            return visit(tile, given[0], state, given[1])

        state, column_state = jax.lax.scan(one_tile, state, (every_column, column_state))
        return column_state, state

    start = _cut(column_state, *column_tiling)
    column_state, row_state = jax.lax.scan(one_row_tile, start, _cut((rows, row_state), *row_tiling))
    return _join(row_state, row_count), _join(column_state, column_count)


def map_row_tiles(function: Callable[[Tree], Result], rows: Tree, *, size: int) -> Result:
    """`function` of `rows`, computed tile by tile so that only one tile's intermediate results exist at a time.

    Args:
        function: maps a tree of `[t, ...]` arrays to a tree of `[t, ...]` arrays, row by row.
        rows: tree of arrays that share their first axis, `[m, ...]`.
        size: rows a tile, at most; the last one is filled up with copies of the last row, which are cut off again.

    Returns:
        What `function(rows)` would return, `[m, ...]`.

    Example:
        >>> map_row_tiles(lambda x: 2 * x, jnp.arange(5), size=2).tolist()
        [0, 2, 4, 6, 8]
    """
    count = _count(rows)
    if count <= size:
        return function(rows)
    # A row that occurs, not zeros: where zeros give a NaN, it would reach the gradient of what the function holds.
    return _join(jax.lax.map(function, _cut(rows, *even_tiles(count, size), mode="edge")), count)


def _count(rows: Any) -> int:
    return jax.tree.leaves(rows)[0].shape[0]


def _cut(rows: Tree, tiles: int, size: int, mode: str = "constant") -> Tree:
    """Every leaf as `[tiles, size, ...]`, filled up at the end."""

    def cut(leaf: Array) -> Array:
        missing = tiles * size - leaf.shape[0]
        if missing:
            leaf = jnp.pad(leaf, [(0, missing)] + [(0, 0)] * (leaf.ndim - 1), mode=mode)
        return leaf.reshape(tiles, size, *leaf.shape[1:])

    return jax.tree.map(cut, rows)


def _join(tiles: Tree, count: int) -> Tree:
    return jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:])[:count], tiles)
