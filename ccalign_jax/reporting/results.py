"""The main results of a sweep, or of two runs compared: tables, changes against identity, overfitting and training."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from statistics import median
from typing import TYPE_CHECKING, Any

from ccalign_jax._names import BOTH, DIRECTIONS, IDENTITY, MAX_FAMILIES
from ccalign_jax.reporting.format import (
    CHANGE,
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
    verdict,
)
from ccalign_jax.reporting.names import (
    DIRECTION_WORDS,
    best_by,
    by_pivot,
    choice_words,
    family_key,
    family_labels,
    is_solved,
    setting_words,
    shown_families,
    shown_note,
)
from ccalign_jax.reporting.plots import COLOURS, CYCLE, GREY, INK, changes_figure, make_subplots, name_rows, styled
from ccalign_jax.reporting.retrieval import DIRECTION_NOTE, main_metrics, metrics_in, places_of
from ccalign_jax.reporting.scope import gallery_size, optimism_words
from ccalign_jax.reporting.sentences import closed_words
from ccalign_jax.reporting.table import Column, Table, fill_table, make_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DASHES = ("-", "--", ":", "-.")


def main_table(summary: Summary) -> Table:
    """Identity, each family or of many the best of each pivot, the choice among all, and chance."""
    families, change = shown_families(summary), change_heading(summary)
    groups = by_pivot(families)
    if len(summary["families"]) > MAX_FAMILIES:  # one of each pivot: no group to head
        groups = {"": list(zip(family_labels(families), families, strict=True))}
    columns = [Column.names("aligner"), *Column.both(change)]
    chance: dict[str, Any] = {task: {} for task in DIRECTIONS}
    for metric in main_metrics(summary):
        columns += Column.directions(f"{{task}}\n{metric}", change, metric=metric)
        for task in DIRECTIONS:  # exact, so that its interval says nothing
            chance[task][metric] = {"mean": summary["baselines"]["chance"][task][metric]["mean"]}
    return fill_table(
        f"{summary['data']['name']}: retrieval on the test part{setting_words(families)}",
        [*columns, *gap_columns()],
        [
            ("", [("identity", identity_part(summary))]),
            *groups.items(),
            ("", [("selected", summary["selected"]), ("chance", {"metrics": chance})]),
        ],
        notes=main_notes(summary),
    )


def gap_columns(nothing: str = "") -> list[Column]:
    """R@1 on training images minus R@1 on the test part, in each direction."""
    return [Column(f"gap\n{task}", lambda name, values, task=task: gap(values, task) or nothing) for task in DIRECTIONS]


def main_notes(summary: Summary) -> Iterator[str]:
    """What each estimate means, how its row was chosen, and how far it may be trusted."""
    folds, families = summary["folds"], shown_families(summary)
    pool = count_words(gallery_size(summary), "image")
    dropped = find(summary, "race", "dropped") or ()
    compared = {trial["name"] for trial in summary["trials"]} | {one["trial"] for one in dropped}
    trials = count_words(len(compared), "trial")
    yield from shown_note(summary)
    yield DIRECTION_NOTE
    if folds > 1:
        repeats = summary.get("repeats", 1)
        product = f" ({repeats} × {folds // repeats})" if repeats > 1 else ""
        yield (
            f"Means over {folds} folds{product}. The gallery is the whole test part of a fold, about {pool} "
            "and their captions, none of them trained on: R@k falls as the gallery grows."
        )
    else:
        yield f"One fold. The gallery is the whole test part, {pool} and their captions, none of them trained on."
    yield "change: against identity, the embeddings as they are, on the same queries."
    if closed := closed_words(summary):
        yield closed
    yield from evidence_notes(summary)
    if is_optimistic(summary):
        larger = count_words(summary["data"]["images"] - gallery_size(summary), "image")
        yield (
            f"gap: R@1 on the whole training part minus R@1 on the test part. The training pool is larger (about "
            f"{larger}) and so harder: compare with the gap of identity, not with 0."
        )
        yield (
            "Optimistic: settings and epoch were chosen on the very folds that are reported (seed protocol). "
            f"selected: the best of {trials}. {optimism_words(summary)}".strip()
        )
    else:
        yield (
            "gap: R@1 on as many training images minus R@1 on the test part; far above identity's, it is overfitting."
        )
        inner = summary.get("inner", "an inner part that is never reported")
        yield (
            f"Settings and epoch of each row were chosen in each fold apart from its test part, on {inner}. selected: "
            f"the same choice among all trials and identity ({trials}): the change after selection."
        )
        if dropped:
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


def changes_plot(summary: Summary) -> Figure:
    """Change of R@1 against identity for each shown family and the choice, one subplot a direction."""
    families = shown_families(summary)
    names = [*family_labels(families), "selected"]
    rows = [(name, part["delta"]) for name, part in zip(names, [*families, summary["selected"]], strict=True)]
    return changes_figure("R@1 against identity", rows, DIRECTIONS, markers={len(families): "D"})


@styled
def overfitting_plot(summary: Summary) -> Figure:
    """R@1 on training and test images for identity, each shown family and the choice; the bar between is the gap."""
    families = shown_families(summary)
    parts = [identity_part(summary), *families, summary["selected"]]
    figure, subplots = make_subplots("R@1 on training and test images", 2, height=1.7 + 0.4 * len(parts), sharey=True)
    for axes, task in zip(subplots, DIRECTIONS, strict=True):
        colour = COLOURS[task]
        identity = summary["baselines"][IDENTITY][task]["R@1"]["mean"]
        axes.axvline(identity, color=INK, linewidth=1, linestyle=":", zorder=1)
        for row, part in enumerate(parts):
            test, train = (find(part, key, task, "R@1", "mean") for key in ("metrics", "train_metrics"))
            if train is not None:
                axes.plot([test, train], [row, row], color=colour, linewidth=2, alpha=0.5, zorder=2)
                axes.plot(train, row, "o", markerfacecolor="none", markeredgecolor=colour, markersize=8, zorder=3)
            axes.plot(test, row, "o", color=colour, markersize=6, zorder=4)
        axes.margins(x=0.08)
        axes.set(title=DIRECTION_WORDS[task], xlabel="R@1")
    name_rows(subplots[0], ["identity", *family_labels(families), "selected"])
    subplots[0].plot([], [], "o", color=GREY, markersize=6, label="test part")
    subplots[0].plot([], [], "o", markerfacecolor="none", markeredgecolor=GREY, markersize=8, label="training images")
    subplots[0].plot([], [], ":", color=INK, linewidth=1, label="identity on the test part")
    figure.legend(loc="outside lower center", ncols=3)
    return figure


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
    figure, subplots = make_subplots("selection metrics by epoch", 3, height=height)
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
        axes.locator_params(axis="x", integer=True)
        axes.set(title=key.replace("_", " "), xlabel="epoch")
        axes.grid(axis="y")
    figure.legend(loc="outside lower center", ncols=columns)
    return figure


def best_trials(summary: Summary) -> list[Mapping[str, Any]]:
    """Of each family the trial with the best mean selection score."""
    return best_by(summary["trials"], "pivot", "aligner", "loss")
