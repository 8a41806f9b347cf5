"""What every loss over a batch shares: the language axis, gathering, and the mean over languages."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

__all__ = ["as_languages", "gather", "language_mean"]


def as_languages(text: Array, target: Array, mask: Array | None) -> tuple[Array, Array]:
    """`text` as `[languages, b, d]` and its mask as `[languages, b]`, checked against `target` `[b, d]`."""
    if text.ndim == 2:
        text, mask = text[None], None if mask is None else mask[None]
    if text.ndim != 3 or target.ndim != 2 or text.shape[1:] != target.shape:
        raise ValueError(
            f"text {text.shape} and targets {target.shape} must be [b, d] or [languages, b, d], and [b, d]"
        )
    if mask is None:
        mask = jnp.ones(text.shape[:2], bool)
    if mask.shape != text.shape[:2]:
        raise ValueError(f"mask {mask.shape} must be {text.shape[:2]}, one entry a caption")
    return text, mask


def gather(values: Array, axis_name: str | None, *, axis: int = 0) -> Array:
    """The rows of all devices along `axis_name`, in device order; `values` itself where there is none."""
    return values if axis_name is None else jax.lax.all_gather(values, axis_name, axis=axis, tiled=True)


def language_mean(
    terms: Float[Array, "languages b"], mask: Bool[Array, "languages b"], axis_name: str | None
) -> Float[Array, ""]:
    """Mean over the captions of each language, then over the languages that have any; 0 if none has."""
    sums = jnp.sum(jnp.where(mask, terms, 0.0), axis=1)
    counts = jnp.sum(mask, axis=1).astype(terms.dtype)
    if axis_name is not None:
        sums, counts = jax.lax.psum((sums, counts), axis_name)
    present = counts > 0
    means = jnp.where(present, sums / jnp.maximum(counts, 1), 0.0)
    return jnp.sum(means) / jnp.maximum(jnp.sum(present), 1)
