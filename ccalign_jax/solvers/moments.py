"""Second moments of pairs of rows, summed chunk by chunk: all that closed forms need of the data."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.sparse import csr_array

from ccalign_jax.numerics import AnyArray

__all__ = ["Moments", "add_captions", "add_rows", "centred", "empty_moments", "merge"]

NOT_FINITE = "text or target has a NaN or infinite entry; remove the row, or give it weight 0"
BLOCK_ROWS = 4096  # rows that exist in float64 at one time


class Moments(NamedTuple):
    """Weighted sums over pairs of a text row and its target row, float64.

    Several languages are several `Moments`: captions that are missing are pairs that were not added, and `merge`
    gives those of all languages together.

    Attributes:
        weight: the sum of weights: the number of pairs, where none is given.
        text_sum: `[d_text]`, Σ x.
        target_sum: `[d_target]`, Σ y.
        text_text: `[d_text, d_text]`, XᵀX.
        target_target: `[d_target, d_target]`, YᵀY.
        text_target: `[d_text, d_target]`, XᵀY.
    """

    weight: float
    text_sum: Float[np.ndarray, " d_text"]
    target_sum: Float[np.ndarray, " d_target"]
    text_text: Float[np.ndarray, "d_text d_text"]
    target_target: Float[np.ndarray, "d_target d_target"]
    text_target: Float[np.ndarray, "d_text d_target"]


def empty_moments(d_text: int, d_target: int) -> Moments:
    """The moments of no rows.

    Example:
        >>> empty_moments(2, 3).text_target.shape
        (2, 3)
    """
    return Moments(
        0.0,
        np.zeros(d_text),
        np.zeros(d_target),
        np.zeros((d_text, d_text)),
        np.zeros((d_target, d_target)),
        np.zeros((d_text, d_target)),
    )


def add_rows(
    moments: Moments,
    text: Float[AnyArray, "n d_text"],
    target: Float[AnyArray, "n d_target"],
    *,
    weights: Float[AnyArray, " n"] | Bool[AnyArray, " n"] | None = None,
) -> Moments:
    """The moments with more pairs of rows added; the order and the size of chunks change no more than rounding.

    Products are formed in float64, in which those of float32 entries are exact: formed in float32 they move a ridge
    solution for real embeddings, whose first eigenvalue is hundreds of times the mean, in its third decimal.

    Args:
        moments: what has been gathered so far; it stays as it is.
        text: `[n, d_text]`, any float dtype.
        target: `[n, d_target]`, the image (or caption) that each text row belongs to.
        weights: `[n]`, at least 0, or a mask; rows of weight 0 are not looked at and may hold anything. None counts
            every row once.

    Raises:
        ValueError: shapes that do not fit, a negative weight, or a NaN or infinite entry in a row that counts.

    Example:
        >>> rows = np.array([[1.0, 0.0], [0.0, 2.0], [np.nan, 0.0]])
        >>> add_rows(empty_moments(2, 2), rows, rows, weights=np.array([1, 1, 0])).text_text.tolist()
        [[1.0, 0.0], [0.0, 4.0]]
    """
    widths = (len(moments.text_sum), len(moments.target_sum))
    if text.ndim != 2 or target.ndim != 2 or len(text) != len(target) or (text.shape[1], target.shape[1]) != widths:
        raise ValueError(
            f"text is {text.shape}, target {target.shape}; the moments take [n, {widths[0]}] and [n, {widths[1]}]"
        )
    scale = None if weights is None else check_weights(weights, len(text))
    for start in range(0, len(text), BLOCK_ROWS):
        x = np.asarray(text[start : start + BLOCK_ROWS], np.float64)
        y = np.asarray(target[start : start + BLOCK_ROWS], np.float64)
        count = np.ones(len(x))
        if scale is not None:
            count = scale[start : start + BLOCK_ROWS]
            kept = count > 0
            count, x, y = count[kept], x[kept], y[kept]
        added = (float(count.sum()), count @ x, count @ y)
        if scale is not None:
            root = np.sqrt(count)[:, None]
            x, y = root * x, root * y
        moments = merge(moments, Moments(*added, x.T @ x, y.T @ y, x.T @ y))
    # A NaN or infinity anywhere in a row reaches the diagonals.
    if not np.isfinite(moments.text_text.trace() + moments.target_target.trace()):
        raise ValueError(NOT_FINITE)
    return moments


def add_captions(
    moments: Moments,
    text: Float[AnyArray, "m d_text"],
    image_of: Int[np.ndarray, " m"],
    target: Float[AnyArray, "n d_target"],
    *,
    weights: Float[AnyArray, " m"],
) -> Moments:
    """`add_rows(moments, text, target[image_of], weights=weights)`, in which every target row is taken once.

    Args:
        moments: what has been gathered so far.
        text: `[m, d_text]`, any float dtype.
        image_of: `[m]`, the row of `target` of each text row.
        target: `[n, d_target]`; rows that nothing points at may hold anything.
        weights: `[m]`, at least 0.

    Raises:
        ValueError: a NaN or infinite entry.

    Example:
        >>> rows, owner = np.array([[1.0], [2.0], [4.0]]), np.array([0, 0, 1])
        >>> found = add_captions(empty_moments(1, 1), rows, owner, np.array([[3.0], [5.0]]), weights=np.ones(3))
        >>> found.text_target.tolist(), found.target_target.tolist()
        ([[29.0]], [[43.0]])
    """
    scale = check_weights(weights, len(text))
    used, owner = np.unique(image_of, return_inverse=True)
    sums, text_text = np.zeros((len(used), text.shape[1])), np.zeros_like(moments.text_text)
    for start in range(0, len(text), BLOCK_ROWS):
        part = slice(start, start + BLOCK_ROWS)
        x = _finite(np.asarray(text[part], np.float64))
        sums += csr_array((scale[part], (owner[part], np.arange(len(x)))), shape=(len(used), len(x))) @ x
        x *= np.sqrt(scale[part])[:, None]
        text_text += x.T @ x
    totals = np.bincount(owner, scale)
    y = _finite(np.asarray(target, np.float64)[used])
    text_target, target_sum = sums.T @ y, totals @ y
    y *= np.sqrt(totals)[:, None]
    added = Moments(float(scale.sum()), sums.sum(axis=0), target_sum, text_text, y.T @ y, text_target)
    return merge(moments, added)


def _finite(rows: Float[np.ndarray, ...]) -> Float[np.ndarray, ...]:
    if not np.isfinite(rows).all():
        raise ValueError(NOT_FINITE)
    return rows


def check_weights(weights: Float[AnyArray, " n"] | Bool[AnyArray, " n"], count: int) -> Float[np.ndarray, " n"]:
    """The weights as float64, which must be one a row, finite and at least 0."""
    found = np.asarray(weights, np.float64)
    if found.shape != (count,):
        raise ValueError(f"weights are {found.shape} for {count} rows; give one a row")
    if not (np.isfinite(found) & (found >= 0)).all():
        raise ValueError("a weight is negative or not finite; weights are at least 0")
    return found


def merge(first: Moments, *others: Moments) -> Moments:
    """The moments of all rows together.

    Example:
        >>> one = add_rows(empty_moments(1, 1), np.ones((2, 1)), np.ones((2, 1)))
        >>> merge(one, one, one).weight
        6.0
    """
    return Moments(*(sum(parts[1:], start=parts[0]) for parts in zip(first, *others, strict=True)))


def means(moments: Moments) -> tuple[Float[np.ndarray, " d_text"], Float[np.ndarray, " d_target"]]:
    """The mean row of each side, which needs a row."""
    if moments.weight <= 0:
        raise ValueError("these moments hold no rows, so there is no mean; add rows first")
    return moments.text_sum / moments.weight, moments.target_sum / moments.weight


def centred(moments: Moments) -> Moments:
    """The moments of the same rows, each side less its mean.

    Example:
        >>> rows = np.array([[1.0], [3.0]])
        >>> centred(add_rows(empty_moments(1, 1), rows, rows)).text_text.tolist()
        [[2.0]]
    """
    text_mean, target_mean = means(moments)
    weight = moments.weight
    return Moments(
        weight,
        np.zeros_like(text_mean),
        np.zeros_like(target_mean),
        moments.text_text - weight * np.outer(text_mean, text_mean),
        moments.target_target - weight * np.outer(target_mean, target_mean),
        moments.text_target - weight * np.outer(text_mean, target_mean),
    )
