"""Contrastive losses over a batch of images and their captions: a softmax over what an anchor could be paired with."""

from __future__ import annotations

from typing import Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from ccalign_jax.losses._directions import Direction, Pool, directions
from ccalign_jax.losses._reduction import language_mean
from ccalign_jax.numerics import masked_log_sum_exp

__all__ = ["clip_loss", "learned_temperature", "supcon_loss"]


def clip_loss(
    text: Float[Array, "*languages b d"],
    image: Float[Array, "b d"],
    *,
    temperature: float | Float[Array, ""],
    mask: Bool[Array, "*languages b"] | None = None,
    image_mask: Bool[Array, " b"] | None = None,
    groups: Int[Array, " b"] | None = None,
    mask_positives: bool = True,
    i2t_pool: Pool = "union",
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
    both = directions(
        text, image, mask=mask, image_mask=image_mask, groups=groups, i2t_pool=i2t_pool, axis_name=axis_name
    )
    pairs = both[0].anchors

    def one_way(way: Direction) -> Array:
        scores, own = way.scores / temperature, way.own / temperature
        if mask_positives:
            terms = jax.nn.softplus(masked_log_sum_exp(scores, way.rivals) - own)
        else:
            terms = masked_log_sum_exp(scores, way.exists) - own
        return language_mean(terms, pairs, axis_name)

    return 0.5 * (one_way(both[0]) + one_way(both[1]))


def supcon_loss(
    text: Float[Array, "*languages b d"],
    image: Float[Array, "b d"],
    *,
    temperature: float | Float[Array, ""],
    form: Literal["in", "out"] = "out",
    mask: Bool[Array, "*languages b"] | None = None,
    image_mask: Bool[Array, " b"] | None = None,
    groups: Int[Array, " b"] | None = None,
    i2t_pool: Pool = "union",
    axis_name: str | None = None,
) -> Float[Array, ""]:
    """Supervised contrastive loss across modalities, the mean of text→image and image→text.

    The positives P of a caption are the images of its group, those of an image all captions of its group
    in every language; the candidates A are all that exist on the other side, positives among them:
    "out" is −mean over p in P of log(eˢᵖ / Σ over A of eˢ), "in" is −log of the mean over P of the same
    fraction. "Out" asks every positive to score alike; "in", never larger, is content with the best one.

    Args:
        text, image, temperature, mask, image_mask, groups, axis_name: as in `clip_loss`.
        form: where the mean over the positives stands: outside of the logarithm, or inside.
        i2t_pool: an image's candidates are the captions of all languages together, or of one at a time.

    Returns:
        The mean over captions (every language weighs the same) and that over images with a caption, halved
        and summed; ≥ 0, float32 or wider; 0 where all is masked.

    Raises:
        ValueError: shapes that do not fit, or an unknown `form` or `i2t_pool`.

    References:
        Khosla et al., 2020, "Supervised Contrastive Learning".

    Example:
        >>> rows = jnp.eye(4)
        >>> twice = supcon_loss(rows, rows, temperature=0.01, groups=jnp.array([0, 0, 1, 2]), form="in")
        >>> round(float(twice), 3)  # half of the rows find one of their two positives, at log 2
        0.347
    """
    if form not in ("in", "out"):
        raise ValueError(f"form is {form!r}; it must be 'in' or 'out'")
    both = directions(
        text, image, mask=mask, image_mask=image_mask, groups=groups, i2t_pool=i2t_pool, axis_name=axis_name
    )

    def one_way(way: Direction) -> Array:
        scores = way.scores / temperature
        count = jnp.sum(way.positives, axis=-1)
        if form == "out":
            right = jnp.sum(jnp.where(way.positives, scores, 0.0), axis=-1) / jnp.maximum(count, 1)
        else:
            right = masked_log_sum_exp(scores, way.positives) - jnp.log(jnp.maximum(count, 1))
        return language_mean(masked_log_sum_exp(scores, way.exists) - right, way.anchors & (count > 0), axis_name)

    return 0.5 * (one_way(both[0]) + one_way(both[1]))


def learned_temperature(log_scale: float | Float[Array, ""], *, largest: float = 100.0) -> Float[Array, ""]:
    """The temperature 1 / min(exp(log_scale), largest): what CLIP trains, so that no logit exceeds `largest`.

    A step of the parameter multiplies the temperature, which stays positive. Start at log(1 / 0.07) ≈ 2.66.

    Args:
        log_scale: the parameter, the logarithm of the inverse temperature. Beyond log(largest) the gradient is
            that at the bound: a parameter that overshot can return, where a plain `minimum` would hold it fast.
        largest: the greatest inverse temperature, > 0.

    References:
        Radford et al., 2021, "Learning Transferable Visual Models From Natural Language Supervision".

    Example:
        >>> [round(float(learned_temperature(jnp.log(scale))), 3) for scale in (1 / 0.07, 100.0, 1e4)]
        [0.07, 0.01, 0.01]
    """
    excess = jnp.maximum(log_scale - jnp.log(largest), 0.0)
    return jnp.exp(jax.lax.stop_gradient(excess) - log_scale)
