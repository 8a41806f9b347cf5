"""Results by subgroup: each language, their disparity, and images by difficulty or number of captions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ccalign_jax._names import DIRECTIONS, IDENTITY, UNMAPPED, split_pair
from ccalign_jax.reporting.format import Estimate, Summary, changed, count_words, difference, find, level, plain
from ccalign_jax.reporting.measures import (
    DIRECTION_NOTE,
    DIRECTION_WORDS,
    by_chance,
    changes,
    compared,
    headings,
    main_metrics,
    states,
)
from ccalign_jax.reporting.names import choice_words
from ccalign_jax.reporting.plots import COLOURS, GREY, INK, bars, changes_figure, join_legend, make_subplots, styled
from ccalign_jax.reporting.sentences import interval_note, place_words, training_words
from ccalign_jax.reporting.table import Table, make_table
from ccalign_jax.reporting.verdicts import CHANGE, INTERVAL_NOTE, clusters, is_tested, verdict_cell, verdict_notes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MANY = 12  # languages; more than that get thinner rows
GROUPINGS = {"difficulty": "by difficulty of the image", "captions": "by number of captions"}


def languages_table(summary: Summary) -> Table:
    """R@1 of each language under identity and under the choice of a sweep."""
    notes = [f"selected: {choice_words(summary, summary['selected']['per_fold'])}."]
    if is_tested(summary):
        notes.append("[ ]: 95 % interval. p: paired sign flips over images, not adjusted for the number of languages.")
    elif summary["folds"] > 1:
        notes.append("± is the standard deviation over folds, not a confidence interval.")
    if any(name.endswith(UNMAPPED) for name in _languages(summary)):
        notes.append("unmapped: the pivot's captions as they are, among images as they are; no part of the mean.")
    paths = [(task, "R@1") for task in DIRECTIONS]
    return make_table(
        "Each language, R@1 on the test part",
        ("language", *(f"{task}\n{name}" for task in DIRECTIONS for name in (*states(summary), "change"))),
        [("", _language_rows(summary, paths)), ("", [_mean_row(summary, paths)])],
        notes=notes,
    )


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
        [("", _language_rows(summary, paths)), ("", [_mean_row(summary, paths), chance])],
        notes=notes,
    )


def _languages(summary: Summary) -> list[str]:
    """Those of identity, and then those that the last state alone has."""
    return list(dict.fromkeys(name for metrics in states(summary).values() for name in metrics["t2i"]["per_language"]))


def _language_rows(summary: Summary, paths: Sequence[tuple[str, str]]) -> list[list[str]]:
    return [
        [name, *(cell for task, metric in paths for cell in compared(summary, task, "per_language", name, metric))]
        for name in _languages(summary)
    ]


def _mean_row(summary: Summary, paths: Sequence[tuple[str, str]]) -> list[str]:
    return ["mean", *(cell for path in paths for cell in compared(summary, *path))]


@styled
def languages_plot(summary: Summary) -> Figure:
    """R@1 of each language in each state, with its change: both directions and, as language of the query, text to text.

    Bars have their 95 % interval, or spread over folds, where there is one.
    """
    each = {state: _by_language(metrics) for state, metrics in states(summary).items()}
    last, tasks = list(each)[-1], [task for task in each[IDENTITY] if all(task in found for found in each.values())]
    languages = list(each[IDENTITY]["t2i"])
    height = 1.3 + max(0.6, (0.34 if len(languages) <= MANY else 0.24) * len(languages))
    figure, subplots = make_subplots("R@1 by language, each state", len(tasks), height=height, sharey=True)
    thick = 0.8 / len(each)
    for axes, task in zip(subplots, tasks, strict=True):
        for place, (state, found) in enumerate(each.items()):
            known = {row: found[task][name] for row, name in enumerate(languages) if name in found[task]}
            rows = [row + (place - (len(each) - 1) / 2) * thick for row in known]
            means = [estimate["mean"] for estimate in known.values()]
            axes.barh(rows, means, thick, color=GREY if state == IDENTITY else COLOURS[task])
            if known:
                ends = list(zip(*map(bars, known.values()), strict=True))
                axes.errorbar(means, rows, xerr=ends, fmt="none", ecolor=INK, elinewidth=0.8)
        longest = 0.0
        for row, language in enumerate(languages):
            shown = [found[task][language] for found in each.values() if language in found[task]]
            if not shown:
                continue
            end = max(estimate["mean"] + bars(estimate)[1] for estimate in shown)
            longest = max(longest, end)
            words = difference(shown[0]["mean"], shown[1]["mean"]) if len(shown) > 1 else plain(shown[0]["mean"])
            axes.annotate(words, (end, row), (4, 0), textcoords="offset points", va="center", fontsize=8)
        axes.set_xlim(0, 1.25 * longest or 1)
        axes.locator_params(axis="x", nbins=4)
        axes.grid(axis="x")
        axes.tick_params(axis="y", length=0)
        axes.set(title={**DIRECTION_WORDS, "t2t": "text to text"}[task], xlabel="R@1")
    subplots[0].set_yticks(range(len(languages)), languages)
    subplots[0].set_ylim(len(languages) - 0.4, -0.6)
    if changes(summary) is not None:
        join_legend(figure, {"identity": GREY, f"{last}, with its change": [COLOURS[task] for task in tasks]})
    return figure


def _by_language(metrics: Mapping[str, Any]) -> dict[str, dict[str, Estimate]]:
    """R@1 by task and language; of text to text, the mean over the languages of the gallery."""
    found = {task: {name: one["R@1"] for name, one in metrics[task]["per_language"].items()} for task in DIRECTIONS}
    pairs: dict[str, list[float]] = {}
    for pair, one in (find(metrics, "t2t", "per_language") or {}).items():
        pairs.setdefault(split_pair(pair)[0], []).append(one["R@1"]["mean"])
    if pairs:
        found["t2t"] = {name: {"mean": sum(values) / len(values)} for name, values in pairs.items()}
    return found


def disparity_table(summary: Summary) -> Table | None:
    """The best and the worst language of each direction, under identity and under the choice."""
    disparity = find(summary, "subgroups", "disparity")
    if not disparity:
        return None
    metrics = {"before": summary["baselines"][IDENTITY], "after": summary["selected"]["metrics"]}

    def named(state: str, task: str, language: str) -> str:
        return f"{language} {plain(find(metrics[state], task, 'per_language', language, 'R@1', 'mean'))}"

    rows = []
    for task, found in disparity.items():
        cells: list[str] = []
        for state in metrics:
            each = found[state]
            cells += [named(state, task, each["best"]), named(state, task, each["worst"]), level(each["difference"])]
        rows.append([DIRECTION_WORDS[task], *cells, changed(found["change"])])
    columns = [f"{name}\n{state}" for state in metrics for name in ("best", "worst", "difference")]
    return make_table(
        "Disparity of languages: R@1 of the best less that of the worst, on the test part",
        ("direction", *columns, "change of the\ndifference"),
        [("", rows)],
        notes=(
            "before: identity; after: selected. A change below zero brings the languages together. Best and worst are "
            "picked anew in each state, so that some difference would remain between languages that are alike.",
            "[ ]: 95 % interval. p: from the same replicates of images, adjusted (Holm) for both directions.",
        ),
    )


def difficulty_table(summary: Summary) -> Table | None:
    """R@1 under identity and its change, by difficulty of the image."""
    return _groups_table(summary, "difficulty")


def captions_table(summary: Summary) -> Table | None:
    """R@1 under identity and its change, by number of captions of the image."""
    return _groups_table(summary, "captions")


def subgroups_plot(summary: Summary) -> Figure | None:
    """Change of R@1 against identity in each group of images: both directions, and their mean."""
    rows: list[tuple[str, Mapping[str, Any] | None]] = []
    for grouping, words in GROUPINGS.items():
        found = find(summary, "subgroups", grouping, "bins")
        rows += [(words, None)] if found else []
        rows += [(f"{each['name']} ({count_words(each['images'], 'image')})", each["delta"]) for each in found or ()]
    return changes_figure("subgroups", rows) if rows else None


def _groups_table(summary: Summary, grouping: str) -> Table | None:
    found = find(summary, "subgroups", grouping)
    if not found or not found.get("bins"):
        return None
    rows = []
    for each in found["bins"]:
        cells = [each["name"], str(each["images"]), verdict_cell(each), changed(find(each["delta"], "both", "R@1"))]
        for task in DIRECTIONS:
            cells += [level(each["identity"][task]["R@1"]), changed(each["delta"][task]["R@1"])]
        rows.append(cells)
    columns = [name for task in DIRECTIONS for name in (f"{task} R@1\nidentity", CHANGE)]
    return make_table(
        f"Subgroups {GROUPINGS[grouping]}: R@1 on the test part, selected against identity",
        ("images", "number", "verdict", f"mean of both\n{CHANGE}", *columns),
        [("", rows)],
        alignment="lrl",
        notes=(
            f"{found['what'].removesuffix('.')}.",
            INTERVAL_NOTE.format(clusters(summary), f"adjusted (Holm) for the number of rows ({len(rows)})"),
            *verdict_notes(summary),
        ),
    )
