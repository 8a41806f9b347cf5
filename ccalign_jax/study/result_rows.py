"""The rows of `results.csv`: every trial, fold, task, and language or pair."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from ccalign_jax.measurement.estimates import Estimates, estimate_means
from ccalign_jax.measurement.intervals import bounds
from ccalign_jax.measurement.measure import IDENTITY, Measurement, Place
from ccalign_jax.measurement.records import MACRO, ArmEntry, wide_rows
from ccalign_jax.measurement.replicates import Replicates, replicate_metrics, replicates_of
from ccalign_jax.study.outcomes import Outcome
from ccalign_jax.threads import in_threads

__all__ = ["result_rows"]

END_COLUMNS = ("low", "high")


def result_rows(
    outcomes: Sequence[Outcome],
    settings: Sequence[str],
    arms: Iterable[ArmEntry],
    replicates: Replicates | None = None,
) -> Iterator[dict[str, object]]:
    """The rows of `results.csv`: one a trial, fold, language or pair, and task; fold `all` has means and changes.

    A trial that the race dropped from a fold has rows of the other folds alone.

    Args:
        outcomes: the identity first.
        settings: hyper-parameters to give a column.
        arms: of these outcomes, by their names.
        replicates: from which the intervals of single folds come.
    """
    entries = {one.arm: one.entry for one in arms if one.role in ("baseline", "trial")}
    ends = {} if replicates is None else _fold_bounds(outcomes, replicates)
    for outcome in outcomes:
        trial = outcome.trial
        head = {"trial": outcome.name, "pivot": "", "aligner": IDENTITY, "loss": ""}
        if trial is not None:
            head = {"trial": outcome.name, "pivot": trial.pivot, "aligner": trial.aligner, "loss": trial.loss}
        read = {} if trial is None else {key: getattr(trial.hyper, key) for key in trial.reads if key in settings}
        values = {key: f"{read[key]:g}" if key in read else "" for key in settings}
        entry = entries.get(outcome.name)
        if entry is not None:
            change = None if trial is None else entry.delta
            for (task, group), cells in wide_rows({"": entry.metrics, "train_": entry.train, "delta_": change}):
                yield {**head, "fold": "all", "language": group or MACRO, "direction": task, **cells, **values}
        for fold, (test, train) in enumerate(zip(outcome.test, outcome.train, strict=True)):
            if test is None:  # the race dropped it
                continue
            levels = _fold_estimates(test, ends.get((outcome.name, fold)))
            for (task, group), cells in wide_rows({"": levels, "train_": _fold_estimates(train)}):
                place = {"fold": fold, "language": group or MACRO, "direction": task}
                yield {**head, **place, **cells, "epoch": outcome.epochs[fold], **values}


Bounds = dict[Place, dict[str, tuple[float, float]]]


def _fold_bounds(outcomes: Sequence[Outcome], replicates: Replicates) -> dict[tuple[str, int], Bounds]:
    """The intervals of each outcome on each fold by itself; those of median ranks are taken over all folds alone."""
    each = ((one.name, number, fold) for one in outcomes for number, fold in enumerate(one.test))
    folds = {(name, number): fold for name, number, fold in each if fold is not None}
    means = replicates._replace(medians=0, signs=replicates.signs[:0])
    images = {fold.images.tobytes(): fold.images for fold in folds.values()}  # the same for all outcomes
    inside = {key: replicates_of(rows, means) for key, rows in images.items()}

    def ends(fold: Measurement) -> Bounds:
        return bounds(replicate_metrics([fold], inside[fold.images.tobytes()]), "level")

    found = in_threads(ends, folds.values(), clusters=replicates.weights.shape[1])
    return dict(zip(folds, found, strict=True))


def _fold_estimates(measured: Measurement, ends: Bounds | None = None) -> Estimates:
    """The metrics of one fold, and the intervals that are known."""
    found = estimate_means([measured.values], ("mean",))
    del found.columns["std"]
    if ends is not None:
        known = [[ends.get(place, {}).get(name, (np.nan,) * 2) for name in found.metrics] for place in found.places]
        found.columns |= zip(END_COLUMNS, np.moveaxis(np.array(known, float), -1, 0), strict=True)
    return found
