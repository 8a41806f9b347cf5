"""How results are written: JSON, CSV, tables and plots."""

from __future__ import annotations

import csv
import errno
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from ccalign_jax.errors import InputError
from ccalign_jax.reporting import Table, save_png, to_latex, to_markdown, to_svg

__all__ = ["figure_cells", "full_disk", "whole_file", "write_csv", "write_json", "write_plots", "write_tables"]

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def whole_file(path: Path, *, resumable: bool = False) -> Iterator[BinaryIO]:
    """Open a file for writing that appears at its path when it is complete.

    Args:
        path: of the file.
        resumable: as in `full_disk`.

    Raises:
        InputError: the disk is full.
    """
    draft = path.with_name(path.name + ".draft")
    try:
        with full_disk(path, resumable=resumable), draft.open("wb") as file:
            yield file
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def full_disk(path: Path, *, resumable: bool = False) -> Iterator[None]:
    """Raise a full disk as a one-line error.

    Args:
        path: what is written.
        resumable: of a run that `--resume` continues.

    Raises:
        InputError: the disk, or the quota, is used up.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        remedy = "make room there" + ", then continue with --resume" * resumable
        raise InputError(f"{path}: not written, {os.strerror(error.errno or 0).lower()}; {remedy}") from error


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """JSON that is the same for the same value, written whole or not at all."""
    text = json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    with whole_file(path) as file:
        file.write(text.encode())


def write_csv(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Rows under the keys of all of them, in the order they first come."""
    rows = list(rows)
    columns: dict[str, None] = {}
    for row in rows:
        columns.update(dict.fromkeys(row))
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(columns), restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def write_tables(path: Path, tables: Mapping[str, Table]) -> None:
    """Every table as Markdown and LaTeX, into a folder of their own."""
    path.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        (path / f"{name}.md").write_text(to_markdown(table), encoding="utf-8")
        (path / f"{name}.tex").write_text(to_latex(table), encoding="utf-8")


def write_plots(path: Path, plots: Mapping[str, Any]) -> None:
    """Every plot as PNG and SVG, into a folder of their own."""
    path.mkdir(parents=True, exist_ok=True)
    for name, plot in plots.items():
        save_png(plot, path / f"{name}.png")
        (path / f"{name}.svg").write_text(to_svg(plot), encoding="utf-8")


def figure_cells(figures: Mapping[str, Mapping[str, float | None]], prefix: str = "") -> dict[str, str]:
    """Cells of a CSV: `{prefix}{name}` with the mean, and beside it what else is known of each figure.

    Example:
        >>> figure_cells({"R@1": {"mean": 0.5, "low": 0.25, "high": None}}, "train_")
        {'train_R@1': '0.500000', 'train_R@1_low': '0.250000', 'train_R@1_high': ''}
    """
    return {
        f"{prefix}{name}" if key == "mean" else f"{prefix}{name}_{key}": "" if value is None else f"{value:.6f}"
        for name, figure in figures.items()
        for key, value in figure.items()
    }
