"""Pivots: what a batch is aligned to. A pivot turns a batch into the terms of the objective."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from ccalign_jax.aligners import Aligner, Params
from ccalign_jax.errors import InputError

__all__ = ["PIVOTS", "Batch", "Pivot", "Term", "make_pivot"]


class Batch(NamedTuple):
    """Images and one caption of each in every language; float32 unit rows.

    Attributes:
        text: `[languages, b, d_text]`; rows without a caption hold anything finite.
        mask: `[languages, b]`, True where the caption exists.
        image: `[b, d_image]`.
        image_mask: `[b]`, True where the row is a real image.
        groups: `[b]`, equal numbers for images that show the same thing.
    """

    text: Float[Array, "languages b d_text"]
    mask: Bool[Array, "languages b"]
    image: Float[Array, "b d_image"]
    image_mask: Bool[Array, " b"]
    groups: Int[Array, " b"]


class Term(NamedTuple):
    """One term of the objective: anchors `[languages, b, d]` are pulled to targets `[b, d]`."""

    anchors: Float[Array, "languages b d"]
    targets: Float[Array, "b d"]
    mask: Bool[Array, "languages b"]
    target_mask: Bool[Array, " b"]
    weight: float | Float[Array, ""] = 1.0


TextRows = Callable[[Array], Array]


class Pivot(NamedTuple):
    """What captions are aligned to.

    Attributes:
        name: `image`, `text:en`, `symmetric`.
        terms: `terms(aligner, params, batch, map_text) -> [Term, ...]`; `map_text` maps
            `[languages, b, d_text]` rows through the aligner (and holds the dropout key).
        language: the pivot language of a text pivot, which caption rows of other languages move to.
        moves_images: whether image rows are trained too, so that the aligner needs image parameters.
    """

    name: str
    terms: Callable[[Aligner, Params, Batch, TextRows], list[Term]]
    language: str | None = None
    moves_images: bool = False


def _image_terms(aligner: Aligner, params: Params, batch: Batch, map_text: TextRows) -> list[Term]:
    return [Term(map_text(batch.text), batch.image, batch.mask, batch.image_mask)]


def _symmetric_terms(aligner: Aligner, params: Params, batch: Batch, map_text: TextRows) -> list[Term]:
    return [Term(map_text(batch.text), aligner.image(params, batch.image), batch.mask, batch.image_mask)]


def _text_pivot(language: str, languages: tuple[str, ...]) -> Pivot:
    if language not in languages:
        raise InputError(f"pivot text:{language}: no captions in {language!r}; the data has {', '.join(languages)}")
    number = languages.index(language)

    def terms(aligner: Aligner, params: Params, batch: Batch, map_text: TextRows) -> list[Term]:
        has_target = batch.mask[number] & batch.image_mask
        return [Term(map_text(batch.text), batch.text[number], batch.mask & has_target, has_target)]

    return Pivot(f"text:{language}", terms, language=language)


class PivotEntry(NamedTuple):
    """A named pivot: `make(argument, languages)`, and one line of what it is."""

    make: Callable[[str, tuple[str, ...]], Pivot]
    summary: str
    takes_language: bool = False


PIVOTS: dict[str, PivotEntry] = {
    "image": PivotEntry(lambda _, languages: Pivot("image", _image_terms), "captions move to their frozen image"),
    "text": PivotEntry(_text_pivot, "captions move to the frozen caption in that language", True),
    "symmetric": PivotEntry(
        lambda _, languages: Pivot("symmetric", _symmetric_terms, moves_images=True),
        "captions and images both move (needs dual(...))",
    ),
}


def make_pivot(name: str, languages: tuple[str, ...]) -> Pivot:
    """The pivot of this name.

    Args:
        name: `image`, `symmetric`, or `text:<language>`.
        languages: the data's languages, sorted.

    Raises:
        InputError: an unknown pivot, or a language that the data does not have.

    Example:
        >>> make_pivot("text:en", ("de", "en")).language
        'en'
    """
    kind, colon, argument = name.partition(":")
    entry = PIVOTS.get(kind)
    if entry is None or bool(colon) != entry.takes_language:
        known = ", ".join(f"{key}:<language>" if value.takes_language else key for key, value in PIVOTS.items())
        raise InputError(f"unknown pivot {name!r}; there are {known} (--pivot=list)")
    return entry.make(argument, languages)


def map_languages(
    aligner: Aligner,
    params: Params,
    text: Float[Array, "languages b d_text"],
    *,
    key: Array | None,
    dropout: Array | float,
) -> Float[Array, "languages b d_out"]:
    """Rows of all languages through the aligner, with a dropout key of its own for each language."""
    numbers = jnp.arange(text.shape[0])
    if key is None:
        return jax.vmap(lambda rows, number: aligner.text(params, rows, number))(text, numbers)
    keys = jax.random.split(key, text.shape[0])
    return jax.vmap(lambda rows, number, k: aligner.text(params, rows, number, key=k, dropout=dropout))(
        text, numbers, keys
    )
