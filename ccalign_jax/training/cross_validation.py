"""Nested cross-validation of one trial: each distinct training set is fitted once, scored, selected and tested."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ccalign_jax.aligners import Aligner
from ccalign_jax.numerics import AnyArray
from ccalign_jax.training.batches import Embeddings, take
from ccalign_jax.training.objective import Recipe
from ccalign_jax.training.parts import LanguageRanks, Part, PartScores, map_part, rank_part, score_map
from ccalign_jax.training.selection import FitResult, Run, first_step, score_epochs, take_best

__all__ = [
    "FitPlan",
    "FoldArrays",
    "PairScores",
    "RunResult",
    "cross_validate",
    "evaluate_folds",
    "score_pairs",
    "test_folds",
    "test_ranks",
]


class FitPlan(NamedTuple):
    """Distinct sets of images to fit and to score, and the fits and parts that each fold uses.

    Attributes:
        train: the images of each fit.
        validation: the images of each part that fits are scored on.
        inner: for each fold the (fit, part) pairs whose scores choose for it.
        test: for each fold the fit that its test part is ranked with.
    """

    train: tuple[np.ndarray, ...]
    validation: tuple[np.ndarray, ...]
    inner: tuple[tuple[tuple[int, int], ...], ...]
    test: tuple[int, ...]


class FoldArrays(NamedTuple):
    """All fits, selection parts and folds of a plan, stacked along the first axis and padded with -1.

    `consensus` has the rows of each kind that a pivot asks for, `[fits, n, d_image]`, made of training images alone.
    """

    train: Int[AnyArray, "fits t"]
    train_count: Int[AnyArray, " fits"]
    validation: Part
    test: Part
    train_eval: Part
    consensus: dict[str, Float[AnyArray, "fits n d_image"]] | None = None


class PairScores(NamedTuple):
    """Scores of the fits of a trial on validation parts; the first axis is that of the (fit, part) pairs.

    Attributes:
        mean: `[pairs, points, 3]` t2i R@1, i2t R@1 and MRR of every epoch that is kept.
        images: `[pairs, points, s, 3]`, per-image contributions to them.
        diverged: `[pairs, points]`, as in `Trajectory`.
    """

    mean: Float[np.ndarray, "pairs points 3"]
    images: Float[np.ndarray, "pairs points s 3"]
    diverged: Int[np.ndarray, "pairs points"]


class RunResult(NamedTuple):
    """A trial on a fold: the fit, and the ranks of the test part and of the training sample."""

    fit: FitResult
    test: LanguageRanks
    train_eval: LanguageRanks


def cross_validate(
    aligner: Aligner,
    fits: Iterable[tuple[int, Run]],
    plan: FitPlan,
    embeddings: Embeddings,
    folds: FoldArrays,
    *,
    recipe: Recipe,
) -> Iterator[tuple[int, RunResult]]:
    """Cross-validate one trial: for each fold the best epoch of its inner fits, and its ranks on the test part.

    Args:
        aligner: of the trial.
        fits: number and trajectory of each of the plan's fits, in any order; looked at one after another, and kept no
            longer than a fold needs them.
        plan: which fits and parts each fold uses.
        embeddings: the data.
        folds: of the plan.
        recipe: its `criterion` selects the epoch.

    Yields:
        The number of a fold, and its result as NumPy arrays.
    """
    scores: dict[tuple[int, int], Any] = {}
    waiting: dict[int, Run] = {}
    diverged: dict[int, Any] = {}
    left = set(range(len(plan.test)))
    wanted = sorted({pair for pairs in plan.inner for pair in pairs})
    for number, run in fits:
        found = _score_fit(aligner, number, run, wanted, embeddings, folds, recipe)
        scores |= {pair: each.mean for pair, each in found}
        waiting[number], diverged[number] = run, run.diverged
        for fold in sorted(left):
            if plan.test[fold] not in waiting or not scores.keys() >= set(plan.inner[fold]):
                continue
            curve = _mean([scores[pair] for pair in plan.inner[fold]])
            behind = _first_step([diverged[fit] for fit, _ in plan.inner[fold]])
            left.remove(fold)
            yield fold, _report(aligner, waiting[plan.test[fold]], curve, behind, embeddings, folds, fold, recipe)
        waiting = {fit: kept for fit, kept in waiting.items() if any(plan.test[fold] == fit for fold in left)}


def score_pairs(
    aligner: Aligner,
    fits: Iterable[tuple[int, Run]],
    pairs: Sequence[tuple[int, int]],
    embeddings: Embeddings,
    folds: FoldArrays,
    *,
    recipe: Recipe,
) -> PairScores:
    """The scores of every kept epoch of some fits on selection parts, as NumPy arrays.

    Args:
        aligner: of the trial.
        fits: number and trajectory of each fit of the pairs, in any order; looked at one after another.
        pairs: (fit, part).
        embeddings: the data.
        folds: of the plan.
        recipe: of the trial.
    """
    found: dict[tuple[int, int], tuple] = {}
    for number, run in fits:
        for pair, scores in _score_fit(aligner, number, run, pairs, embeddings, folds, recipe):
            found[pair] = jax.tree.map(np.asarray, (*scores, run.diverged))
    return PairScores(*(np.stack(leaves) for leaves in zip(*(found[pair] for pair in pairs), strict=True)))


def _score_fit(
    aligner: Aligner,
    number: int,
    run: Run,
    pairs: Sequence[tuple[int, int]],
    embeddings: Embeddings,
    folds: FoldArrays,
    recipe: Recipe,
) -> Iterator[tuple[tuple[int, int], PartScores]]:
    """The scores of the kept epochs of a fit on those of the (fit, part) pairs that are its own."""
    for fit, part in pairs:
        if fit == number:
            validation = take(folds.validation, part)
            yield (fit, part), score_epochs(aligner, run, embeddings, validation, precision=recipe.precision)


def test_folds(
    aligner: Aligner,
    fits: Iterable[tuple[int, Run]],
    curves: Mapping[int, tuple[Any, Any]],
    plan: FitPlan,
    embeddings: Embeddings,
    folds: FoldArrays,
    *,
    recipe: Recipe,
) -> Iterator[tuple[int, RunResult]]:
    """Some folds of one trial whose inner fits were scored before.

    Args:
        aligner: of the trial.
        fits: number and trajectory of the fit of each fold, in any order.
        curves: of each fold the mean scores `[points, 3]` of its inner fits, and the first step at which one diverged.
        plan, embeddings, folds, recipe: as for `cross_validate`.

    Yields:
        The number of a fold, and its result as NumPy arrays.
    """
    for number, run in fits:
        for fold, (curve, behind) in curves.items():
            if plan.test[fold] == number:
                yield fold, _report(aligner, run, jnp.asarray(curve), behind, embeddings, folds, fold, recipe)


def _report(
    aligner: Aligner,
    run: Run,
    curve: Array,
    behind: Array,
    embeddings: Embeddings,
    folds: FoldArrays,
    fold: int,
    recipe: Recipe,
) -> RunResult:
    """The best epoch of a run by the mean scores of its inner fits, and its ranks on the fold's parts."""
    done = take_best(run, curve, recipe=recipe)
    done = done._replace(diverged=_first_step([done.diverged, behind]))
    ranks = test_ranks(aligner, done.params, embeddings, folds, fold)
    return jax.tree.map(np.asarray, RunResult(done, *ranks))


