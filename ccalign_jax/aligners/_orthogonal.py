"""Orthogonal maps: W on the Stiefel manifold for all values of its parameters, and the identity where they are zero.

The parameters are a tangent at E, ξ = [B; C] with B skew, and a retraction takes it to the manifold: W = E + ξ to first
order, as for a residual map. All three retractions are smooth, so that Adam needs no projection between its steps.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ccalign_jax.aligners._base import Aligner, Params, keep_rows

__all__ = ["Retraction", "orthogonal"]

Retraction = Literal["cayley", "exponential", "polar"]

EXACT = jax.lax.Precision.HIGHEST  # where a device multiplies in fewer bits, W would be orthogonal to three digits


def orthogonal(d_text: int, d_out: int, *, retraction: Retraction = "cayley") -> Aligner:
    """Orthogonal map x ↦ xW: orthonormal columns (WᵀW = I) where d_text ≥ d_out, else rows (WWᵀ = I); W = E at first.

    Holds d_text · d_out parameters, of which the symmetric part of B, k(k + 1)/2 with k = min(d_text, d_out), is
    unused. A row costs d_text · d_out multiply-adds, and W is computed at each step, by one of these, the cheapest
    first:

    - `cayley`: one inverse, k × k and always well conditioned. In a plane it rotates by less than 180 degrees.
    - `exponential`: the geodesic, by the exponential of a matrix n × n, n = max(d_text, d_out). It rotates by any
    angle. - `polar`: the orthogonal matrix nearest to E + ξ, by an eigendecomposition k × k. In a plane it rotates by
    less than 90 degrees.

    Where d_text = d_out, det W = 1: no reflection is among them.

    Args:
        retraction: static choice of the three.

    Raises:
        ValueError: an unknown retraction.

    References:
        Absil, Mahony & Sepulchre, Optimization Algorithms on Matrix Manifolds, 2008, chapter 4;
        Wen & Yin, A feasible method for optimization with orthogonality constraints, 2013 (Cayley)

    Example:
        >>> aligner = orthogonal(2, 2)
        >>> turned = aligner.matrix({"tangent": jnp.array([[0.0, 2.0], [-2.0, 0.0]])})
        >>> (turned + 0.0).round(6).tolist()
        [[0.0, 1.0], [-1.0, 0.0]]
    """
    if retraction not in _RETRACTIONS:
        raise ValueError(f"retraction is {retraction!r}; it must be one of {', '.join(_RETRACTIONS)}")
    retract = _RETRACTIONS[retraction]

    def matrix(params: Params) -> Array:
        tangent = params["tangent"]
        return retract(*_blocks(tangent)) if d_text >= d_out else retract(*_blocks(tangent.T)).T

    def text(params: Params, text, language, *, key=None, dropout=0.0):
        return text @ matrix(params)

    return Aligner(
        init=lambda key: {"tangent": jnp.zeros((d_text, d_out))},
        text=text,
        image=keep_rows,
        deviation=lambda params: matrix(params) - jnp.eye(d_text, d_out),
        matrix=matrix,
    )


def _blocks(tangent: Float[Array, "n k"]) -> tuple[Float[Array, "k k"], Float[Array, "rest k"]]:
    """The skew B and the free C of a tangent at E."""
    square, free = tangent[: tangent.shape[1]], tangent[tangent.shape[1] :]
    return (square - square.T) / 2, free


def _cayley(skew: Float[Array, "k k"], free: Float[Array, "rest k"]) -> Float[Array, "n k"]:
    """The first k columns of (I − A/2)⁻¹(I + A/2), A = [[B, −Cᵀ], [C, 0]], by the Schur complement of the block 0."""
    eye = jnp.eye(len(skew), dtype=skew.dtype)
    inverse = jnp.linalg.inv(eye - skew / 2 + jnp.matmul(free.T, free, precision=EXACT) / 4)
    return jnp.concatenate([2 * inverse - eye, jnp.matmul(free, inverse, precision=EXACT)])


def _exponential(skew: Float[Array, "k k"], free: Float[Array, "rest k"]) -> Float[Array, "n k"]:
    """The first k columns of exp A."""
    rest = len(free)
    with jax.default_matmul_precision("highest"):
        whole = jax.scipy.linalg.expm(jnp.block([[skew, -free.T], [free, jnp.zeros((rest, rest), skew.dtype)]]))
    return whole[:, : len(skew)]


def _polar(skew: Float[Array, "k k"], free: Float[Array, "rest k"]) -> Float[Array, "n k"]:
    """(E + ξ)(I + ξᵀξ)^(−1/2), the orthogonal factor of a polar decomposition; the other one is never singular."""
    eye = jnp.eye(len(skew), dtype=skew.dtype)
    tangent = jnp.concatenate([skew, free])
    moved = jnp.concatenate([eye + skew, free])
    root = _inverse_root(eye + jnp.matmul(tangent.T, tangent, precision=EXACT))
    return jnp.matmul(moved, root, precision=EXACT)


@jax.custom_jvp
def _inverse_root(matrix: Float[Array, "k k"]) -> Float[Array, "k k"]:
    """M^(−1/2) of a symmetric positive definite matrix."""
    values, vectors = jnp.linalg.eigh(matrix)
    return jnp.matmul(vectors / jnp.sqrt(values), vectors.T, precision=EXACT)


@_inverse_root.defjvp
def _inverse_root_jvp(primals, tangents):
    # The eigenvectors have no derivative where eigenvalues coincide, as they all do at first; the root has one.
    (matrix,), (change,) = primals, tangents
    values, vectors = jnp.linalg.eigh(matrix)
    roots = jnp.sqrt(values)
    slopes = -1.0 / (roots[:, None] * roots * (roots[:, None] + roots))
    with jax.default_matmul_precision("highest"):
        root = (vectors / roots) @ vectors.T
        return root, vectors @ (slopes * (vectors.T @ change @ vectors)) @ vectors.T


_RETRACTIONS: dict[str, Callable[[Array, Array], Array]] = {
    "cayley": _cayley,
    "exponential": _exponential,
    "polar": _polar,
}
