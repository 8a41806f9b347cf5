"""Consensus of several views with missing rows: MAXVAR generalised CCA and generalised Procrustes analysis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from ccalign_jax.numerics import AnyArray
from ccalign_jax.solvers._eigen import (
    condition_number,
    eigendecompose,
    inverse,
    mean_eigenvalue,
    nearest_orthogonal,
    power,
    scaled_penalty,
)

__all__ = ["Consensus", "gcca", "generalised_procrustes"]

BLOCK_ROWS = 2048
TIE = 1e-8  # of the mean eigenvalue: keeps a direction without data where it is


class Consensus(NamedTuple):
    """Maps of the views into a shared space of k dimensions, and the consensus rows there; float64.

    Attributes:
        maps: `[d_v, k]` a view: rows of view v go to (x − means[v]) · maps[v].
        means: `[d_v]` a view, over the rows present; zero unless centred.
        rows: `[n, k]`, the consensus of each row over the views that have it; zero for a row that none has.
        shares: `[k]`, descending. MAXVAR: how much of the consensus the views explain, in [0, 1]. Procrustes: one
            entry, the share of the sum of squares that the consensus holds.
        condition: of the worst view with its penalty; infinite where one has a null direction.
        steps: iterations taken; 0 for a closed form.
    """

    maps: tuple[Float[np.ndarray, "d_v k"], ...]
    means: tuple[Float[np.ndarray, " d_v"], ...]
    rows: Float[np.ndarray, "n k"]
    shares: Float[np.ndarray, " k"]
    condition: float
    steps: int


class _Views(NamedTuple):
    """The views, checked: rows, masks `[views, n]`, means, and where each one's columns lie among all."""

    rows: tuple[AnyArray, ...]
    masks: Bool[np.ndarray, "views n"]
    means: tuple[Float[np.ndarray, " d_v"], ...]
    columns: tuple[slice, ...]

    def block(self, start: int) -> list[Float[np.ndarray, "b d_v"]]:
        """Some rows of each view less its mean, float64; zero where missing."""
        here = slice(start, start + BLOCK_ROWS)
        return [
            np.where(mask[here, None], np.asarray(rows[here], np.float64) - mean, 0.0)
            for rows, mask, mean in zip(self.rows, self.masks, self.means, strict=True)
        ]


def _checked(
    views: Sequence[Float[AnyArray, "n d_v"]], masks: Bool[AnyArray, "views n"] | None, centre: bool
) -> _Views:
    counts = [len(rows) for rows in views]
    if not views or len(set(counts)) != 1:
        raise ValueError(f"the views have {counts} rows; give one view at least, all with the same number of rows")
    present = np.ones((len(views), counts[0]), bool) if masks is None else np.asarray(masks, bool)
    if present.shape != (len(views), counts[0]):
        raise ValueError(f"masks are {present.shape}; {len(views)} views of {counts[0]} rows need one entry a row each")
    if not present.any(axis=1).all():
        raise ValueError(f"view {int(np.argmin(present.any(axis=1)))} has no row that its mask keeps; leave it out")
    ends = np.cumsum([rows.shape[1] for rows in views]).tolist()
    columns = tuple(slice(end - rows.shape[1], end) for end, rows in zip(ends, views, strict=True))
    found = _Views(tuple(views), present, tuple(np.zeros(rows.shape[1]) for rows in views), columns)
    if not centre:
        return found
    sums = [np.zeros_like(mean) for mean in found.means]
    for start in range(0, counts[0], BLOCK_ROWS):
        sums = [total + rows.sum(axis=0) for total, rows in zip(sums, found.block(start), strict=True)]
    means = tuple(total / count for total, count in zip(sums, present.sum(axis=1), strict=True))
    return found._replace(means=means)


