"""One map outside the sweep: the chosen trial refitted, and the description in its checkpoint."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from ccalign_jax.aligners import Aligner, registered_by
from ccalign_jax.data.fingerprints import fingerprint
from ccalign_jax.errors import InputError
from ccalign_jax.learned_map import LearnedMap
from ccalign_jax.losses import LOSSES
from ccalign_jax.measurement.measure import IDENTITY
from ccalign_jax.pivots import make_pivot
from ccalign_jax.solvers.closed_forms import CLOSED_FORMS
from ccalign_jax.study.arrays import consensus_rows, train_embeddings, without_language
from ccalign_jax.study.closed import closed_aligner, closed_path
from ccalign_jax.study.plan import Plan
from ccalign_jax.study.sweep_result import SweepResult
from ccalign_jax.training import (
    ALIGNER_SIZES,
    Embeddings,
    FitResult,
    Part,
    Recipe,
    Run,
    Space,
    Trial,
    choose_epoch,
    fit,
    fit_spread,
    fitting_recipe,
    keep_epoch,
)
from ccalign_jax.training.parts import SCORES

__all__ = ["check_trained", "describe", "describe_map", "describe_scores", "make_checkpoint", "refit", "train_one"]


def refit(result: SweepResult) -> LearnedMap:
    """The chosen trial trained on all images of the plan, up to the median of its best epochs; kept as `best`.

    If this run diverges earlier, the last epoch with finite parameters is kept, or identity, and a note is added.
    """
    plan, name = result.plan, result.summary["best"]
    began = time.perf_counter()  # when the summary is there
    best = next((outcome for outcome in result.outcomes if outcome.name == name), result.identity)
    trial, epoch = best.trial, best.refit_epoch
    params: Any = {}
    if trial is not None:
        # A key of its own, as if this were one more fit.
        fits = len(plan.fits.train)
        key = jax.random.fold_in(jax.random.fold_in(jax.random.key(plan.config.seed), trial.index), fits)
        embeddings = train_embeddings(plan.data, plan.config.heldout_language)
        found = train_one(plan, trial, embeddings, plan.folds[0].refit, key=key, stop=epoch)
        params, reached = found.params, int(found.epoch)
        if reached < epoch:
            trial, params = (trial, params) if reached else (None, {})
            result.summary["best"] = trial.name if trial else IDENTITY
            result.summary["notes"].append(
                f"best: refitted on all images, {best.name} diverged at step {int(found.diverged)}, before epoch "
                f"{epoch}; best/ holds {f'epoch {reached}' if reached else IDENTITY}"
            )
            epoch = reached
    chosen_by = [one.validation for fold in plan.folds for one in fold.inner]
    result.best = make_checkpoint(plan, trial, params, epoch, np.concatenate([plan.folds[0].refit, *chosen_by]))
    result.seconds["refit"] = time.perf_counter() - began
    return result.best


def make_checkpoint(plan: Plan, trial: Trial | None, params: Any, epoch: int, images: np.ndarray) -> LearnedMap:
    """A trial's map, ready to use or to save.

    Args:
        plan: of its sweep.
        trial: None is identity.
        params: of the map.
        epoch: of these parameters.
        images: rows of the data that fitted the map or chose its settings, in any order.
    """
    about = describe(plan, trial, epoch)
    aligner = plan.space.aligner(about["aligner"], Recipe() if trial is None else trial.recipe)
    return LearnedMap(aligner, params, about, fingerprint(plan.data.take(np.unique(images))))


def describe(plan: Plan, trial: Trial | None, epoch: int | Sequence[int]) -> dict[str, Any]:
    """The JSON of a checkpoint on a trial's map; None is identity."""
    config = plan.config
    return describe_map(trial, epoch, space=plan.space, data=plan.data.name, protocol=config.protocol, seed=config.seed)


