"""Figures drawn as SVG, PNG and PDF: in the size of a paper, with fonts that have their characters, reproducibly."""

from __future__ import annotations

import contextlib
import functools
import io
import re
import warnings
from collections.abc import Callable, Iterator
from html import escape
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ccalign_jax.reporting.plots import FONT, INK, STYLE, paper_width

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FALLBACKS = (  # for scripts that it lacks, where they are installed
    *("Noto Sans", "Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans Arabic", "Noto Sans Hebrew", "Noto Sans Bengali"),
    *("Noto Sans Devanagari", "Noto Sans Thai", "Noto Sans Telugu", "Microsoft YaHei", "Yu Gothic", "Malgun Gothic"),
    *("PingFang SC", "Hiragino Sans", "Geeza Pro", "Arial Unicode MS"),
)
RIGHT_TO_LEFT = range(0x590, 0x900)  # Hebrew, Arabic and others
SHRINK, SMALLEST = 0.8, 7.0  # of fonts in a paper, and their least size in points
NARROW = 1.4  # inches of a subplot that has room for few ticks
DPI = 300
LINE = 1.2  # from one line of a text to the next, over the size of its font
ON_PAGE = 0.1125  # rem of a point: a figure of two columns is 56 rem wide
MISSING = "Glyph .* missing from"
CANVASES = {"svg": "FigureCanvasSVG", "png": "FigureCanvasAgg", "pdf": "FigureCanvasPdf"}


def size_for_paper(figure: Figure) -> Figure:
    """The figure, as wide as a page, or where its subplots stand in one column, as a column; fonts stay readable.

    Its layout is made once, and is that of every format.
    """
    from matplotlib.text import Text
    from matplotlib.ticker import MaxNLocator

    width = paper_width(figure)
    height = figure.get_figheight() * max(width / figure.get_figwidth(), SHRINK)
    with _style():
        lines = [axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)]
        sizes = [label.get_fontsize() for axis in lines for label in axis.get_ticklabels()[:1] or [axis.label]]
        for text in figure.findobj(Text):
            text.set_fontsize(_smaller(text.get_fontsize()))
        for axis, size in zip(lines, sizes, strict=True):
            axis.set_tick_params(labelsize=_smaller(size))
        figure.set_size_inches(width, height)
        _lay_out(figure)
        for axes in figure.axes:
            locator = axes.xaxis.get_major_locator()
            if isinstance(locator, MaxNLocator) and axes.get_window_extent().width < NARROW * figure.dpi:
                locator.set_params(nbins=2)  # numbers of more ticks, or longer ones, would overlap
                axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}".replace("-", "−"))
    return figure


def to_svg(figure: Figure) -> str:
    """The figure as one `<svg>` element that takes the font and colour of the page around it; its text stays text."""
    file = io.StringIO()
    title = str(figure.get_label())
    # Ticks are made only now, so under our settings too. Salted by label: two figures in one page share no id.
    with _style({"svg.fonttype": "none", "svg.hashsalt": title}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", MISSING)  # the browser draws the text with fonts of its own
        _lay_out(figure)
        with _transparent(figure), _lines_apart(figure):
            _print(figure, file, "svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    svg = file.getvalue()
    svg = svg[svg.index("<svg") :].replace(INK, "currentColor")
    used = set(re.findall(r"#([\w.-]+)", svg))
    svg = re.sub(r' id="([^"]+)"', lambda found: found[0] if found[1] in used else "", svg)
    svg = re.sub(r' transform="rotate\(-0 [^"]*"', "", svg)
    svg = re.sub(r' (?:d|x|y)="[^"]*"', lambda found: re.sub(r"(\.\d\d)\d+", r"\1", found[0]), svg)
    wide = f"{72 * ON_PAGE * figure.get_figwidth():.1f}rem"
    return svg.replace("<svg", f'<svg role="img" aria-label="{escape(title)}" style="--wide: {wide}"', 1)


def save_figure(figure: Figure, path: Path) -> None:
    """Write the figure as PNG or PDF; characters that no font here has appear as code points, such as `\\u4e2d`."""
    kind = path.suffix.removeprefix(".")
    with _style(), drawable(figure):
        _lay_out(figure)
        _print(figure, path, kind, metadata={"CreationDate": None} if kind == "pdf" else {})


def _print(figure: Figure, file: Any, kind: str, **settings: Any) -> None:
    """Draw the figure, whose layout is made, once; `savefig` would draw it twice."""
    backend = import_module(f"matplotlib.backends.backend_{'agg' if kind == 'png' else kind}")
    canvas, dpi = figure.canvas, figure.dpi
    try:
        figure.dpi = DPI
        getattr(getattr(backend, CANVASES[kind])(figure), f"print_{kind}")(file, **settings)
    finally:
        figure.set_canvas(canvas)
        figure.dpi = dpi


def _lay_out(figure: Figure) -> None:
    """Place the subplots of a figure for good, if that is not done."""
    from matplotlib.layout_engine import PlaceHolderLayoutEngine

    if not isinstance(figure.get_layout_engine(), PlaceHolderLayoutEngine):
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", MISSING)
            figure.draw_without_rendering()
        figure.set_layout_engine("none")


def _smaller(size: Any) -> float:
    return max(SMALLEST, SHRINK * float(size))


def _style(more: dict[str, Any] | None = None) -> contextlib.AbstractContextManager[None]:
    import matplotlib.style

    # Publishers take TrueType.
    return matplotlib.style.context(["default", STYLE, {"pdf.fonttype": 42}, more or {}])


@contextlib.contextmanager
def _transparent(figure: Figure) -> Iterator[None]:
    """Without the backgrounds of the figure and its subplots."""
    patches = [figure.patch, *(axes.patch for axes in figure.axes)]
    colours = [patch.get_facecolor() for patch in patches]
    for patch in patches:
        patch.set_facecolor("none")
    yield
    for patch, colour in zip(patches, colours, strict=True):
        patch.set_facecolor(colour)


@contextlib.contextmanager
def _lines_apart(figure: Figure) -> Iterator[None]:
    """Each line of a text as a text of its own, which stays flush where the page has another font than we."""
    from matplotlib.text import Annotation, Text
    from matplotlib.transforms import ScaledTranslation

    several = [text for text in figure.findobj(Text) if "\n" in text.get_text() and text.get_visible()]
    several = [text for text in several if not text.get_rotation() and not isinstance(text, Annotation)]
    added = []
    for text in several:
        lines, step = text.get_text().split("\n"), LINE * float(text.get_fontsize()) / 72
        side = text.get_verticalalignment()
        above = {"top": 0.0, "bottom": len(lines) - 1.0, "baseline": len(lines) - 1.0}.get(side, (len(lines) - 1) / 2)
        for number, line in enumerate(lines):
            lower = ScaledTranslation(0, (above - number) * step, figure.dpi_scale_trans)
            copy = Text(*text.get_position(), line, parse_math=False)
            copy.update_from(text)
            copy.set_transform(text.get_transform() + lower)
            figure.add_artist(copy)
            added.append(copy)
        text.set_visible(False)
    yield
    for copy in added:
        copy.remove()
    for text in several:
        text.set_visible(True)


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
