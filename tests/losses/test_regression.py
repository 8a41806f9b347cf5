"""Losses without negatives, against NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from ccalign_jax import losses

cosine_loss, mse_loss = (jax.jit(loss) for loss in (losses.cosine_loss, losses.mse_loss))

BOTH = pytest.mark.parametrize("loss", [mse_loss, cosine_loss], ids=["mse", "cosine"])


def problem(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    mask = np.array([[True] * 6, [True, False, False, True, False, False], [False] * 6])
    return rng.normal(size=(3, 6, 4)).astype(np.float32), rng.normal(size=(6, 4)).astype(np.float32), mask


def each_pair(loss, text, target):
    if loss is mse_loss:
        return ((text - target) ** 2).sum(-1)
    return 1 - (text * target).sum(-1) / (np.linalg.norm(text, axis=-1) * np.linalg.norm(target, axis=-1))


@BOTH
def test_mean_over_languages_of_the_mean_over_their_captions(loss):
    text, target, mask = problem()
    pairs = each_pair(loss, text, target)
    expected = (pairs[0].mean() + pairs[1][mask[1]].mean()) / 2  # the third language has no captions
    np.testing.assert_allclose(loss(text, target, mask=mask), expected, rtol=1e-6)
    np.testing.assert_allclose(loss(text, target), pairs.mean(), rtol=1e-6)
    np.testing.assert_allclose(loss(text[0], target), pairs[0].mean(), rtol=1e-6)


@BOTH
def test_masked_equals_sliced_and_what_is_masked_has_no_gradient(loss):
    text, target, mask = problem()
    value, gradient = jax.jit(jax.value_and_grad(loss))(text, target, mask=mask)
    sliced = (loss(text[0], target) + loss(text[1, [0, 3]], target[[0, 3]])) / 2
    np.testing.assert_allclose(value, sliced, rtol=1e-6)
    assert not np.asarray(gradient)[~mask].any()
    assert float(loss(np.where(mask[..., None], text, 1e9).astype(np.float32), target, mask=mask)) == float(value)


@BOTH
def test_order_and_rotation_do_not_matter(loss):
    text, target, mask = problem()
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(4, 4)))[0].astype(np.float32)
    order = np.random.default_rng(2).permutation(6)
    value = loss(text, target, mask=mask)
    np.testing.assert_allclose(loss(text @ turn, target @ turn, mask=mask), value, rtol=1e-5)
    np.testing.assert_allclose(loss(text[:, order], target[order], mask=mask[:, order]), value, rtol=1e-6)


def test_length_matters_to_the_distance_alone():
    text, target, _ = problem()
    lengths = np.random.default_rng(3).uniform(0.1, 9, size=(6, 1)).astype(np.float32)
    np.testing.assert_allclose(cosine_loss(text * lengths, target / lengths), cosine_loss(text, target), rtol=1e-6)
    np.testing.assert_allclose(mse_loss(3 * text, 3 * target), 9 * mse_loss(text, target), rtol=1e-6)
    rows = text / np.linalg.norm(text, axis=-1, keepdims=True), target / np.linalg.norm(target, axis=-1, keepdims=True)
    np.testing.assert_allclose(mse_loss(*rows), 2 * cosine_loss(*rows), rtol=1e-6)  # ‖a − b‖² = 2 − 2 cos


@BOTH
def test_zero_rows_and_all_masked_are_finite(loss):
    text, target, mask = problem()
    text[0, 2], target[3] = 0, 0
    both = jax.jit(jax.value_and_grad(loss, argnums=(0, 1)))
    value, gradients = both(text, target, mask=mask)
    assert np.isfinite(value) and all(np.isfinite(leaf).all() for leaf in gradients)
    value, gradients = both(text, target, mask=np.zeros_like(mask))
    assert value == 0 and not any(leaf.any() for leaf in gradients)


def test_a_zero_row_has_cosine_zero():
    assert float(cosine_loss(jnp.zeros((1, 2)), jnp.ones((1, 2)))) == 1.0


@BOTH
@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_half_precision_in_float32_out(loss, dtype):
    text, target, _ = (jnp.asarray(rows, dtype) for rows in problem())
    value = loss(text, target)
    assert value.dtype == jnp.float32
    np.testing.assert_allclose(value, loss(text.astype(jnp.float32), target.astype(jnp.float32)), rtol=1e-6)


@BOTH
def test_derivatives(loss):
    with jax.enable_x64(True):
        text, target, mask = problem()
        check_grads(
            jax.jit(lambda text, target: loss(text, target, mask=mask)),
            (jnp.asarray(text, jnp.float64), jnp.asarray(target, jnp.float64)),
            order=1,
        )


@BOTH
def test_shapes_that_do_not_fit_are_named(loss):
    text, target, mask = problem()
    with pytest.raises(ValueError, match=r"\(3, 6, 4\).*\(5, 4\)"):
        loss(text, target[:5])
    with pytest.raises(ValueError, match=r"mask \(3, 5\) must be \(3, 6\)"):
        loss(text, target, mask=mask[:, :5])
