"""Products in bfloat16: both factors rounded, sums in float32, in loops, branches and gradients too."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ccalign_jax import precision
from ccalign_jax.precision import in_precision

ROWS = jax.random.normal(jax.random.key(0), (8, 16))
WEIGHTS = jax.random.normal(jax.random.key(1), (16, 16)) / 4


@pytest.fixture(params=[True, False], autouse=True)
def hardware(request, monkeypatch):
    """A CPU without bfloat16 products, and one with."""
    monkeypatch.setattr("ccalign_jax.precision.is_emulated", lambda: request.param)


def rounded(array):
    return jnp.asarray(array).astype(jnp.bfloat16).astype(jnp.float32)


def in_a_loop(rows, weights):
    return jax.lax.scan(lambda rows, _: (rows @ weights, None), rows, None, length=2)[0]


def in_a_branch(rows, weights):
    return jax.lax.cond(rows[0, 0] > -100, lambda: rows @ weights, lambda: rows)


def in_a_while_loop(rows, weights):
    return jax.lax.while_loop(lambda held: held[0] < 1, lambda held: (held[0] + 1, held[1] @ weights), (0, rows))[1]


def once(rows, weights):
    return rounded(rows) @ rounded(weights)


@pytest.mark.parametrize(
    ("function", "wanted"),
    [
        (jnp.matmul, once),
        (jax.jit(jnp.matmul), once),
        (in_a_branch, once),
        (in_a_while_loop, once),
        (in_a_loop, lambda rows, weights: once(once(rows, weights), weights)),
        (jax.checkpoint(jnp.matmul), once),
        (jax.vmap(jnp.dot, (0, None)), once),
    ],
)
def test_the_factors_of_every_product_are_rounded(function, wanted):
    found = in_precision(function, "bfloat16")(ROWS, WEIGHTS)
    assert found.dtype == jnp.float32
    np.testing.assert_allclose(found, wanted(ROWS, WEIGHTS), atol=1e-5)
    assert not np.allclose(found, function(ROWS, WEIGHTS), atol=1e-5)
    compiled = jax.jit(in_precision(function, "bfloat16"))(ROWS, WEIGHTS)
    np.testing.assert_allclose(compiled, found, atol=1e-5)


def test_gradients_are_products_too():
    """Also transposed ones, in a loop."""

    def moved(weights):
        return jax.lax.scan(lambda held, _: (held - jax.grad(total)(held), None), weights, None, length=1)[0]

    def total(weights):
        return jnp.sum((jnp.stack([ROWS, ROWS]) @ weights) * ROWS) / 2

    found = jax.jit(in_precision(moved, "bfloat16"))(WEIGHTS)
    np.testing.assert_allclose(WEIGHTS - found, once(ROWS.T, ROWS), rtol=1e-2, atol=1e-2)
    gradient = in_precision(jax.grad(lambda weights: jnp.sum((ROWS @ weights) * ROWS)), "bfloat16")
    np.testing.assert_allclose(gradient(WEIGHTS), once(ROWS.T, ROWS), rtol=1e-5, atol=1e-5)


def test_exact_products_stay_unless_they_are_asked_for():
    def exact(rows, weights):
        return jnp.matmul(rows, weights, precision=jax.lax.Precision.HIGHEST)

    np.testing.assert_array_equal(in_precision(exact, "bfloat16")(ROWS, WEIGHTS), exact(ROWS, WEIGHTS))
    found = in_precision(exact, "bfloat16", exact_too=True)(ROWS, WEIGHTS)
    np.testing.assert_allclose(found, once(ROWS, WEIGHTS), atol=1e-5)


def test_trees_keep_their_structure_and_float32_its_bits():
    def both(pair, *, shift):
        return {"product": pair[0] @ pair[1], "shifted": pair[0] + shift}

    found = in_precision(both, "bfloat16")((ROWS, WEIGHTS), shift=1.0)
    np.testing.assert_array_equal(found["shifted"], ROWS + 1.0)
    assert in_precision(both, "float32") is both
    whole = in_precision(jnp.matmul, "bfloat16")(jnp.arange(4).reshape(2, 2), jnp.arange(4).reshape(2, 2))
    assert whole.dtype == jnp.int32


def test_amx_is_looked_up_on_a_cpu(monkeypatch, tmp_path):
    monkeypatch.undo()
    flags = tmp_path / "cpuinfo"
    monkeypatch.setattr("ccalign_jax.precision.CPU_FLAGS", flags)
    assert not precision.is_emulated()  # unknown
    flags.write_text("flags: fpu avx2 avx512f avx512_bf16")
    assert precision.is_emulated()
    flags.write_text("flags: fpu amx_bf16 amx_tile")
    assert not precision.is_emulated()
