"""Closed forms from one space to another, from the second moments of pairs of rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from ccalign_jax.solvers.moments import Moments, centred
from ccalign_jax.solvers.paths import AffineParams, affine_params, off_identity
from ccalign_jax.solvers.procrustes import procrustes
from ccalign_jax.solvers.ridge import ridge_map, ridge_path

__all__ = ["MAPS", "Candidate", "candidates"]

PENALTIES = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)  # over the mean eigenvalue
LOW_RANK_PENALTY = 1e-2
SHARES = (2, 4, 8)  # of the directions, one in so many is kept


class Candidate(NamedTuple):
    """A map x ↦ (x − mean)(E + delta) + offset, as parameters of `aligners.affine`.

    Attributes:
        family: one of `MAPS`.
        setting: its number within the family, in words; empty where there is one.
        params: `mean`, `delta` and `offset`, float32.
    """

    family: str
    setting: str
    params: AffineParams


def _identity(moments: Moments) -> Iterator[tuple[str, AffineParams]]:
    yield "", affine_params(np.zeros(moments.text_target.shape))


def _procrustes(moments: Moments) -> Iterator[tuple[str, AffineParams]]:
    found = procrustes(moments, scale=True, centre=True)
    yield "", _affine(moments, found.scale * found.matrix)


def _scaled_procrustes(moments: Moments) -> Iterator[tuple[str, AffineParams]]:
    """After the rotation each dimension has the scale that brings it nearest to the targets."""
    rotation, inside = procrustes(moments, centre=True).matrix, centred(moments)
    own = np.einsum("ij,ik,kj->j", rotation, inside.text_text, rotation, optimize=True)
    shared = np.einsum("ij,ij->j", rotation, inside.text_target)
    yield "", _affine(moments, rotation * np.divide(shared, own, out=np.zeros_like(own), where=own > 0))


def _ridge(moments: Moments) -> Iterator[tuple[str, AffineParams]]:
    for penalty, weight in zip(PENALTIES, _least_squares(moments, *PENALTIES), strict=True):
        yield f"penalty {penalty:g}", _affine(moments, weight)


def _low_rank(moments: Moments) -> Iterator[tuple[str, AffineParams]]:
    """Least squares under a rank: what is predicted, projected to its first principal directions."""
    (weight,) = _least_squares(moments, LOW_RANK_PENALTY)
    _, directions = np.linalg.eigh(weight.T @ centred(moments).text_text @ weight)
    for share in SHARES:
        kept = directions[:, -max(min(weight.shape) // share, 1) :]
        yield f"rank {kept.shape[1]}", _affine(moments, weight @ kept @ kept.T)


def _least_squares(moments: Moments, *penalties: float) -> list[Float[np.ndarray, "d_in d_out"]]:
    path = ridge_path(moments, centre=True, to_identity=False)
    deltas = [ridge_map(path, penalty * path.mean_eigenvalue).delta for penalty in penalties]
    return [delta + np.eye(*delta.shape) for delta in deltas]


def _affine(moments: Moments, matrix: Float[np.ndarray, "d_in d_out"]) -> AffineParams:
    mean, offset = moments.text_sum / moments.weight, moments.target_sum / moments.weight
    return affine_params(off_identity(matrix, matrix.shape[1]), mean=mean, offset=offset)


# By name, the simplest first. References: Schönemann, 1966; Izenman, 1975, "Reduced-rank regression for the
# multivariate linear model"; Hoerl & Kennard, 1970.
MAPS: dict[str, Callable[[Moments], Iterator[tuple[str, AffineParams]]]] = {
    "identity": _identity,
    "procrustes": _procrustes,
    "scaled_procrustes": _scaled_procrustes,
    "low_rank": _low_rank,
    "ridge": _ridge,
}


def candidates(moments: Moments) -> Iterator[Candidate]:
    """Every map of every family, solved for these pairs; the identity where both spaces have one width.

    Example:
        >>> from ccalign_jax.solvers.moments import add_rows, empty_moments
        >>> rows = np.random.default_rng(0).normal(size=(20, 3))
        >>> found = candidates(add_rows(empty_moments(3, 2), rows, rows[:, :2]))
        >>> list(dict.fromkeys(one.family for one in found))
        ['procrustes', 'scaled_procrustes', 'low_rank', 'ridge']
    """
    d_in, d_out = moments.text_target.shape
    for family, solve in MAPS.items():
        if family != "identity" or d_in == d_out:
            yield from (Candidate(family, setting, params) for setting, params in solve(moments))
