"""Reductions of scores without the matrix of scores: tile by tile, recomputed for the gradient, over devices too.

Memory is linear in the batch. A tile serves both directions: it is reduced over images and over captions. Devices
exchange images, since captions are more by the number of languages.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from ccalign_jax.losses._batch import similarity
from ccalign_jax.losses._exchange import Exchange, exchanged, varying
from ccalign_jax.losses._reductions import REDUCTIONS
from ccalign_jax.tiles import visit_tiles

__all__ = ["Captions", "Images", "Tile", "TilePlan", "auto_tile", "tiled_sums"]

Tile = int | Literal["auto"] | None
# On a CPU tiles are faster once the scores, and as many slopes, leave the cache (experiments/benchmarks/tiled_loss.py).
TILED_FROM, AUTO_TILE = 2048 * 2048, 1024
# An accelerator computes the whole matrix faster; from some 4 GiB on, tiles save its memory.
ACCELERATOR_TILED_FROM, ACCELERATOR_TILE = 16_384 * 16_384, 8192
Totals = tuple[Array, ...]


class TilePlan(NamedTuple):
    """Static choices of a tiled sum.

    Attributes:
        captions: names of `REDUCTIONS` that each caption gets over the images.
        images: those that each image gets over the captions, of each language by itself.
        size: captions, and images, a tile.
        axis_name: mapped axis over which the batch is spread; None where it is not.
        exchange: how devices exchange images: `ring`, from neighbour to neighbour, or `gather`, to all at once.
    """

    captions: tuple[str, ...]
    images: tuple[str, ...]
    size: int
    axis_name: str | None
    exchange: Exchange


class Captions(NamedTuple):
    """The captions of all languages; a score is scale · ⟨caption, image⟩ + offset.

    Scale and offset stand at each row, so that the sums in their derivatives, over devices too, are left to autodiff.
    """

    rows: Float[Array, "languages m d"]
    scale: Float[Array, "languages m"]
    offset: Float[Array, "languages m"]
    exists: Bool[Array, "languages m"]
    groups: Int[Array, "languages m"]


class Images(NamedTuple):
    """The images."""

    rows: Float[Array, "n d"]
    exists: Bool[Array, " n"]
    groups: Int[Array, " n"]


class _Side(NamedTuple):
    """The sums that one side got, and the derivatives of the loss in them."""

    totals: Totals
    slopes: Totals


def auto_tile(captions: int, images: int, *, backend: str | None = None) -> int | None:
    """The tile that `tile="auto"` stands for: None, the whole matrix of scores, in small batches.

    Args:
        captions: of the batch, in all languages together and on all devices.
        images: of the batch, on all devices.
        backend: "cpu" or an accelerator; jax's default by default.

    Example:
        >>> auto_tile(5 * 32, 32, backend="cpu"), auto_tile(32_768, 32_768, backend="cpu")
        (None, 1024)
    """
    on_cpu = (backend or jax.default_backend()) == "cpu"
    start, tile = (TILED_FROM, AUTO_TILE) if on_cpu else (ACCELERATOR_TILED_FROM, ACCELERATOR_TILE)
    return tile if captions * images >= start else None


def tiled_sums(plan: TilePlan, captions: Captions, images: Images) -> tuple[Totals, Totals]:
    """The plan's sums for every caption, `[languages, m]` each, and for every image, `[n, languages]` each.

    Differentiable, once, in rows, scale and offset. Under `plan.axis_name` the candidates are those of all devices.
    """
    captions, images = varying((captions, images), plan.axis_name)
    return _sums(plan, captions, images)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _sums(plan: TilePlan, captions: Captions, images: Images) -> tuple[Totals, Totals]:
    dtype = jnp.promote_types(captions.rows.dtype, jnp.float32)

    def starts(names: tuple[str, ...], shape: tuple[int, int]) -> Totals:
        return varying(tuple(jnp.full(shape, REDUCTIONS[name].start, dtype) for name in names), plan.axis_name)

    def step(caption_totals: Totals, images: Images, image_totals: Totals) -> tuple[Totals, Totals]:
        def one_language(given: tuple[Captions, Totals, Totals]) -> tuple[Totals, Totals]:
            captions, caption_totals, image_totals = given
            return visit_tiles(
                partial(_add_tile, plan),
                captions,
                images,
                caption_totals,
                image_totals,
                row_size=plan.size,
                column_size=plan.size,
            )

        caption_totals, each = jax.lax.map(one_language, (captions, caption_totals, _by_language(image_totals)))
        return caption_totals, _by_language(each)

    languages, size = captions.exists.shape
    merges = tuple(REDUCTIONS[name].merge for name in plan.images)
    start = starts(plan.captions, (languages, size)), starts(plan.images, (len(images.exists), languages))
    return exchanged(plan.axis_name, plan.exchange, step, start[0], images, start[1], merges)


def _sums_forward(plan: TilePlan, captions: Captions, images: Images) -> tuple[Any, Any]:
    totals = _sums(plan, captions, images)
    return totals, (captions, images, totals)


def _sums_backward(plan: TilePlan, kept: Any, slopes: tuple[Totals, Totals]) -> tuple[Captions, Images]:
    captions, images, totals = kept
    caption_side, image_side = map(_Side, totals, slopes)
    wide = partial(jnp.zeros_like, dtype=jnp.promote_types(captions.rows.dtype, jnp.float32))

    def step(d_captions: Captions, images: tuple[Images, _Side], d_rows: Array) -> tuple[Captions, Array]:
        def one_language(d_rows: Array, given: tuple[Captions, _Side, _Side, Captions]) -> tuple[Array, Captions]:
            captions, caption_side, image_side, d_captions = given
            d_captions, d_rows = visit_tiles(
                partial(_add_slopes, plan),
                (captions, caption_side),
                (images[0], image_side),
                d_captions,
                d_rows,
                row_size=plan.size,
                column_size=plan.size,
            )
            return d_rows, d_captions

        given = captions, caption_side, _by_language(images[1]), d_captions
        d_rows, d_captions = jax.lax.scan(one_language, d_rows, given)
        return d_captions, d_rows

    moving = (captions.rows, captions.scale, captions.offset), images.rows
    start = varying(jax.tree.map(wide, moving), plan.axis_name)
    found = exchanged(plan.axis_name, plan.exchange, step, start[0], (images, image_side), start[1], jnp.sum)
    d_captions, d_rows = jax.tree.map(lambda slope, leaf: slope.astype(leaf.dtype), found, moving)
    return Captions._make((*d_captions, None, None)), Images._make((d_rows, None, None))


_sums.defvjp(_sums_forward, _sums_backward)


def _products(captions: Captions, images: Images) -> tuple[Array, Array, Array]:
    """Of a tile: ⟨caption, image⟩, the scores, and who shows the same thing."""
    products = similarity("rd,cd->rc", captions.rows, images.rows)
    scores = products * captions.scale[:, None] + captions.offset[:, None]
    return products, scores, captions.groups[:, None] == images.groups[None, :]


def _add_tile(plan: TilePlan, captions: Captions, images: Images, caption_totals: Totals, image_totals: Totals):
    _, scores, known = _products(captions, images)

    def add(names: tuple[str, ...], totals: Totals, exists: Array, axis: int) -> Totals:
        found = []
        for name, total in zip(names, totals, strict=True):
            here = REDUCTIONS[name].reduce(scores, known, exists, axis)
            found.append(REDUCTIONS[name].merge(jnp.stack([total, here]), 0))
        return tuple(found)

    caption_totals = add(plan.captions, caption_totals, images.exists[None, :], 1)
    return caption_totals, add(plan.images, image_totals, captions.exists[:, None], 0)


def _add_slopes(plan: TilePlan, rows: tuple[Captions, _Side], columns: tuple[Images, _Side], d_captions, d_images):
    (captions, caption_side), (images, image_side) = rows, columns
    products, scores, known = _products(captions, images)
    slopes = jnp.zeros_like(scores)
    for names, side, exists, axis in (
        (plan.captions, caption_side, images.exists[None, :], 1),
        (plan.images, image_side, captions.exists[:, None], 0),
    ):
        for name, *given in zip(names, side.totals, side.slopes, strict=True):
            total, slope = (jnp.expand_dims(each, axis) for each in given)
            slopes += slope * REDUCTIONS[name].slope(scores, total, known, exists)
    weights = (slopes * captions.scale[:, None]).astype(captions.rows.dtype)
    d_rows, d_scale, d_offset = d_captions
    d_rows += similarity("rc,cd->rd", weights, images.rows)
    d_scale += jnp.sum(slopes * products, axis=1)
    d_offset += jnp.sum(slopes, axis=1)
    return (d_rows, d_scale, d_offset), d_images + similarity("rc,rd->cd", weights, captions.rows)


def _by_language(totals: Any) -> Any:
    """`[n, languages]` as `[languages, n]`, and back."""
    return jax.tree.map(lambda leaf: jnp.swapaxes(leaf, 0, 1), totals)
