"""A batch spread over devices: the global losses and gradients under `vmap`, `pmap`, `shard_map` and sharded `jit`."""

import re
import runpy
from functools import cache, partial
from itertools import cycle
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from ccalign_jax.losses import LOSSES, clip_loss

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "devices.py"
DEVICES, LANGUAGES, SIZE, WIDTH = 8, 2, 16, 5
AXIS = "batch"
# Every loss with the usual settings, and those that read more with the others.
OTHER = {"mask_positives": False, "i2t_pool": "per_language"}
EXCHANGES = "ring", "gather"
TILED = [name for name, entry in LOSSES.items() if entry.tiled]
EVERY = (
    {name: (name, {}) for name in LOSSES}
    | {f"{name}, positives kept": (name, OTHER) for name in ("infonce", "rcsls")}
    | {
        f"{name}, {exchange}": (name, {"tile": 3, "exchange": exchange})
        for name, exchange in zip(TILED, cycle(EXCHANGES), strict=False)
    }
    | {"infonce, positives kept, gather": ("infonce", {**OTHER, "tile": 1, "exchange": "gather"})}
)
# Losses use devices through a gather, a sum, a place, and the exchanges of tiles; these cover them all.
OF_EACH_KIND = (
    "infonce",
    "infonce, positives kept",
    "alignment_uniformity",
    "cosine",
    "infonce, ring",
    "sigmoid, gather",
)
FEW = {name: EVERY[name] for name in OF_EACH_KIND}
# Where each leaf of a batch has its axis of images.
BATCH_AXES = {"text": 1, "image": 0, "mask": 1, "target_mask": 0, "groups": 0}
SPECS = {name: P(*[None] * axis, AXIS) for name, axis in BATCH_AXES.items()}

pytestmark = [
    pytest.mark.skipif(jax.device_count() < DEVICES, reason="needs eight devices"),
    pytest.mark.usefixtures("nothing_kept"),
]


def problem() -> tuple[dict, dict]:
    """Devices differ in how many captions they hold, one holds none; groups reach across devices."""
    rng = np.random.default_rng(0)
    mask = rng.random((LANGUAGES, SIZE)) > 0.4
    mask[:, 4:6] = False
    params = {side: rng.normal(size=(WIDTH, 4)).astype(np.float32) for side in ("text", "image")}
    numbers = {"temperature": 0.3, "bias": -3.0, "margin": 0.4, "uniformity_weight": 0.7, "structure_weight": 0.5}
    batch = {
        "text": rng.normal(size=(LANGUAGES, SIZE, WIDTH)).astype(np.float32),
        "image": rng.normal(size=(SIZE, WIDTH)).astype(np.float32),
        "mask": mask,
        "target_mask": np.arange(SIZE) != 9,
        "groups": np.arange(SIZE) % 11,
    }
    return params | {name: np.float32(number) for name, number in numbers.items()}, batch


def all_losses(variants, params, batch, axis_name=None) -> dict:
    """Each of its own params; one program of many losses compiles in a fraction of the time of many programs."""
    masks = {name: batch[name] for name in ("mask", "target_mask", "groups")}

    def one(params, name, changes):
        settings = {"mask_positives": True, "i2t_pool": "union", "neighbours": 3, "axis_name": axis_name} | changes
        numbers = {name: number for name, number in params.items() if name not in ("text", "image")}
        anchors, targets = batch["text"] @ params["text"], batch["image"] @ params["image"]
        return LOSSES[name].call(anchors, targets, original=batch["text"], **masks, **numbers, **settings)

    return {variant: one(params[variant], *settings) for variant, settings in variants.items()}


def values_and_gradients(variants, losses):
    """`(params, batch) -> values, gradients`, of each of the losses by itself, and all in one backward pass."""

    def step(params, batch):
        def together(params):
            values = losses(params, batch)
            return sum(values.values()), values

        gradients, values = jax.grad(together, has_aux=True)(dict.fromkeys(variants, params))
        return values, gradients

    return step


def means(variants):
    """The losses of the whole batch as every device sees them."""
    return lambda params, batch: jax.lax.pmean(all_losses(variants, params, batch, AXIS), AXIS)


def portable(variants):
    """The idiom that is right everywhere: the gradient of the pmean of the loss, then the pmean of the gradients."""

    def step(params, batch):
        values, gradients = values_and_gradients(variants, means(variants))(params, batch)
        return values, jax.lax.pmean(gradients, AXIS)

    return step


@cache
def whole():
    """The losses and gradients of the whole batch on one device."""
    return jax.device_get(jax.jit(values_and_gradients(EVERY, partial(all_losses, EVERY)))(*problem()))


