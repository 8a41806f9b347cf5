"""One part of the data: its captions and images as index arrays, and their ranks under a map."""

from __future__ import annotations

from functools import partial, reduce
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from ccalign_jax.aligners import Aligner, Params, map_captions, map_images
from ccalign_jax.metrics import Ranks, rank_pairs, recall_at
from ccalign_jax.numerics import AnyArray, map_by_shape
from ccalign_jax.precision import Precision, in_precision
from ccalign_jax.training.batches import Embeddings

__all__ = [
    "SCORES",
    "Part",
    "PartRows",
    "PartScores",
    "map_part",
    "rank_part",
    "score_map",
    "score_part",
]

SCORES = ("t2i_R@1", "i2t_R@1", "MRR")  # for model selection
LanguageRanks = tuple[tuple[Ranks, Ranks], ...]


class Part(NamedTuple):
    """Index arrays of a gallery and its captions; -1 is padding everywhere.

    Attributes:
        images: `[s]` rows of `Embeddings.image`.
        captions: for each language `[m_l]` rows of `Embeddings.text`.
        image_of: for each language `[m_l]` places in `images`.
        captions_of: for each language `[s, k_l]` places in `captions`.
    """

    images: Int[AnyArray, " s"]
    captions: tuple[Int[AnyArray, " m"], ...]
    image_of: tuple[Int[AnyArray, " m"], ...]
    captions_of: tuple[Int[AnyArray, "s k"], ...]


class PartRows(NamedTuple):
    """A part with its rows under a map."""

    part: Part
    image: Float[Array, "s d_image"]
    text: tuple[Float[Array, "m d_text"], ...]


class PartScores(NamedTuple):
    """The `SCORES` of a part, for model selection.

    Attributes:
        mean: `[..., 3]`.
        images: `[..., s, 3]`, what each image adds to them by its own queries and those of its captions.
    """

    mean: Float[AnyArray, "*points 3"]
    images: Float[AnyArray, "*points s 3"]


def _map_rows(aligner: Aligner, params: Params, embeddings: Embeddings, part: Part) -> PartRows:
    """The rows of a part under a map, of length one; padding is row 0, and the ranks never look at it."""

    def one_language(inputs: tuple[AnyArray, AnyArray]) -> Float[Array, "m d"]:
        captions, number = map(jnp.asarray, inputs)
        return map_captions(aligner, params, jnp.asarray(embeddings.text)[jnp.maximum(captions, 0)], number)

    text = map_by_shape(one_language, list(zip(part.captions, jnp.arange(len(part.captions)), strict=True)))
    images = jnp.asarray(embeddings.image)[jnp.maximum(part.images, 0)]
    return PartRows(part, map_images(aligner, params, images), tuple(text))


def rank_rows(rows: PartRows) -> LanguageRanks:
    """For each language the text→image ranks of its captions and the image→text ranks of the images, as rows stand."""
    part = rows.part
    image_mask = jnp.asarray(part.images >= 0)

    def one_language(inputs: tuple[AnyArray, AnyArray, AnyArray]) -> tuple[Ranks, Ranks]:
        text, image_of, captions_of = map(jnp.asarray, inputs)
        return rank_pairs(text, rows.image, image_of, captions_of, image_mask=image_mask)

    return tuple(map_by_shape(one_language, list(zip(rows.text, part.image_of, part.captions_of, strict=True))))


def map_part(
    aligner: Aligner, params: Params, embeddings: Embeddings, part: Part, precision: Precision = "float32"
) -> PartRows:
    """The rows of a part of the data under a map; compiled for each aligner."""
    return _map_part(aligner, params, embeddings, part, precision)  # calls that leave a default out compile apart


@partial(jax.jit, static_argnums=(0, 4))
def _map_part(aligner: Aligner, params: Params, embeddings: Embeddings, part: Part, precision: Precision) -> PartRows:
    return in_precision(partial(_map_rows, aligner), precision)(params, embeddings, part)


@partial(jax.jit, static_argnums=1)
def score_part(rows: PartRows, precision: Precision = "float32") -> PartScores:
    """The scores of mapped rows: for each direction the mean over the languages that have queries.

    Compiled once for all aligners.
    """
    return in_precision(_score_rows, precision, exact_too=True)(rows)


def _score_rows(rows: PartRows) -> PartScores:
    part = rows.part
    image_mask = jnp.asarray(part.images >= 0)

    def one_language(inputs: tuple[AnyArray, AnyArray, AnyArray]) -> tuple[Array, Array, Array]:
        """Of both directions, R@1 and reciprocal rank: their means, whether there are queries, and shares of images."""
        text, image_of, captions_of = map(jnp.asarray, inputs)
        by_caption, by_image = (
            _query_shares(ranks) for ranks in rank_pairs(text, rows.image, image_of, captions_of, image_mask=image_mask)
        )
        of_captions = jax.ops.segment_sum(by_caption, jnp.maximum(image_of, 0), len(part.images))
        means = jnp.stack([jnp.sum(by_caption, axis=0), jnp.sum(by_image, axis=0)])
        there = jnp.stack([jnp.any(image_of >= 0), jnp.any(captions_of >= 0)]).astype(jnp.int32)
        return means, there, jnp.stack([of_captions, by_image])

    found = map_by_shape(one_language, list(zip(rows.text, part.image_of, part.captions_of, strict=True)))
    means, there, images = (reduce(jnp.add, (one[leaf] for one in found)) for leaf in range(3))
    languages = jnp.maximum(there, 1)
    return PartScores(_three(means / languages[:, None]), _three(images / languages[:, None, None]))


def _query_shares(ranks: Ranks) -> Float[Array, "q 2"]:
    """What each query adds to the means of R@1 and of the reciprocal rank."""
    queries = ranks.tied > 0
    share = queries / jnp.maximum(jnp.sum(queries), 1)
    return jnp.stack([recall_at(ranks, 1) * share, ranks.reciprocal_rank * share], axis=1)


def _three(directions: Float[Array, "2 *s 2"]) -> Float[Array, "*s 3"]:
    """t2i R@1, i2t R@1, and the reciprocal rank averaged over both."""
    t2i, i2t = directions
    return jnp.stack([t2i[..., 0], i2t[..., 0], 0.5 * (t2i[..., 1] + i2t[..., 1])], axis=-1)


def score_map(
    aligner: Aligner, params: Params, embeddings: Embeddings, part: Part, precision: Precision = "float32"
) -> PartScores:
    """Scores of a map on a part."""
    return score_part(map_part(aligner, params, embeddings, part, precision), precision)


rank_part = jax.jit(rank_rows)  # once for all aligners
