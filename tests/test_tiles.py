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
