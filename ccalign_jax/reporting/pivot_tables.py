"""The tables that set the pivots side by side: every family, each language, and from text to text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from ccalign_jax.reporting.evidence import (
    CLAIMED_GAIN,
    GAIN,
    LOSS,
    cell_note,
    change_heading,
    evidence_notes,
    is_optimistic,
    verdict,
    verdict_cell,
)
from ccalign_jax.reporting.figure_names import MAIN_METRICS, TASKS
from ccalign_jax.reporting.names import (
    MAX_FAMILIES,
    Summary,
    best_families,
    by_pivot,
    family_labels,
    setting_words,
    shown_families,
)
from ccalign_jax.reporting.tables import Table
from ccalign_jax.reporting.wording import (
    DIRECTION_WORDS,
    DIRECTIONS,
    NOTHING,
    both_directions,
    both_figure,
    changed,
    count_words,
    find,
    gap,
    has_interval,
    level,
)

__all__ = ["TEXT_TASKS", "pivots_by_language_table", "pivots_table", "shown_note", "text_to_text_table"]

TEXT_TASKS = ("t2t", "via_image", "via_image_oracle")
START = "(start)"
MAX_LANGUAGES = 12  # more than that are summarised


def pivots_table(summary: Summary) -> Table:
    """Every family under its pivot: what it changes in both directions and from text to text, and how far it overfits.

    Args:
        summary: the content of `summary.json`.
    """
    identity = summary["baselines"]["identity"]
    first = {"metrics": identity, "train_metrics": find(summary, "baselines", "identity_train")}
    paths = [*((way, metric) for metric in MAIN_METRICS for way in DIRECTIONS), ("t2t", "R@1")]
    levels = [level(both_figure(identity)), *(level(find(identity, *path)) for path in paths)]
    rows = [("identity (levels)", "", *levels, *(gap(first, way) or NOTHING for way in DIRECTIONS))]
    rules = []
    for pivot, members in by_pivot(summary["families"]).items():
        rules.append(len(rows))
        rows += [(pivot, *[""] * len(rows[0][1:]))] if pivot else []
        for name, family in sorted(members, key=lambda member: -both_directions(member[1]["delta"])):
            changes = [both_figure(family["delta"]), *(find(family["delta"], *path) for path in paths)]
            shown = name if any(family["epochs"]) else f"{name} {START}"
            gaps = (gap(family, way) or NOTHING for way in DIRECTIONS)
            rows.append((shown, verdict_cell(family), *map(changed, changes), *gaps))
    columns = ["verdict", "both\nΔR@1", *(f"{way}\nΔ{metric}" for way, metric in paths)]
    columns += [f"gap\n{way}" for way in DIRECTIONS]
    return Table(
        title=f"What each pivot changes on the holdout{setting_words(summary['families'])}",
        columns=("aligner", *columns),
        rows=tuple(rows),
        alignment="ll" + "r" * (len(columns) - 1),
        notes=(
            "identity: the figures themselves, R@1, mAP and gap, of the embeddings as they are. All others: change "
            "against it on the same queries; the gap is no change.",
            *evidence_notes(summary),
            "t2i: caption to image; i2t: image to caption; both: the mean of these; t2t: caption to the captions of "
            "its image in another language, directly, mean over ordered pairs. gap: R@1 on training images minus R@1 "
            "on the holdout; far above identity's, it is overfitting.",
            "Under each pivot the best mean of both changes of R@1 comes first. To pick the first row would be to "
            "choose on the images that are reported: what choosing earns is in the main table, as selected.",
            *_start_note(rows),
        ),
        rules=tuple(rules),
    ).filled()


def pivots_by_language_table(summary: Summary) -> Table:
    """The change of R@1 in each language: of all families if they are few, else of the best of each pivot.

    Args:
        summary: the content of `summary.json`.
    """
    families = shown_families(summary)
    languages = list(summary["baselines"]["identity"]["t2i"]["per_language"])
    few = len(languages) <= MAX_LANGUAGES
    gained = f"{CLAIMED_GAIN if is_optimistic(summary) else GAIN},\nlose"
    columns = (*languages, "mean") if few else ("mean", "lowest", "highest", "languages\nthat rise", gained)
    cells = _each_language if few else _extremes
    rows: list[tuple[str, ...]] = []
    rules = []
    for way in DIRECTIONS:
        rules.append(len(rows))
        rows.append((DIRECTION_WORDS[way], *[""] * len(columns)))
        rows.append(("identity (levels)", *cells(summary["baselines"]["identity"][way], languages, changes=False)))
        for label, family in zip(family_labels(families), families, strict=True):
            rows.append((label, *cells(family["delta"][way], languages, changes=True)))
    return Table(
        title=f"What each pivot changes in each language, R@1 on the holdout{setting_words(families)}",
        columns=("aligner", *columns),
        rows=tuple(rows),
        alignment="l" + "r" * len(columns),
        notes=(
            "identity: R@1 of the embeddings as they are; all others: the change against it. mean: over languages.",
            *_language_notes(summary),
            *shown_note(summary),
        ),
        rules=tuple(rules),
    ).filled()


def text_to_text_table(summary: Summary) -> Table:
    """Captions of one language looking for those of another, directly and through an image.

    Args:
        summary: the content of `summary.json`, in two languages or more.
    """
    identity, families = summary["baselines"]["identity"], shown_families(summary)
    tasks = [task for task in TEXT_TASKS if task in identity]
    rows = [("identity", *(cell for task in tasks for cell in (level(identity[task]["R@1"]), "")))]
    for label, family in zip(family_labels(families), families, strict=True):
        cells = []
        for task in tasks:
            cells.append(level(find(family["metrics"], task, "R@1")))
            cells.append(changed(find(family["delta"], task, "R@1")))
        rows.append((label, *cells))
    heads = {"t2t": "directly", "via_image": "via nearest\nimage", "via_image_oracle": "via right\nimage"}
    change = change_heading(summary)
    return Table(
        title=f"Text to text, R@1 on the holdout, mean over ordered pairs of languages{setting_words(families)}",
        columns=("aligner", *(name for task in tasks for name in (heads.get(task, TASKS[task]), change))),
        rows=tuple(rows),
        alignment="l" + "rr" * len(tasks),
        notes=(
            "A caption looks for the captions of its image in another language. Via an image: the image that the "
            "caption leads to looks in its place; the right image is what a perfect first step would give.",
            *(note for note in (cell_note(summary),) if note),
            *shown_note(summary),
        ),
        rules=(1,),
    )


def _start_note(rows: Sequence[Sequence[str]]) -> tuple[str, ...]:
    if not any(row[0].endswith(START) for row in rows):
        return ()
    return (
        f"{START}: in every fold no epoch, nor any point of a closed form's path, did better than the start on the "
        "inner parts, so that the start was kept; most maps start as identity.",
    )


def shown_note(summary: Summary) -> tuple[str, ...]:
    """That only the best of each pivot are shown, where there are more than `MAX_FAMILIES`."""
    if len(summary["families"]) <= MAX_FAMILIES:
        return ()
    pivots = count_words(len(best_families(summary["families"])), "pivot")
    return (
        f"Of {len(summary['families'])} combinations of pivot, aligner and loss, the one with the best selection score "
        f"of each of {pivots}; all are in tables/pivots.",
    )


def _language_notes(summary: Summary) -> tuple[str, ...]:
    if not has_interval(summary["selected"]["delta"]["t2i"]["R@1"]):
        return ()
    return (f"{cell_note(summary)} No p is adjusted for the number of languages.",)


def _each_language(figures: Mapping[str, Any], languages: Sequence[str], *, changes: bool) -> list[str]:
    show = changed if changes else level
    return [show(one) for one in (*(find(figures, "per_language", name, "R@1") for name in languages), figures["R@1"])]


def _extremes(figures: Mapping[str, Any], languages: Sequence[str], *, changes: bool) -> list[str]:
    """Mean, the languages with the lowest and the highest figure, how many rise, and how many of them with evidence."""
    show = changed if changes else level
    found = {language: find(figures, "per_language", language, "R@1") for language in languages}
    each = {language: figure for language, figure in found.items() if figure is not None}
    ends = [end(each, key=lambda language: each[language]["mean"]) for end in (min, max)] if each else []
    rise = f"{sum(figure['mean'] > 0 for figure in each.values())} of {len(each)}" if changes else ""
    words = Counter(verdict(figure) for figure in each.values())
    gain = f"{words[GAIN]}, {words[LOSS]}" if changes and not words[""] else ""
    return [show(figures["R@1"]), *(f"{end} {show(each[end])}" for end in ends), rise, gain]
