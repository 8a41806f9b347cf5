"""Closed forms from one space to another, of pairs of rows."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from ccalign_jax.aligners import Aligner, Params, make_aligner
from ccalign_jax.learned_map import LearnedMap
from ccalign_jax.migration.clusters import cluster_maps
from ccalign_jax.solvers.moments import Moments, add_rows, centred, empty_moments
from ccalign_jax.solvers.paths import AffineParams, affine_params, off_identity
from ccalign_jax.solvers.procrustes import procrustes
from ccalign_jax.solvers.ridge import ridge_map, ridge_path

__all__ = ["EQUAL_WIDTHS", "MAPS", "Candidate", "Pairs", "candidates"]

PENALTIES = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)  # over the mean eigenvalue
LOW_RANK_PENALTY = 1e-2
EQUAL_WIDTHS = frozenset({"identity", "shift"})  # families that need them
SHARES = (2, 4, 8)  # of the directions, one in so many is kept


class Pairs(NamedTuple):
    """Pairs of rows, and their second moments, of which most maps are solved."""

    source: Float[np.ndarray, "n d_in"]
    target: Float[np.ndarray, "n d_out"]
    moments: Moments


class Candidate(NamedTuple):
    """A map of rows of unit length.

    Attributes:
        family: one of `MAPS`.
        setting: its number within the family, in words; empty where there is one.
        params: those of `aligners.affine`, or of `aligners.mixture` for the family `clusters`.
    """

    family: str
    setting: str
    params: Params

    def learned(self, **about: Any) -> LearnedMap:
        """The map as a function of rows; `about` joins its description."""
        *experts, d_in, d_out = self.params["delta"].shape
        name = "mixture" if experts else "ridge"  # whose parameters these are, however they were solved for
        sizes = {"experts": experts[0]} if experts else {}
        described = {"aligner": name, "d_text": d_in, "d_image": d_out, "languages": [], **sizes, **about}
        return LearnedMap(_aligner(name, d_in, d_out, *experts), self.params, described)


@lru_cache(maxsize=64)
def _aligner(name: str, d_in: int, d_out: int, experts: int = 1) -> Aligner:
    """The same object each time, so that compiled programs are reused."""
    return make_aligner(name, d_in, d_out, languages=0, experts=experts)


def _identity(pairs: Pairs) -> Iterator[tuple[str, AffineParams]]:
    yield "", affine_params(np.zeros(pairs.moments.text_target.shape))


def _shift(pairs: Pairs) -> Iterator[tuple[str, AffineParams]]:
    yield "", _affine(pairs.moments, np.eye(*pairs.moments.text_target.shape))


def _procrustes(pairs: Pairs) -> Iterator[tuple[str, AffineParams]]:
    found = procrustes(pairs.moments, scale=True, centre=True)
    yield "", _affine(pairs.moments, found.scale * found.matrix)


def _scaled_procrustes(pairs: Pairs) -> Iterator[tuple[str, AffineParams]]:
    """After the rotation each dimension has the scale that brings it nearest to the targets."""
    rotation, inside = procrustes(pairs.moments, centre=True).matrix, centred(pairs.moments)
    own = np.einsum("ij,ik,kj->j", rotation, inside.text_text, rotation, optimize=True)
    shared = np.einsum("ij,ij->j", rotation, inside.text_target)
    yield "", _affine(pairs.moments, rotation * np.divide(shared, own, out=np.zeros_like(own), where=own > 0))


def _ridge(pairs: Pairs) -> Iterator[tuple[str, AffineParams]]:
    for penalty, weight in zip(PENALTIES, _least_squares(pairs.moments, *PENALTIES), strict=True):
        yield f"penalty {penalty:g}", _affine(pairs.moments, weight)


def _low_rank(pairs: Pairs) -> Iterator[tuple[str, AffineParams]]:
    """Least squares under a rank: what is predicted, projected to its first principal directions."""
    (weight,) = _least_squares(pairs.moments, LOW_RANK_PENALTY)
    _, directions = np.linalg.eigh(weight.T @ centred(pairs.moments).text_text @ weight)
    for share in SHARES:
        kept = directions[:, -max(min(weight.shape) // share, 1) :]
        yield f"rank {kept.shape[1]}", _affine(pairs.moments, weight @ kept @ kept.T)


def _least_squares(moments: Moments, *penalties: float) -> list[Float[np.ndarray, "d_in d_out"]]:
    path = ridge_path(moments, centre=True, to_identity=False)
    deltas = [ridge_map(path, penalty * path.mean_eigenvalue).delta for penalty in penalties]
    return [delta + np.eye(*delta.shape) for delta in deltas]


def _affine(moments: Moments, matrix: Float[np.ndarray, "d_in d_out"]) -> AffineParams:
    mean, offset = moments.text_sum / moments.weight, moments.target_sum / moments.weight
    return affine_params(off_identity(matrix, matrix.shape[1]), mean=mean, offset=offset)


def _clusters(pairs: Pairs) -> Iterator[tuple[str, Params]]:
    yield from cluster_maps(*pairs)


# By name, the simplest first. References: Schönemann, 1966; Izenman, 1975, "Reduced-rank regression for the
# multivariate linear model"; Hoerl & Kennard, 1970; for clusters, see `cluster_maps`.
MAPS: dict[str, Callable[[Pairs], Iterator[tuple[str, Params]]]] = {
    "identity": _identity,
    "shift": _shift,
    "procrustes": _procrustes,
    "scaled_procrustes": _scaled_procrustes,
    "low_rank": _low_rank,
    "ridge": _ridge,
    "clusters": _clusters,
}


def candidates(
    source: Float[np.ndarray, "n d_in"], target: Float[np.ndarray, "n d_out"], families: Collection[str] = tuple(MAPS)
) -> Iterator[Candidate]:
    """Every map of these families, solved for these pairs; identity and shift where both spaces have one width.

    Example:
        >>> rows = np.random.default_rng(0).normal(size=(20, 3))
        >>> found = candidates(rows, rows[:, :2])
        >>> list(dict.fromkeys(one.family for one in found))
        ['procrustes', 'scaled_procrustes', 'low_rank', 'ridge', 'clusters']
    """
    d_in, d_out = source.shape[1], target.shape[1]
    pairs = Pairs(source, target, add_rows(empty_moments(d_in, d_out), source, target))
    for family, solve in MAPS.items():
        if family in families and (family not in EQUAL_WIDTHS or d_in == d_out):
            yield from (Candidate(family, setting, params) for setting, params in solve(pairs))