def _second_moments(views: _Views) -> tuple[list[Float[np.ndarray, "d_v d_v"]], Float[np.ndarray, "all all"]]:
    """XᵥᵀXᵥ of each view; and between all columns, each row divided by the number of views that have it."""
    width = views.columns[-1].stop
    own = [np.zeros((len(mean), len(mean))) for mean in views.means]
    joint = np.zeros((width, width))
    many = np.maximum(views.masks.sum(axis=0), 1)
    for start in range(0, len(many), BLOCK_ROWS):
        rows = views.block(start)
        own = [total + one.T @ one for total, one in zip(own, rows, strict=True)]
        shared = np.concatenate(rows, axis=1) / np.sqrt(many[start : start + BLOCK_ROWS, None])
        joint += shared.T @ shared
    if not np.isfinite(joint.trace()):
        raise ValueError("a view has a NaN or infinite entry; remove the row, or mask it")
    return own, joint


def _mean_rows(views: _Views, maps: Sequence[Float[np.ndarray, "d_v k"]]) -> Float[np.ndarray, "n k"]:
    """The mean of each row's mapped views, over those that have it."""
    many = np.maximum(views.masks.sum(axis=0), 1)[:, None]
    found = np.empty((len(many), maps[0].shape[1]))
    for start in range(0, len(many), BLOCK_ROWS):
        mapped = [rows @ matrix for rows, matrix in zip(views.block(start), maps, strict=True)]
        found[start : start + BLOCK_ROWS] = sum(mapped) / many[start : start + BLOCK_ROWS]
    return found


def gcca(
    views: Sequence[Float[AnyArray, "n d_v"]],
    masks: Bool[AnyArray, "views n"] | None = None,
    *,
    penalty: float = 1.0,
    dimensions: int | None = None,
    centre: bool = True,
) -> Consensus:
    """MAXVAR generalised CCA: consensus rows G with the least distance from linear maps of all views.

    The least Σᵥ ‖Kᵥ(G − XᵥUᵥ)‖² + λᵥ‖Uᵥ‖² where Kᵥ keeps the rows that view v has and the columns of G are
    orthogonal, counting each row as often as a view has it. Carroll, 1968; Kettenring, 1971, "Canonical analysis of
    several sets of variables". Of two complete views without penalty it is CCA, with shares (1 + ρ) / 2.

    One eigendecomposition over the columns of all views together; memory does not grow with n beyond the rows.

    Args:
        views: `[n, d_v]` each, row i of every view of the same thing; widths may differ.
        masks: `[views, n]`, False where a row is missing, which may then hold anything; None: all are there.
        penalty: λᵥ over the mean eigenvalue of XᵥᵀXᵥ; the views' noise fits itself where it is small.
        dimensions: columns of the consensus, the narrowest view's by default.
        centre: take each view about its mean.

    Returns:
        G as `rows`, scaled so that the mean square of each column, counted so, is 1, and Uᵥ as `maps`.

    Raises:
        ValueError: views that differ in rows, a view without rows, wrong masks, `dimensions` that there are not, or
            a NaN.

    Example:
        >>> rows = np.random.default_rng(0).normal(size=(20, 2))
        >>> gcca([rows, -rows, 2 * rows + 1], penalty=0.0).shares.round(6).tolist()
        [1.0, 1.0]
    """
    checked = _checked(views, masks, centre)
    narrowest, width = min(len(mean) for mean in checked.means), checked.columns[-1].stop
    kept = narrowest if dimensions is None else dimensions
    if not 1 <= kept <= width:
        raise ValueError(f"dimensions is {dimensions}; the views have 1 to {width} together")
    own, joint = _second_moments(checked)
    roots, condition = [], 1.0
    for columns, matrix in zip(checked.columns, own, strict=True):
        values, vectors = eigendecompose(matrix)
        values = values + scaled_penalty(penalty, mean_eigenvalue(matrix))
        root = power(values, vectors, -0.5)
        joint[columns] = root @ joint[columns]
        joint[:, columns] = joint[:, columns] @ root
        roots.append(root)
        condition = max(condition, condition_number(values))
    values, vectors = eigendecompose(joint)
    shares, vectors = values[::-1][:kept], vectors[:, ::-1][:, :kept]
    size = np.sqrt(checked.masks.sum())
    maps = tuple(
        size * root @ vectors[columns] * np.sqrt(shares) for root, columns in zip(roots, checked.columns, strict=True)
    )
    rows = _mean_rows(checked, maps) * inverse(shares)
    return Consensus(maps, checked.means, rows, shares, condition, 0)


