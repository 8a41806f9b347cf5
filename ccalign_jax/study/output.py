"""How results are written: JSON, CSV, tables and plots, into a folder that is theirs."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ccalign_jax.errors import InputError
from ccalign_jax.reporting import Table, save_png, to_latex, to_markdown, to_svg

__all__ = ["claim_output", "figure_cells", "write_csv", "write_json", "write_plots", "write_tables"]


def claim_output(path: Path, marker: str, whose: str, *, overwrite: bool) -> None:
    """Refuse a folder that holds something else than earlier results of the same kind.

    Args:
        path: the folder, which need not be there.
        marker: the file that such results are known by.
        whose: files they are, for the message.
        overwrite: whether earlier results are to be replaced.

    Raises:
        InputError: it holds other files, or such results and `overwrite` is not given.
    """
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        return
    if not (path / marker).is_file():
        raise InputError(f"{path}: holds files that are not {whose}; give --out another folder")
    if not overwrite:
        raise InputError(f"{path}: holds a {marker} already; give --overwrite or another --out")


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """JSON that is the same for the same value, written whole or not at all."""
    draft = path.with_name(path.name + ".draft")
    draft.write_text(json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
    draft.replace(path)


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
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    for name, table in tables.items():
        (path / f"{name}.md").write_text(to_markdown(table), encoding="utf-8")
        (path / f"{name}.tex").write_text(to_latex(table), encoding="utf-8")


def write_plots(path: Path, figures: Mapping[str, Any]) -> None:
    """Every figure as PNG and SVG, into a folder of their own."""
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    for name, figure in figures.items():
        save_png(figure, path / f"{name}.png")
        (path / f"{name}.svg").write_text(to_svg(figure), encoding="utf-8")


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
