"""Registry of closed forms by aligner name: from pairs of rows to a regularisation path that begins at the identity.

The maps are parameters of `aligners.affine`, of `per_language(affine)` or of `dual(affine, affine)`, as the aligner of
the same name has them: x ↦ (x − mean)(E + delta) + offset on each side, so that zeros are the identity. Every map ends
in the width of the images; a space of fewer dimensions is filled up with zero columns.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple, Protocol

import jax
import numpy as np
from jaxtyping import Bool, Float, Int

from ccalign_jax.numerics import AnyArray
from ccalign_jax.solvers._eigen import eigendecompose, inverse, mean_eigenvalue, scaled_penalty
from ccalign_jax.solvers.cca import cca_map, cca_path
from ccalign_jax.solvers.consensus import gcca, generalised_procrustes
from ccalign_jax.solvers.moments import Moments, add_captions, add_rows, centred, empty_moments, means, merge
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
    "Gathered",
    "Pairs",
    "Path",
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
CAPTIONS_MOVE = ("image", "text", "centroid", "auxiliary")

AffineParams = dict[str, Float[np.ndarray, "..."]]


class Pairs(NamedTuple):
    """Captions of the training images and their target rows, an entry a language; only captions with a target.

    Attributes:
        text: `[m_l, d_text]`, caption rows.
        image_of: `[m_l]`, the row of `target` of each caption.
        target: `[n, d_target]`, a row an image; those that no caption points at may hold anything. Languages may share
            one array.
        weights: `[m_l]`, positive; of one sum for languages that are to weigh the same.
        views: `[n, d_v]` each, for forms that look for a consensus: one caption row an image in each language, and
            last the images, all of which are there.
        masks: `[views, n]`, where the views have a row.
    """

    text: tuple[Float[AnyArray, "m d_text"], ...]
    image_of: tuple[Int[np.ndarray, " m"], ...]
    target: tuple[Float[AnyArray, "n d_target"], ...]
    weights: tuple[Float[np.ndarray, " m"], ...]
    views: tuple[Float[AnyArray, "n d_v"], ...] = ()
    masks: Bool[np.ndarray, "views n"] | None = None


class Gathered(NamedTuple):
    """Second moments of `Pairs` in each language: sufficient for all forms but those that look for a consensus.

    Attributes:
        moments: of each language; of one weight for languages that are to weigh the same.
        images: how many images each language has.
    """

    moments: tuple[Moments, ...]
    images: tuple[int, ...]


class Path(NamedTuple):
    """Maps from the identity to the least regularised, for a validation part to choose from.

    Attributes:
        points: parameters, float32: the identity, then solutions from strong to weak penalties.
        losses: `[points − 1]` float32, the leave-one-out error of each solution where the form knows it, which takes
            the rows; else 0.
    """

    points: Sequence[Any]
    losses: Float[np.ndarray, " solutions"]

    @property
    def epochs(self) -> Int[np.ndarray, " points"]:
        """The place of each point."""
        return np.arange(len(self.points), dtype=np.int32)

    @property
    def diverged(self) -> Int[np.ndarray, " points"]:
        """Zeros: a closed form has no steps that could diverge."""
        return np.zeros(len(self.points), np.int32)

    def at(self, point: int) -> Any:
        """The parameters of one point; 0 is the identity."""
        return self.points[int(point)]


class _Formed(Sequence[Any]):
    """Points computed on access: many share their factors, and all of them together would fill the memory."""

    def __init__(self, makers: Sequence[Callable[[], Any]]):
        self.makers = makers

    def __len__(self) -> int:
        return len(self.makers)

    def __getitem__(self, point: Any) -> Any:
        return [make() for make in self.makers[point]] if isinstance(point, slice) else self.makers[point]()


class Solve(Protocol):
    """From `Pairs` or what was `Gathered` of them to a path; `penalty` is relative, and not all forms look at it."""

    def __call__(self, pairs: Any, *, penalty: float) -> Path: ...


class ClosedForm(NamedTuple):
    """A closed form: `path(pairs, penalty=…)`, and the kinds of pivots that it goes with, the most usual first."""

    path: Solve
    pivots: tuple[str, ...]


def _path(points: Sequence[Any], losses: Float[np.ndarray, " solutions"] | None = None) -> Path:
    identity = jax.tree.map(np.zeros_like, points[0])
    losses = np.zeros(len(points)) if losses is None else losses
    return Path([identity, *points], losses.astype(np.float32))


def _affine(
    delta: Float[np.ndarray, "d width"],
    *,
    mean: Float[np.ndarray, " d"] | None = None,
    offset: Float[np.ndarray, " width"] | None = None,
) -> AffineParams:
    """Parameters of `aligners.affine`."""
    d, width = delta.shape
    mean = np.zeros(d) if mean is None else mean
    offset = np.zeros(width) if offset is None else offset
    leaves = {"mean": mean, "delta": delta, "offset": offset}
    return {name: leaf.astype(np.float32, copy=False) for name, leaf in leaves.items()}


def _delta(matrix: Float[np.ndarray, "d k"], width: int) -> Float[np.ndarray, "d width"]:
    """W − E for a matrix W, its columns filled up with zeros, or cut, to the width; float32."""
    kept, delta = matrix[:, :width], np.zeros((len(matrix), width), np.float32)
    delta[:, : kept.shape[1]] = kept
    places = np.arange(min(delta.shape))
    delta[places, places] = np.pad(kept.diagonal(), (0, len(places) - min(kept.shape))) - 1
    return delta


def _moments(pairs: Pairs | Gathered) -> list[Moments]:
    """The second moments of each language."""
    if isinstance(pairs, Gathered):
        return list(pairs.moments)
    return [
        add_rows(empty_moments(text.shape[1], target.shape[1]), text, target[image_of], weights=weights)
        for text, image_of, target, weights in zip(*pairs[:4], strict=True)
    ]


def _merged(pairs: Pairs | Gathered) -> Moments:
    """The second moments of all languages together."""
    if isinstance(pairs, Gathered) or any(target is not pairs.target[0] for target in pairs.target):
        return merge(*_moments(pairs))
    text, image_of, weights = (np.concatenate(parts) for parts in (pairs.text, pairs.image_of, pairs.weights))
    none = empty_moments(text.shape[1], pairs.target[0].shape[1])
    return add_captions(none, text, image_of, pairs.target[0], weights=weights)


def _centring(pairs: Pairs | Gathered, *, penalty: float) -> Path:
    text_mean, image_mean = means(_merged(pairs))
    width = len(image_mean)
    text, image = (_affine(np.zeros((len(mean), width)), mean=mean) for mean in (text_mean, image_mean))
    return _path([{"text": text, "image": image}])


def _ridge(pairs: Pairs | Gathered, *, penalty: float) -> Path:
    """The penalties are the path's own. Its errors leave one caption out, but not the others of the image: they are
    too small, as is the penalty at which they are least."""
    path, pull = fit_ridge(pairs)
    lambdas = RIDGE_PENALTIES * path.mean_eigenvalue
    points = [ridge_point(path, lam, pull) for lam in lambdas]
    if isinstance(pairs, Gathered):
        return _path(points)
    errors = np.zeros(len(lambdas))
    for text, image_of, target, weights in zip(*pairs[:4], strict=True):
        errors += weights @ leave_one_out(path, text, target[image_of], lambdas, weights=weights)
    mean = errors / sum(weights.sum() for weights in pairs.weights)
    return _path(points, mean)


def _centred_ridge(pairs: Pairs | Gathered, *, penalty: float) -> Path:
    """Ridge regression of images less their mean on captions less theirs: images move by their mean alone."""
    moments = _merged(pairs)
    path = ridge_path(moments, centre=True, to_identity=identity_informs(moments))
    width = len(path.target_mean)
    image = _affine(np.zeros((width, width)), mean=path.target_mean)
    lambdas = RIDGE_PENALTIES * path.mean_eigenvalue
    solutions = [_affine(ridge_map(path, lam).delta, mean=path.text_mean) for lam in lambdas]
    return _path([{"text": text, "image": image} for text in solutions])


def _pooled_ridge(pairs: Pairs | Gathered, *, penalty: float) -> Path:
    """The penalties are the path's own. A language weighs as many images as it has: with few, its map stays near those
    of the others."""
    points = []
    if isinstance(pairs, Gathered):
        images = list(pairs.images)
    else:
        images = [len(np.unique(image_of)) for image_of in pairs.image_of]
    each = _moments(pairs)
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
    return _path(points)


def fit_ridge(pairs: Pairs | Gathered) -> tuple[RidgePath, Moments | None]:
    """Ridge regressions of all pairs: towards the identity where it is above chance, else of centred rows towards zero.

    Returns:
        The path; and the moments about whose means it is, None where it is about zero.
    """
    moments = _merged(pairs)
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
        return _affine(delta)
    text_mean, target_mean = means(about)
    power = mean_eigenvalue(about.target_target) / about.weight - target_mean @ target_mean / len(target_mean)
    q = target_mean / max(target_mean @ target_mean + power, np.finfo(np.float64).tiny)
    matrix = delta + np.eye(*delta.shape)
    return _affine(delta - np.outer(matrix @ target_mean, q), mean=text_mean)


def _procrustes(pairs: Pairs | Gathered, *, penalty: float, scaled: bool = False) -> Path:
    found = procrustes(_merged(pairs), scale=scaled, centre=scaled)
    delta = _delta(found.scale * found.matrix, found.matrix.shape[1])
    return _path([_affine(delta, mean=found.text_mean, offset=found.target_mean)])


def _two_sided(found: TwoSided, *, kept: int | None = None, power: float = 0.0) -> dict[str, AffineParams]:
    """Parameters of both sides, of the first `kept` directions times a power of their correlations.

    With power ½ the inner products of rows are those of `csa_rows`, which has them divided by the lengths before.
    """
    scale, width = found.correlations[:kept] ** power, len(found.target_map)
    text = _affine(_delta(scale * found.text_map[:, :kept], width), mean=found.text_mean)
    image = _affine(_delta(scale * found.target_map[:, :kept], width), mean=found.target_mean)
    return {"text": text, "image": image}


def _multi_step(pairs: Pairs | Gathered, *, penalty: float) -> Path:
    moments = _merged(pairs)
    sides = whitening_sides(moments)
    return _path([_two_sided(multi_step(moments, sides=sides, penalty=step * penalty)) for step in STEPS])


def _canonical(pairs: Pairs | Gathered, *, penalty: float, powers: Sequence[float]) -> Path:
    """Penalties a side, numbers of directions and powers of the correlations; one SVD for each pair of penalties."""
    path = cca_path(_merged(pairs))
    directions = min(len(path.text_mean), len(path.target_mean))
    makers = []
    for text_step, image_step in itertools.product(CANONICAL_STEPS, repeat=2):
        found = cca_map(path, text_penalty=text_step * penalty, target_penalty=image_step * penalty)
        for kept in dict.fromkeys(max(1, directions // share) for share in SHARES):
            makers += [partial(_two_sided, found, kept=kept, power=power) for power in powers]
    identity = jax.tree.map(np.zeros_like, makers[0]())
    return Path(_Formed([lambda: identity, *makers]), np.zeros(len(makers), np.float32))


def _towards(pairs: Pairs, rows: Float[np.ndarray, "n k"]) -> Moments:
    """The moments of all captions with the row of their image."""
    return _merged(pairs._replace(target=(rows,) * len(pairs.text)))


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
        text = _affine(_delta(matrix, width), mean=means(moments)[0])
        image = _affine(_delta(found.maps[-1], width), mean=found.means[-1])
        points.append({"text": text, "image": image})
    return _path(points)


def _generalised_procrustes(pairs: Pairs, *, penalty: float) -> Path:
    """All languages and the images are views; their consensus is turned to the images, which therefore stay. The map of
    the captions, which all languages share, is the best orthogonal one to it."""
    width = pairs.views[-1].shape[1]
    consensus = generalised_procrustes(pairs.views, pairs.masks, anchor=len(pairs.views) - 1).rows
    matrix = procrustes(_towards(pairs, consensus[:, :width])).matrix
    return _path([{"text": _affine(_delta(matrix, width)), "image": _affine(np.zeros((width, width)))}])


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
