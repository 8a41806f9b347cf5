"""Regression losses: each caption towards its target, without negatives."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from ccalign_jax.losses._batch import as_languages, language_mean
from ccalign_jax.numerics import unit_rows

__all__ = ["cosine_loss", "mse_loss"]


def mse_loss(
    text: Float[Array, "*languages b d"],
    target: Float[Array, "b d"],
    *,
    mask: Bool[Array, "*languages b"] | None = None,
    axis_name: str | None = None,
) -> Float[Array, ""]:
    """Mean squared distance ‖text − target‖² of the pairs, summed over d; rows are used as given.

    Args:
        text: `[b, d]` or `[languages, b, d]`.
        target: `[b, d]`.
        mask: True where the caption exists; all by default. Every language weighs the same.
        axis_name: mapped axis over which the batch is spread; the loss is then the global one.

    Returns:
        The loss, ≥ 0, float32 or wider; 0 where all is masked.

    Raises:
        ValueError: shapes that do not fit.

    Example:
        >>> float(mse_loss(jnp.ones((2, 3)), jnp.zeros((2, 3))))
        3.0
    """
    text, target, mask = as_languages(text, target, mask)
    wide = jnp.promote_types(text.dtype, jnp.float32)
    gap = text.astype(wide) - target.astype(wide)
    return language_mean(jnp.sum(jnp.square(gap), axis=-1), mask, axis_name)


def cosine_loss(
    text: Float[Array, "*languages b d"],
    target: Float[Array, "b d"],
    *,
    mask: Bool[Array, "*languages b"] | None = None,
    axis_name: str | None = None,
) -> Float[Array, ""]:
    """Mean of 1 − cosine of the pairs, in [0, 2]; a zero row has cosine 0.

    Args:
        text: `[b, d]` or `[languages, b, d]`, of any length: rows are normalised here.
        target: `[b, d]`, likewise.
        mask: True where the caption exists; all by default. Every language weighs the same.
        axis_name: mapped axis over which the batch is spread; the loss is then the global one.

    Returns:
        The loss, float32 or wider; 0 where all is masked.

    Raises:
        ValueError: shapes that do not fit.

    Example:
        >>> float(cosine_loss(jnp.array([[2.0, 0.0]]), jnp.array([[0.0, 1.0]])))
        1.0
    """
    text, target, mask = as_languages(text, target, mask)
    wide = jnp.promote_types(text.dtype, jnp.float32)
    cosine = jnp.sum(unit_rows(text.astype(wide)) * unit_rows(target.astype(wide)), axis=-1)
    return language_mean(1.0 - cosine, mask, axis_name)
