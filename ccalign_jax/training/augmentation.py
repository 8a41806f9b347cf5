"""Augmentation of a batch in embedding space: pairs mixed with other pairs, and noise. Pure functions of arrays."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from ccalign_jax.numerics import unit_rows

__all__ = ["embedding_noise", "fusemix"]


def fusemix(
    key: Array,
    text: Float[Array, "*languages b d_text"],
    image: Float[Array, "b d_image"],
    *,
    alpha: float | Float[Array, ""],
    mask: Bool[Array, "*languages b"] | None = None,
    image_mask: Bool[Array, " b"] | None = None,
) -> tuple[Float[Array, "*languages b d_text"], Float[Array, "b d_image"]]:
    """FuseMix: every pair mixed with another pair of the batch, by one coefficient for its captions and its image.

    Row i becomes λ · row i + (1 − λ) · row π(i), scaled to length one, on both sides and in all languages; π
    is a random permutation, and λ one draw a batch from Beta(alpha, alpha). The paper mixes two halves into
    half as many rows. Here λ is the larger of the draw and its complement, which the symmetry of Beta allows:
    a row stays mostly itself, so that its mask and its group still hold.

    Args:
        key: typed random key.
        text: `[b, d_text]` or `[languages, b, d_text]`, unit rows.
        image: `[b, d_image]`, unit rows.
        alpha: ≥ 0; the larger, the nearer to ½ is λ, and 1 draws it evenly; 0 mixes nothing.
        mask: True where the caption exists; all by default. An image mixes only with one that has a caption
            wherever it has one itself; else it and its captions stay as they are.
        image_mask: True where the image row exists; all by default.

    Returns:
        Text and image of the same shapes and dtypes.

    References:
        Vouitsis et al., 2024, "Data-Efficient Multimodal Fusion on a Single GPU" (FuseMix).

    Example:
        >>> rows = jnp.eye(4)
        >>> text, image = fusemix(jax.random.key(0), rows, rows, alpha=1.0)
        >>> bool((text == image).all()), bool((text.argmax(axis=1) == jnp.arange(4)).all())
        (True, True)
    """
    share_key, order_key = jax.random.split(key)
    size = image.shape[0]
    draw = jax.random.beta(share_key, jnp.where(alpha > 0, alpha, 1.0), jnp.where(alpha > 0, alpha, 1.0))
    share = jnp.where(alpha > 0, jnp.maximum(draw, 1 - draw), 1.0)
    partner = jax.random.permutation(order_key, size)

    mixes = jnp.ones(size, bool) if image_mask is None else image_mask[partner]
    if mask is not None:
        has_all = ~mask | jnp.take(mask, partner, axis=-1)
        mixes &= jnp.all(has_all.reshape(-1, size), axis=0)

    def mix(rows: Array) -> Array:
        other = jnp.take(rows, partner, axis=-2)
        return jnp.where(mixes[:, None], unit_rows(share * rows + (1 - share) * other), rows).astype(rows.dtype)

    return mix(text), mix(image)


def embedding_noise(
    key: Array,
    text: Float[Array, "*languages b d_text"],
    image: Float[Array, "b d_image"],
    *,
    scale: float | Float[Array, ""],
) -> tuple[Float[Array, "*languages b d_text"], Float[Array, "b d_image"]]:
    """Gaussian noise of length about `scale` added to unit rows, which are then scaled to length one.

    Args:
        key: typed random key.
        text: `[b, d_text]` or `[languages, b, d_text]`, unit rows.
        image: `[b, d_image]`, unit rows; keep the given ones where only the captions shall move.
        scale: ≥ 0, whatever the width: a row rotates by an angle of about atan(scale).

    Returns:
        Text and image of the same shapes and dtypes, unit rows.

    Example:
        >>> rows = jnp.eye(3)
        >>> text, image = embedding_noise(jax.random.key(0), rows, rows, scale=0.1)
        >>> bool((text == image).any()), [round(float(row @ row), 3) for row in text]
        (False, [1.0, 1.0, 1.0])
    """
    text_key, image_key = jax.random.split(key)

    def turn(key: Array, rows: Array) -> Array:
        noise = jax.random.normal(key, rows.shape, jnp.promote_types(rows.dtype, jnp.float32))
        return unit_rows(rows + scale / jnp.sqrt(rows.shape[-1]) * noise).astype(rows.dtype)

    return turn(text_key, text), turn(image_key, image)
