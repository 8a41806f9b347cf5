"""The parts that plots share: colours, subplots, points with intervals, SVG and PNG that are reproducible."""

from __future__ import annotations

import contextlib
import functools
import io
import re
import textwrap
import warnings
from collections.abc import Callable, Iterator, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from ccalign_jax._names import BOTH
from ccalign_jax.reporting.format import NO_EVIDENCE, Estimate, has_interval, verdict

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
FONT = "DejaVu Sans"
FALLBACKS = (  # for scripts that it lacks, where they are installed
    *("Noto Sans", "Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans Arabic", "Noto Sans Hebrew", "Noto Sans Bengali"),
    *("Noto Sans Devanagari", "Noto Sans Thai", "Noto Sans Telugu", "Microsoft YaHei", "Yu Gothic", "Malgun Gothic"),
    *("PingFang SC", "Hiragino Sans", "Geeza Pro", "Arial Unicode MS"),
)
NUMBERS = 38  # points right of the axes, where numbers end
RIGHT_TO_LEFT = range(0x590, 0x900)  # Hebrew, Arabic and others
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
    """Write the figure as PNG; characters that no font here has appear as code points, such as `\\u4e2d`."""
    import matplotlib.style

    with matplotlib.style.context(["default", STYLE]), drawable(figure):
        figure.savefig(path, dpi=150)


@functools.cache
def installed_fonts() -> tuple[str, ...]:
    """The font of the plots, and those of `FALLBACKS` that this machine has, for the characters that it lacks."""
    from matplotlib.font_manager import fontManager

    known = {font.name for font in fontManager.ttflist}
    return FONT, *(name for name in FALLBACKS if name in known)


@contextlib.contextmanager
def drawable(figure: Figure) -> Iterator[None]:
    """Draw all texts of the figure with fonts that have their characters, or with code points; restore them on exit.

    Arabic is shaped and ordered where `arabic_reshaper` and `python-bidi` are installed.
    """
    from matplotlib.font_manager import findfont, get_font
    from matplotlib.text import Text

    fonts = installed_fonts()
    known = {ord("\n")}.union(*(get_font(findfont(name)).get_charmap() for name in fonts))

    shape = _shaper()

    def replaced(text: str) -> str:
        signs = (sign if ord(sign) in known else sign.encode("ascii", "backslashreplace").decode() for sign in text)
        turned = any(ord(sign) in RIGHT_TO_LEFT for sign in text)
        return shape("".join(signs)) if shape is not None and turned else "".join(signs)

    undo: list[Callable[[], Any]] = []
    done: set[str] = set()
    for axis in (axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)):
        labels = [label.get_text() for label in axis.get_ticklabels()]
        if labels != (changed := list(map(replaced, labels))):
            axis.set_ticklabels(changed)
            done |= set(changed)
            undo.append(functools.partial(axis.set_ticklabels, labels))
    for text in figure.findobj(Text):
        shown = text.get_text()
        if shown.isascii():
            continue
        undo += [functools.partial(text.set_text, shown), functools.partial(text.set_fontfamily, text.get_fontfamily())]
        text.set_text(shown if shown in done else replaced(shown))
        text.set_fontfamily(list(fonts))
    try:
        yield
    finally:
        for restore in reversed(undo):
            restore()


def _shaper() -> Callable[[str], str] | None:
    """Text with Arabic letters joined, in the order of drawing; None without the packages for that."""
    try:
        from arabic_reshaper import reshape
        from bidi.algorithm import get_display
    except ImportError:
        return None
    return lambda text: str(get_display(reshape(text)))
