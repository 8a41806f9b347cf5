"""What jobs cost, in floating-point operations of matrix products: the units of a sweep's progress."""

from __future__ import annotations

import jax
import numpy as np

from ccalign_jax.solvers.closed_forms import CLOSED_FORMS
from ccalign_jax.study.jobs import Job
from ccalign_jax.study.plan import Plan
from ccalign_jax.training import Trial, scored_epochs

__all__ = ["task_cost"]

PATH_POINTS = 20  # of a closed form, about


def task_cost(plan: Plan, trial: Trial, job: Job) -> float:
    """An estimate of the operations of a job: training, and the scores and ranks of its maps.

    Args:
        plan: of the trial.
        trial: what is fitted.
        job: on what.
    """
    recipe, solved = trial.recipe, trial.aligner in CLOSED_FORMS
    aligner = plan.space.aligner(trial.aligner, recipe)
    shapes = jax.tree.leaves(jax.eval_shape(aligner.init, jax.random.key(0)))
    params = sum(float(np.prod(leaf.shape)) for leaf in shapes)
    rows = recipe.epochs * recipe.steps_per_epoch * recipe.batch_images * len(plan.space.languages)
    points = PATH_POINTS if solved else len(scored_epochs(recipe))
    training = 0.0 if solved else 6 * params * rows * len(job.fits(plan.fits))
    share = [len(plan.fits.validation[part]) / len(plan.data) for _, part in job.pairs]
    share = [each for each in share for _ in range(points)]
    share += [2 * len(plan.folds[int(fold)].test) / len(plan.data) for fold in job.folds]
    captions, images = sum(map(len, plan.data.text.values())), len(plan.data)
    return training + sum(2 * each * captions * (params + each * images * plan.space.d_image) for each in share)
