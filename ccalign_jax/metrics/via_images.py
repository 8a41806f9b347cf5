"""Nearest and softmax-mean image of each caption, for retrieval between languages through the images."""

from __future__ import annotations

from functools import partial
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from ccalign_jax.metrics.ranks import cosine_scores, tile_rows
from ccalign_jax.tiles import map_row_tiles

__all__ = ["ImagesOfCaptions", "images_of_captions"]


class ImagesOfCaptions(NamedTuple):
    """Nearest and softmax-mean image of each caption of one language.

    Attributes:
        nearest: `[m]` image of the highest score.
        unlike: `[m]` whether images that differ are equally near.
        hard: `[m, d]` row of the nearest image. Where several tie, the mean of their rows, which is the limit of `soft`
            as the temperature falls: the order of the images does not matter, and equal rows count as one.
        soft: `[m, d]` mean of all image rows, weighted by a softmax of their scores; None where it is not asked for.
    """

    nearest: Int[Array, " m"]
    unlike: Bool[Array, " m"]
    hard: Float[Array, "m d"]
    soft: Float[Array, "m d"] | None


@partial(jax.jit, static_argnames=("soft", "block_entries"))
def images_of_captions(
    text: Float[Array, "l m d"],
    image: Float[Array, "n d"],
    image_mask: Bool[Array, " n"],
    temperature: float | Array,
    *,
    soft: bool,
    block_entries: int,
) -> ImagesOfCaptions:
    """Nearest and softmax-mean image of each caption of several languages, with a leading axis of languages.

    Mean rows are not scaled to length one again, which changes no rank under the cosine.
    """

    def one_tile(tile: Float[Array, "t d"]) -> ImagesOfCaptions:
        scores = _masked(cosine_scores(tile, image), image_mask)
        nearest = jnp.argmax(scores, axis=1)
        alone = jnp.sum(scores == jnp.max(scores, axis=1, keepdims=True)) == len(tile)
        hard = jax.lax.cond(
            alone,
            lambda: image[nearest],
            lambda: _weighted_rows(_image_weights(scores, "hard", temperature), image).astype(image.dtype),
        )
        mean = _weighted_rows(_image_weights(scores, "soft", temperature), image) if soft else None
        return ImagesOfCaptions(nearest, jnp.any(hard != image[nearest], axis=1), hard, mean)

    return jax.lax.map(lambda rows: map_row_tiles(one_tile, rows, size=tile_rows(len(image), block_entries)), text)


def _masked(scores: Float[Array, "q n"], mask: Bool[Array, " n"]) -> Float[Array, "q n"]:
    """Scores with NaN below all, and -inf where the item does not exist."""
    scores = jnp.where(jnp.isnan(scores), jnp.finfo(scores.dtype).min, scores)
    return jnp.where(mask, scores, -jnp.inf)


def _image_weights(
    scores: Float[Array, "q n"], how: Literal["hard", "soft"], temperature: float | Float[Array, ""]
) -> Float[Array, "q n"]:
    """Weight of each image: a softmax, or equal parts for the images that tie for nearest."""
    if how == "soft":
        return jax.nn.softmax(scores / temperature, axis=1)
    highest = (scores == jnp.max(scores, axis=1, keepdims=True)).astype(scores.dtype)
    return highest / jnp.sum(highest, axis=1, keepdims=True)


def _weighted_rows(weights: Float[Array, "q n"], rows: Float[Array, "n ..."]) -> Float[Array, "q ..."]:
    # At full precision: a weight of one must give back the very row, or captions equal to it tie no more.
    return jnp.tensordot(weights, rows, axes=1, precision=jax.lax.Precision.HIGHEST)
