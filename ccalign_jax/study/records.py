"""Flat records of estimates: one a row of `records.csv`, and the wide rows of `results.csv`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np

from ccalign_jax.study.estimates import LEVEL_COLUMNS, Entry, Estimates, estimate_means
from ccalign_jax.study.intervals import Replicates, bounds, replicate_metrics, replicates_of
from ccalign_jax.study.measure import IDENTITY, Measurement, Place, by_task
from ccalign_jax.study.outcomes import Outcome
from ccalign_jax.study.threads import in_threads

__all__ = ["ArmEntry", "Kind", "record_rows", "result_rows", "wide_rows"]

Kind = Literal["level", "change", "train", "gap"]
MACRO = "macro"  # stands for the mean over languages, or over pairs of languages
END_COLUMNS = ("low", "high")


class ArmEntry(NamedTuple):
    """The estimates of one arm under the name that records give it.

    Attributes:
        role: `baseline`, `trial`, `family`, `selected`, `score correction`, `subgroup`, or `curve`.
        arm: of the trial, family, score correction and so on.
        entry: its estimates.
        against: the baseline of its changes.
    """

    role: str
    arm: str
    entry: Entry
    against: str = IDENTITY

    def kinds(self) -> Iterator[tuple[Kind, Estimates]]:
        """The estimates of each kind that there are."""
        entry = self.entry
        kinds: dict[Kind, Estimates | None]
        kinds = {"level": entry.metrics, "change": entry.delta, "train": entry.train, "gap": entry.gap}
        yield from ((kind, part) for kind, part in kinds.items() if part is not None and part.places)


def record_rows(arms: Iterable[ArmEntry]) -> Iterator[dict[str, str]]:
    """The rows of `records.csv`: one an arm, kind, task, group (a language, or a pair) and metric.

    Columns are those three and `mean`, `std` over folds, `low`, `high`, and of changes `p`, `p_adjusted` and `p_folds`;
    an empty cell is a number that was not computed.
    """
    for one in arms:
        for kind, part in one.kinds():
            cells = _cells(part)
            for row in _order(part.places):
                task, group = part.places[row]
                head = {"role": one.role, "arm": one.arm, "against": one.against if kind == "change" else ""}
                head |= {"kind": kind, "task": task, "group": group or MACRO}
                for column, metric in enumerate(part.metrics):
                    yield {**head, "metric": metric, **{key: texts[row][column] for key, texts in cells.items()}}


def wide_rows(parts: Mapping[str, Estimates | None]) -> Iterator[tuple[Place, dict[str, str]]]:
    """A row a place of the first part, with a cell a metric and column of every part.

    Args:
        parts: by the prefix of their cells: `{prefix}{metric}` is the mean, `{prefix}{metric}_low` the lower end.
    """
    found = {prefix: (part, _cells(part)) for prefix, part in parts.items() if part is not None}
    first = next(iter(found.values()))[0]
    rows = {prefix: {place: row for row, place in enumerate(part.places)} for prefix, (part, _) in found.items()}
    for number in _order(first.places):
        place = first.places[number]
        row: dict[str, str] = {}
        for prefix, (part, cells) in found.items():
            if place in rows[prefix]:
                at = rows[prefix][place]
                row |= {
                    f"{prefix}{metric}" if key == "mean" else f"{prefix}{metric}_{key}": texts[at][column]
                    for column, metric in enumerate(part.metrics)
                    for key, texts in cells.items()
                }
        yield place, row


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


def _order(places: Sequence[Place]) -> list[int]:
    """The numbers of the places, task by task, the macro mean first."""
    number = {place: row for row, place in enumerate(places)}
    return [number[place] for places_of in by_task(places).values() for place in places_of]


def _cells(part: Estimates) -> dict[str, list[list[str]]]:
    """Every column as text, `[places][metrics]`."""
    keys = [key for key in (*LEVEL_COLUMNS, "p", "p_adjusted", "p_folds") if key in part.columns]
    return {key: [["" if x != x else f"{x:.6f}" for x in row] for row in part.columns[key].tolist()] for key in keys}
