"""What all plots share: colours, panels, rows of dots, and SVG that is the same bytes for the same figures."""

from __future__ import annotations

import contextlib
import functools
import io
import re
import textwrap
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ccalign_jax.reporting.evidence import NO_EVIDENCE, verdict
from ccalign_jax.reporting.wording import has_interval, signed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["bars", "draw_changes", "drawable", "make_panels", "name_rows", "save_png", "styled", "to_svg"]

Summary = Mapping[str, Any]
Sharing = bool | Literal["none", "all", "row", "col"]

# Told apart by any eye, on white as on near black (after Okabe and Ito).
BLUE, ORANGE, GREY = "#3287c8", "#d9772b", "#8c8c8c"
CYCLE = (BLUE, ORANGE, "#2a9d78", "#b968a8", "#b59b1f", "#7a7ad6", "#c95c5c", "#5aa9b5")
DASHES = ("-", "--", ":", "-.")
INK = "#010101"  # `to_svg` makes it the colour of the text around
WIDTH = 9.0
FONT = "DejaVu Sans"
LONGEST_NAME = 42  # signs of a row's name; a longer one takes two lines
STYLE = {
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 11.0,
    "font.family": "sans-serif",
    "font.sans-serif": [FONT],
    "font.size": 10.0,
    "grid.alpha": 0.3,
    "grid.color": GREY,
    "legend.frameon": False,
    "text.color": INK,
    "text.parse_math": False,  # a name from the data may have a dollar sign
    "xtick.color": INK,
    "ytick.color": INK,
}


def styled(draw: Callable[[Summary], Figure]) -> Callable[[Summary], Figure]:
    """Draw under our settings, whatever the user's own are."""

    @functools.wraps(draw)
    def drawn(summary: Summary) -> Figure:
        import matplotlib.style

        with matplotlib.style.context(["default", STYLE]):
            return draw(summary)

    return drawn


def make_panels(
    label: str, columns: int, *, height: float, sharey: Sharing = False, rows: int = 1, **settings: Any
) -> tuple[Figure, list[Axes]]:
    """A figure of the common width and its panels, row by row; `settings` are those of `Figure.subplots`."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, height), layout="constrained", label=label)
    return figure, list(figure.subplots(rows, columns, sharey=sharey, squeeze=False, **settings).flat)


def draw_changes(
    axes: Axes,
    changes: Sequence[Mapping[str, Any] | None],
    colour: str,
    *,
    markers: Mapping[int, str] | None = None,
    ticks: int = 5,
    room: float = 0.25,
) -> None:
    """A dot a row at its change of R@1, its number beside it, and its interval, or its spread over folds.

    A dot without evidence, where that was tested, is a ring.

    Args:
        axes: a panel.
        changes: figures, or None for a row that stays empty.
        colour: of all dots.
        markers: of rows that do not get a dot.
        ticks: at most so many along the axis.
        room: for the outermost numbers, as a share of the range of the dots.
    """
    for row, change in enumerate(changes):
        if change is None:
            continue
        marker, (below, above) = (markers or {}).get(row, "o"), bars(change)
        face = "none" if verdict(change) == NO_EVIDENCE else colour
        axes.errorbar(
            change["mean"], row, xerr=[[below], [above]], fmt=marker, color=colour, capsize=3, markersize=6, mfc=face
        )
        side = -1 if signed(change["mean"]).startswith("−") else 1  # away from the line
        axes.annotate(
            signed(change["mean"]),
            (change["mean"] + (above if side > 0 else -below), row),
            (7 * side, 0),
            textcoords="offset points",
            ha="left" if side > 0 else "right",
            va="center",
            fontsize=9,
        )
    axes.axvline(0, color=INK, linewidth=1, zorder=0)
    low, high = axes.get_xlim()
    negative = any(change is not None and signed(change["mean"]).startswith("−") for change in changes)
    axes.set_xlim(low - room * (high - low) * negative, high + room * (high - low))
    axes.locator_params(axis="x", nbins=ticks)


def bars(figure: Mapping[str, Any]) -> tuple[float, float]:
    """How far a bar goes below and above a figure: its 95 % interval, else its spread over folds, else nowhere.

    Example:
        >>> bars({"mean": 0.5, "low": 0.25, "high": 1.0}), bars({"mean": 0.5, "std": 0.1}), bars({"mean": 0.5})
        ((0.25, 0.5), (0.1, 0.1), (0.0, 0.0))
    """
    if has_interval(figure):
        return max(figure["mean"] - figure["low"], 0.0), max(figure["high"] - figure["mean"], 0.0)
    spread = figure.get("std") or 0.0
    return spread, spread


def name_rows(axes: Axes, names: Sequence[str]) -> None:
    """Names of the rows, the first on top."""
    axes.set_yticks(range(len(names)), [textwrap.fill(name, LONGEST_NAME) for name in names], fontsize=9)
    axes.set_ylim(len(names) - 0.5, -0.7)
    for each in axes.figure.axes:
        each.grid(axis="x")
        each.tick_params(axis="y", length=0)


def to_svg(figure: Figure) -> str:
    """The figure as one `<svg>` element that takes the font and colour of the page around it; its text stays text."""
    import matplotlib.style

    file = io.StringIO()
    title = str(figure.get_label())
    # Ticks are made only now, so under our settings too. Salted by label: two figures in one page share no id.
    with (
        matplotlib.style.context(["default", STYLE, {"svg.fonttype": "none", "svg.hashsalt": title}]),
        warnings.catch_warnings(),
    ):
        warnings.filterwarnings("ignore", "Glyph .* missing from")  # the browser draws the text with fonts of its own
        nothing: Any = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(file, format="svg", transparent=True, metadata=nothing)
    svg = file.getvalue()
    svg = svg[svg.index("<svg") :].replace(INK, "currentColor")
    used = set(re.findall(r"#([\w.-]+)", svg))
    svg = re.sub(r' id="([^"]+)"', lambda found: found[0] if found[1] in used else "", svg)
    svg = re.sub(r' transform="rotate\(-0 [^"]*"', "", svg)
    svg = re.sub(r' (?:d|x|y)="[^"]*"', lambda found: re.sub(r"(\.\d\d)\d+", r"\1", found[0]), svg)
    return svg.replace("<svg", f'<svg role="img" aria-label="{escape(title)}"', 1)


def save_png(figure: Figure, path: Path) -> None:
    """Write the figure as PNG; characters that the font lacks appear as code points, such as `\\u4e2d`."""
    import matplotlib.style

    with matplotlib.style.context(["default", STYLE]), drawable(figure):
        figure.savefig(path, dpi=150)


@contextlib.contextmanager
def drawable(figure: Figure) -> Iterator[None]:
    """Replace the characters that the font lacks in all texts of the figure; restore them on exit."""
    from matplotlib.font_manager import findfont, get_font
    from matplotlib.text import Text

    known = {ord("\n"), *get_font(findfont(FONT)).get_charmap()}

    def replaced(text: str) -> str:
        return "".join(
            sign if ord(sign) in known else sign.encode("ascii", "backslashreplace").decode() for sign in text
        )

    undo: list[Callable[[], Any]] = []
    for axis in (axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)):
        labels = [label.get_text() for label in axis.get_ticklabels()]
        if labels != (changed := list(map(replaced, labels))):
            axis.set_ticklabels(changed)
            undo.append(functools.partial(axis.set_ticklabels, labels))
    for text in figure.findobj(Text):
        if (shown := text.get_text()) != (written := replaced(shown)):
            text.set_text(written)
            undo.append(functools.partial(text.set_text, shown))
    try:
        yield
    finally:
        for restore in undo:
            restore()
