"""Penalties on a map: its distance from identity in Frobenius or spectral norm, and from an orthogonal map."""

from __future__ import annotations

from typing import Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from ccalign_jax.numerics import unit_rows

__all__ = ["Normalization", "ortho_penalty", "prox_penalty", "spectral_penalty"]

Normalization = Literal["sum", "mean"]


def prox_penalty(deviation: PyTree[Float[Array, ...]], *, normalization: Normalization = "sum") -> Float[Array, ""]:
    """‖D‖², the squared distance of a map from identity.

    Args:
        deviation: tree of arrays that are all zero exactly at identity, such as D = W − E.
        normalization: "sum" is ‖D‖²; "mean" divides by the number of entries (d² for a square map), as
            the seed study does, which makes the same weight d² times weaker.

    Returns:
        The penalty, ≥ 0; 0 for an empty tree.

    Example:
        >>> float(prox_penalty(jnp.full((2, 2), 3.0))), float(prox_penalty(jnp.full((2, 2), 3.0), normalization="mean"))
        (36.0, 9.0)
    """
    leaves = jax.tree.leaves(deviation)
    total = sum((jnp.sum(jnp.square(leaf)) for leaf in leaves), start=jnp.float32(0.0))
    return total / _entries(sum(leaf.size for leaf in leaves), normalization)


def ortho_penalty(
    weight: Float[Array, "*maps d_in d_out"], *, normalization: Normalization = "sum"
) -> Float[Array, ""]:
    """‖WᵀW − I‖², or ‖WWᵀ − I‖² where d_in < d_out (a wide W has no orthonormal columns).

    Args:
        weight: `[d_in, d_out]`, rows map as x @ W; leading axes (a map a language) are summed over.
        normalization: "sum", or "mean", which divides by the number of entries of the Gram matrices.

    Returns:
        The penalty, ≥ 0.

    Example:
        >>> float(ortho_penalty(2.0 * jnp.eye(3)))
        27.0
    """
    if weight.shape[-2] < weight.shape[-1]:
        weight = jnp.swapaxes(weight, -1, -2)
    gram = jnp.swapaxes(weight, -1, -2) @ weight
    return jnp.sum(jnp.square(gram - jnp.eye(gram.shape[-1], dtype=gram.dtype))) / _entries(gram.size, normalization)


def spectral_penalty(deviation: Float[Array, "*maps d_in d_out"], *, steps: int = 16) -> Float[Array, ""]:
    """‖D‖₂², the squared spectral norm: the largest squared distance that the map moves a unit row.

    Prox penalises all singular values; this penalty affects the largest one alone. It is not the excess of ‖W‖₂ over 1:
    where the rows are normalised after the map, the scale of W means nothing.

    The singular vector comes from power iteration and is held fixed, which leaves the gradient exact where
    the iteration has converged; before, the value is too small, never too large.

    Args:
        deviation: `[d_in, d_out]`, D = W − E; leading axes (a map a language) are summed over.
        steps: of the power iteration, static.

    Returns:
        The penalty, ≥ 0; 0 with gradient 0 at identity.

    References:
        Yoshida & Miyato, 2017, "Spectral Norm Regularization for Improving the Generalizability of Deep Learning".

    Example:
        >>> round(float(spectral_penalty(jnp.diag(jnp.array([3.0, 1.0])))), 5)
        9.0
    """
    held = jax.lax.stop_gradient(deviation)
    # No key: any start will do that is not by design orthogonal to a singular vector, as ones or a unit vector may be.
    start = jnp.broadcast_to(jnp.cos(jnp.arange(1.0, held.shape[-1] + 1)), (*held.shape[:-2], held.shape[-1]))

    def iterate(_: int, vector: Array) -> Array:
        return unit_rows(jnp.einsum("...ij,...ik,...k->...j", held, held, vector))

    vector = jax.lax.fori_loop(0, steps, iterate, unit_rows(start.astype(held.dtype)))
    return jnp.sum(jnp.square(jnp.einsum("...ij,...j->...i", deviation, vector)))


def _entries(count: int, normalization: Normalization) -> int:
    if normalization not in ("sum", "mean"):
        raise ValueError(f"normalization is {normalization!r}; it must be 'sum' or 'mean'")
    return max(count, 1) if normalization == "mean" else 1
