"""Unit rows and masked log-sum-exp, safe in value and in gradient, and maps over items of several shapes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

__all__ = [
    "AnyArray",
    "map_by_shape",
    "masked_log_sum_exp",
    "place_within",
    "resize_rows",
    "scale_rows",
    "unit_float32",
    "unit_rows",
]

AnyArray = Array | np.ndarray  # results of compiled code, on the device or fetched from it

Tree = TypeVar("Tree")
Result = TypeVar("Result")


@jax.jit  # one program for each shape where it is called by itself; exports know it by its name
def unit_rows(rows: Float[Array, "*n d"]) -> Float[Array, "*n d"]:
    """Rows scaled to length one, in their own dtype; a zero row stays zero, with gradient zero.

    Args:
        rows: `[..., d]`, any float dtype and size (entries that are denormal numbers are zeros to XLA on a CPU); a row
            with NaN or infinity comes out with NaN.

    Example:
        >>> unit_rows(jnp.array([[0.0, 2.0], [0.0, 0.0]])).tolist()
        [[0.0, 1.0], [0.0, 0.0]]
    """
    rows = jnp.asarray(rows)
    scaled = _scaled(rows)
    square = jnp.sum(jnp.square(scaled), axis=-1, keepdims=True)
    none = square == 0
    # The square root of a zero has an infinite slope, and `where` after the root would turn it into NaN. The second
    # `where` keeps XLA from dividing by the root as a product with its inverse, which rounds otherwise.
    norm = jnp.where(none, 0.0, jnp.sqrt(jnp.where(none, 1.0, square)))
    return jnp.where(none, 0.0, scaled / jnp.where(norm == 0, 1.0, norm)).astype(rows.dtype)


def _scaled(rows: Float[Array, "*n d"]) -> Float[Array, "*n d"]:
    """Rows, in float32 at least, times a power of two that takes their largest entry to about one.

    Powers of two change no bit of a quotient, and entries of about one have squares that neither overflow nor vanish.
    """
    rows = rows.astype(jnp.promote_types(rows.dtype, jnp.float32))
    largest = jnp.max(jnp.abs(jax.lax.stop_gradient(rows)), axis=-1, keepdims=True, initial=0.0)
    # By the bits of the exponent: `frexp` and `ldexp` are a hundred operations, which every program would compile.
    about = jnp.finfo(rows.dtype)
    exponent = jax.lax.bitcast_convert_type(largest, f"int{about.bits}") >> about.nmant
    most = 2 * about.maxexp - 4  # beyond it the power itself would be a denormal number, which XLA drops
    power = (most + 1 - jnp.minimum(exponent, most)) << about.nmant
    return rows * jax.lax.bitcast_convert_type(power, rows.dtype)


def unit_float32(rows: Float[np.ndarray, "*n d"]) -> Float[np.ndarray, "*n d"]:
    """`unit_rows` for NumPy rows of any float dtype, as float32; also for rows beyond the range of float32.

    Example:
        >>> unit_float32(np.array([[0.0, 1e60], [0.0, 0.0]])).tolist()
        [[0.0, 1.0], [0.0, 0.0]]
    """
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        found = np.asarray(rows, np.float32)
        norm = np.linalg.norm(found, axis=-1, keepdims=True)
        odd = ~((norm > 1e-18) & (norm < 1e18))[..., 0]  # their squares leave float32
        if odd.any():
            found, norm = found.copy(), norm.copy()
            found[odd] = scale_rows(rows[odd])
            norm[odd] = np.linalg.norm(found[odd], axis=-1, keepdims=True)
        return found / np.where(norm == 0, np.float32(1.0), norm)


def scale_rows(rows: Float[np.ndarray, "*n d"]) -> Float[np.ndarray, "*n d"]:
    """NumPy rows, in float32 at least, times a power of two that takes their largest entry to between ½ and 1.

    Example:
        >>> scale_rows(np.array([[3.0, -4.0]])).tolist()
        [[0.375, -0.5]]
    """
    rows = rows.astype(np.promote_types(rows.dtype, np.float32))
    with np.errstate(under="ignore", invalid="ignore"):
        return np.ldexp(rows, -np.frexp(np.abs(rows).max(axis=-1, keepdims=True))[1])


def resize_rows(rows: Float[Array, "*n d"], width: int) -> Float[Array, "*n width"]:
    """Rows times the rectangular identity E `[d, width]`: cut or padded with zeros, exact on every device.

    Example:
        >>> resize_rows(jnp.array([[1.0, 2.0]]), 3).tolist()
        [[1.0, 2.0, 0.0]]
    """
    size = rows.shape[-1]
    if size >= width:
        return rows[..., :width]
    return jnp.pad(rows, [(0, 0)] * (rows.ndim - 1) + [(0, width - size)])


def masked_log_sum_exp(
    values: Float[Array, ...], mask: Bool[Array, ...], *, axis: int | tuple[int, ...] = -1
) -> Float[Array, ...]:
    """log Σ exp over the entries that `mask` keeps; -inf, with gradient 0, where it keeps none.

    Args:
        values: floats; a NaN that is kept comes out as NaN, what is not kept never matters.
        mask: broadcastable to `values`; True keeps.
        axis: the axes to reduce.

    Example:
        >>> float(masked_log_sum_exp(jnp.zeros(4), jnp.array([True, False, False, False])))
        0.0
    """
    kept = jnp.where(mask, values, -jnp.inf)
    top = jax.lax.stop_gradient(jnp.max(kept, axis=axis, keepdims=True))
    top = jnp.where(jnp.isfinite(top), top, 0.0)
    total = jnp.sum(jnp.exp(kept - top), axis=axis)
    none = total == 0  # not `total > 0`: a NaN must come out, not pass for an empty sum
    return jnp.where(none, -jnp.inf, jnp.log(jnp.where(none, 1.0, total)) + jnp.squeeze(top, axis))


def place_within(numbers: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """0, 1, 2 … among the entries that are equal, in their order.

    Args:
        numbers: `[n]`, at least 0.

    Example:
        >>> place_within(np.array([7, 3, 7, 7, 3])).tolist()
        [0, 0, 1, 2, 1]
    """
    order = np.argsort(numbers, kind="stable")
    starts = np.flatnonzero(np.diff(numbers[order], prepend=-1))
    found = np.empty(len(numbers), np.int64)
    found[order] = np.arange(len(numbers)) - np.repeat(starts, np.diff(starts, append=len(numbers)))
    return found


def map_by_shape(function: Callable[[Tree], Result], items: Sequence[Tree]) -> list[Result]:
    """`[function(item) for item in items]`, compiled once for each shape that the items have.

    Args:
        function: maps a tree of arrays to a tree of arrays.
        items: trees of one structure; the arrays may differ in shape from item to item.

    Example:
        >>> [row.tolist() for row in map_by_shape(lambda x: 2 * x, [jnp.ones(2), jnp.ones(1), jnp.zeros(2)])]
        [[2.0, 2.0], [2.0], [0.0, 0.0]]
    """
    shapes = [tuple(jnp.shape(leaf) for leaf in jax.tree.leaves(item)) for item in items]
    found: dict[int, Result] = {}
    for shape in dict.fromkeys(shapes):
        places = [place for place, other in enumerate(shapes) if other == shape]
        stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *(items[place] for place in places))
        results = jax.lax.map(function, stacked)
        for row, place in enumerate(places):
            found[place] = jax.tree.map(lambda leaf, row=row: leaf[row], results)
    return [found[place] for place in range(len(items))]
