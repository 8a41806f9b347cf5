"""Penalties on a map, against NumPy."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from ccalign_jax.losses import ortho_penalty, prox_penalty, spectral_penalty


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def test_prox_is_the_squared_distance_over_all_leaves():
    tree = {"kernel": normal(3, 5), "bias": [normal(5, seed=1)]}
    total = (tree["kernel"] ** 2).sum() + (tree["bias"][0] ** 2).sum()
    np.testing.assert_allclose(prox_penalty(tree), total, rtol=1e-6)
    np.testing.assert_allclose(prox_penalty(tree, normalization="mean"), total / 20, rtol=1e-6)


def test_the_mean_is_d_squared_times_weaker_as_in_the_seed_study():
    deviation, weight = normal(8, 8), normal(8, 8, seed=1)
    for penalty, matrix in ((prox_penalty, deviation), (ortho_penalty, weight)):
        np.testing.assert_allclose(penalty(matrix) / penalty(matrix, normalization="mean"), 64, rtol=1e-5)


@pytest.mark.parametrize("empty", [{}, [], None])
@pytest.mark.parametrize("normalization", ["sum", "mean"])
def test_prox_of_no_parameters_is_zero(empty, normalization):
    assert float(prox_penalty(empty, normalization=normalization)) == 0


@pytest.mark.parametrize("shape", [(4, 4), (5, 3), (3, 5), (1, 4)])
def test_ortho_takes_the_smaller_gram_matrix(shape):
    weight = normal(*shape)
    gram = weight @ weight.T if shape[0] < shape[1] else weight.T @ weight
    expected = ((gram - np.eye(min(shape))) ** 2).sum()
    np.testing.assert_allclose(ortho_penalty(weight), expected, rtol=1e-5)
    np.testing.assert_allclose(ortho_penalty(weight, normalization="mean"), expected / min(shape) ** 2, rtol=1e-5)
    np.testing.assert_allclose(ortho_penalty(weight.T), expected, rtol=1e-5)


@pytest.mark.parametrize("shape", [(4, 4), (6, 3), (3, 6)])
def test_ortho_vanishes_exactly_where_it_can(shape):
    orthonormal = np.linalg.qr(normal(max(shape), max(shape)))[0][: shape[0], : shape[1]]
    value, gradient = jax.value_and_grad(ortho_penalty)(jnp.eye(*shape))
    assert value == 0 and not gradient.any()
    if shape[0] == shape[1]:
        assert float(ortho_penalty(orthonormal)) < 1e-10


@pytest.mark.parametrize("shape", [(3, 4, 4), (2, 3, 5)])
def test_stacked_maps_are_summed_and_their_mean_is_the_mean_of_the_maps(shape):
    weights = normal(*shape)
    for normalization, reduce in (("sum", np.sum), ("mean", np.mean)):
        each = [ortho_penalty(weight, normalization=normalization) for weight in weights]
        np.testing.assert_allclose(ortho_penalty(weights, normalization=normalization), reduce(each), rtol=1e-5)
        each = [prox_penalty(weight, normalization=normalization) for weight in weights]
        np.testing.assert_allclose(prox_penalty(weights, normalization=normalization), reduce(each), rtol=1e-5)


@pytest.mark.parametrize("penalty", [prox_penalty, ortho_penalty])
def test_unknown_normalizations_are_refused(penalty):
    with pytest.raises(ValueError, match="'d2'; it must be 'sum' or 'mean'"):
        penalty(np.eye(2), normalization="d2")


@pytest.mark.parametrize("penalty", [prox_penalty, ortho_penalty])
@pytest.mark.parametrize("shape", [(4, 3), (2, 3, 4)])
def test_derivatives(penalty, shape):
    with jax.enable_x64(True):
        check_grads(jax.jit(penalty), (jnp.asarray(normal(*shape), jnp.float64),), order=1)


def with_gap(*shape: int) -> np.ndarray:
    """A matrix whose largest singular value, 1.5, stands clear of the others."""
    left, values, right = np.linalg.svd(normal(*shape), full_matrices=False)
    return (left * np.concatenate([[1.5], 0.7 * values[1:] / values[1]])) @ right


@pytest.mark.parametrize("shape", [(6, 6), (7, 3), (3, 7), (1, 4)])
def test_spectral_is_the_squared_spectral_norm_and_its_gradient(shape):
    deviation = with_gap(*shape) if min(shape) > 1 else normal(*shape)
    left, values, right = np.linalg.svd(deviation)
    value, gradient = jax.jit(jax.value_and_grad(spectral_penalty))(deviation.astype(np.float32))
    np.testing.assert_allclose(value, values[0] ** 2, rtol=1e-5)
    np.testing.assert_allclose(gradient, 2 * values[0] * np.outer(left[:, 0], right[0]), atol=1e-4)


def test_no_unit_row_moves_farther_than_spectral_says():
    deviation, rows = with_gap(5, 4), normal(200, 5, seed=1)
    moved = np.linalg.norm(rows @ deviation, axis=1) / np.linalg.norm(rows, axis=1)
    farthest = float(spectral_penalty(deviation.astype(np.float32))) ** 0.5
    assert 0.8 * farthest < moved.max() <= farthest * (1 + 1e-5)


def test_spectral_at_identity_and_where_singular_values_tie():
    value, gradient = jax.jit(jax.value_and_grad(spectral_penalty))(jnp.zeros((4, 4)))
    assert value == 0 and not gradient.any()
    np.testing.assert_allclose(spectral_penalty(2 * np.eye(4)[::-1]), 4.0, rtol=1e-6)
    np.testing.assert_allclose(spectral_penalty(np.ones((4, 4)) - 4 * np.eye(4)), 16.0, rtol=1e-6)  # ones map to 0


def test_power_iteration_never_overestimates_and_sixteen_steps_are_near():
    deviation = normal(64, 64)  # the largest singular values of noise crowd together
    exact = np.linalg.norm(deviation, 2) ** 2
    found = [float(spectral_penalty(deviation, steps=steps)) for steps in (1, 4, 16, 500)]
    assert found == sorted(found) and found[-1] <= exact * (1 + 1e-5)
    assert found[2] > 0.95 * exact and found[3] > 0.999 * exact


def test_spectral_of_stacked_maps_is_summed():
    stack = np.stack([with_gap(4, 3), 2 * with_gap(4, 3)]).astype(np.float32)
    np.testing.assert_allclose(spectral_penalty(stack), 1.5**2 * (1 + 4), rtol=1e-5)


def test_derivative_of_spectral():
    with jax.enable_x64(True):
        penalty = jax.jit(partial(spectral_penalty, steps=60))
        check_grads(penalty, (jnp.asarray(with_gap(4, 3), jnp.float64),), order=1)


def test_the_prox_penalty_keeps_float32_under_64_bit_types():
    with jax.enable_x64(True):
        assert prox_penalty({"w": np.ones((2, 2), np.float32)}).dtype == np.float32
        assert prox_penalty(np.ones((2, 2))).dtype == np.float64
