"""The main results of a sweep, or of two runs compared: tables, changes against identity, overfitting and training."""

from __future__ import annotations

import textwrap
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from statistics import median
from typing import TYPE_CHECKING, Any

from ccalign_jax._names import BOTH, DIRECTIONS, IDENTITY, MAX_FAMILIES
from ccalign_jax.reporting.baselines import best_baseline
from ccalign_jax.reporting.forest import changes_range, draw_change
from ccalign_jax.reporting.format import (
    CHANGE,
    CHANGE_NOTE,
    DIRECTION_NOTE,
    Estimate,
    Summary,
    change_heading,
    changed,
    clusters,
    count_words,
    evidence_notes,
    find,
    gap,
    has_interval,
    identity_part,
    is_optimistic,
    level,
    signed,
    verdict,
)
from ccalign_jax.reporting.names import (
    DIRECTION_WORDS,
    aligner_name,
    best_by,
    by_pivot,
    choice_words,
    family_key,
    family_labels,
    is_solved,
    pivot_name,
    setting_words,
    shown_families,
    shown_note,
)
from ccalign_jax.reporting.plots import COLOURS, CYCLE, GREY, INK, make_subplots, styled, write_column
from ccalign_jax.reporting.retrieval import main_metrics, metrics_in, places_of
from ccalign_jax.reporting.scope import gallery_note, gallery_size, selection_note
from ccalign_jax.reporting.sentences import closed_words
from ccalign_jax.reporting.table import Column, Table, fill_table, make_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SLIGHT, STRONG = 0.02, 0.1  # of a gap above identity's
OVERFITTING_NOTE = (
    "overfitting: none where the gap, the mean of both directions, is at most .02 above identity's, some up to .10, "
    "else strong."
)
GAP_NOTE = "gap: R@1 on as many training images minus R@1 on the test part; far above identity's, it is overfitting."
DASHES = ("-", "--", ":", "-.")


def main_table(summary: Summary) -> Table:
    """R@1 of identity, each family or of many the best of each pivot, the choice among all, and chance."""
    families, change = shown_families(summary), change_heading(summary)
    metrics = [metric for metric in main_metrics(summary) if metric != "mAP"]  # which is in `configurations_table`
    columns = [
        column for metric in metrics for column in Column.directions(f"{{task}}\n{metric}", change, metric=metric)
    ]
    # Chance is exact, so that its interval says nothing.
    known = summary["baselines"]["chance"]
    chance = {task: {metric: {"mean": known[task][metric]["mean"]} for metric in metrics} for task in DIRECTIONS}
    return fill_table(
        f"{summary['data']['name']}: retrieval on the test part{setting_words(families)}",
        [Column.names("aligner"), *Column.both(change), *columns],
        [
            ("", [("identity", identity_part(summary))]),
            *_shown_groups(summary),
            ("", [("selected", summary["selected"]), ("chance", {"metrics": chance})]),
        ],
        notes=main_notes(summary),
    )


def configurations_table(summary: Summary) -> Table:
    """What each configuration changes on new images (R@1, mAP), how far it overfits, and what that amounts to."""
    change, identity = change_heading(summary), identity_part(summary)

    def reading(name: str, values: Mapping[str, Any]) -> str:
        return overfitting_words(values, identity) if "delta" in values else ""

    return fill_table(
        f"What each configuration changes, and how far it overfits{setting_words(shown_families(summary))}",
        [
            Column.names("configuration"),
            *(
                Column.estimate(f"{metric}, mean of both\n{change}", "delta", BOTH, metric)
                for metric in main_metrics(summary)
            ),
            *(Column(f"gap\n{task}", lambda name, values, task=task: gap(values, task)) for task in DIRECTIONS),
            Column("overfitting", reading, "l"),
        ],
        [
            ("", [("identity", identity)] if identity["train_metrics"] else []),
            *_shown_groups(summary),
            ("", [("selected", summary["selected"])]),
        ],
        notes=(*_gap_notes(summary), OVERFITTING_NOTE, *shown_note(summary)),
    )


def overfitting_words(part: Mapping[str, Any], identity: Mapping[str, Any]) -> str:
    """How far the gap of a map, the mean of both directions, is above that of identity, in a word.

    Example:
        >>> def part(train, test):
        ...     both = lambda mean: {task: {"R@1": {"mean": mean}} for task in ("t2i", "i2t")}
        ...     return {"train_metrics": both(train), "metrics": both(test)}
        >>> [overfitting_words(part(train, 0.5), part(0.5, 0.5)) for train in (0.51, 0.6, 0.9)]
        ['none', 'some', 'strong']
    """

    def mean_gap(values: Mapping[str, Any]) -> float | None:
        ends = [[find(values, key, task, "R@1", "mean") for task in DIRECTIONS] for key in ("train_metrics", "metrics")]
        return None if None in ends[0] else (sum(ends[0]) - sum(ends[1])) / 2

    mine, theirs = mean_gap(part), mean_gap(identity)
    if mine is None or theirs is None:
        return ""
    extra = round(mine - theirs, 9)
    return "strong" if extra > STRONG else "some" if extra > SLIGHT else "none"


