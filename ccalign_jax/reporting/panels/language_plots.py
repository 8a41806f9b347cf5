"""R@1 of each language before and after: with images in both directions, and with captions in other languages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ccalign_jax._names import DIRECTIONS, split_pair
from ccalign_jax.reporting.dumbbells import draw_dumbbells
from ccalign_jax.reporting.format import Estimate, Summary, find
from ccalign_jax.reporting.names import DIRECTION_WORDS
from ccalign_jax.reporting.panels.retrieval import TASKS, languages_of, states
from ccalign_jax.reporting.plots import GREY, INK, language_colour, legend_below, make_subplots, name_rows, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MEAN = "mean"
SHOWN = ("t2t", "via_image", "via_image_oracle")  # tasks between languages; the table has all

Rows = Mapping[str, Estimate]  # R@1 by language, and the mean of several


@styled
def languages_plot(summary: Summary) -> Figure | None:
    """R@1 of each language with its interval, or spread over folds, in each state; both directions on one scale.

    None of a sweep in one language, whose other plots have it.
    """
    if "selected" in summary and len(languages_of(summary)) < 2:
        return None
    each = {state: {task: _rows(metrics[task]) for task in DIRECTIONS} for state, metrics in states(summary).items()}
    return _draw("R@1 by language, each state", summary, DIRECTION_WORDS, each)


@styled
def text_to_text_plot(summary: Summary) -> Figure | None:
    """R@1 from the captions of each language to those of all others in each state: directly, and through images."""
    found = states(summary)
    tasks = [task for task in SHOWN if all(find(one, task, "per_language") for one in found.values())]
    if not tasks:
        return None
    each = {state: {task: _query_rows(metrics[task]) for task in tasks} for state, metrics in found.items()}
    return _draw("R@1 from text to text, by language of the query", summary, TASKS, each)


def _draw(label: str, summary: Summary, titles: Mapping[str, str], each: Mapping[str, Mapping[str, Rows]]) -> Figure:
    """Dumbbells of one or two states: a subplot a task, a row a language."""
    (first, before), *others = each.items()
    tasks = list(before)
    languages = languages_of(summary)
    every = {name for found in each.values() for rows in found.values() for name in rows}
    names = [name for name in (*languages, MEAN) if name in every]
    figure, subplots = make_subplots(*(label, len(tasks)), height=1.25 + 0.3 * len(names), sharey=True, sharex=True)
    colours = [INK if name == MEAN else language_colour(name, languages) for name in names]
    for axes, task in zip(subplots, tasks, strict=True):
        after = [others[0][1][task].get(name) for name in names] if others else None
        draw_dumbbells(axes, [before[task].get(name) for name in names], after, colours)
        axes.set(title=titles[task], xlabel="R@1")
        axes.locator_params(axis="x", nbins=5)
        axes.margins(x=0.06)
    name_rows(subplots[0], names)
    for name, text in zip(names, subplots[0].get_yticklabels(), strict=True):
        text.set_fontweight("bold" if name == MEAN else "normal")
    if others:
        subplots[0].plot([], [], "o", color=GREY, mfc="none", markersize=5, label=first)
        subplots[0].plot([], [], "o", color=INK, markersize=5, label=f"{others[0][0]}; right of the axes its change")
        legend_below(figure)
    return figure


def _rows(metrics: Mapping[str, Any]) -> Rows:
    """R@1 of each language, and the mean where there are several."""
    found = {name: one["R@1"] for name, one in metrics["per_language"].items()}
    return {**found, MEAN: metrics["R@1"]} if len(found) > 1 else found


def _query_rows(metrics: Mapping[str, Any]) -> Rows:
    """R@1 of each language of the query, the mean over those of the gallery, without an interval; and of all pairs."""
    pairs: dict[str, list[float]] = {}
    for pair, one in metrics["per_language"].items():
        pairs.setdefault(split_pair(pair)[0], []).append(one["R@1"]["mean"])
    found: dict[str, Estimate] = {name: {"mean": _mean(values)} for name, values in pairs.items()}
    return {**found, MEAN: metrics["R@1"]}


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
