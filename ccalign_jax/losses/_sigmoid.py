"""Sigmoid loss: binary classification of every caption–image pair of a batch."""

from __future__ import annotations

from jaxtyping import Array, Bool, Float, Int

from ccalign_jax.losses._batch import language_mean
from ccalign_jax.losses._exchange import Exchange
from ccalign_jax.losses._sums import batch_sums
from ccalign_jax.losses._tiled import Tile

__all__ = ["sigmoid_loss"]


def sigmoid_loss(
    text: Float[Array, "*languages b d"],
    image: Float[Array, "b d"],
    *,
    temperature: float | Float[Array, ""],
    bias: float | Float[Array, ""] = -10.0,
    mask: Bool[Array, "*languages b"] | None = None,
    image_mask: Bool[Array, " b"] | None = None,
    groups: Int[Array, " b"] | None = None,
    axis_name: str | None = None,
    tile: Tile = "auto",
    exchange: Exchange = "ring",
) -> Float[Array, ""]:
    """Sigmoid loss: binary cross-entropy of every caption against every image, summed over the images.

    A caption's term is −Σ over images j of log sigmoid(±(similarity / temperature + bias)), + where image j
    shows what the caption's own image shows. The mean over captions is the sum over all pairs divided by
    the number of captions N, not by N²: the one positive of a caption keeps its weight in a large batch.

    Args:
        text, image, mask, image_mask, groups, axis_name, tile, exchange: as in `clip_loss`. Every language weighs
            the same.
        temperature: positive; divides the similarities. Zhai et al. learn it from 0.1.
        bias: added to every logit; far below 0, it makes up for the negatives, of which there are many more.
            Zhai et al. learn it from −10.

    Returns:
        The loss, ≥ 0, float32 or wider; 0 where all is masked.

    Raises:
        ValueError: shapes that do not fit, an unknown `exchange` or tile, or a tile below 1.

    References:
        Zhai et al., 2023, "Sigmoid Loss for Language Image Pre-Training".

    Example:
        >>> import jax.numpy as jnp
        >>> rows = jnp.eye(2)
        >>> round(float(sigmoid_loss(rows, rows, temperature=0.1, bias=-10.0)), 4)  # own pair log 2, the other e⁻¹⁰
        0.6932
    """
    towards_images, _ = batch_sums(
        text,
        image,
        ("binary_cost",),
        temperature=temperature,
        bias=bias,
        mask=mask,
        image_mask=image_mask,
        groups=groups,
        i2t_pool="union",
        axis_name=axis_name,
        tile=tile,
        exchange=exchange,
        both_directions=False,
    )
    return language_mean(towards_images.of["binary_cost"], towards_images.anchors, axis_name)
