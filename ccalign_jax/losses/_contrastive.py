"""Contrastive losses over a batch of images and their captions: a softmax over the candidates of each anchor."""

from __future__ import annotations

from typing import Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from ccalign_jax.losses._batch import language_mean
from ccalign_jax.losses._directions import Pool
from ccalign_jax.losses._exchange import Exchange
from ccalign_jax.losses._sums import Sums, batch_sums
from ccalign_jax.losses._tiled import Tile

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
    tile: Tile = "auto",
    exchange: Exchange = "ring",
) -> Float[Array, ""]:
    """Symmetric InfoNCE, the mean of text→image and image→text, with known positives masked.

    Caption (l, i) and image i are a pair. In text→image each caption is an anchor, and its negatives are the other
    images of the batch; in image→text each image is an anchor, and its negatives are the captions of other images.
    Image rows are never repeated: the logits are `[languages · b, b]`. Every language weighs the same
    whatever the number of its captions.

    Args:
        text: `[b, d]` or `[languages, b, d]`; used as given, so pass unit rows for cosine similarity.
        image: `[b, d]`, the image of each caption.
        temperature: positive; divides the similarities.
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
        tile: captions and images whose scores exist at one time, so that memory is linear in the batch; the gradient
            computes them again, and can itself not be differentiated, nor the loss in forward mode. None holds the
            whole matrix. "auto" does so in small batches, where it is faster, and takes tiles in large ones: see
            `auto_tile`, which counts the captions and images of all devices.
        exchange: in tiles, how devices exchange images: from neighbour to neighbour ("ring"), so that memory stays that
            of one device's batch, or all at once ("gather").

    Returns:
        The loss, float32 or wider; 0 where nothing has a rival.

    Raises:
        ValueError: shapes that do not fit, an unknown `i2t_pool`, `exchange` or tile, or a tile below 1.

    References:
        van den Oord et al., 2018, "Representation Learning with Contrastive Predictive Coding";
        Radford et al., 2021, "Learning Transferable Visual Models From Natural Language Supervision".
        With `mask_positives=False` and several languages the image→text half is SupCon's "out" form
        (Khosla et al., 2020, "Supervised Contrastive Learning").

    Example:
        >>> rows = jnp.eye(4)
        >>> float(clip_loss(rows, rows, temperature=0.01)) < 1e-6
        True
        >>> many = jax.random.normal(jax.random.key(0), (3000, 2))
        >>> in_tiles, whole = (clip_loss(many, many, temperature=1.0, tile=tile) for tile in ("auto", None))
        >>> bool(jnp.allclose(in_tiles, whole))
        True
    """
    name = "log_sum_of_rivals" if mask_positives else "log_sum_of_all"
    both = batch_sums(
        text,
        image,
        (name,),
        temperature=temperature,
        mask=mask,
        image_mask=image_mask,
        groups=groups,
        i2t_pool=i2t_pool,
        axis_name=axis_name,
        tile=tile,
        exchange=exchange,
    )
    pairs = both[0].anchors

    def one_direction(direction: Sums) -> Array:
        terms = direction.of[name] - direction.own
        return language_mean(jax.nn.softplus(terms) if mask_positives else terms, pairs, axis_name)

    return 0.5 * (one_direction(both[0]) + one_direction(both[1]))


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
    tile: Tile = "auto",
    exchange: Exchange = "ring",
) -> Float[Array, ""]:
    """Supervised contrastive loss across modalities, the mean of text→image and image→text.

    The positives P of a caption are the images of its group, those of an image all captions of its group
    in every language; the candidates A are all that exist on the other side, positives among them:
    "out" is −mean over p in P of log(eˢᵖ / Σ over A of eˢ), "in" is −log of the mean over P of the same
    fraction. "Out" is lowest where all positives score alike; "in", never larger, is low as soon as one of them scores
    high.

    Args:
        text, image, temperature, mask, image_mask, groups, axis_name, tile, exchange: as in `clip_loss`.
        form: where the mean over the positives stands: outside of the logarithm, or inside.
        i2t_pool: an image's candidates are the captions of all languages together, or of one at a time.

    Returns:
        The mean over captions (every language weighs the same) and that over images with a caption, halved
        and summed; ≥ 0, float32 or wider; 0 where all is masked.

    Raises:
        ValueError: shapes that do not fit, an unknown `form`, `i2t_pool` or `exchange`, or a tile below 1.

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
    of_positives = "sum_of_positives" if form == "out" else "log_sum_of_positives"
    both = batch_sums(
        text,
        image,
        ("log_sum_of_all", of_positives, "count_of_positives"),
        temperature=temperature,
        mask=mask,
        image_mask=image_mask,
        groups=groups,
        i2t_pool=i2t_pool,
        axis_name=axis_name,
        tile=tile,
        exchange=exchange,
    )

    def one_direction(direction: Sums) -> Array:
        count = direction.of["count_of_positives"]
        some = jnp.maximum(count, 1)
        right = direction.of[of_positives] / some if form == "out" else direction.of[of_positives] - jnp.log(some)
        return language_mean(direction.of["log_sum_of_all"] - right, direction.anchors & (count > 0), axis_name)

    return 0.5 * (one_direction(both[0]) + one_direction(both[1]))


def learned_temperature(log_scale: float | Float[Array, ""], *, largest: float = 100.0) -> Float[Array, ""]:
    """Learned temperature of CLIP, 1 / min(exp(log_scale), largest), so that no logit exceeds `largest`.

    A step of the parameter multiplies the temperature, which stays positive. Start at log(1 / 0.07) ≈ 2.66.

    Args:
        log_scale: the parameter, the logarithm of the inverse temperature. Beyond log(largest) the gradient is
            that at the bound: a parameter that overshot can return, where a plain `minimum` has no gradient.
        largest: the greatest inverse temperature, > 0.

    References:
        Radford et al., 2021, "Learning Transferable Visual Models From Natural Language Supervision".

    Example:
        >>> [round(float(learned_temperature(jnp.log(scale))), 3) for scale in (1 / 0.07, 100.0, 1e4)]
        [0.07, 0.01, 0.01]
    """
    excess = jnp.maximum(log_scale - jnp.log(largest), 0.0)
    return jnp.exp(jax.lax.stop_gradient(excess) - log_scale)
