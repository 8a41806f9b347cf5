"""Contrastive losses over a batch of images and their captions in several languages."""

from __future__ import annotations

from typing import Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from ccalign_jax.losses._reduction import as_languages, gather, language_mean, one_each
from ccalign_jax.numerics import masked_log_sum_exp

__all__ = ["clip_loss"]


def clip_loss(
    text: Float[Array, "*languages b d"],
    image: Float[Array, "b d"],
    *,
    temperature: float | Float[Array, ""],
    mask: Bool[Array, "*languages b"] | None = None,
    image_mask: Bool[Array, " b"] | None = None,
    groups: Int[Array, " b"] | None = None,
    mask_positives: bool = True,
    i2t_pool: Literal["union", "per_language"] = "union",
    axis_name: str | None = None,
) -> Float[Array, ""]:
    """Symmetric InfoNCE, the mean of text→image and image→text, with known positives masked.

    Caption (l, i) and image i are a pair. In text→image a caption tells its image from the other images
    of the batch; in image→text an image tells each of its captions from the captions of other images.
    Image rows are never repeated: the logits are `[languages · b, b]`. Every language weighs the same
    whatever the number of its captions.

    Args:
        text: `[b, d]` or `[languages, b, d]`; used as given, so pass unit rows for cosine similarity.
        image: `[b, d]`, the image of each caption.
        temperature: > 0; divides the similarities.
        mask: True where the caption exists; all by default. Missing captions are neither anchors nor rivals;
            their rows may hold anything finite.
        image_mask: True where the image row exists; all by default.
        groups: `[b]`, equal numbers for images that show the same thing; by default all differ.
        mask_positives: leave known positives (same group; other captions and languages of the image) out
            of the denominators. False counts them as negatives, as CLIP's own loss does.
        i2t_pool: an image's rivals are the captions of all languages together, or of one at a time.
        axis_name: mapped axis over which the batch is spread; the loss is then the global one. For
            gradients that are right under `vmap`, `pmap` and `shard_map` alike, differentiate
            `lax.pmean(loss)` and `lax.pmean` the gradients.

    Returns:
        The loss, float32 or wider; 0 where nothing has a rival.

    Raises:
        ValueError: shapes that do not fit, or an unknown `i2t_pool`.

    References:
        van den Oord et al., 2018, "Representation Learning with Contrastive Predictive Coding";
        Radford et al., 2021, "Learning Transferable Visual Models From Natural Language Supervision".
        With `mask_positives=False` and several languages the image→text half is SupCon's "out" form
        (Khosla et al., 2020, "Supervised Contrastive Learning").

    Example:
        >>> rows = jnp.eye(4)
        >>> float(clip_loss(rows, rows, temperature=0.01)) < 1e-6
        True
    """
    if i2t_pool not in ("union", "per_language"):
        raise ValueError(f"i2t_pool is {i2t_pool!r}; it must be 'union' or 'per_language'")
    text, image, mask = as_languages(text, image, mask)
    size = image.shape[0]
    image_mask = one_each(image_mask, "image_mask", (size,))
    mask = mask & image_mask
    first = 0 if axis_name is None else jax.lax.axis_index(axis_name) * size
    place = first + jnp.arange(size)
    groups = place if groups is None else jnp.asarray(groups)
    if groups.shape != (size,):
        raise ValueError(f"groups {groups.shape} must be {(size,)}, one number an image")

    every_text, every_mask = gather(text, axis_name, axis=1), gather(mask, axis_name, axis=1)
    every_image, every_image_mask = gather(image, axis_name), gather(image_mask, axis_name)
    every_group = gather(groups, axis_name)
    known = groups[:, None] == every_group[None, :]  # [b, B]: the same thing, here against everywhere

    t2i = _similarity("lbd,cd->lbc", text, every_image) / temperature
    if axis_name is None:  # one product serves both directions
        i2t = jnp.transpose(t2i, (2, 0, 1))
    else:
        i2t = _similarity("bd,lcd->blc", image, every_text) / temperature
    # [l, b]: the score of each pair, taken from the same products as the scores of its rivals
    t2i_own = jnp.take_along_axis(t2i, place[None, :, None], axis=-1)[..., 0]
    i2t_own = jnp.take_along_axis(i2t, place[:, None, None], axis=-1)[..., 0].T

    pool = (1, 2) if i2t_pool == "union" else 2
    if mask_positives:
        t2i_rivals = masked_log_sum_exp(t2i, ~known & every_image_mask)
        i2t_rivals = masked_log_sum_exp(i2t, ~known[:, None, :] & every_mask, axis=pool)
        forward, backward = t2i_rivals - t2i_own, _per_pair(i2t_rivals) - i2t_own
        terms = jax.nn.softplus(forward), jax.nn.softplus(backward)
    else:
        t2i_all = masked_log_sum_exp(t2i, every_image_mask)
        i2t_all = masked_log_sum_exp(i2t, every_mask[None], axis=pool)
        terms = t2i_all - t2i_own, _per_pair(i2t_all) - i2t_own
    t2i_mean, i2t_mean = (language_mean(term, mask, axis_name) for term in terms)
    return 0.5 * (t2i_mean + i2t_mean)


def _per_pair(reduced: Float[Array, b * languages]) -> Float[Array, "#languages b"]:
    """One value an image, `[b]`, or an image and language, `[b, l]`, laid out as the pairs `[l, b]`."""
    return reduced[None] if reduced.ndim == 1 else reduced.T


def _similarity(pattern: str, left: Array, right: Array) -> Array:
    return jnp.einsum(pattern, left, right, preferred_element_type=jnp.promote_types(left.dtype, jnp.float32))
