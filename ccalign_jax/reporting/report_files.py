"""Tables and figures of results, written into a folder, in the forms that papers take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ccalign_jax.reporting.csv_table import to_csv
from ccalign_jax.reporting.drawings import save_figure, to_svg
from ccalign_jax.reporting.latex import to_latex
from ccalign_jax.reporting.table import Table, to_markdown

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw", "write_figures", "write_tables"]

TABLES = {"md": to_markdown, "tex": to_latex, "csv": to_csv}


def write_tables(folder: Path, tables: Mapping[str, Table]) -> list[str]:
    """Write every table as Markdown, LaTeX and CSV; returns the names of the files."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, table in tables.items():
        for kind, to_text in TABLES.items():
            (folder / f"{name}.{kind}").write_text(to_text(table), encoding="utf-8")
            written.append(f"{name}.{kind}")
    return written


def write_figures(
    folder: Path, figures: Mapping[str, Figure], formats: Sequence[str], drawings: Mapping[str, str]
) -> list[str]:
    """Write every figure; returns the names of the files.

    Args:
        folder: made if it is not there.
        figures: by name.
        formats: `svg`, `png` and `pdf`.
        drawings: the SVG of each, as `draw` makes them.
    """
    written = [f"{name}.{kind}" for name in figures for kind in formats]
    if written:
        folder.mkdir(parents=True, exist_ok=True)
    for file in written:
        name, _, kind = file.rpartition(".")
        if kind == "svg":
            (folder / file).write_text(drawings[name], encoding="utf-8")
        else:
            save_figure(figures[name], folder / file)
    return written


def draw(figures: Mapping[str, Figure]) -> dict[str, str]:
    """Every figure as SVG, by name."""
    return {name: to_svg(figure) for name, figure in figures.items()}
