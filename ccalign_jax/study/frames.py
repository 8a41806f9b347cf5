"""Results as data frames: the records of `records.csv`."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ccalign_jax.data.frames import Backend, make_frame
from ccalign_jax.measurement.records import ArmEntry, record_columns, record_rows
from ccalign_jax.study.summary import RECORDS

__all__ = ["records_frame"]


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
