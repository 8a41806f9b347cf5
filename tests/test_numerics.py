"""Norms, log-sum-exp and tiles: equal to the plain formula where it works, and finite where it does not."""

import itertools

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.test_util import check_grads
from scipy.special import logsumexp

from ccalign_jax.numerics import masked_log_sum_exp, place_within, resize_rows, scale_rows, unit_float32, unit_rows

ONE_ZERO_ROW = jnp.array([[3.0, 4.0], [0.0, 0.0], [1.0, -2.0]])


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


# norms


def test_where_around_the_plain_division_is_not_enough_and_unit_rows_is():
    def naive(rows):
        norm = jnp.linalg.norm(rows, axis=-1, keepdims=True)
        return jnp.where(norm > 0, rows / norm, 0.0)

    weights = normal(3, 2)
    assert np.isnan(jax.grad(lambda rows: jnp.sum(weights * naive(rows)))(ONE_ZERO_ROW)).any()
    gradient = jax.grad(lambda rows: jnp.sum(weights * unit_rows(rows)))(ONE_ZERO_ROW)
    assert np.isfinite(gradient).all() and not gradient[1].any() and gradient[0].any()


def test_unit_rows_equal_numpy_and_their_derivatives_are_right():
    rows = normal(5, 7)
    np.testing.assert_allclose(unit_rows(rows), rows / np.linalg.norm(rows, axis=1, keepdims=True), rtol=1e-6)
    with jax.enable_x64(True):
        check_grads(jax.jit(unit_rows), (jnp.asarray(rows, jnp.float64),), order=2)
        assert unit_rows(jnp.asarray(rows, jnp.float64)).dtype == jnp.float64


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_half_precision_rows_are_summed_in_float32(dtype):
    rows = jnp.full((1, 4096), 32.0, dtype)  # the sum of squares, 2^22, does not fit a float16
    assert unit_rows(rows).dtype == dtype and float(unit_rows(rows)[0, 0]) == 2.0**-6
    ones = jnp.sum(jnp.square(unit_rows(jnp.asarray(normal(9, 512), dtype)).astype(jnp.float32)), axis=1)
    np.testing.assert_allclose(ones, 1.0, atol=1e-2)
    assert not unit_rows(jnp.zeros((2, 3), dtype)).any()


def test_numpy_float64_rows_come_in_without_a_warning():
    np.testing.assert_array_equal(unit_rows(np.array([[0.0, 2.0]])), [[0.0, 1.0]])


@pytest.mark.parametrize("scale", [1e-300, 1.0, 1e300])
def test_scaled_rows_are_rows_times_a_power_of_two(scale):
    rows = scale * normal(5, 7).astype(np.float64)
    found = scale_rows(rows)
    largest, ratios = np.abs(found).max(axis=1), found / rows
    assert ((largest >= 0.5) & (largest < 1)).all()
    np.testing.assert_array_equal(ratios, np.broadcast_to(ratios[:, :1], ratios.shape))
    np.testing.assert_array_equal(np.frexp(ratios)[0], 0.5)


def test_places_within_count_what_came_before():
    numbers = np.random.default_rng(0).integers(0, 5, 40)
    assert place_within(numbers).tolist() == [int((numbers[:at] == one).sum()) for at, one in enumerate(numbers)]
    assert place_within(numbers[:0]).tolist() == []


SCALES = [1e37, 1e22, 1e-24, 1e-30]
DENORMAL = [1e-37, 2e-39]  # some entries of a row, or all: zeros to XLA


@pytest.mark.optimised
@pytest.mark.parametrize(
    "function, scale",
    [
        *itertools.product([unit_rows, jax.jit(unit_rows)], SCALES),
        *itertools.product([unit_float32], SCALES + DENORMAL),
    ],
)
def test_rows_of_any_finite_size_come_out_unit(function, scale):
    rows = (scale * normal(6, 16).astype(np.float64)).astype(np.float32)
    rows[3] = 0.0
    wide = rows.astype(np.float64)
    expected = wide / np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), 1e-300)
    np.testing.assert_allclose(function(rows), expected, atol=1e-6)


@pytest.mark.optimised
@pytest.mark.parametrize("scale", [1e30, 1e22, 1e-24, 1e-30])
def test_gradients_hold_for_rows_of_any_size(scale):
    rows, weights = normal(5, 7), normal(5, 7, seed=1)
    plain, scaled = (jax.grad(lambda x: jnp.sum(weights * unit_rows(x)))(size * rows) for size in (1.0, scale))
    np.testing.assert_allclose(np.float64(scaled) * scale, plain, atol=2e-6)


@pytest.mark.optimised
def test_ordinary_rows_keep_the_bits_of_the_plain_division():
    rows = normal(50, 33)
    plain = rows / jnp.sqrt(jnp.sum(jnp.square(rows), axis=1, keepdims=True))
    np.testing.assert_array_equal(unit_rows(rows), plain)
    np.testing.assert_array_equal(unit_float32(rows), rows / np.linalg.norm(rows, axis=1, keepdims=True))


def test_rows_with_nan_or_infinity_are_not_zero_rows():
    rows = np.float32([[1.0, np.nan], [np.inf, 1.0], [3.0, 4.0]])
    for function in (unit_rows, unit_float32):
        found = np.asarray(function(rows))
        assert np.isnan(found[:2]).any(axis=1).all()
        np.testing.assert_allclose(found[2], [0.6, 0.8], rtol=1e-6)


@pytest.mark.parametrize(
    "rows",
    [
        np.array([[3e60, 4e60], [3e-60, 4e-60], [0.0, 0.0], [3.0, 4.0]]),
        np.array([[3e-300, 4e-300], [3e307, 4e307]], np.longdouble),
        np.array([[3 * 2.0**-24, 4 * 2.0**-24], [3e4, 4e4]], np.float16),
        np.array([[3 * 2.0**120, 4 * 2.0**120], [3 * 2.0**-120, 4 * 2.0**-120]], ml_dtypes.bfloat16),
    ],
    ids=lambda rows: str(rows.dtype),
)
def test_host_rows_are_scaled_in_their_own_precision(rows):
    found = unit_float32(rows)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, np.where(rows[:, :1] > 0, [0.6, 0.8], 0.0), rtol=1e-3)


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


@pytest.mark.optimised
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
