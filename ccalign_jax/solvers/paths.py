"""Pairs to solve a closed form on, their moments, and the path of maps that comes out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Bool, Float, Int

from ccalign_jax.numerics import AnyArray
from ccalign_jax.solvers.moments import Moments, add_captions, add_rows, empty_moments, merge

__all__ = [
    "AffineParams",
    "Formed",
    "Gathered",
    "Pairs",
    "Path",
    "affine_params",
    "language_moments",
    "make_path",
    "merged_moments",
    "off_identity",
]

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


class Formed(Sequence[Any]):
    """Points computed on access: many share their factors, and all of them together would fill the memory."""

    def __init__(self, makers: Sequence[Callable[[], Any]]):
        self.makers = makers

    def __len__(self) -> int:
        return len(self.makers)

    def __getitem__(self, point: Any) -> Any:
        return [make() for make in self.makers[point]] if isinstance(point, slice) else self.makers[point]()


def make_path(points: Sequence[Any], losses: Float[np.ndarray, " solutions"] | None = None) -> Path:
    """The path of these solutions, after the identity; without losses they are 0."""
    identity = jax.tree.map(np.zeros_like, points[0])
    losses = np.zeros(len(points)) if losses is None else losses
    return Path([identity, *points], losses.astype(np.float32))


def affine_params(
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


def off_identity(matrix: Float[np.ndarray, "d k"], width: int) -> Float[np.ndarray, "d width"]:
    """W − E for a matrix W, its columns filled up with zeros, or cut, to the width; float32."""
    kept, delta = matrix[:, :width], np.zeros((len(matrix), width), np.float32)
    delta[:, : kept.shape[1]] = kept
    places = np.arange(min(delta.shape))
    delta[places, places] = np.pad(kept.diagonal(), (0, len(places) - min(kept.shape))) - 1
    return delta


def language_moments(pairs: Pairs | Gathered) -> list[Moments]:
    """The second moments of each language."""
    if isinstance(pairs, Gathered):
        return list(pairs.moments)
    return [
        add_rows(empty_moments(text.shape[1], target.shape[1]), text, target[image_of], weights=weights)
        for text, image_of, target, weights in zip(*pairs[:4], strict=True)
    ]


def merged_moments(pairs: Pairs | Gathered) -> Moments:
    """The second moments of all languages together."""
    if isinstance(pairs, Gathered) or any(target is not pairs.target[0] for target in pairs.target):
        return merge(*language_moments(pairs))
    text, image_of, weights = (np.concatenate(parts) for parts in (pairs.text, pairs.image_of, pairs.weights))
    none = empty_moments(text.shape[1], pairs.target[0].shape[1])
    return add_captions(none, text, image_of, pairs.target[0], weights=weights)
