"""Plots of one evaluated data set, before and after a map: retrieval by language and gallery size, and similarities."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ccalign_jax.reporting.evaluation_words import maps, states
from ccalign_jax.reporting.figure_names import amount, change
from ccalign_jax.reporting.geometry_plots import gram_correlation_plot, gram_plot, map_plot, set_names, spectra_plot
from ccalign_jax.reporting.panels import BLUE, CYCLE, GREY, INK, ORANGE, make_panels, styled
from ccalign_jax.reporting.wording import DIRECTION_WORDS, DIRECTIONS, find

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["evaluation_plots", "language_bars_plot", "pool_plot", "similarity_plot"]

Summary = Mapping[str, Any]

COLOURS = {"t2i": BLUE, "i2t": ORANGE, "t2t": CYCLE[2]}
MANY = 12  # languages; more than that get thinner rows
EMPTY = 2e-3  # a bin with no larger share is not worth the room


def evaluation_plots(
    summary: Summary, grams: Mapping[str, Mapping[str, np.ndarray]] | None = None
) -> dict[str, Figure]:
    """Every plot that there are figures for, by the name of its file.

    Args:
        summary: of an evaluation.
        grams: for each state, Gram matrices `[s, s]` of the languages and of `image`, the same rows in all.
    """
    found = {"languages": language_bars_plot(summary)}
    if "pool_curves" in summary:
        found["pool"] = pool_plot(summary)
    if find(summary, "similarities", "identity", "negative"):  # a single image has no other
        found["similarities"] = similarity_plot(summary)
    if "diagnostics" in summary:
        if len(set_names(summary)) > 2:  # one number needs no plot
            found["gram_correlation"] = gram_correlation_plot(summary)
        found["spectra"] = spectra_plot(summary)
    if grams:
        found["gram_matrices"] = gram_plot(grams)
    if maps(summary):
        found["map"] = map_plot(summary)
    return found


@styled
def language_bars_plot(summary: Summary) -> Figure:
    """R@1 of each language in each state: both directions and, as language of the query, text to text.

    Args:
        summary: of an evaluation.
    """
    each = {state: _by_language(metrics) for state, metrics in states(summary).items()}
    languages = list(each["identity"]["t2i"])
    tasks = list(each["identity"])
    height = 1.3 + max(0.6, (0.34 if len(languages) <= MANY else 0.24) * len(languages))
    figure, panels = make_panels("R@1 by language, each state", len(tasks), height=height, sharey=True)
    thick = 0.8 / len(each)
    for axes, task in zip(panels, tasks, strict=True):
        for place, (state, metrics) in enumerate(each.items()):
            values = [metrics[task].get(language, float("nan")) for language in languages]
            rows = [row + (place - (len(each) - 1) / 2) * thick for row in range(len(languages))]
            axes.barh(rows, values, thick, color=GREY if state == "identity" else COLOURS[task], label=state)
        longest = 0.0
        for row, language in enumerate(languages):
            values = [metrics[task][language] for metrics in each.values() if language in metrics[task]]
            if not values:
                continue
            longest = max(longest, *values)
            words = change(values[0], values[1]) if len(values) > 1 else amount(values[0])
            axes.annotate(words, (max(values), row), (4, 0), textcoords="offset points", va="center", fontsize=8)
        axes.set_xlim(0, 1.25 * longest or 1)
        axes.locator_params(axis="x", nbins=4)
        axes.grid(axis="x")
        axes.set_axisbelow(True)
        axes.tick_params(axis="y", length=0)
        axes.set(title={**DIRECTION_WORDS, "t2t": "text to text"}[task], xlabel="R@1")
    panels[0].set_yticks(range(len(languages)), languages)
    panels[0].set_ylim(len(languages) - 0.4, -0.6)
    if len(each) > 1:
        _legend(figure, {"identity": GREY, "mapped, with its change": [COLOURS[task] for task in tasks]})
    return figure


@styled
def pool_plot(summary: Summary) -> Figure:
    """R@1 as expected in smaller galleries, beside chance; below it the change.

    Args:
        summary: of an evaluation with `pool_curves`.
    """
    curves = summary["pool_curves"]
    after = "mapped" in curves["t2i"]
    figure, panels = make_panels(
        *("R@1 by gallery size", 2),
        rows=2 if after else 1,
        height=4.6 if after else 3.2,
        sharey="row",
        sharex=True,
        height_ratios=(2.4, 1) if after else (1,),
    )
    for place, direction in enumerate(DIRECTIONS):
        axes, curve = panels[place], curves[direction]
        axes.plot(curve["sizes"], curve["identity"], "o-", color=GREY, markersize=4, label="identity")
        if after:
            axes.plot(curve["sizes"], curve["mapped"], "o-", color=COLOURS[direction], markersize=4, label="mapped")
        axes.plot(curve["sizes"], curve["chance"], ":", color=INK, linewidth=1.2, label="chance")
        axes.set_title(DIRECTION_WORDS[direction])
        axes.legend(loc="upper right")
        if after:
            below = panels[2 + place]
            moved = [late - early for early, late in zip(curve["identity"], curve["mapped"], strict=True)]
            below.axhline(0, color=INK, linewidth=1)
            below.plot(curve["sizes"], moved, "o-", color=COLOURS[direction], markersize=4)
    for axes in panels:
        _plain_log(axes)
        axes.grid()
    for axes, what in zip(panels[-2:], ("images", "captions"), strict=True):
        axes.set_xlabel(f"{what} in the gallery")
    panels[0].set(ylabel="R@1, expected", ylim=(0, None))
    if after:
        panels[2].set_ylabel("change")
    return figure


@styled
def similarity_plot(summary: Summary) -> Figure:
    """Cosines of captions with their own image and with others, mean over languages; overlap is the area in common.

    Args:
        summary: of an evaluation with `similarities`.
    """
    found = summary["similarities"]
    edges, named = found["edges"], [state for state in states(summary) if state in found]
    figure, panels = make_panels("cosines of captions with images", len(named), height=3.2, sharey=True, sharex=True)
    filled = []
    for axes, state in zip(panels, named, strict=True):
        own, other = found[state]["positive"], found[state]["negative"]
        overlap = sum(map(min, own, other))
        filled += [place for place, shares in enumerate(zip(own, other, strict=True)) if max(shares) > EMPTY]
        for shares, colour, label in ((other, GREY, "another image"), (own, BLUE, "own image")):
            axes.stairs(shares, edges, fill=True, color=colour, alpha=0.35)
            axes.stairs(shares, edges, color=colour, linewidth=1.6, label=label)
        axes.set(title=f"{state}: overlap {amount(overlap)}", xlabel="cosine of caption and image")
        axes.grid(axis="y")
        axes.set_axisbelow(True)
    panels[0].set_xlim(edges[min(filled)], edges[max(filled) + 1])
    panels[0].set_ylabel("share of the pairs")
    panels[0].legend(loc="upper right")
    return figure


def _by_language(metrics: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """R@1 by task and language; of text to text, the mean over the languages that a query looks among."""
    found = {
        direction: {name: one["R@1"]["mean"] for name, one in metrics[direction]["per_language"].items()}
        for direction in DIRECTIONS
    }
    pairs: dict[str, list[float]] = {}
    for pair, one in (find(metrics, "t2t", "per_language") or {}).items():
        pairs.setdefault(pair.partition("->")[0], []).append(one["R@1"]["mean"])
    if pairs:
        found["t2t"] = {name: sum(values) / len(values) for name, values in pairs.items()}
    return found


def _legend(figure: Figure, colours: Mapping[str, Any]) -> None:
    """A legend below all panels; several colours of one label stand side by side."""
    from matplotlib.legend_handler import HandlerTuple
    from matplotlib.patches import Patch

    handles: list[Any] = [
        tuple(Patch(color=one) for one in ([colour] if isinstance(colour, str) else colour))
        for colour in colours.values()
    ]
    figure.legend(
        handles,
        list(colours),
        loc="outside lower center",
        ncols=len(handles),
        handler_map={tuple: HandlerTuple(ndivide=None, pad=0.2)},
    )


def _plain_log(axes: Axes) -> None:
    """A logarithmic x axis with whole numbers."""
    from matplotlib.ticker import NullFormatter, StrMethodFormatter

    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
