"""A table as CSV for programs: plain numbers in full precision, a column for each end of an interval and each p."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence

from ccalign_jax.reporting.cells import NAMES, Cell
from ccalign_jax.reporting.format import NOTHING
from ccalign_jax.reporting.table import Table, is_heading

__all__ = ["to_csv"]


def to_csv(table: Table) -> str:
    """The table as CSV. A row that heads others becomes their first cell, under `group`.

    Each column has the mean under its own heading, and further columns, such as `t2i R@1 low`, for the other numbers
    that any of its cells shows. A text stays as it is; no value is an empty cell.

    Example:
        >>> cell = Cell.of("+.04 [+.02, +.06]", {"mean": 0.041, "low": 0.021, "high": 0.061})
        >>> print(to_csv(Table("t", ("map", "change"), (("W", cell),), "lr")), end="")
        map,change,change low,change high
        W,0.041,0.021,0.061
    """
    names = [list(_names(row[column] for row in table.rows)) for column in range(len(table.columns))]
    heads = [
        head if name == "mean" else f"{head} {name}"
        for head, each in zip(_headings(table), names, strict=True)
        for name in each
    ]
    grouped = any(map(is_heading, table.rows))
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["group"] * grouped + heads)
    group = ""
    for number, row in enumerate(table.rows):
        group = "" if number in table.rules else group
        if is_heading(row):
            group = row[0]
            continue
        values = [_value(cell, name) for cell, each in zip(row, names, strict=True) for name in each]
        writer.writerow([group] * grouped + values)
    return file.getvalue()


def _headings(table: Table) -> Iterator[str]:
    """Headings on one line; a change is named after the level before it."""
    level = ""
    for number, heading in enumerate(table.columns):
        words = re.sub(r"\bchange\b.*", "change", " ".join(heading.split()))  # without what its cells show, too
        if words.startswith("change"):
            yield f"{level} change".strip()
        else:
            level = words if number else ""
            yield words


def _names(cells: Iterator[str]) -> Sequence[str]:
    """Which numbers any of these cells shows; of texts alone, the one column that they need."""
    known = {name for cell in cells if isinstance(cell, Cell) for name in cell.values}
    return [name for name in NAMES if name in known or name == "mean"]


def _value(cell: str, name: str) -> str:
    if isinstance(cell, Cell):
        return repr(float(cell.values[name])) if name in cell.values else ""
    return "" if name != "mean" or cell == NOTHING else " ".join(cell.split())
