"""Flat records of estimates: one a row of `records.csv`; and wider rows, one a place, or one a place and metric."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

from ccalign_jax.measurement.estimates import CHANGE_COLUMNS, Entry, Estimates
from ccalign_jax.measurement.measure import IDENTITY, Place, by_task

__all__ = ["MACRO", "ArmEntry", "Kind", "metric_rows", "record_rows", "wide_rows"]

Kind = Literal["level", "change", "train", "gap"]
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


def wide_rows(
    parts: Mapping[str, Estimates | None], *, columns: Sequence[str] = CHANGE_COLUMNS, digits: str = ".6f"
) -> Iterator[tuple[Place, dict[str, str]]]:
    """A row a place of the first part, with a cell a metric and column of every part.

    Args:
        parts: by the prefix of their cells: `{prefix}{metric}` is the mean, `{prefix}{metric}_low` the lower end.
        columns: to give, where a part has them.
        digits: how numbers are formatted.
    """
    found = {prefix: (part, _cells(part, columns, digits)) for prefix, part in parts.items() if part is not None}
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


def metric_rows(parts: Mapping[str, Estimates]) -> Iterator[tuple[Place, str, dict[str, str]]]:
    """A row a place that all parts have, and metric of the first, with a cell a column of every part.

    Args:
        parts: by the name of their cells: `{name}` is the mean, `{name}_low` the lower end.
    """
    first, cells = next(iter(parts.values())), {name: _cells(part) for name, part in parts.items()}
    for number in _order(first.places):
        place = first.places[number]
        if not all(place in part.places for part in parts.values()):
            continue
        for metric in first.metrics:
            row: dict[str, str] = {}
            for name, part in parts.items():
                at, column = part.places.index(place), part.metrics.index(metric)
                row |= {
                    name if key == "mean" else f"{name}_{key}": texts[at][column] for key, texts in cells[name].items()
                }
            yield place, metric, row


def _order(places: Sequence[Place]) -> list[int]:
    """The numbers of the places, task by task, the macro mean first."""
    number = {place: row for row, place in enumerate(places)}
    return [number[place] for places_of in by_task(places).values() for place in places_of]


def _cells(part: Estimates, columns: Sequence[str] = CHANGE_COLUMNS, digits: str = ".6f") -> dict[str, list[list[str]]]:
    """Columns as text, `[places][metrics]` each."""

    def text(value: float) -> str:
        return "" if value != value else f"{value:{digits}}"

    return {key: [list(map(text, row)) for row in part.columns[key].tolist()] for key in columns if key in part.columns}
