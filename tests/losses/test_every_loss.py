"""What must hold for every named loss, called as `fit` calls it: derivatives, masks, order and corners."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_vjp

from ccalign_jax import losses
from ccalign_jax.losses import LOSSES

LANGUAGES, SIZE, WIDTH = 2, 6, 5
NUMBERS = {"temperature": 0.3, "bias": -3.0, "margin": 0.4, "uniformity_weight": 0.7, "structure_weight": 0.5}
# Every loss with the usual settings, and those that read more with the others.
OTHER = {"mask_positives": False, "i2t_pool": "per_language"}
VARIANTS = (
    {name: (name, {}) for name in LOSSES}
    | {f"{name}, positives kept": (name, OTHER) for name in ("infonce", "rcsls")}
    | {f"{name}, in tiles": (name, {"tile": 4}) for name, entry in LOSSES.items() if entry.tiled}
    | {"infonce, positives kept, in tiles": ("infonce", {**OTHER, "tile": 4})}
)
# Where the batch has its axis of images; what is not here has it first.
IMAGE_AXES = {"anchors": 1, "original": 1, "mask": 1}

EVERY = pytest.mark.parametrize("variant", VARIANTS)


def problem(dtype=np.float32) -> tuple[dict, dict]:
    """Rows and masks of a ragged batch: captions and an image missing, images that show the same thing."""
    rng = np.random.default_rng(0)
    shapes = {"anchors": (LANGUAGES, SIZE, WIDTH), "targets": (SIZE, WIDTH), "original": (LANGUAGES, SIZE, WIDTH + 1)}
    rows = {name: rng.normal(size=shape).astype(dtype) for name, shape in shapes.items()}
    masks = {
        "mask": np.array([[True] * 6, [True, False, True, True, True, False]]),
        "target_mask": np.arange(SIZE) != 4,
        "groups": np.array([7, 3, 3, 9, 7, 1]),
    }
    return rows, masks


def take(tree: dict, images) -> dict:
    """The same batch with these images alone, in this order."""
    return {name: np.take(leaf, images, axis=IMAGE_AXES.get(name, 0)) for name, leaf in tree.items()}


def call(rows, numbers, masks, *, variant):
    name, changes = VARIANTS[variant]
    settings = {"mask_positives": True, "i2t_pool": "union", "neighbours": 2, "axis_name": None} | changes
    anchors, targets = rows["anchors"], rows["targets"]
    return LOSSES[name].call(anchors, targets, original=rows["original"], **numbers, **masks, **settings)


compiled = partial(jax.jit, static_argnames="variant")
value_of = compiled(call)
value_and_gradients = compiled(jax.value_and_grad(call, argnums=(0, 1)))


@EVERY
def test_derivatives_masks_and_what_must_not_matter(variant):
    with jax.enable_x64(True):
        rows, masks = problem(np.float64)
        numbers = {name: np.float64(number) for name, number in NUMBERS.items()}
        both = partial(value_and_gradients, variant=variant)
        expected, (d_rows, d_numbers) = both(rows, numbers, masks)

        def backwards(*inputs):
            value, gradients = both(*inputs, masks)
            return value, lambda weight: jax.tree.map(lambda leaf: weight * leaf, gradients)

        check_vjp(lambda *inputs: both(*inputs, masks)[0], backwards, (rows, numbers), atol=1e-6, rtol=1e-6)
        read = {name for name, gradient in d_numbers.items() if gradient != 0}
        assert read == LOSSES[VARIANTS[variant][0]].reads & set(NUMBERS)

        kept = np.flatnonzero(masks["target_mask"])
        sliced = value_of(take(rows, kept), numbers, take(masks, kept), variant=variant)
        np.testing.assert_allclose(expected, sliced, rtol=1e-12)
        for name in ("anchors", "original"):
            assert not d_rows[name][~masks["mask"]].any() and not d_rows[name][:, 4].any()
        assert not d_rows["targets"][4].any() and d_rows["anchors"].any()

        order = np.random.default_rng(1).permutation(SIZE)
        languages = {"anchors", "original", "mask"}
        lost = {name: leaf.copy() for name, leaf in rows.items()}
        lost["anchors"][~masks["mask"]] = lost["original"][~masks["mask"]] = 1e6
        lost["anchors"][:, 4] = lost["original"][:, 4] = lost["targets"][4] = -1e6
        for what, changed in {
            "order of the images": (take(rows, order), take(masks, order)),
            "order of the languages": tuple(
                {name: leaf[::-1] if name in languages else leaf for name, leaf in tree.items()}
                for tree in (rows, masks)
            ),
            "names of the groups": (rows, masks | {"groups": masks["groups"] * -5 + 2}),
            "what missing rows hold": (lost, masks),
        }.items():
            value, _ = both(changed[0], numbers, changed[1])
            np.testing.assert_allclose(value, expected, rtol=1e-12, err_msg=what)


def test_float32_gives_what_float64_gives():
    @jax.jit
    def every(rows, numbers, masks):
        return {name: call(rows, numbers, masks, variant=name) for name in LOSSES}

    rows, masks = problem()
    single = every(rows, NUMBERS, masks)
    with jax.enable_x64(True):
        double = every(jax.tree.map(np.float64, rows), jax.tree.map(np.float64, NUMBERS), masks)
    for name, value in single.items():
        assert (value.dtype, double[name].dtype) == (np.float32, np.float64)
        np.testing.assert_allclose(value, double[name], rtol=1e-4, err_msg=name)


@EVERY
def test_corners_are_finite_in_value_and_gradient(variant):
    """Half precision throughout, which scores in float32: the corners of both at once."""
    usual, masks = problem()
    zero = {name: leaf.copy() for name, leaf in usual.items()}
    zero["anchors"][:, 1], zero["targets"][2], zero["original"][:, 3] = 0, 0, 0
    nothing = {name: np.zeros_like(masks[name]) for name in ("mask", "target_mask")}
    for corner, (rows, changes, temperature) in {
        "no corner": (usual, {}, 0.3),
        "zero rows": (zero, {}, 0.3),
        "cold": (usual, {}, 1e-4),
        "all one group": (usual, {"groups": np.ones_like(masks["groups"])}, 0.3),
        "all masked": (usual, nothing, 0.3),
        "one image": (take(usual, [0]), take(masks, [0]), 0.3),
    }.items():
        half = {name: jnp.asarray(leaf, jnp.bfloat16) for name, leaf in rows.items()}
        numbers = {name: np.float32(number) for name, number in NUMBERS.items()} | {
            "temperature": np.float32(temperature)
        }
        value, gradients = value_and_gradients(half, numbers, masks | changes, variant=variant)
        leaves = [np.asarray(leaf, np.float32) for leaf in jax.tree.leaves(gradients)]
        assert value.dtype == np.float32 and np.isfinite(value), corner
        assert all(np.isfinite(leaf).all() for leaf in leaves), corner
        alone = variant in ("infonce", "triplet") and corner in ("one image", "all one group")
        if corner == "all masked" or alone:
            assert value == 0 and not any(leaf.any() for leaf in leaves), corner


@pytest.mark.parametrize(
    "loss",
    [
        partial(losses.supcon_loss, temperature=0.01),
        partial(losses.sigmoid_loss, temperature=0.01),
        losses.triplet_loss,
        losses.rcsls_loss,
        losses.alignment_uniformity_loss,
        losses.gram_loss,
        lambda text, image: losses.structure_loss(text, text[::-1], temperature=0.01),
    ],
    ids=["supcon", "sigmoid", "triplet", "rcsls", "alignment_uniformity", "gram", "structure"],
)
def test_half_precision_rows_are_scored_in_float32(loss):
    rows, _ = problem()
    half = [jnp.asarray(rows[name] / 2, jnp.bfloat16) for name in ("anchors", "targets")]
    loss = jax.jit(loss)
    np.testing.assert_allclose(loss(*half), loss(*(leaf.astype(jnp.float32) for leaf in half)), rtol=1e-6)


def test_entries_say_what_they_are_and_every_setting_has_a_reader():
    assert all(entry.summary and "\n" not in entry.summary for entry in LOSSES.values())
    settings = {*NUMBERS, "mask_positives", "i2t_pool", "neighbours"}
    assert set().union(*(entry.reads for entry in LOSSES.values())) == settings
    readers = {setting: {name for name, entry in LOSSES.items() if setting in entry.reads} for setting in settings}
    assert readers["margin"] == {"triplet"} and readers["neighbours"] == {"rcsls"} and readers["bias"] == {"sigmoid"}
