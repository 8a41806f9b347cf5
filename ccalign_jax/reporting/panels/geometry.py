"""Plots of the geometry of embeddings before and after a map: similarities, Gram matrices, spectra, and the map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ccalign_jax.reporting.format import Summary, find, plain, signed
from ccalign_jax.reporting.panels.diagnostics import maps
from ccalign_jax.reporting.plots import BLUE, GREY, INK, WIDTH, legend_below, make_subplots, styled

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

IMAGE = "image"
SHOWN = 5  # languages whose Gram matrices are drawn
SHADES = 32  # of a Gram matrix: with fewer colours its file is a third smaller
FEW = 6  # sets with room for three matrices in a row
NUMBERED = 10  # sets between which correlations are written as numbers, too
FAINT = 0.05  # a change of correlation that small gets no full colour
DARK, LIGHT = "#111111", "#fafafa"  # on the colours of a cell, whatever the page's own
MIN_SHARE = 2e-3  # of the pairs; emptier bins at the ends are left out


@styled
def similarity_plot(summary: Summary) -> Figure | None:
    """Cosines of captions with their own image and with others, mean over languages; overlap is the area in common."""
    found: Mapping[str, Any] = summary.get("similarities", {})
    if not find(found, "identity", "negative"):  # a single image has no other
        return None
    edges, named = found["edges"], [state for state in ("identity", "mapped") if state in found]
    figure, subplots = make_subplots("cosines of caption and image", len(named), height=3.2, sharey=True, sharex=True)
    filled = []
    for axes, state in zip(subplots, named, strict=True):
        own, other = found[state]["positive"], found[state]["negative"]
        filled += [place for place, shares in enumerate(zip(own, other, strict=True)) if max(shares) > MIN_SHARE]
        for shares, colour, label in ((other, GREY, "another image"), (own, BLUE, "own image")):
            axes.stairs(shares, edges, fill=True, color=colour, alpha=0.35)
            axes.stairs(shares, edges, color=colour, linewidth=1.6, label=label)
        axes.set(title=f"{state}: overlap {plain(sum(map(min, own, other)))}", xlabel="cosine of caption and image")
        axes.grid(axis="y")
    subplots[0].set_xlim(edges[min(filled)], edges[max(filled) + 1])
    subplots[0].set_ylabel("share of the pairs")
    legend_below(figure)
    return figure


def geometry_states(summary: Summary) -> dict[str, Mapping[str, Any]]:
    """The geometry of test parts that a sweep stores, of identity and of the map; empty without it."""
    found = find(summary, "geometry", "states")
    if not found:
        return {}
    kind = find(summary, "compared", "map") or "selected"
    return {"identity": found["before"], kind.replace("_", " "): found["after"]}


@styled
def gram_plot(summary: Summary) -> Figure | None:
    """Inner products of the same rows in the same order: the images and up to five languages, a row a state.

    `grams` of an evaluation, or `geometry` of a sweep, has for each state Gram matrices `[s, s]` by language, and
    `image`.
    """
    import matplotlib
    import numpy as np

    grams: Mapping[str, Any] | None = summary.get("grams") or {
        state: {name: np.asarray(matrix) for name, matrix in one["grams"].items()}
        for state, one in geometry_states(summary).items()
    }
    if not grams:
        return None
    sets = next(iter(grams.values()))
    languages = [name for name in sets if name != IMAGE]
    names = [IMAGE] * (IMAGE in sets) + languages[:SHOWN]
    off = np.concatenate([one[name][np.triu_indices(len(one[name]), 1)] for one in grams.values() for name in names])
    low, high = np.quantile(off, (0.01, 0.99))
    colours = matplotlib.colormaps["viridis"].resampled(SHADES)
    side = min((WIDTH - 1) / len(names), 2.6)
    figure, subplots = make_subplots("Gram matrices", len(names), rows=len(grams), height=0.7 + side * len(grams))
    figure.set_layout_engine("compressed")
    places = [(state, name) for state in grams for name in names]
    for number, (axes, (state, name)) in enumerate(zip(subplots, places, strict=True)):
        drawn = _matrix(axes, grams[state][name], low, high, colours)
        axes.set(xticks=[], yticks=[])
        if number < len(names):
            axes.set_title("images" if name == IMAGE else name)
        if name == names[0]:
            axes.set_ylabel(state)
    some = f"; the first {SHOWN} of {len(languages)} languages" if len(languages) > SHOWN else ""
    figure.colorbar(drawn, ax=subplots, extend="both", shrink=0.8, label="inner product")
    figure.supxlabel(f"{len(sets[names[0]])} images, in the same order everywhere{some}", fontsize=10)
    return figure


@styled
def gram_correlation_plot(summary: Summary) -> Figure | None:
    """Gram correlation between every two of the languages and the images, in each state, and its change."""
    found = summary.get("diagnostics")
    names = set_names(found["identity"]) if found else []
    if found is None or len(names) < 3:  # one number needs no plot
        return None
    matrices = {state: correlations(one) for state, one in found.items()}
    lowest = min(min(_defined(matrix)) for matrix in matrices.values())
    if len(matrices) > 1:
        matrices["change"] = matrices["mapped"] - matrices["identity"]
    # Few sets: three subplots in a row. More: two, that every set may be named and each number read.
    columns = len(matrices) if len(names) <= FEW or len(matrices) < 3 else 2
    rows = -(-len(matrices) // columns)
    side, fontsize = min(WIDTH / columns, 4.4) - 0.3, 6.5 if len(names) > 20 else 9
    figure, subplots = make_subplots("Gram correlation", columns, rows=rows, height=rows * side + 0.2)
    figure.set_layout_engine("compressed")
    for axes, (state, matrix) in zip(subplots, matrices.items(), strict=False):
        change = state == "change"
        size = max(FAINT, *map(abs, _defined(matrix)))
        low, high = (-size, size) if change else (min(lowest, 0.0), 1.0)
        drawn = _matrix(axes, matrix, low, high, "RdBu" if change else "viridis")
        axes.tick_params(length=0)
        axes.set_xticks(range(len(names)), names, rotation=90, fontsize=fontsize)
        axes.set_yticks(range(len(names)), names, fontsize=fontsize)
        if len(names) <= NUMBERED:
            _write(axes, drawn, matrix, signed if change else plain)
        axes.set_title(state if len(matrices) > 1 else "Gram correlation")
        figure.colorbar(drawn, ax=axes, shrink=0.8 if len(names) > NUMBERED else 0.6, pad=0.02)
    for axes in subplots[len(matrices) :]:
        axes.set_axis_off()
    return figure


@styled
def spectra_plot(summary: Summary) -> Figure | None:
    """Singular values of the centred rows, each set's over their root sum of squares: captions, and images."""
    found = _spectra(summary)
    if not found:
        return None
    images = any("spectra_image" in one for one in found.values())
    figure, subplots = make_subplots("spectra of the rows", 2 if images else 1, height=3.4, sharey=True)
    for (state, one), colour in zip(found.items(), (GREY, BLUE), strict=False):
        dashes = "-" if state == "identity" else "--"  # a map that changes little hides nothing
        _band(subplots[0], [_shape(values) for values in one["spectra"].values()], colour, state, dashes)
        if "spectra_image" in one:
            shares = _shape(one["spectra_image"])
            subplots[-1].plot(range(1, len(shares) + 1), shares, dashes, color=colour, linewidth=1.8, label=state)
    over = ", median and range of languages" if len(found["identity"]["spectra"]) > 1 else ""
    for axes, title in zip(subplots, (f"captions{over}", "images"), strict=False):
        axes.set(title=title, xlabel="component", yscale="log")
        axes.grid()
    low, high = subplots[0].get_ylim()
    between = "25" if high <= 100 * low else ""  # labels between the powers of ten, where there are few of these
    subplots[0].yaxis.set_major_formatter("{x:g}")
    subplots[0].yaxis.set_minor_formatter(lambda value, _: f"{value:g}" if f"{value:e}"[0] in between else "")
    subplots[0].set_ylabel("singular value over the norm")
    legend_below(figure)
    return figure


