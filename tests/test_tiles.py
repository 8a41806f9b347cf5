"""Tiles: whatever their size, the whole comes out, in value and gradient."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ccalign_jax.tiles import even_tiles, map_row_tiles, visit_tiles


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@given(count=st.integers(1, 9), size=st.integers(1, 11))
@settings(max_examples=15, deadline=None)
def test_tiles_of_any_size_equal_the_whole_tree_for_tree(count, size):
    rows = {"a": jnp.asarray(normal(count, 3)), "b": (jnp.arange(count), jnp.arange(count) % 2 == 0)}

    def function(tree):
        number, flag = tree["b"]
        return {"sum": jnp.sum(tree["a"], axis=1) + number, "kept": (jnp.where(flag[:, None], tree["a"], 0.0), flag)}

    whole, tiled = function(rows), map_row_tiles(function, rows, size=size)
    assert jax.tree.structure(whole) == jax.tree.structure(tiled)
    for one, other in zip(jax.tree.leaves(whole), jax.tree.leaves(tiled), strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_allclose(one, other, rtol=1e-6)


def test_tiles_are_visited_one_at_a_time():
    shapes = []
    map_row_tiles(lambda tile: shapes.append(tile.shape) or tile, jnp.zeros((10, 2)), size=4)
    assert set(shapes) == {(4, 2)}


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_what_fills_up_the_last_tile_never_reaches_a_gradient(size):
    rows = jnp.asarray(normal(5, 3))

    def loss(rows, weight, size):  # a row of zeros would be NaN here, and so would the weight's gradient
        return jnp.sum(
            map_row_tiles(lambda x: (x / jnp.linalg.norm(x, axis=1, keepdims=True)) @ weight, rows, size=size) ** 2
        )

    whole = jax.grad(loss, argnums=(0, 1))(rows, jnp.eye(3), 5)
    for one, other in zip(whole, jax.grad(loss, argnums=(0, 1))(rows, jnp.eye(3), size), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


@given(
    rows=st.integers(1, 7),
    columns=st.integers(1, 7),
    row_size=st.integers(1, 8),
    column_size=st.integers(1, 8),
)
@settings(max_examples=15, deadline=None)
def test_states_of_rows_and_columns_see_every_tile_once(rows, columns, row_size, column_size):
    products = normal(rows, 3) @ normal(columns, 3, seed=1).T

    def visit(row, column, row_state, column_state):
        (left, exists), (right, there) = row, column
        scores = jnp.where(exists[:, None] & there, left @ right.T, 0.0)
        return {"sum": row_state["sum"] + scores.sum(1)}, jnp.maximum(column_state, scores.max(0))

    sides = [(normal(rows, 3), np.ones(rows, bool)), (normal(columns, 3, seed=1), np.ones(columns, bool))]
    start = {"sum": np.zeros(rows, np.float32)}, np.zeros(columns, np.float32)
    found, best = visit_tiles(visit, *sides, *start, row_size=row_size, column_size=column_size)
    np.testing.assert_allclose(found["sum"], products.sum(1), atol=1e-5)
    np.testing.assert_allclose(best, np.maximum(products.max(0), 0), atol=1e-5)


@pytest.mark.parametrize(("count", "size"), [(1, 1), (10, 8), (10, 3), (7, 100), (0, 4)])
def test_even_tiles_hold_all_and_little_more(count, size):
    tiles, each = even_tiles(count, size)
    assert each <= size and count <= tiles * each < count + tiles + (count == 0)
