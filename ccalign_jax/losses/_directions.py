"""Scores of both retrieval directions in a batch, in one layout, so that a loss is written once for both."""

from __future__ import annotations

import functools
from typing import Literal, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from ccalign_jax.losses._batch import as_languages, gather, known_positives, one_each, places, similarity

__all__ = ["Direction", "Pool", "check_pool", "directions"]

Pool = Literal["union", "per_language"]


class Direction(NamedTuple):
    """Scores of one retrieval direction in a batch, text→image or image→text.

    Candidates are those of all devices. Text→image has one pool of candidates for each language; image→text one for
    each language, or one for all languages. An axis of length one stands for every pool, language or anchor.

    Attributes:
        scores: `[pools, b, candidates]`, the similarity of each anchor to each candidate.
        own: `[languages, b]`, the score of each pair, taken from the same products as those of its rivals.
        known: `[1, b, candidates]`, True where the candidate shows what the anchor shows.
        exists: `[#pools, 1, candidates]`, True where the candidate exists.
        anchors: `[#pools, b]`, True where the anchor exists.
    """

    scores: Float[Array, "pools b candidates"]
    own: Float[Array, "languages b"]
    known: Bool[Array, "1 b candidates"]
    exists: Bool[Array, "#pools 1 candidates"]
    anchors: Bool[Array, "#pools b"]

    @property
    def rivals(self) -> Bool[Array, "#pools b candidates"]:
        """The negatives: candidates that show something else."""
        return self.exists & ~self.known


def directions(
    text: Array,
    image: Array,
    *,
    mask: Array | None,
    image_mask: Array | None,
    groups: Array | None,
    i2t_pool: Pool,
    axis_name: str | None,
) -> tuple[Direction, Direction]:
    """Text→image and image→text; the anchors of the first are the pairs, captions whose image exists.

    Raises:
        ValueError: shapes that do not fit, or an unknown `i2t_pool`.
    """
    check_pool(i2t_pool)
    text, image, mask = as_languages(text, image, mask)
    languages, size = mask.shape
    image_mask = one_each(image_mask, "image_mask", (size,))
    pairs = mask & image_mask
    known = known_positives(groups, size, axis_name)
    place = places(size, axis_name)
    every_pair = gather(pairs, axis_name, axis=1)

    t2i = similarity("lbd,cd->lbc", text, gather(image, axis_name))
    if axis_name is None:  # one product serves both directions
        i2t = jnp.transpose(t2i, (2, 0, 1))
    else:
        i2t = similarity("bd,lcd->blc", image, gather(text, axis_name, axis=1))
    take = functools.partial(jnp.take_along_axis, axis=-1, mode="promise_in_bounds")
    t2i_own, i2t_own = take(t2i, place[None, :, None])[..., 0], take(i2t, place[:, None, None])[..., 0].T

    towards_images = Direction(t2i, t2i_own, known[None], gather(image_mask, axis_name)[None, None], pairs)
    if i2t_pool == "union":
        scores, exists = i2t.reshape(1, size, -1), every_pair.reshape(1, 1, -1)
        towards_captions = Direction(scores, i2t_own, jnp.tile(known, languages)[None], exists, image_mask[None])
    else:
        scores, exists = jnp.swapaxes(i2t, 0, 1), every_pair[:, None]
        towards_captions = Direction(scores, i2t_own, known[None], exists, image_mask[None])
    return towards_images, towards_captions


def check_pool(i2t_pool: str) -> None:
    """Raise a ValueError for a pool that does not exist."""
    if i2t_pool not in ("union", "per_language"):
        raise ValueError(f"i2t_pool is {i2t_pool!r}; it must be 'union' or 'per_language'")