def generalised_procrustes(
    views: Sequence[Float[AnyArray, "n d_v"]],
    masks: Bool[AnyArray, "views n"] | None = None,
    *,
    anchor: int = 0,
    centre: bool = False,
    tolerance: float = 1e-7,
    max_steps: int = 1000,
) -> Consensus:
    """Generalised Procrustes analysis: orthogonal maps of all views that bring their rows nearest to their mean.

    The least Σᵥ ‖Kᵥ(G − XᵥTᵥ)‖² with G the mean over the views that have a row. Gower, 1975, "Generalized Procrustes
    analysis", without his scaling. The mean and the maps are updated in turn, each optimal given the other, on second
    moments alone; of two complete views the solution is `procrustes`. It starts where each view is turned to the
    anchor.

    Args:
        views: `[n, d_v]` each; narrower ones count as filled up with zeros to the widest.
        masks: `[views, n]`, False where a row is missing, which may then hold anything; None: all are there.
        anchor: the view whose map is the identity: the consensus lies in its space. Where it is narrower than the
            widest, the dimensions that it lacks are turned arbitrarily.
        centre: take each view about its mean.
        tolerance: stop when a step gains less than this share of the sum of squares. On real captions the share is
            then within 1e-5 of its end; ten times less takes twice the steps and turns rows by 1° on average.
        max_steps: stop at the latest then; `steps` says whether that was it.

    Returns:
        `maps` are `[d_v, widest]` with orthonormal rows; `shares` grow to 1 as the views agree.

    Raises:
        ValueError: views that differ in rows, a view without rows, wrong masks, no such anchor, or a NaN.

    Example:
        >>> rows = np.random.default_rng(0).normal(size=(5, 2))
        >>> found = generalised_procrustes([rows, rows[:, ::-1], -rows])
        >>> np.abs(found.maps[1]).round(6).tolist(), np.allclose(found.rows, rows)
        ([[0.0, 1.0], [1.0, 0.0]], True)
    """
    checked = _checked(views, masks, centre)
    if not 0 <= anchor < len(views):
        raise ValueError(f"anchor is {anchor}; there are views 0 to {len(views) - 1}")
    own, joint = _second_moments(checked)
    width, target = max(len(mean) for mean in checked.means), checked.columns[anchor]
    wide = np.eye(target.stop - target.start, width)
    ties = [TIE * mean_eigenvalue(matrix) for matrix in own]

    def turned(aims: Sequence[np.ndarray], maps: Sequence[np.ndarray]) -> list[np.ndarray]:
        return [nearest_orthogonal(aim + tie * old)[0] for aim, tie, old in zip(aims, ties, maps, strict=True)]

    maps = [np.eye(len(mean), width) for mean in checked.means]
    maps = turned([joint[columns, target] @ wide for columns in checked.columns], maps)
    total, held, steps = float(sum(matrix.trace() for matrix in own)), -np.inf, 0
    while steps < max_steps:
        steps += 1
        aims = joint @ np.concatenate(maps)
        previous, held = held, float(np.sum(aims * np.concatenate(maps)))
        if held - previous <= tolerance * total:
            break
        maps = turned([aims[columns] for columns in checked.columns], maps)
    # Any common rotation does as well; the one that takes the anchor's map to the identity is chosen.
    left, _, right = np.linalg.svd(maps[anchor])
    right[: len(left)] = left @ right[: len(left)]
    maps = [matrix @ right.T for matrix in maps]
    condition = max(condition_number(eigendecompose(matrix)[0] + tie) for matrix, tie in zip(own, ties, strict=True))
    share = np.array([held / total if total > 0 else 1.0])
    return Consensus(tuple(maps), checked.means, _mean_rows(checked, maps), share, condition, steps)
