"""Pivots: what a batch is aligned to. A pivot turns a batch into the terms of the objective."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple, Protocol

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from ccalign_jax.aligners import Aligner, Params
from ccalign_jax.errors import InputError
from ccalign_jax.numerics import unit_rows

__all__ = ["PIVOTS", "Batch", "Pivot", "Term", "make_pivot"]


class Batch(NamedTuple):
    """Images and one caption of each in every language; float32 unit rows.

    Attributes:
        text: `[languages, b, d_text]`; rows without a caption hold anything finite.
        mask: `[languages, b]`, True where the caption exists.
        image: `[b, d_image]`.
        image_mask: `[b]`, True where the row is a real image.
        groups: `[b]`, equal numbers for images that show the same thing.
        consensus: `[b, d_image]`, what the views of each image agree on, for the pivots that were prepared for.
    """

    text: Float[Array, "languages b d_text"]
    mask: Bool[Array, "languages b"]
    image: Float[Array, "b d_image"]
    image_mask: Bool[Array, " b"]
    groups: Int[Array, " b"]
    consensus: Float[Array, "b d_image"] | None = None


class Term(NamedTuple):
    """One term of the objective: anchors are pulled to targets.

    Attributes:
        anchors: `[languages, b, d]` rows.
        targets: `[b, d]`, or `[languages, b, d]` where each language has its own.
        mask: `[languages, b]`, True where the anchor exists.
        target_mask: True where the target exists, of the shape of the targets without d.
        weight: of this term.
        original: the anchors before the map, `[languages, b, d_before]`, for losses that look back.
    """

    anchors: Float[Array, "languages b d"]
    targets: Float[Array, "*languages b d"]
    mask: Bool[Array, "languages b"]
    target_mask: Bool[Array, "*languages b"]
    weight: float | Float[Array, ""] = 1.0
    original: Float[Array, "languages b d_before"] | None = None


TextRows = Callable[[Array], Array]


class Weights(Protocol):
    """The numbers that a pivot reads: `training.Hyper`."""

    @property
    def image_weight(self) -> Any: ...


Terms = Callable[[Aligner, Params, Batch, TextRows, Weights], list[Term]]


class Pivot(NamedTuple):
    """What captions are aligned to.

    Attributes:
        name: `image`, `text:en`, `centroid`, `auxiliary:en`, `consensus`, `gcca`, `symmetric`.
        terms: `terms(aligner, params, batch, map_text, hyper) -> [Term, ...]`; `map_text` maps
            `[languages, b, d_text]` rows through the aligner (and holds the dropout key).
        language: the pivot language of a text pivot, which caption rows of other languages move to.
        moves_images: whether image rows are trained too, so that the aligner needs image parameters.
        within_text: whether targets are captions, so that text and image rows must be of one width.
        consensus: how `Batch.consensus` is made of the training images before the fit: `procrustes`, `gcca`,
            or None where nothing is.
        reads: the hyper-parameters that it alone reads.
    """

    name: str
    terms: Terms
    language: str | None = None
    moves_images: bool = False
    within_text: bool = False
    consensus: Literal["procrustes", "gcca"] | None = None
    reads: frozenset[str] = frozenset()


def _text_term(batch: Batch, anchors: Array, number: int) -> Term:
    """All captions to the frozen caption of one language."""
    has_target = batch.mask[number] & batch.image_mask
    return Term(anchors, batch.text[number], batch.mask & has_target, has_target, original=batch.text)


def _image_term(batch: Batch, anchors: Array, image: Array) -> Term:
    return Term(anchors, image, batch.mask, batch.image_mask, original=batch.text)


def _image_terms(aligner: Aligner, params: Params, batch: Batch, map_text: TextRows, hyper: Weights) -> list[Term]:
    return [_image_term(batch, map_text(batch.text), batch.image)]


def _symmetric_terms(aligner: Aligner, params: Params, batch: Batch, map_text: TextRows, hyper: Weights) -> list[Term]:
    return [_image_term(batch, map_text(batch.text), aligner.image(params, batch.image))]


def _centroid_terms(aligner: Aligner, params: Params, batch: Batch, map_text: TextRows, hyper: Weights) -> list[Term]:
    there = batch.mask & batch.image_mask
    rows = jnp.where(there[..., None], batch.text, 0.0)
    # Without the anchor's own caption, which would leak into its target.
    targets = unit_rows(jnp.sum(rows, axis=0) - rows)
    has_target = (jnp.sum(there, axis=0) - there) > 0
    return [Term(map_text(batch.text), targets, batch.mask & has_target, has_target, original=batch.text)]


def _consensus_terms(aligner: Aligner, params: Params, batch: Batch, map_text: TextRows, hyper: Weights) -> list[Term]:
    """Captions and images each to what all views agree on; an image counts as much as all captions of it."""
    if batch.consensus is None:
        raise ValueError("the batch has no consensus; prepare it from the training images first")
    mapped, rows = aligner.image(params, batch.image)[None], batch.image[None]
    return [
        _image_term(batch, map_text(batch.text), batch.consensus)._replace(weight=0.5),
        Term(mapped, batch.consensus, batch.image_mask[None], batch.image_mask, weight=0.5, original=rows),
    ]


def _text_pivot(language: str, languages: tuple[str, ...]) -> Pivot:
    number = _number("text", language, languages)

    def terms(aligner: Aligner, params: Params, batch: Batch, map_text: TextRows, hyper: Weights) -> list[Term]:
        return [_text_term(batch, map_text(batch.text), number)]

    return Pivot(f"text:{language}", terms, language=language, within_text=True)


def _auxiliary_pivot(language: str, languages: tuple[str, ...]) -> Pivot:
    number = _number("auxiliary", language, languages)

    def terms(aligner: Aligner, params: Params, batch: Batch, map_text: TextRows, hyper: Weights) -> list[Term]:
        anchors, share = map_text(batch.text), hyper.image_weight / (1.0 + hyper.image_weight)
        return [
            _text_term(batch, anchors, number)._replace(weight=1.0 - share),
            _image_term(batch, anchors, batch.image)._replace(weight=share),
        ]

    reads = frozenset({"image_weight"})
    return Pivot(f"auxiliary:{language}", terms, language=language, within_text=True, reads=reads)


def _number(kind: str, language: str, languages: tuple[str, ...]) -> int:
    if language not in languages:
        raise InputError(f"pivot {kind}:{language}: no captions in {language!r}; the data has {', '.join(languages)}")
    return languages.index(language)


class PivotEntry(NamedTuple):
    """A named pivot: `make(argument, languages)`, and one line of what it is."""

    make: Callable[[str, tuple[str, ...]], Pivot]
    summary: str
    takes_language: bool = False


PIVOTS: dict[str, PivotEntry] = {
    "image": PivotEntry(lambda _, languages: Pivot("image", _image_terms), "captions move to their frozen image"),
    "text": PivotEntry(_text_pivot, "captions move to the frozen caption in that language", True),
    "centroid": PivotEntry(
        lambda _, languages: Pivot("centroid", _centroid_terms, within_text=True),
        "captions move to the frozen mean of the other languages",
    ),
    "auxiliary": PivotEntry(_auxiliary_pivot, "captions move to that language and, weighted, to their image", True),
    "symmetric": PivotEntry(
        lambda _, languages: Pivot("symmetric", _symmetric_terms, moves_images=True),
        "captions and images both move (needs dual(...))",
    ),
    "consensus": PivotEntry(
        lambda _, languages: Pivot("consensus", _consensus_terms, moves_images=True, consensus="procrustes"),
        "both move to the consensus of generalised Procrustes (needs dual(...))",
    ),
    "gcca": PivotEntry(
        lambda _, languages: Pivot("gcca", _consensus_terms, moves_images=True, consensus="gcca"),
        "both move to the common space of GCCA-MAXVAR (needs dual(...))",
    ),
}


def make_pivot(name: str, languages: tuple[str, ...]) -> Pivot:
    """The pivot of this name.

    Args:
        name: of `PIVOTS`; `text:<language>` and `auxiliary:<language>` name one.
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
