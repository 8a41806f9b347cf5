"""A batch spread over devices: the global loss and its gradient under `vmap`, `pmap`, `shard_map` and sharded `jit`."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from ccalign_jax.losses import LOSSES

DEVICES, LANGUAGES, SIZE, WIDTH = 8, 2, 16, 5
AXIS = "batch"
VARIANTS = {
    "infonce": ("infonce", True, "union", True),
    "infonce without masks": ("infonce", True, "per_language", False),
    "infonce, positives kept": ("infonce", False, "per_language", True),
    "mse": ("mse", True, "union", True),
    "cosine": ("cosine", True, "union", True),
}
# Where each leaf of a batch has its axis of images.
BATCH_AXES = {"text": 1, "image": 0, "mask": 1, "target_mask": 0, "groups": 0}
SPECS = {name: P(*[None] * axis, AXIS) for name, axis in BATCH_AXES.items()}

pytestmark = pytest.mark.skipif(jax.device_count() < DEVICES, reason="needs eight devices")


def problem(ragged: bool) -> dict[str, np.ndarray]:
    """Devices differ in how many captions they hold, one holds none; groups reach across devices."""
    rng = np.random.default_rng(0)
    mask, target_mask, groups = np.ones((LANGUAGES, SIZE), bool), np.ones(SIZE, bool), np.arange(SIZE)
    if ragged:
        mask, target_mask = rng.random((LANGUAGES, SIZE)) > 0.4, np.arange(SIZE) != 9
        mask[:, 4:6], groups = False, np.arange(SIZE) % 11
    return {
        "text": rng.normal(size=(LANGUAGES, SIZE, WIDTH)).astype(np.float32),
        "image": rng.normal(size=(SIZE, WIDTH)).astype(np.float32),
        "mask": mask,
        "target_mask": target_mask,
        "groups": groups,
    }


def make_loss(variant: str):
    name, mask_positives, i2t_pool, _ = VARIANTS[variant]

    def loss(params, batch, axis_name=None):
        return LOSSES[name].call(
            batch["text"] @ params["text"],
            batch["image"] @ params["image"],
            temperature=params["temperature"],
            mask=batch["mask"],
            target_mask=batch["target_mask"],
            groups=batch["groups"],
            mask_positives=mask_positives,
            i2t_pool=i2t_pool,
            axis_name=axis_name,
        )

    return loss


def portable(loss):
    """The idiom that is right everywhere: the gradient of the pmean of the loss, then the pmean of the gradients."""

    def step(params, batch):
        value, gradients = jax.value_and_grad(lambda p: jax.lax.pmean(loss(p, batch, AXIS), AXIS))(params)
        return value, jax.lax.pmean(gradients, AXIS)

    return step


@pytest.fixture(scope="module", params=sorted(VARIANTS))
def case(request):
    """A loss, parameters, a batch, and the loss and gradient of the whole batch on one device."""
    rng, loss = np.random.default_rng(1), make_loss(request.param)
    params = {side: rng.normal(size=(WIDTH, 4)).astype(np.float32) for side in ("text", "image")}
    params["temperature"] = np.float32(0.3)
    batch = problem(VARIANTS[request.param][3])
    return loss, params, batch, jax.jit(jax.value_and_grad(loss))(params, batch)


def assert_equals(found, expected):
    value, gradients = found
    np.testing.assert_allclose(value, expected[0], rtol=1e-5)
    for name, gradient in expected[1].items():
        np.testing.assert_allclose(gradients[name], gradient, atol=2e-6, rtol=1e-4, err_msg=name)


@pytest.mark.parametrize("mapped", ["vmap", "pmap"])
def test_vmap_and_pmap_equal_the_whole_batch(case, mapped):
    loss, params, batch, expected = case

    def split(leaf, axis):  # [devices, ..., images a device, ...]
        shape = (*leaf.shape[:axis], DEVICES, -1, *leaf.shape[axis + 1 :])
        return np.moveaxis(leaf.reshape(shape), axis, 0)

    spread = {name: split(leaf, BATCH_AXES[name]) for name, leaf in batch.items()}
    step = portable(loss)
    if mapped == "vmap":
        found = jax.jit(jax.vmap(step, in_axes=(None, 0), axis_name=AXIS))(params, spread)
    else:
        found = jax.pmap(step, in_axes=(None, 0), axis_name=AXIS)(params, spread)
    for device in (0, DEVICES - 1):  # all devices agree
        assert_equals(jax.tree.map(lambda leaf, one=device: leaf[one], found), expected)


@pytest.fixture(scope="module")
def mesh():
    return Mesh(np.array(jax.devices()[:DEVICES]), (AXIS,))


@pytest.mark.parametrize("check_vma", [True, False])
def test_shard_map_equals_the_whole_batch(case, mesh, check_vma):
    loss, params, batch, expected = case
    spread = jax.shard_map(portable(loss), mesh=mesh, in_specs=(P(), SPECS), out_specs=P(), check_vma=check_vma)
    assert_equals(jax.jit(spread)(params, batch), expected)


@pytest.mark.parametrize("check_vma", [True, False])
def test_the_gradient_may_be_taken_outside_of_shard_map(case, mesh, check_vma):
    loss, params, batch, expected = case
    spread = jax.shard_map(
        lambda params, batch: jax.lax.pmean(loss(params, batch, AXIS), AXIS),
        mesh=mesh,
        in_specs=(P(), SPECS),
        out_specs=P(),
        check_vma=check_vma,
    )
    assert_equals(jax.jit(jax.value_and_grad(spread))(params, batch), expected)


def test_plain_jit_on_sharded_inputs_equals_the_whole_batch(case, mesh):
    loss, params, batch, expected = case
    placed = {name: jax.device_put(leaf, NamedSharding(mesh, SPECS[name])) for name, leaf in batch.items()}
    assert len(placed["text"].sharding.device_set) == DEVICES
    assert_equals(jax.jit(jax.value_and_grad(loss))(jax.device_put(params, NamedSharding(mesh, P())), placed), expected)


def test_without_groups_every_image_of_every_device_is_its_own(mesh):
    """The default labels must count on from device to device: equal local places are not equal images."""
    from ccalign_jax.losses import clip_loss

    batch = problem(ragged=False)
    rows = batch["text"], batch["image"]
    local = partial(clip_loss, temperature=0.3, axis_name=AXIS)
    spread = jax.shard_map(local, mesh=mesh, in_specs=(SPECS["text"], SPECS["image"]), out_specs=P(), check_vma=False)
    np.testing.assert_allclose(jax.jit(spread)(*rows), jax.jit(partial(clip_loss, temperature=0.3))(*rows), rtol=1e-5)


def test_one_device_is_no_device():
    batch = problem(ragged=True)
    loss = make_loss("infonce")
    params = {"text": jnp.eye(WIDTH), "image": jnp.eye(WIDTH), "temperature": 0.3}
    alone = jax.jit(jax.vmap(lambda b: loss(params, b, AXIS), axis_name=AXIS))(
        jax.tree.map(lambda leaf: leaf[None], batch)
    )
    np.testing.assert_allclose(alone[0], jax.jit(loss)(params, batch), rtol=1e-6)
