"""Penalties on a map: its distance from identity, and its distance from an orthogonal one."""

from __future__ import annotations

from typing import Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

__all__ = ["Normalization", "ortho_penalty", "prox_penalty"]

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
    total = sum((jnp.sum(jnp.square(leaf)) for leaf in leaves), start=jnp.zeros(()))
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


def _entries(count: int, normalization: Normalization) -> int:
    if normalization not in ("sum", "mean"):
        raise ValueError(f"normalization is {normalization!r}; it must be 'sum' or 'mean'")
    return max(count, 1) if normalization == "mean" else 1
