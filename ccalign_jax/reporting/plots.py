"""The parts that plots share: colours, subplots, points with intervals, SVG and PNG that are reproducible."""

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
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from ccalign_jax._names import BOTH, DIRECTIONS
from ccalign_jax.reporting.format import NO_EVIDENCE, Estimate, find, has_interval, signed, verdict
from ccalign_jax.reporting.names import DIRECTION_WORDS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Args = ParamSpec("Args")
Drawn = TypeVar("Drawn")  # a figure, or None

# Told apart by any eye, on white as on near black (after Okabe and Ito).
BLUE, ORANGE, GREY = "#3287c8", "#d9772b", "#8c8c8c"
CYCLE = (BLUE, ORANGE, "#2a9d78", "#b968a8", "#b59b1f", "#7a7ad6", "#c95c5c", "#5aa9b5")
COLOURS = {"t2i": BLUE, "i2t": ORANGE, BOTH: CYCLE[2], "t2t": CYCLE[2]}
INK = "#010101"  # `to_svg` makes it the colour of the text around
WIDTH = 9.0
FONT = "DejaVu Sans"
FAR = 4  # times the median size; changes that are larger do not stretch an axis
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


@styled
def changes_figure(
    label: str,
    rows: Sequence[tuple[str, Mapping[str, Any] | None]],
    tasks: Sequence[str] = (*DIRECTIONS, BOTH),
    *,
    markers: Mapping[int, str] | None = None,
) -> Figure:
    """A figure of changes of R@1 against identity with their intervals, or spread over folds: one subplot a direction.

    Args:
        label: of the figure.
        rows: a name, and R@1 by direction; a name with None is a heading.
        tasks: directions, and `both` for their mean.
        markers: of rows that do not get a dot.
    """
    wide = len(tasks) < 3
    height = 1.3 + (0.4 if wide else 0.34) * len(rows)
    figure, subplots = make_subplots(label, len(tasks), height=height, sharex=True, sharey=True)
    panels = {task: [find(delta, task, "R@1") for _, delta in rows] for task in tasks}
    low, high = changes_range([change for changes in panels.values() for change in changes if change is not None])
    room = (0.25 if wide else 0.45) * (high - low)  # for the numbers
    for axes, (task, changes) in zip(subplots, panels.items(), strict=True):
        axes.set_xlim(low - room * (low < 0), high + room)
        for row, change in enumerate(changes):
            if change is not None:
                draw_change(axes, row, change, COLOURS[task], (markers or {}).get(row, "o"), ends=(low, high))
        axes.axvline(0, color=INK, linewidth=1, zorder=0)
        axes.spines["left"].set_visible(False)
        axes.locator_params(axis="x", nbins=5 if wide else 3)
        axes.set(title=DIRECTION_WORDS.get(task, "mean of both"), xlabel="change of R@1" + " against identity" * wide)
    name_rows(subplots[0], [name for name, _ in rows])
    for (_, delta), text in zip(rows, subplots[0].get_yticklabels(), strict=True):
        text.set_fontweight("bold" if delta is None else "normal")
    return figure


def changes_range(changes: Sequence[Estimate]) -> tuple[float, float]:
    """The ends of an axis for changes with their bars and 0; a few that are far from all others do not stretch it.

    Example:
        >>> changes_range([{"mean": mean} for mean in (0.02, -0.01, 0.04, -0.4)])
        (-0.08, 0.04)
        >>> changes_range([{"mean": 0.2}, {"mean": -0.4}])
        (-0.4, 0.2)
    """
    ends = [(one["mean"] - bars(one)[0], one["mean"] + bars(one)[1]) for one in changes]
    sizes = sorted(max(-low, high) for low, high in ends) or [0.0]
    usual = sizes[len(sizes) // 2] if len(sizes) > 2 else sizes[-1]
    most = FAR / 2 * usual if sizes[-1] > FAR * usual > 0 else sizes[-1]
    low, high = min([0.0, *(low for low, _ in ends)]), max([0.0, *(high for _, high in ends)])
    return max(low, -most), min(high, most) or (0.01 if low == 0.0 else 0.0)


def draw_change(
    axes: Axes, row: float, change: Estimate, colour: str, marker: str, *, ends: tuple[float, float]
) -> None:
    """A dot with its number beside it, away from the line of no change; beyond the ends an arrow with the number."""
    mean, words, (below, above) = change["mean"], signed(change["mean"]), bars(change)
    face, (low, high) = face_colour(change, colour), ends
    if not low <= mean <= high:
        left = mean < low
        axes.plot(low if left else high, row, "<" if left else ">", color=colour, markersize=7, mfc=face)
        write_beside(
            axes, words, (low if left else high, row), 7 if left else -7, size=9, ha="left" if left else "right"
        )
        return
    axes.errorbar(mean, row, xerr=[[below], [above]], fmt=marker, color=colour, capsize=3, markersize=6, mfc=face)
    if words.startswith("−"):
        write_beside(axes, words, (max(mean - below, low), row), -7, size=9, ha="right")
    else:
        write_beside(axes, words, (min(mean + above, high), row), 7, size=9, ha="left")


def write_beside(axes: Axes, words: str, place: tuple[float, float], points: float, *, size: float, **how: Any) -> None:
    """Words so many points to the right of a place."""
    axes.annotate(words, place, (points, 0), textcoords="offset points", va="center", fontsize=size, **how)


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
