"""Registry of pivots by name. A pivot turns a batch into the terms of the objective: anchors and their targets."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

import ccalign_jax.pivots as pivots  # whose terms are loaded when first asked for: names and summaries need no jax
from ccalign_jax._entries import check_entry
from ccalign_jax._names import ALL_TEACHERS
from ccalign_jax.errors import InputError, suggest
from ccalign_jax.settings import SETTINGS

if TYPE_CHECKING:
    from jaxtyping import Array, Bool, Float, Int

    from ccalign_jax.aligners import Aligner, Params

__all__ = ["PIVOTS", "Batch", "Pivot", "PivotEntry", "Term", "make_pivot", "register_pivot"]

READABLE = tuple(name for name, setting in SETTINGS.items() if isinstance(setting.default, float))


class Batch(NamedTuple):
    """Images and one caption of each in every language; float32 unit rows.

    Attributes:
        text: `[languages, b, d_text]`; rows without a caption hold anything finite.
        mask: `[languages, b]`, True where the caption exists.
        image: `[b, d_image]`.
        image_mask: `[b]`, True where the row is a real image.
        groups: `[b]`, equal numbers for images that show the same thing.
        consensus: `[b, d_image]`, the consensus of the views of each image, for the pivots that need it.
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
        original: the anchors before the map, `[languages, b, d_before]`, for losses that compare with them.
    """

    anchors: Float[Array, "languages b d"]
    targets: Float[Array, "*languages b d"]
    mask: Bool[Array, "languages b"]
    target_mask: Bool[Array, "*languages b"]
    weight: float | Float[Array, ""] = 1.0
    original: Float[Array, "languages b d_before"] | None = None


TextRows = Callable[["Array"], "Array"]


class Weights(Protocol):
    """The numbers that a pivot reads: `training.Hyper`."""

    @property
    def image_weight(self) -> Any: ...


Terms = Callable[["Aligner", "Params", Batch, TextRows, Weights], list[Term]]


class Pivot(NamedTuple):
    """A pivot: the targets that captions are aligned to.

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
        teacher: the language of the teacher rows that take the place of `Batch.image` in training, or `ALL_TEACHERS`;
            None where images are the images. What is scored and ranked does not change.
    """

    name: str
    terms: Terms
    language: str | None = None
    moves_images: bool = False
    within_text: bool = False
    consensus: Literal["procrustes", "gcca"] | None = None
    reads: frozenset[str] = frozenset()
    teacher: str | None = None


def _text_pivot(language: str, languages: tuple[str, ...]) -> Pivot:
    terms = pivots.text_terms(_number("text", language, languages))
    return Pivot(f"text:{language}", terms, language=language, within_text=True)


def _auxiliary_pivot(language: str, languages: tuple[str, ...]) -> Pivot:
    terms, reads = pivots.auxiliary_terms(_number("auxiliary", language, languages)), frozenset({"image_weight"})
    return Pivot(f"auxiliary:{language}", terms, language=language, within_text=True, reads=reads)


def _teacher_pivot(language: str, languages: tuple[str, ...]) -> Pivot:
    return Pivot(f"teacher:{language}", pivots.image_terms, teacher=language)


def _number(kind: str, language: str, languages: tuple[str, ...]) -> int:
    if language not in languages:
        raise InputError(f"pivot {kind}:{language}: no captions in {language!r}; the data has {', '.join(languages)}")
    return languages.index(language)


class PivotEntry(NamedTuple):
    """A named pivot: `make(argument, languages)`, one line of what it is, and the argument where none is given."""

    make: Callable[[str, tuple[str, ...]], Pivot]
    summary: str
    takes_language: bool = False
    default: str = ""


PIVOTS: dict[str, PivotEntry] = {
    "image": PivotEntry(lambda _, languages: Pivot("image", pivots.image_terms), "captions move to their frozen image"),
    "text": PivotEntry(_text_pivot, "captions move to the frozen caption in that language", True),
    "centroid": PivotEntry(
        lambda _, languages: Pivot("centroid", pivots.centroid_terms, within_text=True),
        "captions move to the frozen mean of the other languages",
    ),
    "auxiliary": PivotEntry(_auxiliary_pivot, "captions move to that language and, weighted, to their image", True),
    "symmetric": PivotEntry(
        lambda _, languages: Pivot("symmetric", pivots.symmetric_terms, moves_images=True),
        "captions and images both move (needs dual(...))",
    ),
    "consensus": PivotEntry(
        lambda _, languages: Pivot("consensus", pivots.consensus_terms, moves_images=True, consensus="procrustes"),
        "both move to the consensus of generalised Procrustes (needs dual(...))",
    ),
    "gcca": PivotEntry(
        lambda _, languages: Pivot("gcca", pivots.consensus_terms, moves_images=True, consensus="gcca"),
        "both move to the common space of GCCA-MAXVAR (needs dual(...))",
    ),
    "teacher": PivotEntry(
        _teacher_pivot,
        "captions move to the frozen caption in that language by another encoder, or the mean of all",
        True,
        ALL_TEACHERS,
    ),
}


def make_pivot(name: str, languages: tuple[str, ...]) -> Pivot:
    """The pivot of this name.

    Args:
        name: of `PIVOTS`; `text:<language>`, `auxiliary:<language>` and `teacher:<language>` name one; `teacher` alone
            is all of the teacher's.
        languages: the data's languages, sorted.

    Raises:
        InputError: an unknown pivot, or a language that the data does not have.

    Example:
        >>> make_pivot("text:en", ("de", "en")).language
        'en'
    """
    kind, colon, argument = name.partition(":")
    entry = PIVOTS.get(kind)
    if entry is not None and entry.default and not colon:
        colon, argument = ":", entry.default
    if entry is None or bool(colon) != entry.takes_language:
        known = [f"{key}:<language>" if value.takes_language else key for key, value in PIVOTS.items()]
        raise InputError(f"unknown pivot {name!r}; {suggest(name, known)} (--pivot=list)")
    return entry.make(argument, languages)


def register_pivot(
    name: str,
    terms: Callable[..., Any],
    *,
    summary: str,
    takes_language: bool = False,
    moves_images: bool = False,
    within_text: bool = False,
    reads: Iterable[str] = (),
) -> None:
    """Register a pivot, a choice of targets, under a name that scripts, grids and reports then accept.

    Args:
        name: letters, digits, `_`, `-` and `.`.
        terms: `terms(aligner, params, batch, map_text, hyper) -> [Term, ...]`: anchors, their targets, and which of
            both exist (see `Batch` and `Term`); `map_text` maps `[languages, b, d_text]` rows. With `takes_language`,
            `terms(number)` returns such a function, for the language of this number in the data's sorted list.
        summary: one line of what it is, for `--pivot=list`.
        takes_language: whether it is named `NAME:<language>`.
        moves_images: whether images are trained, too, so that it needs `dual(...)`.
        within_text: whether targets are captions, or sums with them, so that both widths must be equal.
        reads: numbers of `training.Hyper` that it reads from `hyper`, beside those that its loss reads.

    Raises:
        InputError: an ill-formed or taken name, or a setting that is not a number of `training.Hyper`.

    Example:
        >>> from ccalign_jax.pivots import image_terms
        >>> register_pivot("doc.image", image_terms, summary="captions move to their frozen image")
        >>> make_pivot("doc.image", ("de", "en")).name
        'doc.image'
        >>> del PIVOTS["doc.image"]
    """
    check_entry("pivot", name, terms, summary, taken=PIVOTS, reads=reads, readable=READABLE)
    plain = Pivot(name, terms, moves_images=moves_images, within_text=within_text, reads=frozenset(reads))

    def make(language: str, languages: tuple[str, ...]) -> Pivot:
        if not takes_language:
            return plain
        number = _number(name, language, languages)
        return plain._replace(name=f"{name}:{language}", terms=terms(number), language=language)

    PIVOTS[name] = PivotEntry(make, summary, takes_language)