def _spectra(summary: Summary) -> Mapping[str, Mapping[str, Any]]:
    """Singular values of each state: `spectra` by language, and `spectra_image`."""
    kept = geometry_states(summary)
    if not kept:
        return {state: one for state, one in summary.get("diagnostics", {}).items() if "spectra" in one}
    found = {state: dict(one["spectra"]) for state, one in kept.items()}
    return {state: {"spectra_image": one.pop("image"), "spectra": one} for state, one in found.items()}


@styled
def map_plot(summary: Summary) -> Figure | None:
    """Singular values of the linear map W, or of each language's, and the angles by which it turns."""
    found = maps(summary)
    if not found:
        return None
    angles = [one["rotation_degrees"] for one in found.values() if one["rotation_degrees"] is not None]
    figure, subplots = make_subplots("the map itself", 2 if angles else 1, height=3.0)
    _band(subplots[0], [one["singular_values"] for one in found.values()], BLUE, "W")
    subplots[0].axhline(1, color=INK, linewidth=1, linestyle=":")
    subplots[0].set(xlabel="component", ylabel="singular value", ylim=(0, None))
    if angles:
        _band(subplots[1], angles, BLUE, "W")
        subplots[1].set(xlabel="direction", ylabel="rotation (degrees)", ylim=(0, None))
    over = f", median and range of {len(found)} languages" if len(found) > 1 else ""
    for axes, title in zip(subplots, ("how it stretches", "how it turns"), strict=False):
        axes.set_title(title + over)
        axes.grid()
    return figure


