"""Closed forms of more rows than memory holds: their second moments, gathered in one pass."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from functools import partial

import jax
import numpy as np
from jaxtyping import Bool, Float

from ccalign_jax.data import PairRows
from ccalign_jax.errors import InputError
from ccalign_jax.numerics import unit_float32
from ccalign_jax.pivots import Pivot
from ccalign_jax.solvers import Moments, add_rows, empty_moments, merge
from ccalign_jax.solvers.closed_forms import Gathered
from ccalign_jax.study.closed import Aim, aims_of
from ccalign_jax.training import Space

__all__ = ["gather_moments"]


@dataclasses.dataclass
class _Sums:
    """What the captions of a language and one of their aims have come to."""

    moments: Moments
    share: float = 1.0

    def add(self, text: Float[np.ndarray, "n d_text"], aim: Aim, there: Bool[np.ndarray, " n"]) -> None:
        self.share, counted = aim.share, aim.exists & there
        self.moments = add_rows(self.moments, text, aim.rows, weights=None if counted.all() else counted)


def gather_moments(pivot: Pivot, space: Space, parts: Iterable[PairRows], *, image_weight: float = 1.0) -> Gathered:
    """What `gather_pairs` says of all rows, without holding more than a part of them.

    Args:
        pivot: any but those of a consensus, which have to see all rows at once.
        space: widths and languages of the rows.
        parts: all rows, in any order and in parts of any size; rows of any length.
        image_weight: λ of the auxiliary pivot.

    Raises:
        InputError: the pivot is a consensus, or no caption has a target.

    Example:
        >>> from ccalign_jax.pivots import make_pivot
        >>> rows, there, space = np.eye(4, dtype=np.float16), np.ones((1, 4), bool), Space(4, 4, ("en",))
        >>> part = PairRows(rows, 2 * rows[None], there, np.arange(4))
        >>> found = gather_moments(make_pivot("image", ("en",)), space, [part, part])
        >>> found.images, found.moments[0].text_target.diagonal().tolist()
        ((8,), [0.25, 0.25, 0.25, 0.25])
    """
    if pivot.consensus is not None:
        raise InputError(
            f"pivot {pivot.name} needs all rows at once and cannot be streamed; use image or symmetric, or fewer rows"
        )
    d_target = space.d_text if pivot.within_text else space.d_image
    sums: list[list[_Sums]] = [[] for _ in space.languages]
    for rows in parts:
        image = unit_float32(rows.image)
        text = [_unit_captions(each, there) for each, there in zip(rows.text, rows.mask, strict=True)]
        views = np.stack(text) if pivot.within_text else np.zeros((0, *image.shape), np.float32)
        aims = aims_of(pivot, space.languages, image, views, rows.mask, image_weight)
        for known, own, captions, there in zip(sums, aims, text, rows.mask, strict=True):
            known.extend(_Sums(empty_moments(space.d_text, d_target)) for _ in own[len(known) :])
            for one, aim in zip(known, own, strict=True):
                one.add(captions, aim, there)
    if not any(one.moments.weight for known in sums for one in known):
        raise InputError(f"pivot {pivot.name}: no caption to train on has a target; use another pivot")
    # A language weighs one, whatever it has, and of that each aim its share.
    whole = tuple(
        merge(*(_scaled(one.moments, one.share / max(one.moments.weight, 1)) for one in known)) for known in sums
    )
    return Gathered(whole, tuple(int(max(one.moments.weight for one in known)) for known in sums))


def _unit_captions(rows: Float[np.ndarray, "n d"], there: Bool[np.ndarray, " n"]) -> Float[np.ndarray, "n d"]:
    """Unit rows, zero where there is no caption."""
    found = np.zeros(rows.shape, np.float32)
    found[there] = unit_float32(rows[there])
    return found


def _scaled(moments: Moments, factor: float) -> Moments:
    return jax.tree.map(partial(np.multiply, factor), moments)