def describe_map(
    trial: Trial | None, epoch: int | Sequence[int], *, space: Space, data: str, protocol: str, seed: int
) -> dict[str, Any]:
    """The same of a map that no sweep has made; with the `modules` outside this package that registered its aligner."""
    modules = [] if trial is None else registered_by(trial.aligner)
    return {
        "trial": IDENTITY if trial is None else trial.name,
        "aligner": IDENTITY if trial is None else trial.aligner,
        "pivot": None if trial is None else trial.pivot,
        "loss": None if trial is None else trial.loss,
        "hyper": {} if trial is None else trial.hyper._asdict(),
        **{size: 0 if trial is None else getattr(trial.recipe, size) for size in ALIGNER_SIZES},
        "epoch": epoch,
        "d_text": space.d_text,
        "d_image": space.d_image,
        "languages": list(space.languages),
        "data": data,
        "protocol": protocol,
        "seed": seed,
        **({"modules": modules} if modules else {}),
    }


def describe_scores(found: FitResult) -> dict[str, dict[str, float]]:
    """t2i R@1, i2t R@1 and MRR on the validation part, before and after training."""
    return {
        when: dict(zip(SCORES, map(float, found.scores[at]), strict=True))
        for when, at in (("before", 0), ("after", int(found.point)))
    }


def check_trained(name: str, found: FitResult) -> FitResult:
    """The result of one fit, refused if it diverged and only its start is left.

    Raises:
        InputError: the trial, and the step after which a parameter was NaN or infinite.
    """
    if int(found.diverged) and not int(found.epoch):
        raise InputError(
            f"{name} diverged: a parameter is NaN or infinite after step {int(found.diverged)}, and no epoch before is "
            "better than the start; lower learning_rate or raise temperature"
        )
    return found


def train_one(
    plan: Plan,
    trial: Trial,
    embeddings: Embeddings,
    images: np.ndarray,
    *,
    key,
    validation: Part | None = None,
    stop: int = 0,
    mesh: Mesh | None = None,
) -> FitResult:
    """One fit outside the sweep: `validation` picks the epoch, or without it `stop` is the one to return.

    With a mesh of several devices every batch is spread over them. Of a closed form, epochs are places on its path.
    """
    if trial.aligner in CLOSED_FORMS:
        aligner, recipe = closed_aligner(plan.space, trial.aligner), trial.recipe
        run: Run = closed_path(trial, plan.space, embeddings, images)
    else:
        aligner, recipe, run = _trained(plan, trial, embeddings, images, key, mesh)
    if validation is None:
        return jax.tree.map(np.asarray, keep_epoch(run, stop))
    return jax.tree.map(np.asarray, choose_epoch(aligner, run, embeddings, validation, recipe=recipe))


def _trained(
    plan: Plan, trial: Trial, embeddings: Embeddings, images: np.ndarray, key, mesh: Mesh | None
) -> tuple[Aligner, Recipe, Run]:
    group = next(group for group in plan.groups if trial in group.trials)
    recipe = fitting_recipe(group.recipe, len(images))
    aligner, pivot = plan.space.aligner(trial.aligner, recipe), make_pivot(trial.pivot, plan.space.languages)
    loss = LOSSES[trial.loss]
    if pivot.consensus is not None:
        seen = without_language(plan.data, plan.config.heldout_language)
        embeddings = embeddings._replace(consensus=jnp.asarray(consensus_rows(seen, images, pivot.consensus)))

    @jax.jit
    def program(hyper, run_key, data, chosen):
        return fit(aligner, pivot, loss, hyper, run_key, data, chosen, len(images), recipe=recipe)

    numbers = jax.tree.map(lambda number: jnp.asarray(number, jnp.float32), trial.hyper)
    inputs = (numbers, key, embeddings, jnp.asarray(images))
    if mesh is None or mesh.size == 1:
        return aligner, recipe, program(*inputs)
    run = fit_spread(aligner, pivot, loss, *inputs, len(images), recipe=recipe, mesh=mesh)
    return aligner, recipe, jax.device_put(run, mesh.devices[0])
