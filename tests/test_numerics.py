"""Norms, log-sum-exp and tiles: equal to the plain formula where it works, and finite where it does not."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.test_util import check_grads
from scipy.special import logsumexp

from ccalign_jax.numerics import masked_log_sum_exp, resize_rows, safe_norm, unit_rows

ONE_ZERO_ROW = jnp.array([[3.0, 4.0], [0.0, 0.0], [1.0, -2.0]])


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


# norms


def test_the_plain_norm_poisons_a_gradient_and_ours_does_not():
    def loss(norm, weight):
        return jnp.sum(norm(ONE_ZERO_ROW @ weight))

    plain = jax.grad(lambda weight: loss(lambda rows: jnp.linalg.norm(rows, axis=-1), weight))(jnp.eye(2))
    assert np.isnan(plain).all()  # one zero row among good ones, and every weight is lost
    ours = jax.grad(lambda weight: loss(safe_norm, weight))(jnp.eye(2))
    good = jax.grad(lambda weight: jnp.sum(jnp.linalg.norm(ONE_ZERO_ROW[::2] @ weight, axis=-1)))(jnp.eye(2))
    np.testing.assert_allclose(ours, good, rtol=1e-6)


def test_where_around_the_plain_division_is_not_enough_and_unit_rows_is():
    def naive(rows):
        norm = jnp.linalg.norm(rows, axis=-1, keepdims=True)
        return jnp.where(norm > 0, rows / norm, 0.0)

    weights = normal(3, 2)
    assert np.isnan(jax.grad(lambda rows: jnp.sum(weights * naive(rows)))(ONE_ZERO_ROW)).any()
    gradient = jax.grad(lambda rows: jnp.sum(weights * unit_rows(rows)))(ONE_ZERO_ROW)
    assert np.isfinite(gradient).all() and not gradient[1].any() and gradient[0].any()


def test_norms_equal_numpy_and_their_derivatives_are_right():
    rows = normal(5, 7)
    np.testing.assert_allclose(safe_norm(rows)[:, 0], np.linalg.norm(rows, axis=1), rtol=1e-6)
    np.testing.assert_allclose(unit_rows(rows), rows / np.linalg.norm(rows, axis=1, keepdims=True), rtol=1e-6)
    with jax.enable_x64(True):
        check_grads(jax.jit(unit_rows), (jnp.asarray(rows, jnp.float64),), order=2)
        assert unit_rows(jnp.asarray(rows, jnp.float64)).dtype == jnp.float64


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_half_precision_rows_are_summed_in_float32(dtype):
    rows = jnp.full((1, 4096), 32.0, dtype)  # the sum of squares, 2^22, does not fit a float16
    assert safe_norm(rows).dtype == jnp.float32 and float(safe_norm(rows)[0, 0]) == 2048.0
    assert unit_rows(rows).dtype == dtype and float(unit_rows(rows)[0, 0]) == 2.0**-6
    ones = jnp.sum(jnp.square(unit_rows(jnp.asarray(normal(9, 512), dtype)).astype(jnp.float32)), axis=1)
    np.testing.assert_allclose(ones, 1.0, atol=1e-2)
    assert not unit_rows(jnp.zeros((2, 3), dtype)).any()


@pytest.mark.parametrize("function", [safe_norm, unit_rows])
def test_numpy_float64_rows_come_in_without_a_warning(function):
    np.testing.assert_allclose(
        function(np.array([[0.0, 2.0]])).ravel()[-1], function(jnp.array([[0.0, 2.0]])).ravel()[-1]
    )


@given(size=st.integers(1, 9), width=st.integers(1, 9))
@settings(max_examples=15, deadline=None)
def test_resize_rows_is_the_product_with_the_rectangular_identity(size, width):
    rows = normal(2, 3, size)
    assert np.array_equal(resize_rows(rows, width), rows @ np.eye(size, width, dtype=np.float32))


# log-sum-exp


@given(data=st.data())
@settings(max_examples=30, deadline=None)
def test_masked_log_sum_exp_is_that_of_what_is_kept(data):
    values = np.array(data.draw(st.lists(st.floats(-1e4, 1e4, width=32), min_size=6, max_size=6)), np.float32)
    mask = np.array(data.draw(st.lists(st.booleans(), min_size=6, max_size=6)))
    expected = logsumexp(values[mask].astype(np.float64)) if mask.any() else -np.inf
    np.testing.assert_allclose(
        masked_log_sum_exp(jnp.asarray(values), jnp.asarray(mask)), expected, rtol=1e-5, atol=1e-5
    )


def test_masked_log_sum_exp_over_two_axes_with_a_mask_that_is_broadcast():
    values, mask = normal(3, 4, 5), np.array([True, False, True, True, False])
    expected = logsumexp(values[..., mask], axis=(0, 2))
    np.testing.assert_allclose(masked_log_sum_exp(values, mask, axis=(0, 2)), expected, rtol=1e-6)


def test_nothing_kept_is_minus_infinity_with_gradient_zero():
    values, mask = jnp.asarray(normal(2, 3)), jnp.array([[False] * 3, [True, False, True]])
    reduced, pull = jax.vjp(lambda v: masked_log_sum_exp(v, mask), values)
    (gradient,) = pull(jnp.ones(2))
    assert reduced[0] == -np.inf and not gradient[0].any()
    np.testing.assert_allclose(gradient[1], jax.nn.softmax(jnp.where(mask[1], values[1], -jnp.inf)), rtol=1e-6)
    # softplus of it, which the losses take, is 0 and just as harmless
    assert float(jax.grad(lambda v: jnp.sum(jax.nn.softplus(masked_log_sum_exp(v, mask[:1]))))(values[:1]).sum()) == 0


@pytest.mark.parametrize("huge", [1e4, 1e30, -1e4, -1e30, 3e38])
def test_huge_values_neither_overflow_nor_vanish(huge):
    values = jnp.array([huge, huge, -3e38])
    mask = jnp.array([True, True, False])
    np.testing.assert_allclose(masked_log_sum_exp(values, mask), huge + np.log(2.0), rtol=1e-6)
    np.testing.assert_allclose(jax.grad(lambda v: masked_log_sum_exp(v, mask))(values), [0.5, 0.5, 0.0], rtol=1e-6)


def test_a_nan_that_is_kept_comes_out_and_one_that_is_masked_does_not():
    values = jnp.array([0.0, jnp.nan])
    assert np.isnan(masked_log_sum_exp(values, jnp.array([True, True])))
    assert float(masked_log_sum_exp(values, jnp.array([True, False]))) == 0.0


def test_masked_log_sum_exp_derivatives():
    with jax.enable_x64(True):
        values = jnp.asarray(normal(3, 4), jnp.float64)
        mask = jnp.asarray(normal(3, 4, seed=1) > -0.5).at[1].set(False)
        check_grads(jax.jit(lambda v: jax.nn.softplus(masked_log_sum_exp(v, mask))), (values,), order=2)
