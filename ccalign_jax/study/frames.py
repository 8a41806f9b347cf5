"""Results as data frames: the records of `records.csv`, and the rows of curves."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ccalign_jax.data.frames import Backend, make_frame
from ccalign_jax.measurement.records import ArmEntry, record_columns, record_rows
from ccalign_jax.study.summary import RECORDS

__all__ = ["records_frame", "rows_frame"]


def records_frame(arms: Sequence[ArmEntry], backend: Backend = "pandas", *, folder: Path | None = None) -> Any:
    """A data frame with a row an arm, kind, task, group and metric, of which `docs/results.md` explains the columns.

    Args:
        arms: all estimates of a result; empty of a run that was finished before.
        backend: `pandas` or `polars`.
        folder: of such a run, whose `records.csv` is read.

    Raises:
        InputError: the backend is not installed.
    """
    if arms or folder is None:
        return make_frame(record_columns(record_rows(arms, digits=".17g")), backend)
    with open(folder / RECORDS, newline="", encoding="utf-8") as file:
        return make_frame(record_columns(csv.DictReader(file)), backend)


def rows_frame(rows: Iterable[Mapping[str, Any]], texts: Sequence[str], backend: Backend = "pandas") -> Any:
    """A data frame of the rows of a CSV file; columns but `texts` are numbers, NaN where a cell is empty or missing.

    Raises:
        InputError: the backend is not installed.
    """
    rows = list(rows)
    names = dict.fromkeys(name for row in rows for name in row)

    def number(cell: Any) -> float:
        return np.nan if cell == "" else float(cell)

    numbers = {name: np.array([number(row.get(name, "")) for row in rows]) for name in names if name not in texts}
    words = {name: [row[name] for row in rows] for name in texts}
    return make_frame({name: words[name] if name in words else numbers[name] for name in names}, backend)
