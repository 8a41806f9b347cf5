"""The learning curve: the same test parts, and fewer and fewer images for training and validation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool

from ccalign_jax.data import EmbeddingSet, Fold, Inner
from ccalign_jax.data.fold_checks import check_folds
from ccalign_jax.errors import InputError
from ccalign_jax.measurement.inference import Arm, Inference, adjust
from ccalign_jax.measurement.measure import IDENTITY, is_macro
from ccalign_jax.measurement.replicates import Replicates
from ccalign_jax.options import SweepConfig
from ccalign_jax.study.outcomes import arm_of, select
from ccalign_jax.study.plan import Plan, plan_sweep
from ccalign_jax.study.run import Progress, run_sweep

__all__ = ["SHARES", "learning_curve", "plan_learning", "subset_folds"]

SHARES = (0.125, 0.25, 0.5, 1.0)  # of the training images
STREAM = 1_000_003  # of random numbers, that no fold draws from


def plan_learning(
    data: EmbeddingSet, config: SweepConfig, folds: list[Fold], *, sizes: Sequence[int] | None = None
) -> list[Plan]:
    """A sweep for each number of training images, the fewest first.

    Args:
        data: prepared.
        config: of one family: pivot, aligner and loss.
        folds: plans on all images.
        sizes: images that a fold is to train on; by default `SHARES` of those there are.

    Raises:
        InputError: several families, or a number of images that the folds do not have or cannot do with.
    """
    most = max(len(fold.train) for fold in folds)
    mean = float(np.mean([len(fold.train) for fold in folds]))
    shares = {round(share * mean): share for share in SHARES} if sizes is None else {}
    for size in sizes or ():
        if not 1 <= size <= most:
            raise InputError(f"--sizes={size}: folds train on 1 to {most} images here; give a number between")
        shares[size] = min(1.0, size / mean)
    plans = []
    for size, share in sorted(shares.items()):
        fewer = subset_folds(data, folds, share, seed=config.seed)
        try:
            check_folds(data, fewer, nested=config.protocol == "nested")
        except InputError as error:
            raise InputError(f"--sizes={size} is too few: {error}") from None
        plans.append(plan_sweep(data, config, fewer))
    names = {f"{trial.pivot}/{trial.aligner}/{trial.loss}": None for trial in plans[0].trials}
    if len(names) > 1:
        raise InputError(f"a learning curve is of one family, this asks for {len(names)}: {', '.join(names)}")
    return plans


def learning_curve(
    plans: Sequence[Plan], replicates: Replicates, *, progress: Progress = lambda what, done, total: None
) -> dict[str, Any]:
    """What a family earns from more and more images: in each fold the trial and the epoch that its inner parts choose.

    Args:
        plans: from `plan_learning`.
        replicates: of the data.
        progress: called with what goes on, runs done, and runs in all.

    Returns:
        `family`, `about`, `points` (`pairs`, the mean number of images trained on, what `Entry.nest_point` gives, with
        changes adjusted over the points, and `identity` on the test parts), and that `identity` once more.
    """
    points, entries = [], []
    for number, plan in enumerate(plans):
        pairs = round(np.mean([len(fold.train) for fold in plan.folds]))

        def tell(what: str, done: int, total: int, *, number: int = number, pairs: int = pairs) -> None:
            progress(f"{pairs} images: {what}", number * total + done, len(plans) * total)

        found = run_sweep(plan, progress=tell)
        inference = Inference(Arm((IDENTITY,), found.identity.test), replicates, test_share=plan.test_share)
        entries.append(inference.entry(arm_of(select(found.outcomes, per_fold=True))))
        points.append({"pairs": pairs, "identity": inference.levels().only(is_macro).nest()})
    adjust(entries)
    points = [{**point, **entry.nest_point()} for point, entry in zip(points, entries, strict=True)]
    trial = plans[0].trials[0]
    head = {"family": f"{trial.pivot}/{trial.aligner}/{trial.loss}", "about": _about(plans)}
    return {**head, "points": points, "identity": points[-1]["identity"]}


def _about(plans: Sequence[Plan]) -> str:
    about = "images are left out of training and validation parts alike; test parts stay"
    few = [plan for plan in plans if any(len(fold.train_eval) < len(fold.test) for fold in plan.folds)]
    if not few:
        return about
    images = max(len(fold.train) for plan in few for fold in plan.folds)
    return f"{about}; with up to {images} the training sample is smaller than the test part, so the gap is wider"


def subset_folds(data: EmbeddingSet, folds: Sequence[Fold], share: float, *, seed: int = 0) -> list[Fold]:
    """The plans with a share of the images of training and validation; test parts stay.

    The images are drawn once for all folds, as large a share of each test part, groups whole: those of a smaller
    share are among those of a larger one, and inner fits that folds have in common stay in common. With a share of 1
    the plans are as they were. A training sample is filled up from what else is trained on, if there is enough.

    Args:
        data: images and their groups.
        folds: plans.
        share: in (0, 1].
        seed: of the draw.

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
