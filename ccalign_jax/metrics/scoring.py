"""Scores on top of any aligner, without parameters: what trained maps must beat, against hubs and modality gaps.

Each function prepares both sides once, with banks of other rows: `done = csls(text, image, text_bank, image_bank)`,
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
    queries: Float[Array, "q d"],
    gallery: Float[Array, "g d"],
    query_bank: Float[Array, "a d"],
    gallery_bank: Float[Array, "b d"],
    *,
    query_bank_mask: Bool[Array, " a"] | None = None,
    gallery_bank_mask: Bool[Array, " b"] | None = None,
    block_entries: int = BLOCK_ENTRIES,
) -> Scoring:
    """The inner product as it is; the banks are not looked at.

    Example:
        >>> import jax.numpy as jnp
        >>> done = cosine(jnp.eye(2), jnp.eye(2), jnp.eye(2), jnp.eye(2))
        >>> done.score(done.queries, done.gallery).tolist()
        [[1.0, 0.0], [0.0, 1.0]]
    """
    _widths(queries, gallery, query_bank, gallery_bank)
    return Scoring(queries, gallery, cosine_scores)


def centred_cosine(
    queries: Float[Array, "q d"],
    gallery: Float[Array, "g d"],
    query_bank: Float[Array, "a d"],
    gallery_bank: Float[Array, "b d"],
    *,
    query_bank_mask: Bool[Array, " a"] | None = None,
    gallery_bank_mask: Bool[Array, " b"] | None = None,
    block_entries: int = BLOCK_ENTRIES,
) -> Scoring:
    """Cosine after each side's bank mean is taken off its rows: what is left of a modality gap is no offset.

    Args:
        queries, gallery: rows, as the aligner maps them; a row that is the mean itself becomes zero.
        query_bank, gallery_bank: training rows of the same two sides.
        query_bank_mask, gallery_bank_mask: True where the row exists; all by default.
        block_entries: not used here.

    Raises:
        ValueError: widths that differ, or an empty bank.

    Example:
        >>> import jax.numpy as jnp
        >>> rows = jnp.array([[1.0, 1.0], [1.0, -1.0]])
        >>> centred_cosine(rows, rows, rows, rows).queries.tolist()
        [[0.0, 1.0], [0.0, -1.0]]
    """
    _widths(queries, gallery, query_bank, gallery_bank)
    centred_queries = unit_rows(queries - mean_row(query_bank, query_bank_mask))
    centred_gallery = unit_rows(gallery - mean_row(gallery_bank, gallery_bank_mask))
    return Scoring(centred_queries, centred_gallery, cosine_scores)


def csls(
    queries: Float[Array, "q d"],
    gallery: Float[Array, "g d"],
    query_bank: Float[Array, "a d"],
    gallery_bank: Float[Array, "b d"],
    *,
    k: int = 10,
    query_bank_mask: Bool[Array, " a"] | None = None,
    gallery_bank_mask: Bool[Array, " b"] | None = None,
    block_entries: int = BLOCK_ENTRIES,
) -> Scoring:
    """Cross-domain similarity local scaling: 2 x·y − r(x) − r(y), r the mean score of the k nearest of the other bank.

    Args:
        queries, gallery: unit rows.
        query_bank, gallery_bank: unit training rows of the same two sides; r(y) looks among the queries' bank,
            r(x) among the gallery's.
        k: neighbours; all of a smaller bank.
        query_bank_mask, gallery_bank_mask: True where the row exists; all by default.
        block_entries: how many scores may be held at once.

    Raises:
        ValueError: widths that differ, an empty bank, or k < 1.

    References:
        Conneau et al., 2018, "Word Translation Without Parallel Data", where the banks are the vocabularies
        that are searched themselves: `transductive("csls")` here.

    Example:
        >>> import jax.numpy as jnp
        >>> done = csls(jnp.eye(2), jnp.eye(2), jnp.eye(2), jnp.eye(2), k=1)
        >>> done.score(done.queries, done.gallery).tolist()
        [[0.0, -2.0], [-2.0, 0.0]]
    """
    _widths(queries, gallery, query_bank, gallery_bank)
    off_query = mean_of_nearest(queries, gallery_bank, gallery_bank_mask, k=k, block_entries=block_entries)
    off_gallery = mean_of_nearest(gallery, query_bank, query_bank_mask, k=k, block_entries=block_entries)
    return Scoring((2.0 * queries, off_query), (gallery, off_gallery), biased_scores)


def inverted_softmax(
    queries: Float[Array, "q d"],
    gallery: Float[Array, "g d"],
    query_bank: Float[Array, "a d"],
    gallery_bank: Float[Array, "b d"],
    *,
    inverse_temperature: float | Float[Array, ""] = 30.0,
    query_bank_mask: Bool[Array, " a"] | None = None,
    gallery_bank_mask: Bool[Array, " b"] | None = None,
    block_entries: int = BLOCK_ENTRIES,
) -> Scoring:
    """β x·y less the log of Σ exp(β x'·y) over the bank of queries x': how likely the item is to mean this query.

    The softmax runs over queries, not over the gallery, so that an item near to every query is no one's answer.

    Args:
        queries, gallery: unit rows.
        query_bank, gallery_bank: unit training rows of the same two sides.
        inverse_temperature: β > 0; 30 is common, the paper fits it on training pairs.
        query_bank_mask, gallery_bank_mask: True where the row exists; all by default.
        block_entries: how many scores may be held at once.

    Raises:
        ValueError: widths that differ, or an empty bank.

    References:
        Smith et al., 2017, "Offline bilingual word vectors, orthogonal transformations and the inverted softmax".

    Example:
        >>> import jax.numpy as jnp
        >>> done = inverted_softmax(jnp.eye(2), jnp.eye(2), jnp.eye(2)[:1], jnp.eye(2)[:1], inverse_temperature=1.0)
        >>> done.score(done.queries, done.gallery).tolist()
        [[-1.0, -1.0], [-1.0, 1.0]]
    """
    _widths(queries, gallery, query_bank, gallery_bank)

    beta = inverse_temperature
    off_query = log_sum_of_bank(beta * queries, gallery_bank, gallery_bank_mask, block_entries=block_entries)
    off_gallery = log_sum_of_bank(beta * gallery, query_bank, query_bank_mask, block_entries=block_entries)
    return Scoring((beta * queries, off_query), (gallery, off_gallery), biased_scores)


def nearest_neighbour_normalization(
    queries: Float[Array, "q d"],
    gallery: Float[Array, "g d"],
    query_bank: Float[Array, "a d"],
    gallery_bank: Float[Array, "b d"],
    *,
    k: int = 128,
    weight: float | Float[Array, ""] = 0.75,
    query_bank_mask: Bool[Array, " a"] | None = None,
    gallery_bank_mask: Bool[Array, " b"] | None = None,
    block_entries: int = BLOCK_ENTRIES,
) -> Scoring:
    """x·y − α b(y), b the mean score of the k queries of the bank that are nearest to the item.

    Args:
        queries, gallery: unit rows.
        query_bank, gallery_bank: unit training rows of the same two sides.
        k: neighbours; all of a smaller bank. 128 and α = .75 are what the authors' code proposes.
        weight: α ≥ 0; 0 is the plain cosine.
        query_bank_mask, gallery_bank_mask: True where the row exists; all by default.
        block_entries: how many scores may be held at once.

    Raises:
        ValueError: widths that differ, an empty bank, or k < 1.

    References:
        Chowdhury et al., 2024, "Nearest Neighbor Normalization Improves Multimodal Retrieval".

    Example:
        >>> import jax.numpy as jnp
        >>> done = nearest_neighbour_normalization(jnp.eye(2), jnp.eye(2), jnp.eye(2)[:1], jnp.eye(2)[:1], weight=0.5)
        >>> done.score(done.queries, done.gallery).tolist()
        [[0.0, -0.5], [-0.5, 1.0]]
    """
    _widths(queries, gallery, query_bank, gallery_bank)
    off_query = mean_of_nearest(queries, gallery_bank, gallery_bank_mask, k=k, block_entries=block_entries)
    off_gallery = mean_of_nearest(gallery, query_bank, query_bank_mask, k=k, block_entries=block_entries)
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
        masks = {"query_bank_mask": query_mask, "gallery_bank_mask": gallery_mask}
        return SCORINGS[name](queries, gallery, queries, gallery, **masks, **settings)

    return prepare


def biased_scores(queries: BiasedRows, gallery: BiasedRows) -> Float[Array, "q g"]:
    """Inner products, less what each side has to be taken off."""
    (rows, off_row), (items, off_item) = queries, gallery
    return cosine_scores(rows, items) - off_row[:, None] - off_item[None, :]


def _widths(queries: Array, gallery: Array, query_bank: Array, gallery_bank: Array) -> None:
    shapes = [part.shape for part in (queries, gallery, query_bank, gallery_bank)]
    if any(len(shape) != 2 or shape[1] != shapes[0][1] for shape in shapes) or 0 in (shapes[2][0], shapes[3][0]):
        said = ", ".join(str(list(shape)) for shape in shapes)
        raise ValueError(f"queries, gallery and their banks are {said}; give rows of one width, and no empty bank")
