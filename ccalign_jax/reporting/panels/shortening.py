"""Retrieval by the size of a row: a table, a plot, and a few sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ccalign_jax._names import DIRECTIONS
from ccalign_jax.reporting.format import CHANGE, changed, level, plain
from ccalign_jax.reporting.plots import CYCLE, INK, legend_below, make_subplots, styled
from ccalign_jax.reporting.table import Column, Table, fill_table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["shortening_plot", "shortening_table", "shortening_words"]

Summary = Mapping[str, Any]  # the content of a shortening.json
Row = Mapping[str, Any]

REDUCTIONS = {"truncation": "truncation", "rotation": "shared rotation", "pca": "PCA, sides centred"}
CODES = {"float32": "float32", "int8": "int8", "binary": "one bit"}
COLOURS = dict(zip(REDUCTIONS, CYCLE, strict=False))
MARKS = {"float32": "o-", "int8": "s--", "binary": "^:"}


def shortening_table(summary: Summary) -> Table:
    """R@1 in both directions, and its change in their mean, by reduction, code and width."""
    columns = [
        Column.names("numbers", "r"),
        Column("bytes", lambda name, row: f"{row['bytes']:,}" if "bytes" in row else f"{4 * summary['width']:,}"),
        *Column.both(CHANGE),
        *(Column.estimate(f"{task} R@1", "metrics", task, "R@1") for task in DIRECTIONS),
    ]
    blocks = [("", [(f"{summary['width']:,}", {"metrics": summary["baselines"]["full"]})])]
    for heading, rows in _curves(summary):
        blocks.append((heading, [(f"{row['width']:,}", row) for row in rows]))
    return fill_table(
        f"{summary['data']['name']}: retrieval by the size of a row, a gallery of {summary['gallery']:,}",
        columns,
        blocks,
        notes=(
            "First row: rows as they are, float32. change: against it, on the same queries; p adjusted (Holm) for all "
            "rows. All languages weigh the same.",
            "Reductions and ranges of codes were fitted on other images. What is searched is coded, what asks is not.",
        ),
    )


@styled
def shortening_plot(summary: Summary) -> Figure:
    """R@1 in the mean of both directions by numbers in a row, and by its bytes, with intervals."""
    figure, (widths, sizes) = make_subplots("retrieval by the size of a row", 2, height=3.8)
    for (reduction, code), rows in _grouped(summary).items():
        if code == "float32":
            _draw(widths, rows, "width", reduction, code)
        if reduction != "truncation":
            _draw(sizes, rows, "bytes", reduction, code)
    full = summary["baselines"]["full"]["both"]["R@1"]["mean"]
    for axes, label in ((widths, "numbers in a row, float32"), (sizes, "bytes of a row")):
        axes.axhline(full, color=INK, linewidth=1, linestyle=":")
        axes.set_xscale("log", base=2)
        ticks = sorted({row["width" if axes is widths else "bytes"] for row in summary["rows"]})[:: 1 + (axes is sizes)]
        axes.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
        axes.minorticks_off()
        axes.set(xlabel=label, ylabel="R@1, mean of both directions")
        axes.grid(axis="y")
    legend_below(figure)
    return figure


def shortening_words(summary: Summary) -> tuple[str, ...]:
    """The shortest rows that lose no more than what is accepted."""
    accepted, best = plain(summary["accept"]), summary["shortest"]
    whole = f"{summary['width']:,} numbers ({4 * summary['width']:,} bytes)"
    if best is None:
        return (f"No shorter row is known to lose no more than {accepted} R@1 of {whole}.",)
    row = next(row for row in summary["rows"] if all(row[name] == value for name, value in best.items()))
    return (
        f"Measured on {summary['held_out']}.",
        f"The shortest rows of which all of the interval is above −{accepted}: {best['width']:,} numbers as "
        f"{CODES[best['code']]} ({best['bytes']:,} bytes), by {REDUCTIONS[best['reduction']]}: R@1, mean of both "
        f"directions, {level(row['metrics']['both']['R@1'])}, {changed(row['delta']['both']['R@1'])} against {whole}.",
    )


def _grouped(summary: Summary) -> dict[tuple[str, str], list[Row]]:
    found: dict[tuple[str, str], list[Row]] = {}
    for row in summary["rows"]:
        found.setdefault((row["reduction"], row["code"]), []).append(row)
    return found


def _curves(summary: Summary) -> Iterator[tuple[str, list[Row]]]:
    for (reduction, code), rows in _grouped(summary).items():
        # At full width, uncoded, a truncation and a rotation change nothing.
        same = reduction != "pca" and code == "float32"
        shown = [row for row in rows if not same or row["width"] < summary["width"]]
        yield f"{REDUCTIONS[reduction]}, {CODES[code]}", shown


def _draw(axes: Axes, rows: Sequence[Row], key: str, reduction: str, code: str) -> None:
    shares = [row["metrics"]["both"]["R@1"] for row in rows]
    places = [row[key] for row in rows]
    label = REDUCTIONS[reduction] if code == "float32" else f"{REDUCTIONS[reduction]}, {CODES[code]}"
    axes.plot(
        places, [share["mean"] for share in shares], MARKS[code], color=COLOURS[reduction], markersize=4, label=label
    )
    axes.fill_between(
        places,
        [share["low"] for share in shares],
        [share["high"] for share in shares],
        color=COLOURS[reduction],
        alpha=0.12,
        linewidth=0,
    )
