"""What every loss over a batch shares: the language axis, gathering, and the mean over languages."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

__all__ = ["as_languages", "gather", "language_mean", "one_each"]


def as_languages(text: Array, target: Array, mask: Array | None) -> tuple[Array, Array, Array]:
    """`text` as `[languages, b, d]`, `target` `[b, d]` and the mask as `[languages, b]`, checked against each other."""
    text, target = jnp.asarray(text), jnp.asarray(target)
    if text.ndim not in (2, 3) or target.ndim != 2 or text.shape[-2:] != target.shape:
        raise ValueError(
            f"text {text.shape} and targets {target.shape} must be [b, d] or [languages, b, d], and [b, d]"
        )
    mask = one_each(mask, "mask", text.shape[:-1])
    return (text, target, mask) if text.ndim == 3 else (text[None], target, mask[None])


def one_each(mask: Array | None, name: str, shape: tuple[int, ...]) -> Array:
    """`mask`, or all True for None; broadcasting a mask of another shape would change what is masked silently."""
    mask = jnp.ones(shape, bool) if mask is None else jnp.asarray(mask, bool)
    if mask.shape != shape:
        raise ValueError(f"{name} {mask.shape} must be {shape}, one entry a row")
    return mask


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
