"""The runs that curves of overfitting are made of: a map under each penalty, and sweeps on fewer and fewer images."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Bool, Float

from ccalign_jax.aligners import Aligner, Params, linear_part
from ccalign_jax.data import EmbeddingSet, Fold, Inner
from ccalign_jax.data.fold_checks import check_folds
from ccalign_jax.diagnostics import rotation_angles
from ccalign_jax.diagnostics.spectrum import deviation_from_identity
from ccalign_jax.errors import InputError
from ccalign_jax.measurement.measure import IDENTITY
from ccalign_jax.options import SweepConfig
from ccalign_jax.pivots import make_pivot
from ccalign_jax.solvers.closed_forms import CLOSED_FORMS, RIDGE_PENALTIES, fit_ridge, ridge_point
from ccalign_jax.study.closed import gather_pairs
from ccalign_jax.study.outcomes import Outcome, select
from ccalign_jax.study.plan import Plan, plan_sweep
from ccalign_jax.study.run import Progress, keep_ranks, run_sweep
from ccalign_jax.training import Embeddings, Recipe, test_ranks

__all__ = ["SHARES", "WEAKER", "MeasuredPath", "measure_path", "plan_learning", "plan_path", "subset_folds"]

WEAKER = (1e-5, 1e-6)  # beyond the penalties that folds choose from: ‖W − E‖ hardly grows any more
# Trained to the end: an epoch that inner folds chose would hold back what a weak penalty no longer does.
TRAINED: Mapping[str, Any] = {
    "prox": [10.0, 3.0, 1.0, 0.3, 0.1, 0.03, 0.01, 3e-3, 1e-3, 1e-4, 0.0],
    "l2": 0.0,
    "learning_rate": 1e-2,
    "temperature": 0.03,
    "epochs": 1,
    "steps_per_epoch": 240,
    "start_counts": False,
}
PATHS: Mapping[str, list[Mapping[str, Any]]] = {"ridge": [{}], "residual": [TRAINED]}  # blocks of a grid
SHARES = (0.125, 0.25, 0.5, 1.0)  # of the training images
STREAM = 1_000_003  # of random numbers, that no fold draws from


def plan_path(data: EmbeddingSet, config: SweepConfig, folds: list[Fold]) -> Plan:
    """The sweep that a path is made of: one trial of `ridge`, or `residual` under each weight of its prox penalty.

    Raises:
        InputError: another aligner, or more than one pivot, loss or setting.
    """
    names = config.aligners or ()
    if len(names) != 1 or names[0] not in PATHS:
        raise InputError(f"--aligner={','.join(names)}: a path is of {' or '.join(PATHS)}")
    whole = dataclasses.replace(config, race=False)  # every point of the path is measured
    plan = plan_sweep(data, whole, folds, blocks=PATHS[names[0]])
    settings = {(trial.pivot, trial.loss, trial.hyper._replace(prox=0.0), trial.recipe) for trial in plan.trials}
    if len(settings) > 1:
        raise InputError(f"a path is of one pivot, loss and setting, this asks for {len(settings)}; give one of each")
    return plan


class MeasuredPath(NamedTuple):
    """A map under each penalty on every fold, from strong to weak, the identity first.

    Attributes:
        penalties: None for the identity.
        outcomes: of each point.
        moved: `[points, folds, 2]`, ‖W − E‖ and the mean rotation in degrees, which is NaN where W is not square.
        chosen: for each fold the point that its inner parts choose.
        about: one sentence.
    """

    penalties: list[float | None]
    outcomes: list[Outcome]
    moved: Float[np.ndarray, "points folds 2"]
    chosen: list[int]
    about: str


def measure_path(plan: Plan, progress: Progress) -> MeasuredPath:
    """Fit and rank every point of `plan_path`: ridge regressions are solved at once, other maps trained one by one."""
    return (_solve_path if plan.trials[0].aligner in CLOSED_FORMS else _train_path)(plan, progress)


def _solve_path(plan: Plan, progress: Progress) -> MeasuredPath:
    """A path of ridge regressions; the folds choose as in a sweep, among its penalties."""
    found = run_sweep(plan)
    embeddings, arrays = found.inputs or plan.arrays()
    (group,), folds = plan.groups, len(plan.folds)
    penalties = [*map(float, RIDGE_PENALTIES), *WEAKER]
    total = folds * (2 + len(penalties))
    progress("ridge, inner folds", folds, total)
    aligner = plan.space.aligner(group.aligner, Recipe())
    outcomes = [Outcome(IDENTITY), *(Outcome(f"penalty={penalty:g}") for penalty in penalties)]
    moved, reached = np.zeros((len(outcomes), folds, 2)), np.zeros(folds)
    for fold, fit in enumerate(plan.fits.test):
        points, reached[fold] = _ridge_points(plan, embeddings, plan.fits.train[fit], penalties)
        for point, (outcome, params) in enumerate(zip(outcomes, points, strict=True)):
            progress(f"ridge, {outcome.name}", folds + fold * len(outcomes) + point, total)
            ranks = test_ranks(aligner, params, embeddings, arrays, fold)
            keep_ranks(outcome, plan, fold, *jax.tree.map(np.asarray, ranks))
            moved[point, fold] = _moved(aligner, params)
    progress("ridge", total, total)
    about = (
        f"penalties in units of the mean eigenvalue; folds choose among those down to {RIDGE_PENALTIES[-1]:g}. At "
        f"{penalties[-1]:g} ‖W − E‖ is {100 * reached.mean():.2f} % of that of least squares"
    )
    return MeasuredPath([None, *penalties], outcomes, moved, found.outcomes[0].epochs, about)


def _ridge_points(
    plan: Plan, embeddings: Embeddings, images: np.ndarray, penalties: Sequence[float]
) -> tuple[list[dict[str, np.ndarray]], float]:
    """The identity and the map under each penalty, and the last norm of W − E over that of least squares."""
    (trial,), languages = plan.trials, plan.space.languages
    weight = float(trial.hyper.image_weight)
    pairs = gather_pairs(make_pivot(trial.pivot, languages), plan.space, embeddings, images, image_weight=weight)
    path, about = fit_ridge(pairs)
    points = [ridge_point(path, penalty * path.mean_eigenvalue, about) for penalty in penalties]
    free = np.linalg.norm(ridge_point(path, 0.0, about)["delta"])
    reached = float(np.linalg.norm(points[-1]["delta"]) / free) if free > 0 else 1.0
    return [jax.tree.map(np.zeros_like, points[0]), *points], reached


def _train_path(plan: Plan, progress: Progress) -> MeasuredPath:
    """A path of trained maps; the folds choose as they do between the trials of a sweep and the identity."""
    found, trial = run_sweep(plan, progress=progress), plan.trials[0]
    weights = [float(one.hyper.prox) for one in plan.trials]  # the outcomes are in the order of the trials
    order = sorted(range(len(weights)), key=lambda number: -weights[number])
    outcomes = [found.identity, *(found.outcomes[number] for number in order)]
    aligner = plan.space.aligner(trial.aligner, trial.recipe)
    moved = np.zeros((len(outcomes), len(plan.folds), 2))
    moved[1:] = [[_moved(aligner, params) for params in outcome.params] for outcome in outcomes[1:]]
    chosen = [next(n for n, one in enumerate(outcomes) if one is pick) for pick in select(outcomes, per_fold=True)]
    steps = trial.recipe.epochs * trial.recipe.steps_per_epoch
    about = f"the penalty is prox · ‖W − E‖² beside {trial.loss}, and maps are those after all {steps} steps"
    return MeasuredPath([None, *(weights[number] for number in order)], outcomes, moved, chosen, about)


def _moved(aligner: Aligner, params: Params) -> tuple[float, float]:
    """‖W − E‖, and the mean rotation in degrees: NaN where W is not square."""
    matrix_of = linear_part(aligner)
    assert matrix_of is not None
    matrix = np.asarray(matrix_of(params))
    square = matrix.shape[0] == matrix.shape[1]
    return deviation_from_identity(matrix)[0], float(rotation_angles(matrix).mean()) if square else np.nan


def plan_learning(
    data: EmbeddingSet, config: SweepConfig, folds: list[Fold], *, sizes: Sequence[int] | None = None
) -> list[Plan]:
    """A sweep of one family for each number of training images a fold, by default `SHARES` of all; the fewest first.

    Raises:
        InputError: several families, or a number of images that the folds do not have or cannot do with.
    """
    counts = [len(fold.train) for fold in folds]
    mean = float(np.mean(counts))
    shares = {round(share * mean): share for share in SHARES} if sizes is None else {}
    for size in sizes or ():
        if not 1 <= size <= max(counts):
            raise InputError(f"--sizes={size}: folds train on 1 to {max(counts)} images here; give a number between")
        shares[size] = min(1.0, size / mean)
    plans = []
    for size, share in sorted(shares.items()):
        fewer = subset_folds(data, folds, share, seed=config.seed)
        try:
            check_folds(data, fewer, nested=config.protocol == "nested")
        except InputError as error:
            raise InputError(f"--sizes={size} is too few: {error.in_flags}") from None
        plans.append(plan_sweep(data, config, fewer))
    names = {f"{trial.pivot}/{trial.aligner}/{trial.loss}": None for trial in plans[0].trials}
    if len(names) > 1:
        raise InputError(f"a learning curve is of one family, this asks for {len(names)}: {', '.join(names)}")
    return plans


def subset_folds(data: EmbeddingSet, folds: Sequence[Fold], share: float, *, seed: int = 0) -> list[Fold]:
    """The plans with a share of the images of training and validation; test parts stay.

    The images are drawn once for all folds, as large a share of each test part, groups whole: those of a smaller
    share are among those of a larger one, and inner fits that folds have in common stay in common. With a share of 1
    the plans are as they were. A training sample is filled up from what else is trained on, if there is enough.

    Example:
        >>> from ccalign_jax.data import nested_folds, synthetic
        >>> data = synthetic(60, dimensions=8)
        >>> [len(fold.train) for fold in subset_folds(data, nested_folds(data), 0.5)]
        [24, 24, 24, 24, 24]
    """
    kept = _drawn(data, folds, share, seed)

    def part(rows: np.ndarray) -> np.ndarray:
        return rows[kept[rows]]

    found = []
    for number, fold in enumerate(folds):
        train = part(fold.train)
        others = np.random.default_rng((seed, STREAM, number)).permutation(np.setdiff1d(train, fold.train_eval))
        train_eval = np.sort(np.concatenate([part(fold.train_eval), others])[: len(fold.train_eval)])
        inner = tuple(Inner(part(one.train), part(one.validation)) for one in fold.inner)
        found.append(Fold(train, inner, fold.test, train_eval, part(fold.refit)))
    return found


def _drawn(data: EmbeddingSet, folds: Sequence[Fold], share: float, seed: int) -> Bool[np.ndarray, " n"]:
    """Which images are kept: of each test part the first in an order of the groups that no share changes."""
    part_of = np.full(len(data), -1)
    for number, fold in reversed(list(enumerate(folds))):
        part_of[fold.test] = number
    names, group_of = np.unique(data.groups, return_inverse=True)
    place = np.random.default_rng((seed, STREAM)).permutation(len(names))[group_of]
    kept = np.zeros(len(data), bool)
    for number in np.unique(part_of):
        rows = np.flatnonzero(part_of == number)
        until = np.searchsorted(np.sort(place[rows]), place[rows], side="right")  # images up to the end of its group
        kept[rows] = until <= round(share * len(rows))
    return kept