def _shown_groups(summary: Summary) -> Iterator[tuple[str, list[tuple[str, Any]]]]:
    """The shown families below the names of their pivots; where one of each is shown, in one block."""
    families = shown_families(summary)
    if len(summary["families"]) > MAX_FAMILIES:
        yield "", list(zip(family_labels(families), families, strict=True))
    else:
        yield from by_pivot(families).items()


def gap_columns(nothing: str = "") -> list[Column]:
    """R@1 on training images minus R@1 on the test part, in each direction."""
    return [Column(f"gap\n{task}", lambda name, values, task=task: gap(values, task) or nothing) for task in DIRECTIONS]


def main_notes(summary: Summary) -> Iterator[str]:
    """What each estimate means, how its row was chosen, and how far it may be trusted."""
    folds, families = summary["folds"], shown_families(summary)
    yield from shown_note(summary)
    yield from (DIRECTION_NOTE, gallery_note(summary), CHANGE_NOTE)
    if closed := closed_words(summary):
        yield closed
    yield from evidence_notes(summary)
    yield selection_note(summary)
    if dropped := find(summary, "race", "dropped"):
        yield (
            f"The race dropped {len(dropped)} of {folds * summary['race']['trials']} trials × folds, behind the "
            "best of their fold on inner parts by an interval above 0: race in summary.json; --race=false fits all."
        )
    yield f"selected is {choice_words(summary, summary['selected']['per_fold'])}."
    started = [
        f"{label} ({family['epochs'].count(0)} of {folds})"
        for label, family in zip(family_labels(families), families, strict=True)
        if 0 in family["epochs"]
    ]
    if started:
        yield f"Folds that kept the start, which nothing beat on the inner part: {'; '.join(started)}."
    meanings = {
        "per_language(": "per language: a map for each language.",
        "dual(": "dual: a map of captions and a second one of images.",
    }
    used = [text for key, text in meanings.items() if any(key in family["aligner"] for family in families)]
    if used:
        yield " ".join(used)


def _gap_notes(summary: Summary) -> Iterator[str]:
    """What a gap is."""
    if not is_optimistic(summary):
        yield GAP_NOTE
        return
    larger = count_words(summary["data"]["images"] - gallery_size(summary), "image")
    yield (
        f"gap: R@1 on the whole training part minus R@1 on the test part. The training pool is larger (about "
        f"{larger}) and so harder: compare with the gap of identity, not with 0."
    )


def comparison_table(comparison: Mapping[str, Any]) -> Table:
    """Every metric of both directions and of their mean, then R@1 of each language: a, b, and b minus a."""

    def row(name: str, *path: str) -> list[str]:
        places = places_of(path[-1])
        before, after, change = (find(comparison[part], *path) for part in ("a_metrics", "b_metrics", "delta"))
        stated = find(comparison, "verdict", path[0]) if path[1:] == ("R@1",) else None
        lower, optimistic = path[-1] == "median_rank", is_optimistic(comparison)
        word = stated or verdict(change, lower_is_better=lower, optimistic=optimistic)
        return [name, word, level(before, places), level(after, places), changed(change, places)]

    a, b, delta = comparison["a"], comparison["b"], comparison["delta"]
    blocks = [
        (words, [row(metric.replace("_", " "), task, metric) for metric in metrics_in(delta[task])])
        for task, words in {**DIRECTION_WORDS, BOTH: "mean of both directions"}.items()
        if task in delta
    ]
    for task, words in DIRECTION_WORDS.items():
        languages = find(delta, task, "per_language") or {}
        if len(languages) > 1:
            rows = [row(language, task, "per_language", language, "R@1") for language in languages]
            blocks.append((f"{words}, R@1 of each language", rows))
    notes = [
        f"a: {a['name']} ({a['run']}); b: {b['name']} ({b['run']}). change: b minus a on the same queries; verdict: "
        "on b, a gain or a loss where p is below .05, else no evidence. The lower the median rank, the better.",
        f"{count_words(comparison['folds'], 'fold')}; all languages weigh the same.",
    ]
    if has_interval(find(delta, "t2i", "R@1")):
        notes.append(
            f"[ ]: 95 % interval, {clusters(comparison)} resampled with all their captions. p: paired sign flips over "
            f"{clusters(comparison)}, not adjusted for the number of rows: name the row that you are after before you "
            "look."
        )
    title = f"{comparison['data']['name']}: b against a on the test part"
    return make_table(title, ("metric", "verdict", "a", "b", CHANGE), blocks, alignment="ll", notes=notes)


