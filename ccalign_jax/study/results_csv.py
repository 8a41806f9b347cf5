"""The rows of `results.csv`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ccalign_jax.metrics import METRICS
from ccalign_jax.study.intervals import Replicates, bounds, replicate_metrics, replicates_of
from ccalign_jax.study.measure import IDENTITY, Measurement, Place, nest_values
from ccalign_jax.study.output import figure_cells
from ccalign_jax.study.summary import Outcome
from ccalign_jax.study.threads import in_threads

__all__ = ["csv_rows"]


def csv_rows(
    outcomes: Sequence[Outcome],
    settings: Sequence[str],
    summary: Mapping[str, Any],
    replicates: Replicates | None = None,
) -> Iterator[dict[str, Any]]:
    """A row a trial × fold × language or pair (and `macro`) × direction or task; fold `all` has the means and changes.

    A trial that the race dropped from a fold has rows of the other folds alone.

    Args:
        outcomes: the identity first.
        settings: hyper-parameters to give a column.
        summary: of these outcomes: means, changes and their p-values.
        replicates: from which the intervals of single folds come.
    """
    entries = {trial["name"]: trial for trial in summary["trials"]}
    entries[IDENTITY] = None
    known = {} if replicates is None else _fold_bounds(outcomes, replicates)
    for outcome in outcomes:
        trial = outcome.trial
        head = {"trial": outcome.name, "pivot": "", "aligner": IDENTITY, "loss": ""}
        if trial is not None:
            head = {"trial": outcome.name, "pivot": trial.pivot, "aligner": trial.aligner, "loss": trial.loss}
        read = {} if trial is None else {key: getattr(trial.hyper, key) for key in trial.reads if key in settings}
        values = {key: f"{read[key]:g}" if key in read else "" for key in settings}
        entry = entries.get(outcome.name)
        levels = summary["baselines"][IDENTITY] if entry is None else entry["metrics"]
        train = summary["baselines"]["identity_train"] if entry is None else entry["train_metrics"]
        for direction, language, figures in _tables(levels if outcome.name in entries else {}):
            cells = _cells(figures) | _cells(_at(train, direction, language), "train_")
            cells |= {} if entry is None else _cells(_at(entry["delta"], direction, language), "delta_")
            yield {**head, "fold": "all", "language": language, "direction": direction, **cells, **values}
        for fold, (test, train) in enumerate(zip(outcome.test, outcome.train, strict=True)):
            if test is None:  # the race dropped it
                continue
            sample = nest_values(train.values)
            ends_of = known.get((outcome.name, fold), {})
            for direction, language, found in _tables(nest_values(test.values)):
                ends = ends_of.get((direction, None if language == "macro" else language), {})
                cells = {metric: f"{found[metric]:.6f}" for metric in METRICS}
                cells |= {
                    f"{metric}_{end}": f"{x:.6f}"
                    for metric in METRICS
                    for end, x in zip(("low", "high"), ends.get(metric, ()), strict=False)
                }
                seen = _at(sample, direction, language)
                cells |= {f"train_{metric}": f"{seen[metric]:.6f}" for metric in METRICS if seen}
                place = {"fold": fold, "language": language, "direction": direction}
                yield {**head, **place, **cells, "epoch": outcome.epochs[fold], **values}


def _fold_bounds(
    outcomes: Sequence[Outcome], replicates: Replicates
) -> dict[tuple[str, int], dict[Place, dict[str, tuple[float, float]]]]:
    """Of each outcome on each fold by itself; median ranks have theirs in `all` alone."""
    each = ((one.name, number, fold) for one in outcomes for number, fold in enumerate(one.test))
    folds = {(name, number): fold for name, number, fold in each if fold is not None}
    means = replicates._replace(medians=0, signs=replicates.signs[:0])
    images = {fold.images.tobytes(): fold.images for fold in folds.values()}  # the same for all outcomes
    inside = {key: replicates_of(rows, means) for key, rows in images.items()}

    def ends(fold: Measurement) -> dict[Place, dict[str, tuple[float, float]]]:
        return bounds(replicate_metrics([fold], inside[fold.images.tobytes()]), "level")

    found = in_threads(ends, folds.values(), clusters=replicates.weights.shape[1])
    return dict(zip(folds, found, strict=True))


def _tables(figures: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Direction, language, and what stands there, the macro mean first."""
    for direction, found in figures.items():
        yield direction, "macro", found
        for language, each in found.get("per_language", {}).items():
            yield direction, language, each


def _at(figures: Mapping[str, Any], direction: str, language: str) -> Mapping[str, Any]:
    found = figures.get(direction, {})
    return found if language == "macro" else found.get("per_language", {}).get(language, {})


def _cells(figures: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    return figure_cells({metric: figures[metric] for metric in METRICS if metric in figures}, prefix)
