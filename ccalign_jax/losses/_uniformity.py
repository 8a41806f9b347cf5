"""Alignment and uniformity: pairs close to each other, all rows spread over the sphere."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from ccalign_jax.losses._batch import as_languages, gather, known_positives, language_mean, one_each, similarity
from ccalign_jax.numerics import unit_rows

__all__ = ["alignment_uniformity_loss"]


def alignment_uniformity_loss(
    text: Float[Array, "*languages b d"],
    image: Float[Array, "b d"],
    *,
    uniformity_weight: float | Float[Array, ""] = 1.0,
    sharpness: float | Float[Array, ""] = 2.0,
    mask: Bool[Array, "*languages b"] | None = None,
    image_mask: Bool[Array, " b"] | None = None,
    groups: Int[Array, " b"] | None = None,
    axis_name: str | None = None,
) -> Float[Array, ""]:
    """Mean ‖text − image‖² of the pairs, plus the weighted uniformity of captions and images.

    Uniformity of a side is log of the mean of exp(−sharpness ‖a − b‖²) over its pairs of rows that do not
    show the same thing, captions language by language; that of captions and that of images are averaged.

    Args:
        text, image: as in `clip_loss`, of any length: rows are normalised here, and zero rows stay zero.
        uniformity_weight: ≥ 0.
        sharpness: in (0, 20]; the t of Wang & Isola.
        mask, image_mask, groups, axis_name: as in `clip_loss`. Every language weighs the same.

    Returns:
        The loss, float32 or wider, from −4 · sharpness · weight to 4; 0 where all is masked.

    Raises:
        ValueError: shapes that do not fit.

    References:
        Wang & Isola, 2020, "Understanding Contrastive Representation Learning through Alignment and
        Uniformity on the Hypersphere".

    Example:
        >>> rows = jnp.array([[1.0, 0.0], [-1.0, 0.0]])
        >>> float(alignment_uniformity_loss(rows, rows))  # aligned, and as far apart as can be
        -8.0
    """
    text, image, mask = as_languages(text, image, mask)
    image_mask = one_each(image_mask, "image_mask", image.shape[:1])
    pairs = mask & image_mask
    wide = jnp.promote_types(text.dtype, jnp.float32)
    text, image = unit_rows(text.astype(wide)), unit_rows(image.astype(wide))
    apart = ~known_positives(groups, image.shape[0], axis_name)

    def square(rows: Array) -> Array:
        """Squared length of normalised rows: exactly 1, or 0 for a zero row."""
        return jnp.any(rows != 0, axis=-1).astype(wide)

    def uniformity(rows: Array, exists: Array) -> Array:
        """`[languages, b, d]`, `[languages, b]`: the mean over the languages that have two rows to compare."""
        everything = gather(rows, axis_name, axis=1)
        cosine = similarity("lbd,lcd->lbc", rows, everything)
        squares = square(rows)[:, :, None] + square(everything)[:, None, :]
        compared = exists[:, :, None] & gather(exists, axis_name, axis=1)[:, None, :] & apart
        total = jnp.sum(jnp.where(compared, jnp.exp(2 * sharpness * (cosine - squares / 2)), 0.0), axis=(1, 2))
        count = jnp.sum(compared, axis=(1, 2)).astype(total.dtype)
        if axis_name is not None:
            total, count = jax.lax.psum((total, count), axis_name)
        present = count > 0
        logs = jnp.log(jnp.where(present, total, 1.0)) - jnp.log(jnp.where(present, count, 1.0))
        return jnp.sum(logs) / jnp.maximum(jnp.sum(present), 1)

    distance = square(text) + square(image) - 2 * jnp.sum(text * image, axis=-1)
    alignment = language_mean(distance, pairs, axis_name)
    spread = 0.5 * (uniformity(text, pairs) + uniformity(image[None], image_mask[None]))
    return alignment + uniformity_weight * spread
