"""Batches of losses: shapes by language, gathering over devices, known positives, and the mean over languages."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

__all__ = [
    "as_languages",
    "gather",
    "group_numbers",
    "known_positives",
    "language_mean",
    "one_each",
    "places",
    "similarity",
]


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


def places(size: int, axis_name: str | None) -> Int[Array, " b"]:
    """Global positions of the `size` images of this device among those of all devices."""
    return jnp.arange(size) + (0 if axis_name is None else jax.lax.axis_index(axis_name) * size)


def group_numbers(groups: Array | None, size: int, axis_name: str | None) -> Int[Array, " b"]:
    """`groups`, or for None a number of its own for each image of each device."""
    groups = places(size, axis_name) if groups is None else jnp.asarray(groups)
    if groups.shape != (size,):
        raise ValueError(f"groups {groups.shape} must be {(size,)}, one number an image")
    return groups


def known_positives(groups: Array | None, size: int, axis_name: str | None) -> Bool[Array, "b everywhere"]:
    """Mask of known positives: images of this device against those of all devices, by group."""
    groups = group_numbers(groups, size, axis_name)
    return groups[:, None] == gather(groups, axis_name)[None, :]


def similarity(pattern: str, left: Array, right: Array) -> Array:
    """Products of rows, summed in float32 or wider."""
    return jnp.einsum(pattern, left, right, preferred_element_type=jnp.promote_types(left.dtype, jnp.float32))


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
