"""Local maps of some test images: where identity has their captions, and where a map takes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ccalign_jax.reporting.format import Summary, plain, signed
from ccalign_jax.reporting.plots import GREY, INK, language_colour, legend_below, make_subplots, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

KINDS = ("improved", "worsened")


@styled
def neighbourhoods_plot(summary: Summary) -> Figure | None:
    """Images improved in the first row, worsened in the second: captions as arrows, rivals as crosses.

    One scale, but of UMAP, whose units mean nothing.
    """
    found: Mapping[str, Any] | None = summary.get("neighbourhoods")
    if not found:
        return None
    rows = [[one for one in found["images"] if one["kind"] == kind] for kind in KINDS]
    rows = [row for row in rows if row]
    columns = max(map(len, rows))
    languages = summary["data"]["languages"]
    units = found["method"] == "PCA"
    shape: dict[str, Any] = {"rows": len(rows), "height": 0.7 + 2.4 * len(rows), "sharex": units, "sharey": units}
    figure, subplots = make_subplots("neighbourhoods before and after", columns, **shape)
    for number, axes in enumerate(subplots):
        row, column = divmod(number, columns)
        if column >= len(rows[row]):
            axes.set_axis_off()
            continue
        _draw(axes, rows[row][column], languages)
        axes.set_aspect("equal", adjustable="box" if units else "datalim")
        if not units:
            axes.tick_params(labelbottom=False, labelleft=False, length=0)
        if column == 0:
            kind = rows[row][0]["kind"]
            axes.set_ylabel(f"{kind}: {found['counts'][kind]} of {found['counts']['images']}")
    _legend(figure, languages)
    return figure


def _draw(axes: Axes, one: Mapping[str, Any], languages: list[str]) -> None:
    """An image with its rivals, and an arrow a caption."""
    share = "" if one["explained"] is None else f", {plain(100 * one['explained'], 0)} % of variance"
    axes.set_title(f"MRR {signed(one['change'])}{share}", fontsize=9)
    for rival in one["rivals"]:
        axes.plot(*rival["after"], "x", color=GREY, markersize=5, zorder=2)
    for language, caption in one["captions"].items():
        colour = language_colour(language, languages)
        axes.plot(*caption["before"], "o", mfc="none", color=colour, markersize=3.5, zorder=3)
        arrow = dict(arrowstyle="-|>", color=colour, linewidth=1.1, shrinkA=2, shrinkB=0, mutation_scale=8)
        axes.annotate("", caption["after"], caption["before"], arrowprops=arrow, zorder=4)
        axes.plot(*caption["after"], ",", color=colour)  # within the limits of the axes
    if one["before"] != one["after"]:
        axes.annotate("", one["after"], one["before"], arrowprops={"arrowstyle": "-", "color": INK, "linestyle": ":"})
        axes.plot(*one["before"], "s", color=INK, mfc="none", markersize=5, zorder=5)
    axes.plot(*one["after"], "s", color=INK, markersize=6, zorder=5)
    axes.tick_params(labelsize=8)
    axes.grid()


def _legend(figure: Figure, languages: list[str]) -> None:
    from matplotlib.lines import Line2D

    def points(marker: str, colour: str, label: str) -> Line2D:
        return Line2D([], [], color=colour, marker=marker, mfc=colour, linestyle="none", markersize=6, label=label)

    handles = [points("s", INK, "the image"), points("x", GREY, "its rivals")]
    handles += [points(">", language_colour(name, languages), name) for name in languages]
    legend_below(figure, handles)