@styled
def overview_plot(summary: Summary) -> Figure:
    """Change of R@1, the mean of both directions: what was selected, the best of each pivot, the best baseline.

    It is small, so that it can be read on a phone.
    """
    from matplotlib.figure import Figure

    rows = overview_rows(summary)
    figure = Figure(figsize=(5.2, 0.7 + 0.42 * len(rows)), layout="constrained", label="result")
    axes = figure.subplots()
    low, high = changes_range([change for _, change, _, _ in rows])
    axes.set_xlim(low, high)
    axes.axvline(0, color=INK, linewidth=1, zorder=0)
    for row, (_, change, colour, marker) in enumerate(rows):
        draw_change(axes, row, change, colour, marker, ends=(low, high))
    write_column(axes, [signed(change["mean"]) for _, change, _, _ in rows])
    axes.set_yticks(range(len(rows)), [textwrap.fill(name, 26) for name, *_ in rows], fontsize=9)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlabel("change of R@1, mean of both directions", fontsize=9)
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", labelsize=9)
    axes.locator_params(axis="x", nbins=4)
    axes.grid(axis="x")
    axes.spines["left"].set_visible(False)
    return figure


def overview_rows(summary: Summary) -> list[tuple[str, Estimate, str, str]]:
    """Name, change, colour and marker of each row of the overview."""
    rows: list[tuple[str, Mapping[str, Any], str, str]] = []
    if set(summary["selected"]["per_fold"]) != {IDENTITY}:
        rows.append(("selected on validation images", summary["selected"], COLOURS[BOTH], "D"))
    pivots = sorted(best_by(summary["families"], "pivot"), key=lambda family: -family["selection"]["mean"])
    for one in pivots:
        where = f" with {pivot_name(one['pivot'])}" if len(pivots) > 1 else " map"
        rows.append((f"best{where}: {aligner_name(one['aligner'])}", one, COLOURS[BOTH], "o"))
    free = best_baseline(summary)
    if free is not None and free.name != IDENTITY:
        rows.append((f"best without training: {free.name}", free.part, GREY, "s"))
    return [(name, part["delta"][BOTH]["R@1"], colour, marker) for name, part, colour, marker in rows]


@styled
def training_plot(summary: Summary) -> Figure | None:
    """Selection metrics by epoch of the best trial of each trained family shown; a dot marks the epoch chosen.

    Where several folds chose different epochs, it is at their median. Closed forms have no epochs.
    """
    shown = set(map(family_key, shown_families(summary)))
    best = [trial for trial in best_trials(summary) if family_key(trial) in shown and not is_solved(trial)]
    if not best:
        return None
    labels = family_labels(best)
    columns = max(1, min(3, len(best), 100 // max(map(len, labels))))  # side by side as many as have room
    height = 3.4 + 0.22 * -(-len(best) // columns)
    figure, subplots = make_subplots("selection metrics by epoch", 3, height=height, sharey=True)
    shown_from = 1.0  # what is far below all that was chosen, such as an untrained start, is left out
    aligners = list(dict.fromkeys(trial["aligner"] for trial in best))
    styles = list(dict.fromkeys((trial["pivot"], trial["loss"]) for trial in best))
    for axes, key in zip(subplots, ("t2i_R@1", "i2t_R@1", "MRR"), strict=True):
        for trial, label in zip(best, labels, strict=True):
            curve = trial["curve"][key]
            epochs = trial["curve"].get("epoch", range(len(curve)))  # older summaries score every epoch
            chosen = bisect_right(epochs, median(trial["epochs"])) - 1
            colour = CYCLE[aligners.index(trial["aligner"]) % len(CYCLE)]
            dashes = DASHES[styles.index((trial["pivot"], trial["loss"])) % len(DASHES)]
            axes.plot(epochs, curve, dashes, color=colour, label=label if key == "MRR" else None, linewidth=1.6)
            axes.plot(epochs[chosen], curve[chosen], "o", color=colour, markersize=6)
            shown_from = min(shown_from, curve[chosen])
        axes.locator_params(axis="x", integer=True)
        axes.set(title=key.replace("_", " "), xlabel="epoch")
        axes.grid(axis="y")
    bottom, top = subplots[0].get_ylim()
    subplots[0].set_ylim(bottom=max(bottom, shown_from - 0.25 * (top - shown_from)))
    figure.legend(loc="outside lower center", ncols=columns)
    return figure


def best_trials(summary: Summary) -> list[Mapping[str, Any]]:
    """Of each family the trial with the best mean selection score."""
    return best_by(summary["trials"], "pivot", "aligner", "loss")
