"""Rows with fewer numbers, in the same space for captions and images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float

from ccalign_jax.numerics import AnyArray, unit_float32

__all__ = ["REDUCTIONS", "Reduction", "fit_reduction"]

Side = Literal["text", "image"]


class Reduction(NamedTuple):
    """x ↦ the first numbers of (x − mean of its side) R, scaled to unit length; x is a unit row.

    Attributes:
        mean: of captions and of images, `[d]` each; zero where rows are not centred.
        rotation: R `[d, d]`, orthogonal; its columns come in the order in which they are kept.
    """

    mean: dict[Side, Float[np.ndarray, " d"]]
    rotation: Float[np.ndarray, "d d"]

    def shorten(self, rows: Float[AnyArray, "m d"], width: int, side: Side) -> Float[np.ndarray, "m width"]:
        """Unit rows of `width` numbers; a row without anything in them is zero.

        Args:
            rows: of any float dtype and length.
            width: at most d.
            side: of the rows, `text` or `image`.
        """
        centred = unit_float32(np.asarray(rows)) - self.mean[side]
        return unit_float32(centred @ self.rotation[:, :width])


def _truncation(text: np.ndarray, image: np.ndarray, means: dict[Side, np.ndarray]) -> Reduction:
    return Reduction(_none(means), np.eye(len(text), dtype=np.float32))


def _rotation(text: np.ndarray, image: np.ndarray, means: dict[Side, np.ndarray]) -> Reduction:
    return Reduction(_none(means), _directions(text + image))


def _pca(text: np.ndarray, image: np.ndarray, means: dict[Side, np.ndarray]) -> Reduction:
    centred = text - np.outer(means["text"], means["text"]) + image - np.outer(means["image"], means["image"])
    return Reduction({side: mean.astype(np.float32) for side, mean in means.items()}, _directions(centred))


# By name: from second moments of captions and images, `[d, d]` each, and their means.
REDUCTIONS: dict[str, Callable[[np.ndarray, np.ndarray, dict[Side, np.ndarray]], Reduction]] = {
    "truncation": _truncation,
    "rotation": _rotation,
    "pca": _pca,
}


def fit_reduction(name: str, text: Sequence[Float[AnyArray, "_ d"]], image: Float[AnyArray, "n d"]) -> Reduction:
    """A reduction of captions and images to any number of dimensions.

    `truncation` keeps the first numbers of a row. `rotation` turns both sides alike, so that the first numbers hold as
    much of the squared length of captions and images as any could: at full width all cosines are as they were. `pca`
    does so after each side's mean is subtracted, which also takes away the gap between the modalities.

    Args:
        name: one of `REDUCTIONS`.
        text: captions of each language; all languages weigh the same, together as much as the images.
        image: of any float dtype and length, like the captions.

    Raises:
        KeyError: an unknown name.

    Example:
        >>> rows = np.array([[1.0, 5.0, 0.0], [-1.0, 5.0, 0.1]])
        >>> found = fit_reduction("rotation", [rows], rows)
        >>> found.shorten(rows, 1, "text").shape, bool(abs(found.rotation[1, 0]) > 0.99)
        ((2, 1), True)
    """
    sides = [unit_float32(np.asarray(rows)) for rows in text]
    images = unit_float32(np.asarray(image))
    moment = np.mean([_moment(rows) for rows in sides], axis=0)
    means: dict[Side, np.ndarray] = {
        "text": np.mean([rows.mean(axis=0, dtype=np.float64) for rows in sides], axis=0),
        "image": images.mean(axis=0, dtype=np.float64),
    }
    return REDUCTIONS[name](moment, _moment(images), means)


def _moment(rows: np.ndarray) -> Float[np.ndarray, "d d"]:
    return np.asarray(rows.T @ rows, np.float64) / len(rows)


def _directions(moment: np.ndarray) -> Float[np.ndarray, "d d"]:
    """Eigenvectors, those of the largest eigenvalues first; of each the largest number is positive."""
    found = np.linalg.eigh(moment)[1][:, ::-1]
    largest = np.take_along_axis(found, abs(found).argmax(axis=0)[None], axis=0)
    return (found * np.sign(largest)).astype(np.float32)


def _none(means: dict[Side, np.ndarray]) -> dict[Side, np.ndarray]:
    return {side: np.zeros(len(mean), np.float32) for side, mean in means.items()}
