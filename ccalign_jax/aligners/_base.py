"""The aligner: a NamedTuple of pure functions over a plain pytree of parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from jaxtyping import Array, Bool, Float, PyTree

from ccalign_jax.numerics import unit_rows

__all__ = ["Adapt", "Aligner", "Params", "TextMap", "keep_rows", "linear_part", "map_captions", "map_images"]

Params = Any  # a plain pytree of arrays: nested dicts


class TextMap(Protocol):
    """The map of caption rows; `key` and `dropout` matter in training alone."""

    def __call__(
        self,
        params: Params,
        text: Float[Array, "m d_text"],
        language: int | Array,
        *,
        key: Array | None = None,
        dropout: float | Array = 0.0,
    ) -> Float[Array, "m d_out"]: ...


class Adapt(Protocol):
    """Set data-dependent parameters from training rows before the first step; the map stays the initial one.

    Rows where the mask is False may hold anything finite, and never matter.
    """

    def __call__(
        self,
        params: Params,
        text: Float[Array, "languages m d_text"],
        text_mask: Bool[Array, "languages m"],
        image: Float[Array, "n d_image"],
        image_mask: Bool[Array, " n"],
        key: Array,
    ) -> Params: ...


class Aligner(NamedTuple):
    """Pure functions that map captions and images into one space.

    It takes unit rows and returns rows of any length; `map_captions` and `map_images` normalise both.

    Attributes:
        init: `init(key) -> params`, a plain pytree of float32 arrays.
        text: `text(params, rows, language) -> rows`; `language` is its number in the data's sorted list, or -1
            for one that was not in training: a map with a part that languages share uses that part alone.
        image: `image(params, rows) -> rows`; the rows themselves for a one-sided aligner.
        deviation: `deviation(params) -> tree` of arrays that are zero exactly at identity: what the prox
            penalty measures; of no arrays where nothing makes the map the identity.
        matrix: `matrix(params) -> W [..., d_text, d_out]` where the whole map is x ↦ xW and images are unchanged,
            else None: use `map_captions` and `map_images`.
        trains_image: whether `image` has parameters.
        frozen: names of the parameters (the last dict key on a leaf's path) that are set once and never trained.
        adapt: `adapt(params, text, text_mask, image, image_mask, key) -> params`, called once before the first
            step; None where nothing depends on data. A map that was never adapted works too.
        linear_part: the same W where captions are mapped to (x − m)W + c, or images are mapped too; see `linear_part`.
    """

    init: Callable[[Array], Params]
    text: TextMap
    image: Callable[[Params, Array], Array]
    deviation: Callable[[Params], PyTree[Array]]
    matrix: Callable[[Params], Array] | None = None
    trains_image: bool = False
    frozen: frozenset[str] = frozenset()
    adapt: Adapt | None = None
    linear_part: Callable[[Params], Array] | None = None


def map_captions(
    aligner: Aligner, params: Params, rows: Float[Array, "m d_text"], language: int | Array
) -> Float[Array, "m d_out"]:
    """Unit rows in the shared space for caption rows of any length: normalised, as in training, and mapped.

    Args:
        aligner, params: the map.
        rows: `[m, d_text]`.
        language: number of the captions' language, or -1 for one that was not in training.

    Example:
        >>> import jax.numpy as jnp
        >>> from ccalign_jax.aligners import shift
        >>> rows = jnp.array([[2.0, 0.0], [5.0, 0.0]])
        >>> map_captions(shift(2, 2), {"bias": jnp.array([-1.0, 1.0])}, rows, 0).tolist()
        [[0.0, 1.0], [0.0, 1.0]]
    """
    return unit_rows(aligner.text(params, unit_rows(rows), language))


def map_images(aligner: Aligner, params: Params, rows: Float[Array, "n d_image"]) -> Float[Array, "n d_out"]:
    """Unit rows in the shared space for image rows of any length, as `map_captions`."""
    return unit_rows(aligner.image(params, unit_rows(rows)))


def keep_rows(params: Params, rows: Float[Array, "n d"]) -> Float[Array, "n d"]:
    """Image rows unchanged, as on the image side of a one-sided aligner."""
    return rows


def linear_part(aligner: Aligner) -> Callable[[Params], Array] | None:
    """`params -> W` of an affine caption map x ↦ (x − m)W + c, which penalties and spectra measure; else None.

    W is the whole map only where the aligner has a `matrix`.

    Example:
        >>> import jax.numpy as jnp
        >>> from ccalign_jax.aligners import dual, residual, shift
        >>> both = dual(residual(3, 2), shift(2, 2))
        >>> both.matrix is None, linear_part(both)({"text": {"delta": jnp.zeros((3, 2))}}).shape
        (True, (3, 2))
    """
    return aligner.matrix if aligner.linear_part is None else aligner.linear_part
