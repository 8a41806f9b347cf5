"""Registry of closed forms by aligner name: from pairs of rows to a regularisation path that begins at the identity.

The maps are parameters of `aligners.affine`, of `per_language(affine)` or of `dual(affine, affine)`, as the aligner of
the same name has them: x ↦ (x − mean)(E + delta) + offset on each side, so that zeros are the identity. Every map ends
in the width of the images; a space of fewer dimensions is filled up with zero columns.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple, Protocol

import jax
import numpy as np
from jaxtyping import Float

from ccalign_jax.solvers._eigen import eigendecompose, inverse, mean_eigenvalue, scaled_penalty
from ccalign_jax.solvers.cca import cca_map, cca_path
from ccalign_jax.solvers.consensus import gcca, generalised_procrustes
from ccalign_jax.solvers.moments import Moments, centred, means, merge
from ccalign_jax.solvers.paths import (
    AffineParams,
    Formed,
    Gathered,
    Pairs,
    Path,
    affine_params,
    language_moments,
    make_path,
    merged_moments,
    off_identity,
)
from ccalign_jax.solvers.pooled_ridge import pooled_ridge
from ccalign_jax.solvers.procrustes import TwoSided, multi_step, procrustes, whitening_sides
from ccalign_jax.solvers.ridge import RidgePath, leave_one_out, ridge_map, ridge_path
from ccalign_jax.solvers.separation import identity_informs

__all__ = [
    "CLOSED_FORMS",
    "OWN_PENALTY",
    "POOLED_PENALTIES",
    "RIDGE_PENALTIES",
    "ClosedForm",
    "fit_ridge",
    "ridge_point",
]

RIDGE_PENALTIES = np.geomspace(1e3, 1e-4, 22)  # three a decade
POOLED_PENALTIES = np.geomspace(1e2, 1e-4, 7)
OWN_PENALTY = 10.0  # of a language's own part, over that of the shared part
STEPS = (100.0, 10.0, 1.0)  # times the penalty that is asked for
CANONICAL_STEPS = (3.0, 1.0, 0.3)  # likewise, of each side
SHARES = (8, 4, 1)  # of the canonical directions, one in so many is kept
CSA_POWERS = (1.0, 0.75, 0.5)  # of the correlations
CAPTIONS_MOVE = ("image", "text", "centroid", "auxiliary", "teacher")


class Solve(Protocol):
    """From `Pairs` or what was `Gathered` of them to a path; `penalty` is relative, and not all forms look at it."""

    def __call__(self, pairs: Any, *, penalty: float) -> Path: ...


class ClosedForm(NamedTuple):
    """A closed form: `path(pairs, penalty=…)`, and the kinds of pivots that it goes with, the most usual first."""

    path: Solve
    pivots: tuple[str, ...]


def _centring(pairs: Pairs | Gathered, *, penalty: float) -> Path:
    text_mean, image_mean = means(merged_moments(pairs))
    width = len(image_mean)
    text, image = (affine_params(np.zeros((len(mean), width)), mean=mean) for mean in (text_mean, image_mean))
    return make_path([{"text": text, "image": image}])


def _ridge(pairs: Pairs | Gathered, *, penalty: float) -> Path:
    """The penalties are the path's own. Its errors leave one caption out, but not the others of the image: they are
    too small, as is the penalty at which they are least."""
    path, pull = fit_ridge(pairs)
    lambdas = RIDGE_PENALTIES * path.mean_eigenvalue
    points = [ridge_point(path, lam, pull) for lam in lambdas]
    if isinstance(pairs, Gathered):
        return make_path(points)
    errors = np.zeros(len(lambdas))
    for text, image_of, target, weights in zip(*pairs[:4], strict=True):
        errors += weights @ leave_one_out(path, text, target[image_of], lambdas, weights=weights)
    mean = errors / sum(weights.sum() for weights in pairs.weights)
    return make_path(points, mean)


def _centred_ridge(pairs: Pairs | Gathered, *, penalty: float) -> Path:
    """Ridge regression of images less their mean on captions less theirs: images move by their mean alone."""
    moments = merged_moments(pairs)
    path = ridge_path(moments, centre=True, to_identity=identity_informs(moments))
    width = len(path.target_mean)
    image = affine_params(np.zeros((width, width)), mean=path.target_mean)
    lambdas = RIDGE_PENALTIES * path.mean_eigenvalue
    solutions = [affine_params(ridge_map(path, lam).delta, mean=path.text_mean) for lam in lambdas]
    return make_path([{"text": text, "image": image} for text in solutions])


def _pooled_ridge(pairs: Pairs | Gathered, *, penalty: float) -> Path:
    """The penalties are the path's own. A language weighs as many images as it has: with few, its map stays near those
    of the others."""
    points = []
    if isinstance(pairs, Gathered):
        images = list(pairs.images)
    else:
        images = [len(np.unique(image_of)) for image_of in pairs.image_of]
    each = language_moments(pairs)
    whole = merge(*each)
    informed = identity_informs(whole)
    # A language without rows takes the means of all.
    about = [None if informed else one if one.weight > 0 else whole for one in each]
    moments = [
        jax.tree.map(partial(np.multiply, count), one if informed or not one.weight else centred(one))
        for count, one in zip(images, each, strict=True)
    ]
    for shared in POOLED_PENALTIES:
        found = pooled_ridge(moments, shared_penalty=shared, own_penalty=OWN_PENALTY * shared, to_identity=informed)
        sides = [_regressed(found.shared + own, mean) for own, mean in zip(found.own, about, strict=True)]
        points.append(jax.tree.map(lambda *leaves: np.stack(leaves), *sides))
    return make_path(points)


def fit_ridge(pairs: Pairs | Gathered) -> tuple[RidgePath, Moments | None]:
    """Ridge regressions of all pairs: towards the identity where it is above chance, else of centred rows towards zero.

    Returns:
        The path; and the moments about whose means it is, None where it is about zero.
    """
    moments = merged_moments(pairs)
    informed = identity_informs(moments)
    path = ridge_path(moments, centre=not informed, to_identity=informed)
    return path, None if informed else moments


def ridge_point(path: RidgePath, lam: float, about: Moments | None) -> AffineParams:
    """Parameters of `aligners.affine` for one plain λ of what `fit_ridge` found."""
    return _regressed(ridge_map(path, lam).delta, about)


def _regressed(delta: Float[np.ndarray, "d width"], about: Moments | None) -> AffineParams:
    """The caption map of a regression about zero, or about the means of these moments.

    About means, captions are to be ranked by ⟨(x − mean)W, y − target mean⟩, but images stay as they are. So the target
    mean is not added, which would favour the images nearest to it, and ⟨(x − mean)W, target mean⟩ is subtracted by way
    of a vector q with ⟨q, y⟩ ≈ 1 for every image: the ridge regression of 1 on images, their covariance taken as equal
    in all directions.
    """
    if about is None:
        return affine_params(delta)
    text_mean, target_mean = means(about)
    power = mean_eigenvalue(about.target_target) / about.weight - target_mean @ target_mean / len(target_mean)
    q = target_mean / max(target_mean @ target_mean + power, np.finfo(np.float64).tiny)
    matrix = delta + np.eye(*delta.shape)
    return affine_params(delta - np.outer(matrix @ target_mean, q), mean=text_mean)


def _procrustes(pairs: Pairs | Gathered, *, penalty: float, scaled: bool = False) -> Path:
    found = procrustes(merged_moments(pairs), scale=scaled, centre=scaled)
    delta = off_identity(found.scale * found.matrix, found.matrix.shape[1])
    return make_path([affine_params(delta, mean=found.text_mean, offset=found.target_mean)])


def _two_sided(found: TwoSided, *, kept: int | None = None, power: float = 0.0) -> dict[str, AffineParams]:
    """Parameters of both sides, of the first `kept` directions times a power of their correlations.

    With power ½ the inner products of rows are those of `csa_rows`, which has them divided by the lengths before.
    """
    scale, width = found.correlations[:kept] ** power, len(found.target_map)
    text = affine_params(off_identity(scale * found.text_map[:, :kept], width), mean=found.text_mean)
    image = affine_params(off_identity(scale * found.target_map[:, :kept], width), mean=found.target_mean)
    return {"text": text, "image": image}


def _multi_step(pairs: Pairs | Gathered, *, penalty: float) -> Path:
    moments = merged_moments(pairs)
    sides = whitening_sides(moments)
    return make_path([_two_sided(multi_step(moments, sides=sides, penalty=step * penalty)) for step in STEPS])


def _canonical(pairs: Pairs | Gathered, *, penalty: float, powers: Sequence[float]) -> Path:
    """Penalties a side, numbers of directions and powers of the correlations; one SVD for each pair of penalties."""
    path = cca_path(merged_moments(pairs))
    directions = min(len(path.text_mean), len(path.target_mean))
    makers = []
    for text_step, image_step in itertools.product(CANONICAL_STEPS, repeat=2):
        found = cca_map(path, text_penalty=text_step * penalty, target_penalty=image_step * penalty)
        for kept in dict.fromkeys(max(1, directions // share) for share in SHARES):
            makers += [partial(_two_sided, found, kept=kept, power=power) for power in powers]
    identity = jax.tree.map(np.zeros_like, makers[0]())
    return Path(Formed([lambda: identity, *makers]), np.zeros(len(makers), np.float32))


def _towards(pairs: Pairs, rows: Float[np.ndarray, "n k"]) -> Moments:
    """The moments of all captions with the row of their image."""
    return merged_moments(pairs._replace(target=(rows,) * len(pairs.text)))


def _gcca(pairs: Pairs, *, penalty: float) -> Path:
    """All languages and the images are views. A map is the ridge regression of the consensus on its view; that of the
    captions, which all languages share, is regressed on all of them."""
    points = []
    for step in STEPS:
        found = gcca(pairs.views, pairs.masks, penalty=step * penalty)
        moments = _towards(pairs, found.rows)
        about, width = centred(moments), pairs.views[-1].shape[1]
        values, vectors = eigendecompose(about.text_text)
        values = values + scaled_penalty(step * penalty, mean_eigenvalue(about.text_text))
        matrix = (vectors * inverse(values)) @ (vectors.T @ about.text_target)
        text = affine_params(off_identity(matrix, width), mean=means(moments)[0])
        image = affine_params(off_identity(found.maps[-1], width), mean=found.means[-1])
        points.append({"text": text, "image": image})
    return make_path(points)


def _generalised_procrustes(pairs: Pairs, *, penalty: float) -> Path:
    """All languages and the images are views; their consensus is turned to the images, which therefore stay. The map of
    the captions, which all languages share, is the best orthogonal one to it."""
    width = pairs.views[-1].shape[1]
    consensus = generalised_procrustes(pairs.views, pairs.masks, anchor=len(pairs.views) - 1).rows
    matrix = procrustes(_towards(pairs, consensus[:, :width])).matrix
    return make_path(
        [{"text": affine_params(off_identity(matrix, width)), "image": affine_params(np.zeros((width, width)))}]
    )


CLOSED_FORMS: dict[str, ClosedForm] = {
    "centring": ClosedForm(_centring, ("symmetric",)),
    "ridge": ClosedForm(_ridge, CAPTIONS_MOVE),
    "pooled_ridge": ClosedForm(_pooled_ridge, CAPTIONS_MOVE),
    "procrustes": ClosedForm(_procrustes, CAPTIONS_MOVE),
    "scaled_procrustes": ClosedForm(partial(_procrustes, scaled=True), CAPTIONS_MOVE),
    "centred_ridge": ClosedForm(_centred_ridge, ("symmetric",)),
    "multi_step": ClosedForm(_multi_step, ("symmetric",)),
    "cca": ClosedForm(partial(_canonical, powers=(0.0,)), ("symmetric",)),
    "csa": ClosedForm(partial(_canonical, powers=CSA_POWERS), ("symmetric",)),
    "gcca": ClosedForm(_gcca, ("gcca",)),
    "generalised_procrustes": ClosedForm(_generalised_procrustes, ("consensus",)),
}
