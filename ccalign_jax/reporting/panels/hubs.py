"""Hubs before and after a map: how unevenly the items of a gallery are found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ccalign_jax._names import DIRECTIONS
from ccalign_jax.reporting.dumbbells import draw_dumbbells
from ccalign_jax.reporting.format import Summary
from ccalign_jax.reporting.panels.geometry import geometry_states
from ccalign_jax.reporting.plots import GREY, INK, language_colour, legend_below, make_subplots, name_rows, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FOUND = {"t2i": "images found by captions", "i2t": "captions found by images"}
MEASURES = {"skew": ("skewness of the k-occurrence", 2), "gini": ("Gini coefficient of it, 0 to 1", 3)}


@styled
def hubs_plot(summary: Summary) -> Figure | None:
    """Skewness and Gini coefficient of how often each item is among the nearest of a query, by language."""
    found = geometry_states(summary)
    if not found:
        return None
    (first, before), (last, after) = found.items()
    languages = list(before["hubs"]["t2i"])
    figure, subplots = make_subplots(
        *("hubs before and after", 2), rows=2, height=1.2 + 2 * (0.7 + 0.26 * len(languages)), sharey=True, sharex="row"
    )
    colours = [language_colour(name, languages) for name in languages]
    places = [(measure, direction) for measure in MEASURES for direction in DIRECTIONS]
    for axes, (measure, direction) in zip(subplots, places, strict=True):
        each = [[{"mean": one["hubs"][direction][name][measure]} for name in languages] for one in (before, after)]
        draw_dumbbells(axes, each[0], each[1], colours, places=MEASURES[measure][1])
        axes.set(title=FOUND[direction] if measure == "skew" else "", xlabel=MEASURES[measure][0])
        axes.margins(x=0.08)
        axes.locator_params(axis="x", nbins=5)
    name_rows(subplots[0], languages)
    subplots[0].plot([], [], "o", color=GREY, mfc="none", markersize=5, label=first)
    subplots[0].plot([], [], "o", color=INK, markersize=5, label=last)
    legend_below(figure)
    return figure