def test_ranks(
    aligner: Aligner, params: Any, embeddings: Embeddings, folds: FoldArrays, number: Array | int
) -> tuple[LanguageRanks, LanguageRanks]:
    """The ranks of a fold's test part and of its training sample under a map."""
    parts = take((folds.test, folds.train_eval), number)
    test, train_eval = (rank_part(map_part(aligner, params, embeddings, part)) for part in parts)
    return test, train_eval


def evaluate_folds(
    aligner: Aligner, params: Any, plan: FitPlan, embeddings: Embeddings, folds: FoldArrays
) -> Iterator[tuple]:
    """Validation scores, test ranks and training-sample ranks of one map on every fold, as NumPy arrays."""
    each = [
        score_map(aligner, params, embeddings, take(folds.validation, part)).mean
        for part in range(len(plan.validation))
    ]
    for number, inner in enumerate(plan.inner):
        scores = _mean([each[part] for _, part in inner])
        yield jax.tree.map(np.asarray, (scores, *test_ranks(aligner, params, embeddings, folds, number)))


@jax.jit
def _mean(scores: Sequence[Array]) -> Array:
    return jnp.mean(jnp.stack(scores), axis=0)


@jax.jit
def _first_step(diverged: Sequence[Array]) -> Array:
    return first_step(jnp.stack(diverged))
