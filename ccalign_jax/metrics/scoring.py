"""Scores on top of any aligner, without parameters: what trained maps must beat, against hubs and modality gaps.

Each function prepares both sides once, with banks of other rows: `done = csls(text, image, Banks(texts, images))`,
then `rank_pairs(done.queries, done.gallery, …, score=done.score)`. Banks come from the training side; with rows
that are retrieved in a score is transductive, and then its name must say so: see `transductive`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from jaxtyping import Array, Bool, Float

from ccalign_jax.metrics.banks import log_sum_of_bank, mean_of_nearest, mean_row
from ccalign_jax.metrics.ranks import BLOCK_ENTRIES, Scorer, cosine_scores
from ccalign_jax.numerics import unit_rows

__all__ = [
    "SCORINGS",
    "Banks",
    "Scoring",
    "biased_scores",
    "centred_cosine",
    "cosine",
    "csls",
    "inverted_softmax",
    "nearest_neighbour_normalization",
    "transductive",
]

BiasedRows = tuple[Float[Array, "n d"], Float[Array, " n"]]


class Banks(NamedTuple):
    """A bank of other rows for each side, of the same width, mapped and scaled as the side itself.

    Attributes:
        queries: `[a, d]`, a > 0, rows of the queries' side.
        gallery: `[b, d]`, b > 0, rows of the gallery's side.
        query_mask: `[a]`, True where the row exists; all by default.
        gallery_mask: `[b]`, likewise.
    """

    queries: Float[Array, "a d"]
    gallery: Float[Array, "b d"]
    query_mask: Bool[Array, " a"] | None = None
    gallery_mask: Bool[Array, " b"] | None = None


class Scoring(NamedTuple):
    """Both sides made ready, and the function that scores a tile of one against the other.

    One score serves both directions: whatever is taken off for a query is the same for all of its rivals.

    Attributes:
        queries: rows `[q, d]`, or rows and what is taken off their scores `[q]`.
        gallery: likewise, `[g, d]` and `[g]`.
        score: `score(queries, gallery) -> [q, g]`, for `rank` and `rank_pairs`.
    """

    queries: Any
    gallery: Any
    score: Scorer


def cosine(
    queries: Float[Array, "q d"], gallery: Float[Array, "g d"], banks: Banks, *, block_entries: int = BLOCK_ENTRIES
) -> Scoring:
    """The inner product as it is.

    Args:
        queries, gallery: rows `[q, d]` and `[g, d]`.
        banks: only their widths are looked at.
        block_entries: not used here.

    Raises:
        ValueError: widths that differ, or an empty bank.

    Example:
        >>> import jax.numpy as jnp
        >>> rows = jnp.eye(2)
        >>> done = cosine(rows, rows, Banks(rows, rows))
        >>> done.score(done.queries, done.gallery).tolist()
        [[1.0, 0.0], [0.0, 1.0]]
    """
    _check_widths(queries, gallery, banks)
    return Scoring(queries, gallery, cosine_scores)


def centred_cosine(
    queries: Float[Array, "q d"], gallery: Float[Array, "g d"], banks: Banks, *, block_entries: int = BLOCK_ENTRIES
) -> Scoring:
    """Cosine after each side's bank mean is taken off its rows: what is left of a modality gap is no offset.

    Args:
        queries, gallery: rows `[q, d]` and `[g, d]`, as the aligner maps them; one that is the mean becomes zero.
        banks: training rows of the same two sides.
        block_entries: not used here.

    Raises:
        ValueError: widths that differ, or an empty bank.

    Example:
        >>> import jax.numpy as jnp
        >>> rows = jnp.array([[1.0, 1.0], [1.0, -1.0]])
        >>> centred_cosine(rows, rows, Banks(rows, rows)).queries.tolist()
        [[0.0, 1.0], [0.0, -1.0]]
    """
    _check_widths(queries, gallery, banks)
    centred_queries = unit_rows(queries - mean_row(banks.queries, banks.query_mask))
    centred_gallery = unit_rows(gallery - mean_row(banks.gallery, banks.gallery_mask))
    return Scoring(centred_queries, centred_gallery, cosine_scores)


def csls(
    queries: Float[Array, "q d"],
    gallery: Float[Array, "g d"],
    banks: Banks,
    *,
    k: int = 10,
    block_entries: int = BLOCK_ENTRIES,
) -> Scoring:
    """Cross-domain similarity local scaling: 2 x·y − r(x) − r(y), r the mean score of the k nearest of the other bank.

    Args:
        queries, gallery: unit rows `[q, d]` and `[g, d]`.
        banks: unit training rows of the same two sides; r(y) looks among the queries' bank, r(x) among the gallery's.
        k: neighbours; all of a smaller bank.
        block_entries: how many scores may be held at once.

    Raises:
        ValueError: widths that differ, an empty bank, or k < 1.

    References:
        Conneau et al., 2018, "Word Translation Without Parallel Data", where the banks are the vocabularies
        that are searched themselves: `transductive("csls")` here.

    Example:
        >>> import jax.numpy as jnp
        >>> rows = jnp.eye(2)
        >>> done = csls(rows, rows, Banks(rows, rows), k=1)
        >>> done.score(done.queries, done.gallery).tolist()
        [[0.0, -2.0], [-2.0, 0.0]]
    """
    _check_widths(queries, gallery, banks)
    off_query = mean_of_nearest(queries, banks.gallery, banks.gallery_mask, k=k, block_entries=block_entries)
    off_gallery = mean_of_nearest(gallery, banks.queries, banks.query_mask, k=k, block_entries=block_entries)
    return Scoring((2.0 * queries, off_query), (gallery, off_gallery), biased_scores)


def inverted_softmax(
    queries: Float[Array, "q d"],
    gallery: Float[Array, "g d"],
    banks: Banks,
    *,
    inverse_temperature: float | Float[Array, ""] = 30.0,
    block_entries: int = BLOCK_ENTRIES,
) -> Scoring:
    """β x·y less the log of Σ exp(β x'·y) over the bank of queries x': how likely the item is to mean this query.

    The softmax runs over queries, not over the gallery, so that an item near to every query is no one's answer.

    Args:
        queries, gallery: unit rows `[q, d]` and `[g, d]`.
        banks: unit training rows of the same two sides.
        inverse_temperature: β > 0; 30 is common, the paper fits it on training pairs.
        block_entries: how many scores may be held at once.

    Raises:
        ValueError: widths that differ, or an empty bank.

    References:
        Smith et al., 2017, "Offline bilingual word vectors, orthogonal transformations and the inverted softmax".

    Example:
        >>> import jax.numpy as jnp
        >>> rows = jnp.eye(2)
        >>> done = inverted_softmax(rows, rows, Banks(rows[:1], rows[:1]), inverse_temperature=1.0)
        >>> done.score(done.queries, done.gallery).tolist()
        [[-1.0, -1.0], [-1.0, 1.0]]
    """
    _check_widths(queries, gallery, banks)
    beta = inverse_temperature
    off_query = log_sum_of_bank(beta * queries, banks.gallery, banks.gallery_mask, block_entries=block_entries)
    off_gallery = log_sum_of_bank(beta * gallery, banks.queries, banks.query_mask, block_entries=block_entries)
    return Scoring((beta * queries, off_query), (gallery, off_gallery), biased_scores)


def nearest_neighbour_normalization(
    queries: Float[Array, "q d"],
    gallery: Float[Array, "g d"],
    banks: Banks,
    *,
    k: int = 128,
    weight: float | Float[Array, ""] = 0.75,
    block_entries: int = BLOCK_ENTRIES,
) -> Scoring:
    """x·y − α b(y), b the mean score of the k queries of the bank that are nearest to the item.

    Args:
        queries, gallery: unit rows `[q, d]` and `[g, d]`.
        banks: unit training rows of the same two sides.
        k: neighbours; all of a smaller bank. 128 and α = .75 are what the authors' code proposes.
        weight: α ≥ 0; 0 is the plain cosine.
        block_entries: how many scores may be held at once.

    Raises:
        ValueError: widths that differ, an empty bank, or k < 1.

    References:
        Chowdhury et al., 2024, "Nearest Neighbor Normalization Improves Multimodal Retrieval".

    Example:
        >>> import jax.numpy as jnp
        >>> rows = jnp.eye(2)
        >>> done = nearest_neighbour_normalization(rows, rows, Banks(rows[:1], rows[:1]), weight=0.5)
        >>> done.score(done.queries, done.gallery).tolist()
        [[0.0, -0.5], [-0.5, 1.0]]
    """
    _check_widths(queries, gallery, banks)
    off_query = mean_of_nearest(queries, banks.gallery, banks.gallery_mask, k=k, block_entries=block_entries)
    off_gallery = mean_of_nearest(gallery, banks.queries, banks.query_mask, k=k, block_entries=block_entries)
    return Scoring((queries, weight * off_query), (gallery, weight * off_gallery), biased_scores)


SCORINGS: dict[str, Callable[..., Scoring]] = {
    "cosine": cosine,
    "centred_cosine": centred_cosine,
    "csls": csls,
    "inverted_softmax": inverted_softmax,
    "nnn": nearest_neighbour_normalization,
}


def transductive(name: str) -> Callable[..., Scoring]:
    """A scoring whose banks are the queries and the gallery themselves: it sees all of the test at once.

    Call what comes back with `(queries, gallery, *, query_mask=None, gallery_mask=None, **settings)`, and
    report its figures as transductive: they cannot be had for one query alone.

    Args:
        name: as in `SCORINGS`.

    Raises:
        ValueError: an unknown name.

    Example:
        >>> import jax.numpy as jnp
        >>> rows = jnp.array([[1.0, 1.0], [1.0, -1.0]])
        >>> transductive("centred_cosine")(rows, rows).gallery.tolist()
        [[0.0, 1.0], [0.0, -1.0]]
    """
    if name not in SCORINGS:
        raise ValueError(f"unknown scoring {name!r}; there are {', '.join(SCORINGS)}")

    def prepare(queries: Array, gallery: Array, *, query_mask=None, gallery_mask=None, **settings: Any) -> Scoring:
        return SCORINGS[name](queries, gallery, Banks(queries, gallery, query_mask, gallery_mask), **settings)

    return prepare


def biased_scores(queries: BiasedRows, gallery: BiasedRows) -> Float[Array, "q g"]:
    """Inner products, less what each side has to be taken off."""
    (rows, off_row), (items, off_item) = queries, gallery
    return cosine_scores(rows, items) - off_row[:, None] - off_item[None, :]


def _check_widths(queries: Array, gallery: Array, banks: Banks) -> None:
    shapes = [rows.shape for rows in (queries, gallery, banks.queries, banks.gallery)]
    if any(len(shape) != 2 or shape[1] != shapes[0][1] for shape in shapes) or 0 in (shapes[2][0], shapes[3][0]):
        said = ", ".join(str(list(shape)) for shape in shapes)
        raise ValueError(f"queries, gallery and their banks are {said}; give rows of one width, and no empty bank")
