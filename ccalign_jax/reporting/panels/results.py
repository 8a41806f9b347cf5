"""The main results of a sweep, or of two runs compared: tables, changes against identity, overfitting and training."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from statistics import median
from typing import TYPE_CHECKING, Any

from ccalign_jax._names import BOTH, DIRECTIONS
from ccalign_jax.reporting.family_names import (
    best_by,
    choice_words,
    family_key,
    family_labels,
    is_solved,
    setting_words,
    shown_families,
    shown_groups,
    shown_note,
)
from ccalign_jax.reporting.format import (
    CHANGE,
    CHANGE_NOTE,
    DIRECTION_NOTE,
    Summary,
    change_heading,
    changed,
    clusters,
    count_words,
    find,
    has_interval,
    identity_part,
    level,
)
from ccalign_jax.reporting.names import DIRECTION_WORDS
from ccalign_jax.reporting.panels.retrieval import main_metrics, metrics_in, places_of
from ccalign_jax.reporting.plots import CYCLE, legend_below, make_subplots, styled
from ccalign_jax.reporting.scope import gallery_note, selection_note
from ccalign_jax.reporting.sentences import closed_words
from ccalign_jax.reporting.table import Column, Table, fill_table, make_table
from ccalign_jax.reporting.verdicts import evidence_notes, is_optimistic, verdict

if TYPE_CHECKING:
    from matplotlib.figure import Figure

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
            *shown_groups(summary),
            ("", [("selected", summary["selected"]), ("chance", {"metrics": chance})]),
        ],
        notes=main_notes(summary),
    )


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
    legend_below(figure)
    return figure


def best_trials(summary: Summary) -> list[Mapping[str, Any]]:
    """Of each family the trial with the best mean selection score."""
    return best_by(summary["trials"], "pivot", "aligner", "loss")
