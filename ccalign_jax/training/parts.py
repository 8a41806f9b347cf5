"""A part of the data to retrieve in: its captions and images as index arrays, and their ranks under a map."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from ccalign_jax.aligners import Aligner, Params
from ccalign_jax.metrics import Ranks, rank_pairs, recall_at
from ccalign_jax.numerics import AnyArray, unit_rows
from ccalign_jax.training.batches import Embeddings

__all__ = ["Part", "PartRows", "mean_scores", "part_ranks", "take_part"]

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
    """A part with its rows: taken once, before a loop that scores it many times."""

    part: Part
    image: Float[Array, "s d_image"]
    text: tuple[Float[Array, "m d_text"], ...]


def take_part(embeddings: Embeddings, part: Part) -> PartRows:
    """The rows of a part; padding repeats row 0, and the ranks never look at it."""
    text = tuple(embeddings.text[jnp.maximum(rows, 0)] for rows in part.captions)
    return PartRows(part, embeddings.image[jnp.maximum(part.images, 0)], text)


def part_ranks(aligner: Aligner, params: Params, rows: PartRows) -> LanguageRanks:
    """For each language the text→image ranks of its captions and the image→text ranks of the images."""
    part, image = rows.part, unit_rows(aligner.image(params, rows.image))

    def one_language(inputs: tuple[Array, ...]) -> tuple[Ranks, Ranks]:
        text, image_of, captions_of, number = inputs
        text = unit_rows(aligner.text(params, text, number))
        return rank_pairs(text, image, image_of, captions_of, image_mask=jnp.asarray(part.images >= 0))

    # Languages of the same shape share one piece of code: with nine of them it compiles in a third of the time.
    shapes = [(owner.shape, gold.shape) for owner, gold in zip(part.image_of, part.captions_of, strict=True)]
    found: list[tuple[Ranks, Ranks] | None] = [None] * len(shapes)
    for shape in dict.fromkeys(shapes):
        numbers = [number for number, other in enumerate(shapes) if other == shape]
        sides = (rows.text, part.image_of, part.captions_of)
        stacked = [jnp.stack([side[number] for number in numbers]) for side in sides]
        ranks = jax.lax.map(one_language, (*stacked, jnp.asarray(numbers)))
        for place, number in enumerate(numbers):
            found[number] = jax.tree.map(lambda leaf, p=place: leaf[p], ranks)
    return tuple(pair for pair in found if pair is not None)


def mean_scores(ranks: LanguageRanks) -> Float[Array, 3]:
    """Macro t2i R@1, i2t R@1, and MRR (the mean of both directions): what selection looks at."""
    directions = []
    for direction in (0, 1):
        figures = []
        for language in ranks:
            one = language[direction]
            queries = one.tied > 0
            share = queries / jnp.maximum(jnp.sum(queries), 1)
            figures.append(jnp.stack([jnp.sum(recall_at(one, 1) * share), jnp.sum(one.reciprocal_rank * share)]))
        directions.append(jnp.mean(jnp.stack(figures), axis=0))
    (t2i, t2i_reciprocal), (i2t, i2t_reciprocal) = directions
    return jnp.stack([t2i, i2t, 0.5 * (t2i_reciprocal + i2t_reciprocal)])
