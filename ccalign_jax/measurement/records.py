"""Flat records of estimates: one a row of `records.csv`; and wider rows, one a place, or one a place and metric."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np

from ccalign_jax.measurement.estimates import CHANGE_COLUMNS, Entry, Estimates
from ccalign_jax.measurement.measure import IDENTITY, Place, by_task

__all__ = ["MACRO", "ArmEntry", "Kind", "metric_rows", "record_columns", "record_rows", "wide_rows"]

Kind = Literal["level", "change", "train", "gap"]
RECORD_TEXTS = ("role", "arm", "against", "kind", "task", "group", "metric")
MACRO = "macro"  # stands for the mean over languages, or over pairs of languages


class ArmEntry(NamedTuple):
    """The estimates of one arm under the name that records give it.

    Attributes:
        role: `baseline`, `trial`, `family`, `selected`, `map`, `score correction`, or `subgroup`.
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


def record_rows(arms: Iterable[ArmEntry], *, digits: str = ".6f") -> Iterator[dict[str, str]]:
    """The rows of `records.csv`: one an arm, kind, task, group (a language, or a pair) and metric.

    Columns are those three and `mean`, `std` over folds, `low`, `high`, and of changes `p`, `p_adjusted` and `p_folds`;
    an empty cell is a number that was not computed.

    Args:
        arms: whose estimates they are.
        digits: how numbers are formatted.
    """
    for one in arms:
        for kind, part in one.kinds():
            for (task, group), cells in _cells({"": part}, digits=digits):
                head = {"role": one.role, "arm": one.arm, "against": one.against if kind == "change" else ""}
                head |= {"kind": kind, "task": task, "group": group or MACRO}
                for metric, columns in cells[""].items():
                    yield {**head, "metric": metric, **columns}


def record_columns(rows: Iterable[Mapping[str, str]]) -> dict[str, list[str] | np.ndarray]:
    """The columns of `records.csv` from its rows; NaN is a number that was not computed."""
    rows = list(rows)
    texts = {name: [row[name] for row in rows] for name in RECORD_TEXTS}
    return texts | {name: np.array([float(row.get(name) or "nan") for row in rows]) for name in CHANGE_COLUMNS}


def wide_rows(
    parts: Mapping[str, Estimates | None], *, columns: Sequence[str] = CHANGE_COLUMNS, digits: str = ".6f"
) -> Iterator[tuple[Place, dict[str, str]]]:
    """A row a place of the first part, with a cell a metric and column of every part.

    Args:
        parts: by the prefix of their cells: `{prefix}{metric}` is the mean, `{prefix}{metric}_low` the lower end.
        columns: to give, where a part has them.
        digits: how numbers are formatted.
    """
    for place, cells in _cells(parts, columns, digits):
        named = ((f"{prefix}{metric}", texts) for prefix, part in cells.items() for metric, texts in part.items())
        yield place, {_column(name, key): text for name, texts in named for key, text in texts.items()}


def metric_rows(parts: Mapping[str, Estimates]) -> Iterator[tuple[Place, str, dict[str, str]]]:
    """A row a place that all parts have, and metric, with a cell a column of every part.

    Args:
        parts: of the same metrics, by the name of their cells: `{name}` is the mean, `{name}_low` the lower end.
    """
    for place, cells in _cells(parts):
        if len(cells) == len(parts):
            for metric in next(iter(cells.values())):
                named = ((name, part[metric]) for name, part in cells.items())
                yield place, metric, {_column(name, key): text for name, texts in named for key, text in texts.items()}


def _column(name: str, key: str) -> str:
    return name if key == "mean" else f"{name}_{key}"


def _cells(
    parts: Mapping[str, Estimates | None], columns: Sequence[str] = CHANGE_COLUMNS, digits: str = ".6f"
) -> Iterator[tuple[Place, dict[str, dict[str, dict[str, str]]]]]:
    """Each place of the first part, task by task and the macro mean first; and texts by part, metric and column."""

    def text(value: float) -> str:
        return "" if value != value else f"{value:{digits}}"

    def texts_of(part: Estimates, row: int) -> dict[str, dict[str, str]]:
        keys = [key for key in columns if key in part.columns]
        numbers = zip(*(part.columns[key][row].tolist() for key in keys), strict=True)
        texts = (dict(zip(keys, map(text, each), strict=True)) for each in numbers)
        return dict(zip(part.metrics, texts, strict=True))

    known = {name: part for name, part in parts.items() if part is not None}
    rows = {name: {place: row for row, place in enumerate(part.places)} for name, part in known.items()}
    first = next(iter(known.values()))
    for place in (place for places in by_task(first.places).values() for place in places):
        yield place, {name: texts_of(part, rows[name][place]) for name, part in known.items() if place in rows[name]}
