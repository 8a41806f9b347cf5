"""Retrieval of identity beside what a sweep selected, or an evaluated map: by language, metric, task and pair."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ccalign_jax._names import DIRECTIONS, IDENTITY, UNMAPPED
from ccalign_jax.reporting.format import (
    CHANGE,
    DIRECTION_NOTE,
    Summary,
    changed,
    count_words,
    find,
    is_tested,
    level,
    plain,
)
from ccalign_jax.reporting.names import DIRECTION_WORDS
from ccalign_jax.reporting.plots import COLOURS, GREY, INK, legend_below, make_subplots, styled
from ccalign_jax.reporting.scope import interval_note
from ccalign_jax.reporting.sentences import place_words, training_words
from ccalign_jax.reporting.table import Table, make_table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

METRICS = ("R@1", "R@5", "R@10", "MRR", "mAP", "median_rank", "nDCG@10")
MAIN_METRICS = ("R@1", "mAP")
TASKS = {
    "t2t": "directly",
    "via_image": "via nearest image",
    "via_image_soft": "via soft mean of images",
    "via_image_oracle": "via right image",
}


def metrics_in(metrics: Mapping[str, Any]) -> list[str]:
    """The retrieval metrics of one task, in their order."""
    return [name for name in metrics if name != "per_language"]


def main_metrics(summary: Summary) -> list[str]:
    """The metrics of the main table: R@1, mAP, and those that a user has registered.

    Example:
        >>> main_metrics({"baselines": {"identity": {"t2i": dict.fromkeys(["R@1", "R@3", "R@5", "mAP"])}}})
        ['R@1', 'mAP', 'R@3']
    """
    every = metrics_in(summary["baselines"][IDENTITY]["t2i"])
    return [*MAIN_METRICS, *(name for name in every if name not in METRICS)]


def places_of(metric: str) -> int:
    """Decimals of a metric."""
    return 1 if metric == "median_rank" else 3


def states(summary: Summary) -> dict[str, Mapping[str, Any]]:
    """Metrics of identity, and of what a sweep selected, or through an evaluated map.

    Example:
        >>> list(states({"baselines": {"identity": {}}, "metrics": {}}))
        ['identity', 'mapped']
    """
    found = {IDENTITY: summary["baselines"][IDENTITY]}
    if "selected" in summary:
        found["selected"] = summary["selected"]["metrics"]
    if "metrics" in summary:
        found["mapped"] = summary["metrics"]
    return found


def changes(summary: Summary) -> Mapping[str, Any] | None:
    """The changes of the last of `states` against identity; None where there is one state."""
    found: Mapping[str, Any] | None = summary.get("selected", summary).get("delta")
    return found


def headings(summary: Summary, head: str) -> list[str]:
    """Column headings of one metric: of the only state, or of both and their change."""
    named = list(states(summary))
    if len(named) == 1:
        return [head.replace(" ", "\n")]
    return [*(f"{head}\n{state}" for state in named), CHANGE if is_tested(summary) else "change"]


def compared(summary: Summary, *path: str) -> list[str]:
    """The cells below `headings`: the metric at a path such as `t2i`, `per_language`, `de`, `R@1`.

    A language that is not mapped is compared with itself.
    """
    places, delta = places_of(path[-1]), changes(summary)
    base = tuple(part.removesuffix(UNMAPPED) for part in path)
    cells = [
        level(find(metrics, *(base if state == IDENTITY else path)), places)
        for state, metrics in states(summary).items()
    ]
    return cells if delta is None else [*cells, changed(find(delta, *path), places)]


def by_chance(summary: Summary, *path: str) -> list[str]:
    """The cells below `headings` in a row of chance."""
    mean = find(summary["baselines"]["chance"], *path, "mean")
    return [plain(mean, places_of(path[-1])), *[""] * (len(headings(summary, "")) - 1)]


def retrieval_table(summary: Summary) -> Table:
    """R@1 and mAP of each language in an evaluation, and without a map R@5 and R@10 too."""
    metrics = main_metrics(summary)
    if "metrics" not in summary:
        metrics[1:1] = ["R@5", "R@10"]
    paths = [(task, metric) for metric in metrics for task in DIRECTIONS]
    chance = ["chance", *(cell for path in paths for cell in by_chance(summary, *path))]
    images = count_words(summary["data"]["images"], "image")
    notes = [DIRECTION_NOTE, f"The gallery is all {images} scored: R@k falls as it grows."]
    if "metrics" in summary:
        cells = " [ ]: such an interval; p: paired sign flips over images." if is_tested(summary) else ""
        notes += [
            f"mapped: {summary['name']}; identity: the embeddings as they are; change: mapped minus identity, on the "
            "same queries.",
            training_words(summary),
            f"{interval_note(summary)}{cells}",
        ]
    if summary["data"]["d_text"] != summary["data"]["d_image"]:
        notes.append("Captions and images differ in width: identity cuts or pads, and is near chance.")
    return make_table(
        f"Retrieval on {place_words(summary)}",
        ("language", *(name for path in paths for name in headings(summary, " ".join(path)))),
        [("", language_rows(summary, paths)), ("", [*mean_rows(summary, paths), chance])],
        notes=notes,
    )


def languages_of(summary: Summary) -> list[str]:
    """Those of identity, and then those that the last state alone has."""
    return list(dict.fromkeys(name for metrics in states(summary).values() for name in metrics["t2i"]["per_language"]))


def language_rows(summary: Summary, paths: Sequence[tuple[str, str]]) -> list[list[str]]:
    """A row a language: `compared` for each task and metric."""
    return [
        [name, *(cell for task, metric in paths for cell in compared(summary, task, "per_language", name, metric))]
        for name in languages_of(summary)
    ]


def mean_rows(summary: Summary, paths: Sequence[tuple[str, str]]) -> list[list[str]]:
    """The mean over languages below `language_rows`, if there are several."""
    if len(languages_of(summary)) < 2:
        return []
    return [["mean", *(cell for path in paths for cell in compared(summary, *path))]]


def metrics_table(summary: Summary) -> Table:
    """Every metric in both directions, the mean over languages: identity, the map, their difference, and chance."""
    rows = []
    for metric in metrics_in(summary["baselines"][IDENTITY]["t2i"]):
        cells = [metric.replace("_", " ")]
        for task in DIRECTIONS:
            cells += [*compared(summary, task, metric), by_chance(summary, task, metric)[0]]
        rows.append(cells)
    return make_table(
        "Every metric" + ", mean over languages" * (len(languages_of(summary)) > 1),
        ("metric", *(name for task in DIRECTIONS for name in (*headings(summary, task), f"{task}\nchance"))),
        [("", rows)],
        notes=(
            "A caption has one image, so that t2i mAP is MRR. An image may have several captions: R@k, MRR and median "
            "rank take the best of them, mAP and nDCG all. The lower the median rank, the better.",
        ),
    )


@styled
def pool_plot(summary: Summary) -> Figure | None:
    """R@1 as expected in smaller galleries, beside chance; below it the change."""
    curves = summary.get("pool_curves")
    if curves is None:
        return None
    after = "mapped" in curves["t2i"]
    figure, subplots = make_subplots(
        *("R@1 by gallery size", 2),
        rows=2 if after else 1,
        height=4.6 if after else 3.2,
        sharey="row",
        sharex=True,
        height_ratios=(2.4, 1) if after else (1,),
    )
    for place, task in enumerate(DIRECTIONS):
        axes, curve, words = subplots[place], curves[task], DIRECTION_WORDS[task]
        axes.plot(curve["sizes"], curve["identity"], "o-", color=GREY, markersize=4, label="identity")
        if after:
            axes.plot(
                curve["sizes"], curve["mapped"], "o-", color=COLOURS[task], markersize=4, label=f"mapped, {words}"
            )
            moved = [late - early for early, late in zip(curve["identity"], curve["mapped"], strict=True)]
            subplots[2 + place].axhline(0, color=INK, linewidth=1)
            subplots[2 + place].spines["bottom"].set_visible(False)
            subplots[2 + place].plot(curve["sizes"], moved, "o-", color=COLOURS[task], markersize=4)
        axes.plot(curve["sizes"], curve["chance"], ":", color=INK, linewidth=1.2, label="chance")
        axes.set_title(words)
    for axes in subplots:
        _plain_log(axes)
        axes.grid()
    for axes, what in zip(subplots[-2:], ("images", "captions"), strict=True):
        axes.set_xlabel(f"{what} in the gallery")
    subplots[0].set(ylabel="R@1, expected", ylim=(0, None))
    if after:
        subplots[2].set_ylabel("change")
    legend_below(figure)
    return figure


def _plain_log(axes: Axes) -> None:
    """A logarithmic x axis with whole numbers."""
    from matplotlib.ticker import NullFormatter, StrMethodFormatter

    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
