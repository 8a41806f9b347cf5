"""Results by language: of a sweep's choice and of an evaluated map, and of each family of a sweep."""

from __future__ import annotations

from collections import Counter
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
from ccalign_jax.reporting.names import choice_words, family_labels, setting_words, shown_families
from ccalign_jax.reporting.panels import BLUE, CYCLE, GREY, INK, ORANGE, bars, join_legend, make_panels, styled
from ccalign_jax.reporting.results import shown_note
from ccalign_jax.reporting.sentences import interval_note, place_words, training_words
from ccalign_jax.reporting.table import Table, make_table
from ccalign_jax.reporting.verdicts import (
    CLAIMED_GAIN,
    GAIN,
    LOSS,
    cell_note,
    is_optimistic,
    is_tested,
    verdict,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_COLUMNS = 12  # of languages; more than that are summarised
COLOURS = {"t2i": BLUE, "i2t": ORANGE, "t2t": CYCLE[2]}


def languages_table(summary: Summary) -> Table:
    """R@1 of each language under identity and under the choice of a sweep."""
    notes = [f"selected: {choice_words(summary, summary['selected']['per_fold'])}."]
    if is_tested(summary):
        notes.append("[ ]: 95 % interval. p: paired sign flips over images, not adjusted for the number of languages.")
    elif summary["folds"] > 1:
        notes.append("± is the standard deviation over folds, not a confidence interval.")
    if any(name.endswith(UNMAPPED) for name in _languages(summary)):
        notes.append("unmapped: the pivot's captions as they are, among images as they are; no part of the mean.")
    paths = [(way, "R@1") for way in DIRECTIONS]
    return make_table(
        "Each language, R@1 on the test part",
        ("language", *(f"{way}\n{name}" for way in DIRECTIONS for name in (*states(summary), "change"))),
        [("", _language_rows(summary, paths)), ("", [_mean_row(summary, paths)])],
        notes=notes,
    )


def retrieval_table(summary: Summary) -> Table:
    """R@1 and mAP of each language in an evaluation, and without a map R@5 and R@10 too."""
    metrics = main_metrics(summary)
    if "metrics" not in summary:
        metrics[1:1] = ["R@5", "R@10"]
    paths = [(way, metric) for metric in metrics for way in DIRECTIONS]
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
        [name, *(cell for way, metric in paths for cell in compared(summary, way, "per_language", name, metric))]
        for name in _languages(summary)
    ]


def _mean_row(summary: Summary, paths: Sequence[tuple[str, str]]) -> list[str]:
    return ["mean", *(cell for path in paths for cell in compared(summary, *path))]


def pivots_by_language_table(summary: Summary) -> Table:
    """The change of R@1 in each language: of all families if they are few, else of the best of each pivot."""
    families, identity = shown_families(summary), summary["baselines"][IDENTITY]
    languages = list(identity["t2i"]["per_language"])
    few = len(languages) <= MAX_COLUMNS
    gained = f"{CLAIMED_GAIN if is_optimistic(summary) else GAIN},\nlose"
    columns = (*languages, "mean") if few else ("mean", "lowest", "highest", "languages\nthat rise", gained)
    cells = _each_language if few else _extremes
    blocks = []
    for way, words in DIRECTION_WORDS.items():
        rows = [["identity (levels)", *cells(identity[way], languages, changes=False)]]
        for label, family in zip(family_labels(families), families, strict=True):
            rows.append([label, *cells(family["delta"][way], languages, changes=True)])
        blocks.append((words, rows))
    return make_table(
        f"What each pivot changes in each language, R@1 on the test part{setting_words(families)}",
        ("aligner", *columns),
        blocks,
        notes=(
            "identity: R@1 of the embeddings as they are; all others: the change against it. mean: over languages.",
            *([f"{cell_note(summary)} No p is adjusted for the number of languages."] if is_tested(summary) else []),
            *shown_note(summary),
        ),
    )


def _each_language(metrics: Mapping[str, Any], languages: Sequence[str], *, changes: bool) -> list[str]:
    show = changed if changes else level
    return [show(one) for one in (*(find(metrics, "per_language", name, "R@1") for name in languages), metrics["R@1"])]


def _extremes(metrics: Mapping[str, Any], languages: Sequence[str], *, changes: bool) -> list[str]:
    """Mean, the languages with the lowest and the highest value, how many rise, and how many with evidence."""
    show = changed if changes else level
    found = {language: find(metrics, "per_language", language, "R@1") for language in languages}
    each = {language: estimate for language, estimate in found.items() if estimate is not None}
    ends = [end(each, key=lambda language: each[language]["mean"]) for end in (min, max)] if each else []
    rise = f"{sum(estimate['mean'] > 0 for estimate in each.values())} of {len(each)}" if changes else ""
    words = Counter(map(verdict, each.values()))
    gain = f"{words[GAIN]}, {words[LOSS]}" if changes and not words[""] else ""
    return [show(metrics["R@1"]), *(f"{end} {show(each[end])}" for end in ends), rise, gain]


@styled
def languages_plot(summary: Summary) -> Figure:
    """R@1 of each language in each state, with its change: both directions and, as language of the query, text to text.

    Bars have their 95 % interval, or spread over folds, where there is one.
    """
    each = {state: _by_language(metrics) for state, metrics in states(summary).items()}
    last, tasks = list(each)[-1], [task for task in each[IDENTITY] if all(task in found for found in each.values())]
    languages = list(each[IDENTITY]["t2i"])
    height = 1.3 + max(0.6, (0.34 if len(languages) <= MAX_COLUMNS else 0.24) * len(languages))
    figure, panels = make_panels("R@1 by language, each state", len(tasks), height=height, sharey=True)
    thick = 0.8 / len(each)
    for axes, task in zip(panels, tasks, strict=True):
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
        axes.set_axisbelow(True)
        axes.tick_params(axis="y", length=0)
        axes.set(title={**DIRECTION_WORDS, "t2t": "text to text"}[task], xlabel="R@1")
    panels[0].set_yticks(range(len(languages)), languages)
    panels[0].set_ylim(len(languages) - 0.4, -0.6)
    if changes(summary) is not None:
        join_legend(figure, {"identity": GREY, f"{last}, with its change": [COLOURS[task] for task in tasks]})
    return figure


def _by_language(metrics: Mapping[str, Any]) -> dict[str, dict[str, Estimate]]:
    """R@1 by task and language; of text to text, the mean over the languages of the gallery."""
    found = {way: {name: one["R@1"] for name, one in metrics[way]["per_language"].items()} for way in DIRECTIONS}
    pairs: dict[str, list[float]] = {}
    for pair, one in (find(metrics, "t2t", "per_language") or {}).items():
        pairs.setdefault(split_pair(pair)[0], []).append(one["R@1"]["mean"])
    if pairs:
        found["t2t"] = {name: {"mean": sum(values) / len(values)} for name, values in pairs.items()}
    return found
