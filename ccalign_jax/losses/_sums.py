"""Reductions of the scores in a batch, over images and over captions: from the matrix of scores, or tile by tile."""

from __future__ import annotations

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from ccalign_jax.losses._batch import as_languages, group_numbers, one_each, similarity
from ccalign_jax.losses._directions import Direction, Pool, check_pool, directions
from ccalign_jax.losses._exchange import Exchange
from ccalign_jax.losses._reductions import REDUCTIONS
from ccalign_jax.losses._tiled import Captions, Images, Tile, TilePlan, auto_tile, tiled_sums

__all__ = ["Sums", "batch_sums"]


class Sums(NamedTuple):
    """Reductions of the scores of one retrieval direction; pools and languages as in `Direction`.

    Attributes:
        of: `[pools, b]` each, by name of `REDUCTIONS`.
        own: `[languages, b]`, the score of each pair.
        anchors: `[#pools, b]`, True where the anchor exists.
    """

    of: dict[str, Float[Array, "pools b"]]
    own: Float[Array, "languages b"]
    anchors: Bool[Array, "#pools b"]


def batch_sums(
    text: Array,
    image: Array,
    names: tuple[str, ...],
    *,
    temperature: float | Array,
    bias: float | Array | None = None,
    mask: Array | None,
    image_mask: Array | None,
    groups: Array | None,
    i2t_pool: Pool,
    axis_name: str | None,
    tile: Tile,
    exchange: Exchange,
    both_directions: bool = True,
) -> tuple[Sums, Sums]:
    """Reductions of the scores similarity / temperature + bias, text→image and image→text.

    Args:
        names: of `REDUCTIONS`.
        bias: 0 by default.
        tile: captions and images a tile; None holds all scores at once, "auto" asks `auto_tile`.
        exchange: how tiles read the images of other devices.
        both_directions: False leaves the second undefined where it would cost something.

    Raises:
        ValueError: shapes that do not fit, an unknown `i2t_pool`, `exchange` or tile, or a tile below 1.
    """
    if exchange not in ("ring", "gather"):
        raise ValueError(f"exchange is {exchange!r}; it must be 'ring' or 'gather'")
    if isinstance(tile, str):
        if tile != "auto":
            raise ValueError(f"tile is {tile!r}; it must be 'auto', None, or at least 1")
        devices = 1 if axis_name is None else jax.lax.axis_size(axis_name)
        tile = auto_tile(*(devices * math.prod(jnp.shape(rows)[:-1]) for rows in (text, image)))
    if tile is None:
        both = directions(
            text, image, mask=mask, image_mask=image_mask, groups=groups, i2t_pool=i2t_pool, axis_name=axis_name
        )
        one, other = (_whole(direction, names, temperature, bias) for direction in both)
        return one, other
    if tile < 1:
        raise ValueError(f"tile is {tile}; it must be 'auto', None, or at least 1")
    check_pool(i2t_pool)
    text, image, mask = as_languages(text, image, mask)
    size = len(image)
    image_mask = one_each(image_mask, "image_mask", (size,))
    groups = group_numbers(groups, size, axis_name)
    pairs = mask & image_mask

    def at_rows(number: float | Array) -> Array:
        return jnp.broadcast_to(jnp.asarray(number, jnp.promote_types(text.dtype, jnp.float32)), mask.shape)

    scale, offset = at_rows(1.0 / temperature), at_rows(0.0 if bias is None else bias)
    plan = TilePlan(names, names if both_directions else (), tile, axis_name, exchange)
    captions = Captions(text, scale, offset, pairs, jnp.broadcast_to(groups, mask.shape))
    of_captions, of_images = tiled_sums(plan, captions, Images(image, image_mask, groups))
    own = similarity("lbd,bd->lb", text, image) * scale + offset

    def pool(name: str, totals: Float[Array, "b languages"]) -> Float[Array, "pools b"]:
        return REDUCTIONS[name].merge(totals, 1)[None] if i2t_pool == "union" else totals.T

    return (
        Sums(dict(zip(names, of_captions, strict=True)), own, pairs),
        Sums({name: pool(name, one) for name, one in zip(plan.images, of_images, strict=True)}, own, image_mask[None]),
    )


def _whole(
    direction: Direction, names: tuple[str, ...], temperature: float | Array, bias: float | Array | None
) -> Sums:
    scores, own = direction.scores / temperature, direction.own / temperature
    if bias is not None:
        scores, own = scores + bias, own + bias
    return Sums(
        {name: REDUCTIONS[name].reduce(scores, direction.known, direction.exists, -1) for name in names},
        own,
        direction.anchors,
    )