def set_names(diagnostics: Mapping[str, Any]) -> list[str]:
    """The languages, and the images where they were diagnosed too."""
    return [*diagnostics["languages"], *(["images"] if "with_image" in diagnostics else [])]


def correlations(diagnostics: Mapping[str, Any]) -> np.ndarray:
    """Gram correlations between the sets of `set_names`; the diagonal, always 1, is left out as not a number."""
    import numpy as np

    matrix = np.array(diagnostics["between_languages"]["gram_correlation"]["matrix"], float)
    if "with_image" in diagnostics:
        beside = np.array([*diagnostics["with_image"]["gram_correlation"]["per_language"].values()])
        matrix = np.block([[matrix, beside[:, None]], [beside[None], np.ones((1, 1))]])
    np.fill_diagonal(matrix, np.nan)
    return matrix


def _defined(matrix: np.ndarray) -> list[float]:
    return [float(value) for value in matrix.ravel() if value == value]


def _matrix(axes: Axes, matrix: Any, low: float, high: float, colours: Any) -> Any:
    """A matrix as colours, without a frame."""
    axes.spines[:].set_visible(False)
    return axes.imshow(matrix, vmin=low, vmax=high, cmap=colours, interpolation="none")


def _write(axes: Axes, drawn: Any, matrix: np.ndarray, show: Any) -> None:
    """The number of each cell, in a colour that shows on it."""
    import numpy as np

    for (row, column), value in np.ndenumerate(matrix):
        if value == value:
            red, green, blue, _ = drawn.cmap(drawn.norm(value))
            ink = DARK if 0.3 * red + 0.6 * green + 0.1 * blue > 0.5 else LIGHT
            words = show(value, 2).replace("0.", ".", 1)
            axes.text(column, row, words, ha="center", va="center", color=ink, fontsize=7)


def _shape(values: Sequence[float]) -> list[float]:
    """Singular values over the root of their sum of squares, without those that are zero but for rounding."""
    norm = sum(value**2 for value in values) ** 0.5 or 1.0
    return [value / norm for value in values if value > 1e-5 * values[0]]


def _band(axes: Axes, curves: Sequence[Sequence[float]], colour: str, label: str, dashes: str = "-") -> None:
    """The median of several curves and the range between the lowest and the highest, as far as all of them go."""
    import numpy as np

    length = min(map(len, curves))
    values = np.array([curve[:length] for curve in curves])
    steps = np.arange(1, length + 1)
    if len(curves) > 1:
        axes.fill_between(steps, values.min(axis=0), values.max(axis=0), color=colour, alpha=0.25, linewidth=0)
    axes.plot(steps, np.median(values, axis=0), dashes, color=colour, linewidth=1.8, label=label)
