"""Tables and figures of results, written into a folder, in the forms and sizes that papers take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ccalign_jax.reporting.csv_table import to_csv
from ccalign_jax.reporting.latex import to_latex
from ccalign_jax.reporting.plots import STYLE, drawable, to_svg
from ccalign_jax.reporting.table import Table, to_markdown

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["size_for_paper", "write_figures", "write_tables"]

TABLES = {"md": to_markdown, "tex": to_latex, "csv": to_csv}
SINGLE, DOUBLE = 3.3, 6.9  # inches: one column of a paper, and both
SHRINK, SMALLEST = 0.8, 7.0  # of fonts, and their least size in points
DPI = 300
NARROW = 1.4  # inches of a subplot that has room for few ticks


def write_tables(folder: Path, tables: Mapping[str, Table]) -> list[str]:
    """Write every table as Markdown, LaTeX and CSV; returns the names of the files."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, table in tables.items():
        for kind, to_text in TABLES.items():
            (folder / f"{name}.{kind}").write_text(to_text(table), encoding="utf-8")
            written.append(f"{name}.{kind}")
    return written


def write_figures(folder: Path, figures: Mapping[str, Figure], formats: Sequence[str] = ("svg",)) -> list[str]:
    """Write every figure in the size that papers have; returns the names of the files.

    Args:
        folder: made if it is not there.
        figures: which get that size, and keep it.
        formats: `svg`, `png` and `pdf`.
    """
    written = [f"{name}.{kind}" for name in figures for kind in formats]
    if written:
        folder.mkdir(parents=True, exist_ok=True)
        for figure in figures.values():
            size_for_paper(figure)
    for file in written:
        _save(figures[file.rpartition(".")[0]], folder / file)
    return written


def size_for_paper(figure: Figure) -> None:
    """Make a figure as wide as a page, or where its subplots stand in one column, as a column; fonts stay readable."""
    from matplotlib.text import Text
    from matplotlib.ticker import MaxNLocator

    places = [spec for axes in figure.axes if (spec := axes.get_subplotspec()) is not None]
    width = DOUBLE if any(place.get_gridspec().ncols > 1 for place in places) else SINGLE
    height = figure.get_figheight() * max(width / figure.get_figwidth(), SHRINK)
    with _style():
        lines = [axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)]
        sizes = [label.get_fontsize() for axis in lines for label in axis.get_ticklabels()[:1] or [axis.label]]
        for text in figure.findobj(Text):
            text.set_fontsize(_smaller(text.get_fontsize()))
        for axis, size in zip(lines, sizes, strict=True):
            axis.set_tick_params(labelsize=_smaller(size))
        figure.set_size_inches(width, height)
        figure.draw_without_rendering()
        figure.set_layout_engine("none")  # the layout is made once, and is that of every format
        for axes in figure.axes:
            locator = axes.xaxis.get_major_locator()
            if isinstance(locator, MaxNLocator) and axes.get_window_extent().width < NARROW * figure.dpi:
                locator.set_params(nbins=2)  # numbers of more ticks, or longer ones, would overlap
                axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}".replace("-", "−"))


def _smaller(size: Any) -> float:
    return max(SMALLEST, SHRINK * float(size))


def _style() -> AbstractContextManager[None]:
    import matplotlib.style

    fonts = {"pdf.fonttype": 42}  # TrueType, which publishers take
    return matplotlib.style.context(["default", STYLE, fonts])


def _save(figure: Figure, path: Path) -> None:
    if path.suffix == ".svg":
        path.write_text(to_svg(figure), encoding="utf-8")
        return
    about: dict[str, Any] = {"CreationDate": None} if path.suffix == ".pdf" else {}
    with _style(), drawable(figure):
        figure.savefig(path, dpi=DPI, metadata=about)
