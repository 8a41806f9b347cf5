"""The heads with a hidden layer against NumPy, and their dropout."""

from math import erf, sqrt

import jax
import numpy as np
import pytest

WIDTHS = [(6, 6), (7, 4), (4, 7)]


def in_float64(params):
    return jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), params)


@pytest.mark.parametrize("name", ["mlp", "residual_mlp"])
@pytest.mark.parametrize("widths", WIDTHS)
def test_the_mlp_is_exact_gelu_with_biases(name, widths, build, moved, normal):
    aligner, params = build(name, *widths)
    params, rows = moved(params), normal(9, widths[0])
    first, second = in_float64(params["expand"]), in_float64(params["contract"])
    inner = rows @ first["kernel"] + first["bias"]
    gelu = inner * 0.5 * (1 + np.vectorize(erf)(inner / sqrt(2)))
    expected = rows @ np.eye(*widths) * (name == "residual_mlp") + gelu @ second["kernel"] + second["bias"]
    np.testing.assert_allclose(aligner.text(params, rows, 0), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("widths", WIDTHS)
def test_the_gated_mlp_is_swiglu_without_biases(widths, build, moved, normal):
    aligner, params = build("gated_mlp", *widths)
    params, rows = moved(params), normal(9, widths[0])
    assert {key: set(layer) for key, layer in params.items()} == {
        "gate": {"kernel"},
        "expand": {"kernel"},
        "contract": {"kernel"},
    }
    gate, expand, contract = (in_float64(params[key])["kernel"] for key in ("gate", "expand", "contract"))
    opened = rows @ gate / (1 + np.exp(-rows @ gate))
    expected = rows @ np.eye(*widths) + (opened * (rows @ expand)) @ contract
    np.testing.assert_allclose(aligner.text(params, rows, 0), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["mlp", "residual_mlp", "gated_mlp"])
def test_dropout_is_off_without_a_key_and_keeps_the_mean_with_one(name, build, moved, normal):
    aligner, params = build(name)
    params, rows = moved(params), normal(4, 6)
    plain = aligner.text(params, rows, 0)
    assert np.array_equal(aligner.text(params, rows, 0, dropout=0.9), plain)
    np.testing.assert_allclose(aligner.text(params, rows, 0, key=jax.random.key(0), dropout=0.0), plain, rtol=1e-5)
    keys = jax.random.split(jax.random.key(1), 8000)
    drawn = jax.jit(jax.vmap(lambda key: aligner.text(params, rows, 0, key=key, dropout=0.3)))(keys)
    drawn = np.asarray(drawn, np.float64)
    error = np.std(drawn, axis=0) / np.sqrt(len(keys))
    assert (np.abs(np.mean(drawn, axis=0) - plain) < 5 * error + 1e-4).all() and (error > 0).all()