def assert_whole(variants, values, gradients):
    assert set(values) == set(variants)
    for variant in variants:
        np.testing.assert_allclose(values[variant], whole()[0][variant], rtol=1e-5, err_msg=variant)
        for name, expected in whole()[1][variant].items():
            message = f"{variant}, {name}"
            np.testing.assert_allclose(gradients[variant][name], expected, atol=2e-6, rtol=1e-4, err_msg=message)


@pytest.fixture(scope="module")
def mesh():
    return Mesh(np.array(jax.devices()[:DEVICES]), (AXIS,))


def spread_over_devices(batch: dict) -> dict:
    """`[devices, ..., images a device, ...]`."""

    def split(leaf, axis):
        shape = (*leaf.shape[:axis], DEVICES, -1, *leaf.shape[axis + 1 :])
        return np.moveaxis(leaf.reshape(shape), axis, 0)

    return {name: split(leaf, BATCH_AXES[name]) for name, leaf in batch.items()}


@pytest.mark.parametrize(("mapped", "variants"), [("vmap", EVERY), ("pmap", FEW)], ids=["vmap", "pmap"])
def test_vmap_and_pmap_equal_the_whole_batch(mapped, variants):
    params, batch = problem()
    if mapped == "vmap":
        step = jax.jit(jax.vmap(portable(variants), in_axes=(None, 0), axis_name=AXIS))
    else:
        step = jax.pmap(portable(variants), in_axes=(None, 0), axis_name=AXIS)
    found = step(params, spread_over_devices(batch))
    for device in (0, DEVICES - 1):  # all devices agree
        assert_whole(variants, *jax.tree.map(lambda leaf, one=device: leaf[one], found))


@pytest.mark.parametrize(("check_vma", "variants"), [(True, EVERY), (False, FEW)], ids=["checked", "unchecked"])
def test_shard_map_equals_the_whole_batch(mesh, check_vma, variants):
    step = jax.shard_map(portable(variants), mesh=mesh, in_specs=(P(), SPECS), out_specs=P(), check_vma=check_vma)
    assert_whole(variants, *jax.jit(step)(*problem()))


@pytest.mark.parametrize("check_vma", [True, False])
def test_the_gradient_may_be_taken_outside_of_shard_map(mesh, check_vma):
    spread = jax.shard_map(means(FEW), mesh=mesh, in_specs=(P(), SPECS), out_specs=P(), check_vma=check_vma)
    assert_whole(FEW, *jax.jit(values_and_gradients(FEW, spread))(*problem()))


def test_plain_jit_on_sharded_inputs_equals_the_whole_batch(mesh):
    params, batch = problem()
    placed = {name: jax.device_put(leaf, NamedSharding(mesh, SPECS[name])) for name, leaf in batch.items()}
    assert len(placed["text"].sharding.device_set) == DEVICES
    step = jax.jit(values_and_gradients(FEW, partial(all_losses, FEW)))
    assert_whole(FEW, *step(jax.device_put(params, NamedSharding(mesh, P())), placed))


def test_without_masks_every_image_of_every_device_is_its_own(mesh):
    """The default labels must count on from device to device: equal local places are not equal images."""
    _, batch = problem()
    rows, here = (batch["text"], batch["image"]), partial(clip_loss, temperature=0.3, i2t_pool="per_language")
    specs = SPECS["text"], SPECS["image"]
    spread = jax.shard_map(partial(here, axis_name=AXIS), mesh=mesh, in_specs=specs, out_specs=P())
    np.testing.assert_allclose(jax.jit(spread)(*rows), jax.jit(here)(*rows), rtol=1e-5)


def test_one_device_is_no_device():
    params, batch = problem()
    one = {name: leaf[None] for name, leaf in batch.items()}
    alone = jax.vmap(lambda part: all_losses(FEW, dict.fromkeys(FEW, params), part, AXIS), axis_name=AXIS)
    for variant, value in jax.jit(alone)(jax.tree.map(jnp.asarray, one)).items():
        np.testing.assert_allclose(value[0], whole()[0][variant], rtol=1e-5, err_msg=variant)


def test_the_example_finds_the_gradients_of_the_whole_batch(capsys):
    runpy.run_path(str(EXAMPLE), run_name="__main__")
    whole, *spread = capsys.readouterr().out.splitlines()
    assert [line.split(": ")[0] for line in spread] == ["8 devices, shard_map", "8 devices, pmap"]
    assert all(line.endswith(": right") for line in spread)
    losses = [float(re.search(r"loss (\d\.\d+)", line)[1]) for line in (whole, *spread)]
    assert losses[1:] == pytest.approx([losses[0]] * 2, abs=2e-4)
