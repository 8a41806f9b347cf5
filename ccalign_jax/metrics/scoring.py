"""Training-free score corrections against hubs and modality gaps, for any aligner.

Each function prepares both sides once, with banks of other rows: `done = csls(text, image, Banks(texts, images))`.
The score is then the inner product of the rows returned, for `rank_pairs(*done, …)` or any index of inner products.
Banks come from the training side; with rows
that are retrieved in a score is transductive, and then its name must say so: see `transductive`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from jaxtyping import Array, Float

from ccalign_jax.metrics.banks import log_sum_of_bank, mean_of_nearest, mean_row
from ccalign_jax.metrics.ranks import BLOCK_ENTRIES
from ccalign_jax.metrics.scored_rows import Banks, Scoring, take_off
from ccalign_jax.numerics import unit_rows

__all__ = [
    "SCORINGS",
    "centred_cosine",
    "cosine",
    "csls",
    "inverted_softmax",
    "nearest_neighbour_normalization",
    "transductive",
]


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
        >>> (done.queries @ done.gallery.T).tolist()
        [[1.0, 0.0], [0.0, 1.0]]
    """
    _check_widths(queries, gallery, banks)
    return Scoring(queries, gallery)


def centred_cosine(
    queries: Float[Array, "q d"], gallery: Float[Array, "g d"], banks: Banks, *, block_entries: int = BLOCK_ENTRIES
) -> Scoring:
    """Cosine of rows less the mean of their side's bank, which removes a constant modality gap.

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
    return Scoring(centred_queries, centred_gallery)


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
        >>> (done.queries @ done.gallery.T).tolist()
        [[0.0, -2.0], [-2.0, 0.0]]
    """
    _check_widths(queries, gallery, banks)
    off_query = mean_of_nearest(queries, banks.gallery, banks.gallery_mask, k=k, block_entries=block_entries)
    off_gallery = mean_of_nearest(gallery, banks.queries, banks.query_mask, k=k, block_entries=block_entries)
    return take_off(2.0 * queries, off_query, gallery, off_gallery)


def inverted_softmax(
    queries: Float[Array, "q d"],
    gallery: Float[Array, "g d"],
    banks: Banks,
    *,
    inverse_temperature: float | Float[Array, ""] = 30.0,
    block_entries: int = BLOCK_ENTRIES,
) -> Scoring:
    """Inverted softmax: β x·y less the log of Σ exp(β x'·y) over the bank of queries x'.

    The softmax runs over queries, not over the gallery, so that hubs, items near to every query, score low.

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
        >>> (done.queries @ done.gallery.T).tolist()
        [[-1.0, -1.0], [-1.0, 1.0]]
    """
    _check_widths(queries, gallery, banks)
    beta = inverse_temperature
    summed = partial(log_sum_of_bank, scale=beta, block_entries=block_entries)
    off_query = summed(queries, banks.gallery, banks.gallery_mask)
    off_gallery = summed(gallery, banks.queries, banks.query_mask)
    return take_off(beta * queries, off_query, gallery, off_gallery)


def nearest_neighbour_normalization(
    queries: Float[Array, "q d"],
    gallery: Float[Array, "g d"],
    banks: Banks,
    *,
    k: int = 128,
    weight: float | Float[Array, ""] = 0.75,
    block_entries: int = BLOCK_ENTRIES,
) -> Scoring:
    """Nearest neighbour normalization: x·y − α b(y), b the mean score of the k queries of the bank nearest to the item.

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
        >>> (done.queries @ done.gallery.T).tolist()
        [[0.0, -0.5], [-0.5, 1.0]]
    """
    _check_widths(queries, gallery, banks)
    off_query = mean_of_nearest(queries, banks.gallery, banks.gallery_mask, k=k, block_entries=block_entries)
    off_gallery = mean_of_nearest(gallery, banks.queries, banks.query_mask, k=k, block_entries=block_entries)
    return take_off(queries, weight * off_query, gallery, weight * off_gallery)


SCORINGS: dict[str, Callable[..., Scoring]] = {
    "cosine": cosine,
    "centred_cosine": centred_cosine,
    "csls": csls,
    "inverted_softmax": inverted_softmax,
    "nnn": nearest_neighbour_normalization,
}


def transductive(name: str) -> Callable[..., Scoring]:
    """Transductive score correction, whose banks are the queries and the gallery themselves.

    Call what comes back with `(queries, gallery, *, query_mask=None, gallery_mask=None, **settings)`, and
    report its metrics as transductive: they need all test queries at once.

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


def _check_widths(queries: Array, gallery: Array, banks: Banks) -> None:
    shapes = [rows.shape for rows in (queries, gallery, banks.queries, banks.gallery)]
    if any(len(shape) != 2 or shape[1] != shapes[0][1] for shape in shapes) or 0 in (shapes[2][0], shapes[3][0]):
        given = ", ".join(str(list(shape)) for shape in shapes)
        raise ValueError(f"queries, gallery and their banks are {given}; give rows of one width, and no empty bank")
