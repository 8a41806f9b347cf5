"""The regularisation path: one map from the identity, where the penalty is infinite, to where nothing holds it back."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Float

from ccalign_jax.aligners import linear_part
from ccalign_jax.data import EmbeddingSet, Fold
from ccalign_jax.diagnostics import rotation_angles
from ccalign_jax.diagnostics.spectrum import deviation_from_identity
from ccalign_jax.errors import InputError
from ccalign_jax.measurement.inference import Inference, adjust
from ccalign_jax.measurement.measure import IDENTITY
from ccalign_jax.measurement.replicates import Replicates
from ccalign_jax.options import SweepConfig
from ccalign_jax.pivots import make_pivot
from ccalign_jax.solvers.closed_forms import CLOSED_FORMS, RIDGE_PENALTIES, fit_ridge, ridge_point
from ccalign_jax.study.closed import closed_runs, gather_pairs
from ccalign_jax.study.outcomes import Outcome, arm_of, select, spread
from ccalign_jax.study.plan import Plan, plan_sweep
from ccalign_jax.study.run import Progress, keep_ranks, run_sweep
from ccalign_jax.training import Embeddings, Recipe, test_ranks

__all__ = ["PATHS", "WEAKER", "plan_path", "regularisation_path"]

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


class _Steps(NamedTuple):
    """A path as it was measured, its first point the identity.

    Attributes:
        penalties: from strong to weak; None for the identity.
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


def plan_path(data: EmbeddingSet, config: SweepConfig, folds: list[Fold]) -> Plan:
    """The sweep that a path is made of: one trial of `ridge`, or `residual` under each weight of its prox penalty.

    Args:
        data: prepared.
        config: of one pivot, one loss, and one of `PATHS` as its aligner.
        folds: plans.

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


def regularisation_path(
    plan: Plan, replicates: Replicates, *, progress: Progress = lambda what, done, total: None
) -> dict[str, Any]:
    """How a map moves, fits its training images and retrieves on test parts, from the identity to no constraint.

    Args:
        plan: from `plan_path`.
        replicates: of the data.
        progress: called with what goes on, steps done, and steps in all.

    Returns:
        `aligner`, `pivot`, `about`; `points`, from strong to weak penalties: `penalty` (None for the identity), `norm`
        ‖W − E‖ and `rotation` (degrees, the mean angle of the nearest orthogonal map; None where W is not square) as
        means over folds, what `Entry.nest_point` gives (changes are adjusted over the points but the identity), and
        `chosen_in`, the number of folds whose inner parts choose the point; and `chosen`: the `points` that the folds
        choose, and what they earn.
    """
    trial = plan.trials[0]
    steps = (_solved if trial.aligner in CLOSED_FORMS else _trained)(plan, progress)
    folds = len(plan.folds)
    arms = [arm_of([one] * folds) for one in steps.outcomes]
    inference = Inference(arms[0]._replace(train=()), replicates, test_share=plan.test_share)
    entries = [inference.entry(arm) for arm in arms]
    adjust(entries[:1])
    adjust(entries[1:])
    points = [
        {
            "penalty": penalty,
            "norm": spread(moved[:, 0]),
            "rotation": None if np.isnan(moved).any() else spread(moved[:, 1]),
            **entry.nest_point(),
            "chosen_in": steps.chosen.count(number),
        }
        for number, (penalty, entry, moved) in enumerate(zip(steps.penalties, entries, steps.moved, strict=True))
    ]
    chosen = inference.entry(arm_of([steps.outcomes[point] for point in steps.chosen]))
    adjust([chosen])
    earned = {"points": steps.chosen, **chosen.nest_point()}
    head = {"aligner": trial.aligner, "pivot": trial.pivot, "about": steps.about}
    return {**head, "points": points, "chosen": earned}


def _solved(plan: Plan, progress: Progress) -> _Steps:
    """A path of ridge regressions; the folds choose as in a sweep, among its penalties."""
    embeddings, arrays = plan.arrays()
    (group,), folds = plan.groups, len(plan.folds)
    penalties = [*map(float, RIDGE_PENALTIES), *WEAKER]
    total = folds * (2 + len(penalties))
    chosen: dict[int, int] = {}
    for _, fold, run in closed_runs(group, plan.space, plan.fits, embeddings, arrays):
        progress("ridge, inner folds", len(chosen), total)
        chosen[fold] = int(run.fit.epoch)
    aligner = plan.space.aligner(group.aligner, Recipe())
    matrix_of = linear_part(aligner)
    assert matrix_of is not None
    outcomes = [Outcome(IDENTITY), *(Outcome(f"penalty={penalty:g}") for penalty in penalties)]
    moved, reached = np.zeros((len(outcomes), folds, 2)), np.zeros(folds)
    for fold, fit in enumerate(plan.fits.test):
        points, reached[fold] = _ridge_points(plan, embeddings, plan.fits.train[fit], penalties)
        for point, (outcome, params) in enumerate(zip(outcomes, points, strict=True)):
            progress(f"ridge, {outcome.name}", folds + fold * len(outcomes) + point, total)
            ranks = test_ranks(aligner, params, embeddings, arrays, fold)
            keep_ranks(outcome, plan, fold, *jax.tree.map(np.asarray, ranks))
            moved[point, fold] = _moved(matrix_of(params))
    progress("ridge", total, total)
    about = (
        f"penalties in units of the mean eigenvalue; folds choose among those down to {RIDGE_PENALTIES[-1]:g}. At "
        f"{penalties[-1]:g} ‖W − E‖ is {100 * reached.mean():.2f} % of that of least squares"
    )
    return _Steps([None, *penalties], outcomes, moved, [chosen[fold] for fold in range(folds)], about)


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


def _trained(plan: Plan, progress: Progress) -> _Steps:
    """A path of trained maps; the folds choose as they do between the trials of a sweep and the identity."""
    found = run_sweep(plan, progress=progress)
    weights = [float(trial.hyper.prox) for trial in plan.trials]  # the outcomes are in the order of the trials
    penalties, solutions = zip(
        *sorted(zip(weights, found.outcomes, strict=True), key=lambda pair: -pair[0]), strict=True
    )
    outcomes = [found.identity, *solutions]
    matrix_of = linear_part(plan.space.aligner(plan.trials[0].aligner, plan.trials[0].recipe))
    assert matrix_of is not None
    moved = np.array([[_moved(matrix_of(params)) for params in outcome.params] for outcome in solutions])
    moved = np.concatenate([np.zeros_like(moved[:1]), moved])
    chosen = [next(n for n, one in enumerate(outcomes) if one is pick) for pick in select(outcomes, per_fold=True)]
    recipe = plan.trials[0].recipe
    steps = recipe.epochs * recipe.steps_per_epoch
    about = f"the penalty is prox · ‖W − E‖² beside {plan.trials[0].loss}, and maps are those after all {steps} steps"
    return _Steps([None, *penalties], outcomes, moved, chosen, about)


def _moved(matrix: Any) -> tuple[float, float]:
    """‖W − E‖, and the mean rotation in degrees: NaN where W is not square."""
    square = matrix.shape[0] == matrix.shape[1]
    return deviation_from_identity(matrix)[0], float(rotation_angles(matrix).mean()) if square else np.nan
