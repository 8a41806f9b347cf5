"""Batches of images with one caption of each language, drawn on the device from index arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from ccalign_jax.numerics import AnyArray
from ccalign_jax.pivots import Batch, Pivot

__all__ = ["Embeddings", "draw_batch", "image_order", "take", "towards_teacher"]


class Embeddings(NamedTuple):
    """A whole data set on the device, as float32 unit rows.

    Attributes:
        text: `[m, d_text]`, the captions of all languages below each other.
        image: `[n, d_image]`.
        caption_rows: `[languages, n, c]`, rows of `text`; only the first `caption_counts` of the c are used.
        caption_counts: `[languages, n]`, captions of each image in each language.
        groups: `[n]`, equal numbers for images that show the same thing.
        consensus: `[n, d_image]`, consensus of the views of each training image; None where no pivot needs it.
        image_mask: `[n]`, True where the row of `image` exists; None where all do.
        teachers: language, and `ALL_TEACHERS` for their mean, to `[n, d_image]` rows that captions may be trained
            towards in place of the images, zero where there is none; None without a teacher of the images' width.
        negatives: `[n, h]`, images that join a batch with each image of it, as hard negatives; None for none.
    """

    text: Float[AnyArray, "m d_text"]
    image: Float[AnyArray, "n d_image"]
    caption_rows: Int[AnyArray, "languages n c"]
    caption_counts: Int[AnyArray, "languages n"]
    groups: Int[AnyArray, " n"]
    consensus: Float[AnyArray, "n d_image"] | None = None
    image_mask: Bool[AnyArray, " n"] | None = None
    teachers: Mapping[str, Float[AnyArray, "n d_image"]] | None = None
    negatives: Int[AnyArray, "n h"] | None = None


def towards_teacher(embeddings: Embeddings, pivot: Pivot) -> Embeddings:
    """The data to train on: under a pivot with a teacher, its rows in the place of the images.

    Raises:
        ValueError: the data have no such teacher.
    """
    if pivot.teacher is None:
        return embeddings
    if pivot.teacher not in (embeddings.teachers or {}):
        raise ValueError(f"pivot {pivot.name}: the data have no teacher rows in {pivot.teacher}")
    rows = (embeddings.teachers or {})[pivot.teacher]
    return embeddings._replace(image=rows, image_mask=(rows != 0).any(axis=1))


def take(tree, place):
    """The entry at one place of the leading axis of every leaf."""
    return jax.tree.map(lambda leaf: _entry(leaf, place), tree)


@jax.jit  # for each shape of a leaf, of which there are few; a program of whole trees takes seconds to compile
def _entry(leaf, place):
    return leaf[place]


def image_order(
    key: Array,
    images: Int[Array, " t"],
    count: Int[Array, ""] | int,
    *,
    steps: int,
    size: int,
    replacement: bool,
    min_train_size: int,
) -> Int[Array, "steps size"]:
    """The images of every batch of a run.

    Without replacement an image comes again only after all the others of its pass; a remainder that fills no batch is
    left out of the pass, a different one each time.

    Args:
        key: typed random key.
        images: `[t]` training images; the first `count` are real, the rest padding.
        count: how many are real; traced.
        steps: number of batches.
        size: images a batch, at most `min_train_size`.
        replacement: draw all images of each batch with replacement, as the seed study does.
        min_train_size: a static lower bound of `count`.

    Raises:
        ValueError: `size` exceeds `min_train_size`.
    """
    if size > min_train_size:
        raise ValueError(f"a batch of {size} images cannot be drawn from {min_train_size}")
    if replacement:
        return images[jax.random.randint(key, (steps, size), 0, count)]
    passes = -(-steps // (min_train_size // size))
    noise = jax.random.uniform(key, (passes, images.shape[0]))
    shuffled = jnp.argsort(jnp.where(jnp.arange(images.shape[0]) < count, noise, jnp.inf), axis=1)
    place = jnp.arange(steps * size)
    # Not `//` and `%`, which compile the floor of negative numbers, too.
    usable = jax.lax.div(jnp.asarray(count, place.dtype), jnp.asarray(size, place.dtype)) * size
    return images[shuffled[jax.lax.div(place, usable), jax.lax.rem(place, usable)]].reshape(steps, size)


def draw_batch(key: Array, embeddings: Embeddings, images: Int[Array, " b"]) -> Batch:
    """These images, and for each one caption of every language it has, drawn evenly from its captions."""
    counts = jnp.asarray(embeddings.caption_counts)[:, images]
    choice = (jax.random.uniform(key, counts.shape) * counts).astype(jnp.int32)
    choice = jnp.clip(choice, 0, jnp.maximum(counts - 1, 0))
    several = embeddings.caption_rows[:, images]
    rows = jnp.take_along_axis(several, choice[..., None], axis=-1, mode="promise_in_bounds")[..., 0]
    return Batch(
        text=embeddings.text[rows],
        mask=counts > 0,
        image=embeddings.image[images],
        image_mask=jnp.ones(images.shape, bool) if embeddings.image_mask is None else embeddings.image_mask[images],
        groups=embeddings.groups[images],
        consensus=None if embeddings.consensus is None else embeddings.consensus[images],
    )
