"""The parts that plots share: colours, subplots, names of rows, points with intervals, legends."""

from __future__ import annotations

import functools
import textwrap
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from ccalign_jax._names import BOTH
from ccalign_jax.reporting.format import NO_EVIDENCE, Estimate, has_interval
from ccalign_jax.reporting.verdicts import verdict

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Args = ParamSpec("Args")
Drawn = TypeVar("Drawn")  # a figure, or None

# Told apart by any eye, on white as on near black (after Okabe and Ito).
BLUE, ORANGE, GREY = "#3287c8", "#d9772b", "#8c8c8c"
CYCLE = (BLUE, ORANGE, "#2a9d78", "#b968a8", "#b59b1f", "#7a7ad6", "#c95c5c", "#5aa9b5", "#8f7355", "#7c8f3a")
COLOURS = {"t2i": BLUE, "i2t": ORANGE, BOTH: CYCLE[2], "t2t": CYCLE[2]}
INK = "#010101"  # `to_svg` makes it the colour of the text around
WIDTH = 9.0
SINGLE, DOUBLE = 3.3, 6.9  # inches of a paper: one column, and both
FONT = "DejaVu Sans"
NUMBERS = 33  # points right of the axes, where numbers end
ENTRY, SIGN = 34.0, 4.9  # points of an entry of a legend in a paper, and of each sign of its name
LONGEST_NAME = 42  # signs of a row's name; a longer one takes two lines
STYLE = {
    "axes.axisbelow": True,
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


def language_colour(language: str, languages: Sequence[str]) -> str:
    """The colour of a language, the same in all figures of the same languages.

    Example:
        >>> language_colour("de", ("ar", "de")) == CYCLE[1]
        True
    """
    return CYCLE[sorted(languages).index(language) % len(CYCLE)] if language in languages else GREY


def styled(draw: Callable[Args, Drawn]) -> Callable[Args, Drawn]:
    """Draw under our settings, whatever the user's own are."""

    @functools.wraps(draw)
    def drawn(*args: Args.args, **settings: Args.kwargs) -> Drawn:
        import matplotlib.style

        with matplotlib.style.context(["default", STYLE]):
            return draw(*args, **settings)

    return drawn


def make_subplots(
    label: str, columns: int, *, height: float, rows: int = 1, **settings: Any
) -> tuple[Figure, list[Axes]]:
    """A figure of the common width and its subplots, row by row; `settings` are those of `Figure.subplots`."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, height), layout="constrained", label=label)
    return figure, list(figure.subplots(rows, columns, squeeze=False, **settings).flat)


def write_column(axes: Axes, words: Sequence[str], *, heading: str = "") -> None:
    """Numbers of the rows 0, 1, … in a column right of the axes, aligned at their ends."""
    axes.figure.get_layout_engine().set(wspace=0.06)  # type: ignore[union-attr, call-arg]
    for row, text in enumerate([*words, heading]):
        if text:
            place = (1, row if row < len(words) else -0.95)
            how: Any = {"ha": "right", "va": "center", "fontsize": 9 if row < len(words) else 8}
            axes.annotate(text, place, (NUMBERS, 0), axes.get_yaxis_transform(), textcoords="offset points", **how)


def face_colour(change: Estimate, colour: str) -> str:
    """The colour inside a dot: none where there is no evidence of a change, so that it becomes a ring."""
    return "none" if verdict(change) == NO_EVIDENCE else colour


def bars(estimate: Estimate) -> tuple[float, float]:
    """Lengths of the bar below and above an estimate: its 95 % interval, else its spread over folds, else none.

    Example:
        >>> bars({"mean": 0.5, "low": 0.25, "high": 1.0}), bars({"mean": 0.5, "std": 0.1}), bars({"mean": 0.5})
        ((0.25, 0.5), (0.1, 0.1), (0.0, 0.0))
    """
    if has_interval(estimate):
        return max(estimate["mean"] - estimate["low"], 0.0), max(estimate["high"] - estimate["mean"], 0.0)
    spread = estimate.get("std") or 0.0
    return spread, spread


def name_rows(axes: Axes, names: Sequence[str]) -> None:
    """Names of the rows, the first on top."""
    axes.set_yticks(range(len(names)), [textwrap.fill(name, LONGEST_NAME) for name in names], fontsize=9)
    axes.set_ylim(len(names) - 0.5, -0.7)
    for each in axes.figure.axes:
        each.grid(axis="x")
        each.tick_params(axis="y", length=0)


def legend_below(figure: Figure, handles: Sequence[Any] | None = None) -> None:
    """A legend below the subplots, in as many columns as have room in a paper.

    Args:
        figure: with all its subplots.
        handles: what it explains; None takes whatever has a label.
    """
    if handles is None:
        found = [handle for axes in figure.axes for handle in axes.get_legend_handles_labels()[0]]
        handles = list({str(handle.get_label()): handle for handle in found}.values())
    longest = max(len(str(handle.get_label())) for handle in handles)
    columns = int(72 * paper_width(figure) / (ENTRY + SIGN * longest))
    figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), max(columns, 1)))


def paper_width(figure: Figure) -> float:
    """The inches of a figure in a paper: both columns, or one where its subplots stand in one."""
    places = [spec for axes in figure.axes if (spec := axes.get_subplotspec()) is not None]
    return DOUBLE if any(place.get_gridspec().ncols > 1 for place in places) else SINGLE
