"""Orthogonal Procrustes, and the multi-step framework that whitens, maps, re-weights and de-whitens."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float

from ccalign_jax.solvers._eigen import (
    condition_number,
    mean_eigenvalue,
    nearest_orthogonal,
    scaled_penalty,
    thin_eigendecompose,
)
from ccalign_jax.solvers.moments import Moments, centred, means

__all__ = ["Procrustes", "TwoSided", "multi_step", "procrustes"]

Side = Literal["text", "target"]


class Procrustes(NamedTuple):
    """An orthogonal map: text rows go to (x − text_mean) · scale · matrix + target_mean; float64.

    Attributes:
        matrix: `[d_text, d_target]`, orthonormal rows (d_text ≤ d_target) or columns (d_text ≥ d_target).
        scale: 1, unless it was asked for.
        text_mean: `[d_text]`, zero unless centred.
        target_mean: `[d_target]`, zero unless centred.
        condition: the largest singular value of XᵀY + λE over the smallest: how well the map is determined.
    """

    matrix: Float[np.ndarray, "d_text d_target"]
    scale: float
    text_mean: Float[np.ndarray, " d_text"]
    target_mean: Float[np.ndarray, " d_target"]
    condition: float


def procrustes(moments: Moments, *, penalty: float = 1e-8, scale: bool = False, centre: bool = False) -> Procrustes:
    """Orthogonal Procrustes: the orthogonal W that brings text rows nearest to targets, U Vᵀ of XᵀY + λE = U S Vᵀ.

    Schönemann, 1966, "A generalized solution of the orthogonal Procrustes problem", whose λ is 0. With λ it is the
    least ‖Y − XW‖² + λ‖W − E‖²; a small one leaves directions without data, as n < d has them, as they are. For
    d_text > d_target a map cannot keep all lengths, and W is the one with the largest Σ ⟨xW, y⟩.

    Args:
        moments: of text rows and targets.
        penalty: λ over the mean eigenvalue of XᵀX, at least 0.
        scale: also find the factor that brings the rows nearest; it matters to no cosine.
        centre: map rows less their means.

    Example:
        >>> from ccalign_jax.solvers.moments import add_rows, empty_moments
        >>> quarter = np.array([[0.0, 2.0], [-2.0, 0.0]])
        >>> found = procrustes(add_rows(empty_moments(2, 2), np.eye(2), quarter), scale=True)
        >>> found.matrix.round(6).tolist(), round(found.scale, 6)
        ([[0.0, 1.0], [-1.0, 0.0]], 2.0)
    """
    moments, text_mean, target_mean = _about_means(moments, centre)
    pull = scaled_penalty(penalty, mean_eigenvalue(moments.text_text))
    matrix, values = nearest_orthogonal(moments.text_target + pull * np.eye(*moments.text_target.shape))
    factor = 1.0
    if scale:
        length = np.sum(matrix * (moments.text_text @ matrix))
        factor = float(np.sum(matrix * moments.text_target) / length) if length > 0 else 1.0
    return Procrustes(matrix, factor, text_mean, target_mean, condition_number(values))


class TwoSided(NamedTuple):
    """A map of each side into a shared space of k dimensions: (x − text_mean) · text_map meets (y − target_mean) ·
    target_map; float64.

    Attributes:
        text_map: `[d_text, k]`.
        target_map: `[d_target, k]`.
        text_mean: `[d_text]`, zero unless centred.
        target_mean: `[d_target]`, zero unless centred.
        correlations: `[k]`, descending: singular values of the cross moment, canonical correlations where whitened.
        condition: the worse of both sides' second moments with their penalty, infinite where one has a null direction;
            1 where nothing is whitened.
    """

    text_map: Float[np.ndarray, "d_text k"]
    target_map: Float[np.ndarray, "d_target k"]
    text_mean: Float[np.ndarray, " d_text"]
    target_mean: Float[np.ndarray, " d_target"]
    correlations: Float[np.ndarray, " k"]
    condition: float


Sides = dict[Side, tuple[Float[np.ndarray, " r"], Float[np.ndarray, "d r"]]]


def whitening_sides(moments: Moments, *, centre: bool = True) -> Sides:
    """Eigenvalues and eigenvectors of both sides' second moments, without those that are rounding.

    Args:
        moments: of text rows and targets.
        centre: of rows less their means.
    """
    about = _about_means(moments, centre)[0]
    return {"text": thin_eigendecompose(about.text_text), "target": thin_eigendecompose(about.target_target)}


def multi_step(
    moments: Moments,
    *,
    sides: Sides | None = None,
    penalty: float = 1.0,
    whiten: bool = True,
    text_reweight: float = 0.5,
    target_reweight: float = 0.5,
    text_dewhiten: Side | None = "text",
    target_dewhiten: Side | None = "target",
    dimensions: int | None = None,
    centre: bool = True,
) -> TwoSided:
    """Multi-step mapping: both sides whitened, rotated to each other, weighted by their correlation, and de-whitened.

    Artetxe, Labaka & Agirre, 2018, "Generalizing and improving bilingual word embedding mappings with a multi-step
    framework of linear transformations" (AAAI), where λ is 0. Options give others: no whitening and weights 0 turn by
    Procrustes, whitening with weights 0 and no de-whitening is CCA, and weights 1 and 0 de-whitened by the target on
    both sides, least squares.

    Args:
        moments: of text rows and targets.
        sides: their `whitening_sides`, which all penalties share; None to compute it.
        penalty: what whitening adds to the eigenvalues of XᵀX and of YᵀY, over the mean of each.
        whiten: make the columns of each side uncorrelated and of one length first.
        text_reweight: power of the singular values that the columns of the text side are multiplied by.
        target_reweight: likewise for the target side.
        text_dewhiten: whose whitening is undone on the text side, in the turned space; None leaves it.
        target_dewhiten: likewise for the target side.
        dimensions: how many columns are kept, from the first, most correlated; all by default. Of fewer rows than
            dimensions, there are no more columns than both sides vary in.
        centre: map rows less their means.

    Raises:
        ValueError: `dimensions` that there are not, or a penalty that is negative or not finite.

    Example:
        >>> from ccalign_jax.solvers.moments import add_rows, empty_moments
        >>> rows = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 3.0], [0.0, -3.0]])
        >>> found = multi_step(add_rows(empty_moments(2, 2), rows, rows[:, ::-1]), penalty=0.0)
        >>> np.allclose(rows @ found.text_map, rows[:, ::-1] @ found.target_map)
        True
    """
    if whiten and sides is None:
        sides = whitening_sides(moments, centre=centre)
    moments, text_mean, target_mean = _about_means(moments, centre)
    d_text, d_target = moments.text_target.shape
    largest = min(d_text, d_target)
    kept = largest if dimensions is None else dimensions
    if not 1 <= kept <= largest:
        raise ValueError(f"dimensions is {dimensions}; between {d_text} and {d_target} columns it is 1 to {largest}")
    condition = 1.0
    bases: dict[Side, np.ndarray] = {"text": np.eye(d_text), "target": np.eye(d_target)}  # of directions that vary
    scales: dict[Side, np.ndarray] = {"text": np.ones(d_text), "target": np.ones(d_target)}
    if whiten and sides is not None:
        units: dict[Side, np.ndarray] = {"text": moments.text_text, "target": moments.target_target}
        for side, own in units.items():
            values, bases[side] = sides[side]
            lam = scaled_penalty(penalty, mean_eigenvalue(own))
            scales[side] = np.sqrt(values + lam)
            absent = lam if len(values) < len(own) else None
            condition = max(condition, condition_number(values + lam, absent=absent))
    whitened = {side: basis / scales[side] for side, basis in bases.items()}
    cross = whitened["text"].T @ moments.text_target @ whitened["target"]
    # Uncorrelated directions of the side that varies in more of them change no inner product, but lengths.
    left, values, right = np.linalg.svd(cross, full_matrices=max(cross.shape) <= largest)
    columns = max(left.shape[1], len(right))
    values = _padded(values, columns)
    turn = {"text": _padded(left, columns), "target": _padded(right.T, columns)}

    def side_map(side: Side, reweight: float, dewhiten: Side | None) -> Float[np.ndarray, "d k"]:
        found = whitened[side] @ turn[side] * values**reweight
        if dewhiten is not None:
            found = found @ (turn[dewhiten].T * scales[dewhiten] @ turn[dewhiten])
        return found[:, :kept]

    return TwoSided(
        side_map("text", text_reweight, text_dewhiten),
        side_map("target", target_reweight, target_dewhiten),
        text_mean,
        target_mean,
        values[:kept],
        condition,
    )


def _padded(values: Float[np.ndarray, "... k"], columns: int) -> Float[np.ndarray, "... columns"]:
    """Zeros added to the last axis."""
    return np.pad(values, [(0, 0)] * (values.ndim - 1) + [(0, columns - values.shape[-1])])


def _about_means(
    moments: Moments, centre: bool
) -> tuple[Moments, Float[np.ndarray, " d_text"], Float[np.ndarray, " d_target"]]:
    """The moments and the means they are about: the rows' own, or zero."""
    if not centre:
        return moments, np.zeros_like(moments.text_sum), np.zeros_like(moments.target_sum)
    return centred(moments), *means(moments)
