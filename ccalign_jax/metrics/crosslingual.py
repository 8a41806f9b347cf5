"""Retrieval from the captions of one language to those of another, directly and through the images."""

from __future__ import annotations

from typing import Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from ccalign_jax.metrics.counts import Ranks
from ccalign_jax.metrics.ranks import BLOCK_ENTRIES, Scorer, cosine_scores, rank

__all__ = ["TextTask", "rank_text_pairs", "rank_via_image"]

TextTask = Literal["hard", "soft", "oracle"]


def rank_text_pairs(
    queries: PyTree[Array],
    gallery: PyTree[Array],
    image_of_query: Int[Array, " m"],
    image_of: Int[Array, " g"],
    captions_of: Int[Array, "n k"],
    *,
    score: Scorer = cosine_scores,
    block_entries: int = BLOCK_ENTRIES,
) -> Ranks:
    """Ranks of every caption of one language among the captions of another; gold are all those of its image.

    Args:
        queries: `[m, d]` caption rows of the first language, or a tree that `score` understands.
        gallery: `[g, d]` caption rows of the second language, likewise.
        image_of_query: `[m]` image of each query, -1 where the row is no caption.
        image_of: `[g]` image of each gallery row, -1 where the row is no caption.
        captions_of: `[n, k]` gallery rows of each image, -1 for none.
        score: scores a tile of queries against the gallery.
        block_entries: how many scores may be held at once.

    Returns:
        Ranks `[m]`. A caption whose image has none in the second language is no query (`tied` is 0).

    Raises:
        ValueError: arrays whose lengths do not fit.

    Example:
        >>> there = jnp.arange(3)
        >>> rank_text_pairs(jnp.eye(3), jnp.eye(3)[::-1], there, there[::-1], there[::-1, None]).better.tolist()
        [0, 0, 0]
    """
    gold = gold_captions(queries, gallery, image_of_query, image_of, captions_of)
    return rank(queries, gallery, gold, gallery_mask=image_of >= 0, score=score, block_entries=block_entries)


def rank_via_image(
    queries: PyTree[Array],
    gallery: PyTree[Array],
    image: PyTree[Array],
    image_of_query: Int[Array, " m"],
    image_of: Int[Array, " g"],
    captions_of: Int[Array, "n k"],
    *,
    how: TextTask = "hard",
    temperature: float | Float[Array, ""] = 0.01,
    image_mask: Bool[Array, " n"] | None = None,
    image_score: Scorer = cosine_scores,
    score: Scorer = cosine_scores,
    block_entries: int = BLOCK_ENTRIES,
) -> Ranks:
    """As `rank_text_pairs`, but what is scored against the gallery is an image row that the query leads to.

    `hard` is the image nearest to the query, right or wrong; gold are the captions of the query's own image
    all the same. `soft` is the mean of all image rows, weighted by a softmax of their scores over a
    temperature; `oracle` the query's own image, the bound for any way through one image. Where several
    images tie for nearest, `hard` takes the mean of their rows, the limit of `soft` as the temperature falls:
    the order of the images does not matter, equal rows count as one row, and a caption that is equally near
    to every image leads to their centre. Mean rows are not scaled to length one again, which changes no rank
    under the cosine.

    Args:
        queries, gallery, image_of_query, image_of, captions_of: as in `rank_text_pairs`.
        image: `[n, d]` image rows, or a tree of float arrays with `n` rows that both scores understand.
        how: the way through the images; static.
        temperature: > 0; of `soft` alone.
        image_mask: True where the row is an image; all by default.
        image_score: scores a tile of queries against the images.
        score: scores a tile of image rows against the gallery.
        block_entries: how many scores may be held at once.

    Returns:
        Ranks `[m]`, as `rank_text_pairs`.

    Raises:
        ValueError: an unknown `how`, or arrays whose lengths do not fit.

    Example:
        >>> text, image, there = jnp.eye(2), jnp.eye(2)[::-1], jnp.arange(2)
        >>> rank_via_image(text, text, image, there, there, there[:, None]).better.tolist()
        [0, 0]
        >>> rank_via_image(text, text, image, there, there, there[:, None], how="oracle").better.tolist()
        [1, 1]
    """
    gold = gold_captions(queries, gallery, image_of_query, image_of, captions_of)
    if (images := _rows(image)) != len(captions_of):
        raise ValueError(f"image has {images} rows, captions_of {len(captions_of)}: give one row an image to both")

    if how not in ("hard", "soft", "oracle"):
        raise ValueError(f"how is {how!r}; choose 'hard', 'soft' or 'oracle'")

    def follow(tile: PyTree[Array]) -> PyTree[Array]:
        if how == "oracle":
            return jax.tree.map(lambda leaf: leaf[jnp.maximum(tile[1], 0)], image)
        near = mask_scores(image_score(tile[0], image), image_mask)
        return jax.tree.map(lambda leaf: weighted_rows(image_weights(near, how, temperature), leaf), image)

    rows = _rows(gallery)
    widest = rows if how == "oracle" else max(rows, images)
    return rank(
        (queries, image_of_query),
        gallery,
        gold,
        gallery_mask=image_of >= 0,
        score=lambda tile, captions: score(follow(tile), captions),
        block_entries=block_entries * rows // widest,  # a tile meets the images, too
    )


def gold_captions(
    queries: PyTree[Array], gallery: PyTree[Array], image_of_query: Array, image_of: Array, captions_of: Array
) -> Int[Array, "m k"]:
    """The gallery rows of each query's image, -1 for none."""
    for name, rows, owners in (("queries", queries, image_of_query), ("gallery", gallery, image_of)):
        if _rows(rows) != len(owners):
            raise ValueError(f"{name} has {_rows(rows)} rows, but {len(owners)} images are named; name one a row")
    return jnp.where((image_of_query >= 0)[:, None], captions_of[jnp.maximum(image_of_query, 0)], -1)


def mask_scores(scores: Float[Array, "q n"], mask: Bool[Array, " n"] | None) -> Float[Array, "q n"]:
    """Scores with NaN below all, and -inf where the item does not exist."""
    scores = jnp.where(jnp.isnan(scores), jnp.finfo(scores.dtype).min, scores)
    return scores if mask is None else jnp.where(mask, scores, -jnp.inf)


def image_weights(
    scores: Float[Array, "q n"], how: TextTask, temperature: float | Float[Array, ""]
) -> Float[Array, "q n"]:
    """How much each image counts: by softmax, or all for the nearest, shared alike where several are."""
    if how == "soft":
        return jax.nn.softmax(scores / temperature, axis=1)
    highest = (scores == jnp.max(scores, axis=1, keepdims=True)).astype(scores.dtype)
    return highest / jnp.sum(highest, axis=1, keepdims=True)


def weighted_rows(weights: Float[Array, "q n"], rows: Float[Array, "n ..."]) -> Float[Array, "q ..."]:
    # At full precision: a weight of one must give back the very row, or captions equal to it tie no more.
    return jnp.tensordot(weights, rows, axes=1, precision=jax.lax.Precision.HIGHEST)


def _rows(tree: PyTree[Array]) -> int:
    return jax.tree.leaves(tree)[0].shape[0]
