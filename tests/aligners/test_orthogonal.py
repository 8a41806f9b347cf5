"""Orthogonal maps: orthogonal whatever their parameters are, and the retractions that their names promise."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads
from scipy.linalg import expm, polar

from ccalign_jax.aligners import orthogonal

RETRACTIONS = ("cayley", "exponential", "polar")
WIDTHS = [(6, 6), (7, 4), (4, 7), (5, 1)]


def gram(matrix):
    tall = matrix if matrix.shape[0] >= matrix.shape[1] else matrix.T
    return tall.T @ tall


def skew_of(tangent):
    """The whole skew matrix that a tall tangent at E stands for."""
    n, k = tangent.shape
    skew = np.zeros((n, n))
    skew[:k, :k] = (tangent[:k] - tangent[:k].T) / 2
    skew[k:, :k], skew[:k, k:] = tangent[k:], -tangent[k:].T
    return skew


def expected(retraction, tangent):
    n, k = tangent.shape
    skew, eye = skew_of(tangent), np.eye(n)
    if retraction == "cayley":
        return np.linalg.solve(eye - skew / 2, eye + skew / 2)[:, :k]
    return expm(skew)[:, :k] if retraction == "exponential" else polar((eye + skew)[:, :k])[0]


@pytest.mark.parametrize("retraction", RETRACTIONS)
def test_it_stays_orthogonal_and_is_the_retraction_of_its_name(retraction, normal):
    aligners = [orthogonal(*widths, retraction=retraction) for widths in WIDTHS]
    scales = np.array([0, 1e-3, 1, 10], np.float32)[:, None, None]
    every = [scales * normal(4, *widths) for widths in WIDTHS]

    @jax.jit
    def run(every):
        return [
            jax.vmap(lambda one, a=a: a.matrix({"tangent": one}))(many) for a, many in zip(aligners, every, strict=True)
        ]

    for (d_text, d_out), tangents, matrices in zip(WIDTHS, every, run(every), strict=True):
        for tangent, matrix in zip(tangents, np.asarray(matrices), strict=True):
            # An inverse root in float32, of a tangent whose square has entries of some hundred: CPUs differ.
            most = 1e-4 if retraction == "polar" else 2e-5
            np.testing.assert_allclose(gram(matrix), np.eye(min(d_text, d_out)), atol=most)
            tall = tangent.astype(np.float64) if d_text >= d_out else tangent.T.astype(np.float64)
            wanted = expected(retraction, tall)
            np.testing.assert_allclose(matrix, wanted if d_text >= d_out else wanted.T, atol=1e-4)
            if d_text == d_out:
                np.testing.assert_allclose(np.linalg.det(matrix), 1.0, atol=1e-4)


@pytest.mark.parametrize("retraction", RETRACTIONS)
def test_gradients_are_right_at_the_start_too(retraction, normal):
    """Where all singular values are equal, those of a singular value decomposition are not even finite."""
    with jax.enable_x64(True):
        aligner = orthogonal(5, 3, retraction=retraction)
        weights = jnp.asarray(normal(5, 3), jnp.float64)
        for scale in (0.0, 1.0):
            start = scale * jnp.asarray(normal(5, 3, seed=1), jnp.float64)

            def loss(tangent):
                return jnp.sum(weights * aligner.matrix({"tangent": tangent}))

            check_grads(loss, (start,), order=1, modes=("rev",), rtol=1e-5)
        # To first order W = E + ξ: the gradient at the start is that of a residual map, with B made skew.
        slope = np.array(weights)
        slope[:3] = (slope[:3] - slope[:3].T) / 2
        np.testing.assert_allclose(jax.grad(loss)(jnp.zeros((5, 3))), slope, atol=1e-12)


def test_an_unknown_retraction_is_refused():
    with pytest.raises(ValueError, match="retraction is 'qr'; it must be one of cayley, exponential, polar"):
        orthogonal(3, 3, retraction="qr")
