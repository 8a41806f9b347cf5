"""Losses in tiles: the same as from the matrix of scores, without it. (Corners and devices: with all other losses.)"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ccalign_jax.losses import LOSSES, clip_loss, sigmoid_loss
from ccalign_jax.losses._reductions import REDUCTIONS

LANGUAGES, SIZE, WIDTH = 2, 300, 32
TILED = [name for name, entry in LOSSES.items() if entry.tiled]


def unit(*shape, seed):
    rows = np.random.default_rng(seed).normal(size=shape)
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


def value_and_gradients(name, tile, dtype=np.float32, i2t_pool="union"):
    text, image = unit(LANGUAGES, SIZE, WIDTH, seed=0), unit(SIZE, WIDTH, seed=1)
    text += image
    rng = np.random.default_rng(2)
    masks = {
        "mask": rng.random((LANGUAGES, SIZE)) > 0.2,
        "target_mask": rng.random(SIZE) > 0.1,
        "groups": rng.integers(0, SIZE // 2, SIZE),
    }

    def loss(text, image, temperature, bias):
        settings = {"mask_positives": True, "i2t_pool": i2t_pool, "axis_name": None, "tile": tile}
        return LOSSES[name].call(text, image, temperature=temperature, bias=bias, **masks, **settings)

    given = jnp.asarray(text, dtype), jnp.asarray(image, dtype), jnp.float32(0.05), jnp.float32(-10.0)
    return jax.jit(jax.value_and_grad(loss, argnums=(0, 1, 2, 3)))(*given)


@pytest.mark.parametrize("i2t_pool", ["union", "per_language"])
@pytest.mark.parametrize("name", TILED)
def test_tiles_equal_the_whole_in_value_and_gradient(name, i2t_pool):
    expected, slopes = value_and_gradients(name, None, i2t_pool=i2t_pool)
    value, found = value_and_gradients(name, 64, i2t_pool=i2t_pool)
    np.testing.assert_allclose(value, expected, rtol=1e-5)
    for one, other in zip(found, slopes, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5 * max(1, np.abs(other).max()))


@pytest.mark.parametrize("name", TILED)
def test_half_precision_sums_up_in_single(name):
    """Rows of bfloat16 are multiplied exactly in float32: the value is that of rounded rows, not a rounded one."""
    expected, slopes = value_and_gradients(name, None, jnp.bfloat16)
    value, found = value_and_gradients(name, 64, jnp.bfloat16)
    assert value.dtype == jnp.float32 and [leaf.dtype for leaf in found[:2]] == [jnp.bfloat16] * 2
    np.testing.assert_allclose(value, expected, rtol=1e-5)
    for one, other in zip(found, slopes, strict=True):
        one, other = np.asarray(one, np.float32), np.asarray(other, np.float32)
        assert np.linalg.norm(one - other) <= 0.01 * np.linalg.norm(other)


@pytest.mark.optimised
@pytest.mark.parametrize("loss", [clip_loss, sigmoid_loss])
def test_memory_is_linear_in_the_batch(loss):
    def scratch(size: int, tile: int | None) -> int:
        rows = jax.ShapeDtypeStruct((size, 16), jnp.float32)
        both = jax.jit(jax.value_and_grad(partial(loss, temperature=0.1, tile=tile), argnums=(0, 1)))
        return both.lower(rows, rows).compile().memory_analysis().temp_size_in_bytes

    small, large = scratch(2048, 128), scratch(8192, 128)
    assert large < 6 * small and large < 4 * 8192**2 / 8 < scratch(8192, None)


def test_every_reduction_is_its_slope():
    scores = jnp.asarray(unit(4, 6, seed=3))
    known, exists = jnp.eye(4, 6, dtype=bool), jnp.arange(6)[None] != 5
    for name, one in REDUCTIONS.items():
        total, pull = jax.vjp(lambda s, one=one: one.reduce(s, known, exists, 1), scores)
        slope = one.slope(scores, total[:, None], known, exists)
        np.testing.assert_allclose(slope, pull(jnp.ones_like(total))[0], atol=1e-6, err_msg=name)
        halves = [one.reduce(scores[:, part], known[:, part], exists[:, part], 1) for part in (slice(2), slice(2, 6))]
        np.testing.assert_allclose(one.merge(jnp.stack(halves), 0), total, atol=1e-6, err_msg=name)
        nothing = one.reduce(scores, known, jnp.zeros_like(exists), 1)
        np.testing.assert_array_equal(nothing, jnp.full(4, one.start), err_msg=name)


@pytest.mark.parametrize(("settings", "said"), [({"tile": 0}, "tile"), ({"tile": 4, "exchange": "post"}, "exchange")])
def test_what_makes_no_sense_is_said(settings, said):
    with pytest.raises(ValueError, match=said):
        clip_loss(jnp.eye(4), jnp.eye(4), temperature=0.1, **settings)


def test_a_tile_may_be_one_row():
    rows = jax.ShapeDtypeStruct((4, 3), jnp.float32)
    assert jax.eval_shape(lambda text, image: clip_loss(text, image, temperature=0.1, tile=1), rows, rows).shape == ()
