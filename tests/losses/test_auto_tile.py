"""`tile="auto"`: the whole matrix of scores in small batches, tiles in large ones, decided by shapes alone."""

import math
import re
from collections.abc import Iterator
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P

from ccalign_jax.losses import LOSSES, auto_tile, clip_loss, sigmoid_loss, supcon_loss
from ccalign_jax.losses._tiled import AUTO_TILE, TILED_FROM

SIDE = math.isqrt(TILED_FROM)  # pairs in one language from which on there are tiles
AXIS = "batch"
LOSS = {"clip": clip_loss, "supcon": supcon_loss, "sigmoid": sigmoid_loss}


def shapes(*shape: int, dtype=jnp.float32) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(shape, dtype)


def program(loss, text, image, **settings) -> str:
    """The jaxpr of the loss and its gradients; nothing is computed."""
    both = jax.value_and_grad(partial(loss, temperature=0.1, **settings), argnums=(0, 1))
    return plain(jax.make_jaxpr(both)(text, image))


def plain(jaxpr) -> str:
    return re.sub(r" at 0x\w+", "", str(jaxpr))  # addresses of functions


def sizes(jaxpr) -> Iterator[int]:
    """Of every array in a jaxpr, also inside of its loops."""
    for equation in jaxpr.eqns:
        yield from (math.prod(out.aval.shape) for out in equation.outvars)
        for inner in jax.tree.leaves(equation.params, is_leaf=lambda leaf: hasattr(leaf, "eqns")):
            if hasattr(inner, "eqns"):
                yield from sizes(getattr(inner, "jaxpr", inner))


@pytest.mark.parametrize(
    ("captions", "images", "backend", "tile"),
    [
        (SIDE, SIDE, "cpu", AUTO_TILE),
        (SIDE, SIDE - 1, "cpu", None),
        (8 * SIDE, SIDE // 8, "cpu", AUTO_TILE),
        (9 * 32, 32, "cpu", None),
        (0, 0, "cpu", None),
        (SIDE, SIDE, "gpu", None),
        (32_768, 32_768, "tpu", 8192),
    ],
)
def test_shapes_decide(captions, images, backend, tile):
    assert auto_tile(captions, images, backend=backend) == tile


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
@pytest.mark.parametrize("loss", LOSS.values(), ids=LOSS)
def test_the_default_is_the_whole_below_and_tiles_above(loss, dtype):
    for rows, tile in ((SIDE - 1, None), (SIDE, AUTO_TILE)):
        given = shapes(rows, 8, dtype=dtype), shapes(rows, 8, dtype=dtype)
        assert program(loss, *given) == program(loss, *given, tile="auto") == program(loss, *given, tile=tile)
    assert program(loss, *given) != program(loss, *given, tile=None)


@pytest.mark.parametrize("loss", LOSS.values(), ids=LOSS)
def test_large_batches_have_no_matrix_of_scores(loss):
    def largest(tile) -> int:
        both = jax.value_and_grad(partial(loss, temperature=0.1, tile=tile), argnums=(0, 1))
        return max(sizes(jax.make_jaxpr(both)(shapes(32_768, 512), shapes(32_768, 512)).jaxpr))

    assert largest("auto") == 32_768 * 512 and largest(None) >= 32_768**2


@pytest.mark.parametrize("i2t_pool", ["union", "per_language"])
@pytest.mark.parametrize("name", [name for name, entry in LOSSES.items() if entry.tiled])
def test_captions_of_all_languages_count(name, i2t_pool):
    def registered(text, image, *, temperature, **settings):
        masks = {"mask": jnp.ones(text.shape[:2], bool), "target_mask": jnp.ones(len(image), bool)}
        masks |= {"groups": jnp.arange(len(image)) // 2, "mask_positives": True, "i2t_pool": i2t_pool}
        return LOSSES[name].call(text, image, temperature=temperature, axis_name=None, **masks, **settings)

    for rows, tile in ((SIDE // 2 - 1, None), (SIDE // 2, AUTO_TILE)):
        given = shapes(4, rows, 8), shapes(rows, 8)
        assert program(registered, *given) == program(registered, *given, tile=tile)


def of_vmap(step):
    return jax.vmap(step, axis_name=AXIS)


def of_pmap(step):
    return jax.pmap(step, axis_name=AXIS)


def of_shard_map(step):
    mesh = Mesh(np.array(jax.devices()[:8]), (AXIS,))
    return jax.shard_map(lambda *rows: step(*(leaf[0] for leaf in rows)), mesh=mesh, in_specs=P(AXIS), out_specs=P())


@pytest.mark.skipif(jax.device_count() < 8, reason="needs eight devices")
@pytest.mark.parametrize("mapped", [of_vmap, of_pmap, of_shard_map])
def test_the_batch_of_all_devices_counts(mapped):
    def spread(rows: int, tile) -> str:
        step = partial(clip_loss, temperature=0.1, axis_name=AXIS, tile=tile)
        program = mapped(lambda text, image: jax.lax.pmean(step(text, image), AXIS))
        return plain(jax.make_jaxpr(program)(shapes(8, rows, 8), shapes(8, rows, 8)))

    below, above = SIDE // 8 - 1, SIDE // 8
    assert spread(below, "auto") == spread(below, None) != spread(below, AUTO_TILE)
    assert spread(above, "auto") == spread(above, AUTO_TILE) != spread(above, None)


@pytest.mark.parametrize("rows", [SIDE // 4 - 1, SIDE // 4])
@pytest.mark.parametrize("i2t_pool", ["union", "per_language"])
def test_around_the_threshold_it_equals_the_whole_in_value_and_gradient(rows, i2t_pool):
    random = np.random.default_rng(0)
    with jax.enable_x64(True):
        text, image = jnp.asarray(random.normal(size=(16, rows, 3))), jnp.asarray(random.normal(size=(rows, 3)))
        masks = {
            "mask": jnp.asarray(random.random((16, rows)) > 0.2),
            "image_mask": jnp.asarray(random.random(rows) > 0.1),
            "groups": jnp.asarray(random.integers(0, rows // 2, rows)),
        }

        def both(tile):
            loss = partial(clip_loss, **masks, i2t_pool=i2t_pool, tile=tile)
            step = jax.value_and_grad(lambda text, image, t: loss(text, image, temperature=t), argnums=(0, 1, 2))
            return jax.jit(step)(text, image, jnp.float64(0.5))

        for one, other in zip(jax.tree.leaves(both("auto")), jax.tree.leaves(both(None)), strict=True):
            assert one.dtype == jnp.float64
            if rows < SIDE // 4:
                np.testing.assert_array_equal(one, other)
            else:
                np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-15)


@pytest.mark.parametrize("tile", ["whole", 0])
def test_a_tile_that_makes_no_sense_is_said(tile):
    with pytest.raises(ValueError, match="'auto', None, or at least 1"):
        clip_loss(jnp.eye(4), jnp.eye(4), temperature=0.1, tile=tile)
