"""Retrieval results of a sweep: the main table and its notes, changes against identity, overfitting."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ccalign_jax._names import DIRECTIONS, IDENTITY, MAX_FAMILIES
from ccalign_jax.reporting.format import (
    Estimate,
    Summary,
    both,
    changed,
    count_words,
    find,
    gallery_size,
    gap,
    level,
    plain,
    signed,
)
from ccalign_jax.reporting.measures import DIRECTION_NOTE, DIRECTION_WORDS, main_metrics
from ccalign_jax.reporting.names import best_by, by_pivot, choice_words, family_labels, setting_words, shown_families
from ccalign_jax.reporting.plots import COLOURS, GREY, INK, changes_figure, make_subplots, name_rows, styled
from ccalign_jax.reporting.table import Table, make_table
from ccalign_jax.reporting.verdicts import both_words, change_heading, evidence_notes, is_optimistic, verdict_cell

if TYPE_CHECKING:
    from matplotlib.figure import Figure

GAP_NOTE = "gap: R@1 on as many training images minus R@1 on the test part; far above identity's, it is overfitting."


def main_table(summary: Summary) -> Table:
    """Identity, each family or of many the best of each pivot, the choice among all, and chance."""
    families, metrics = shown_families(summary), main_metrics(summary)

    def row(name: str, part: Mapping[str, Any], show: Callable[[Estimate], str] = level) -> list[str]:
        delta = part.get("delta")
        cells = [name, verdict_cell(part), changed(both(delta)) if delta else ""]
        for metric in metrics:
            for task in DIRECTIONS:
                cells += [show(part["metrics"][task][metric]), changed(delta[task][metric]) if delta else ""]
        return [*cells, *(gap(part, task) for task in DIRECTIONS)]

    groups = by_pivot(families)
    if len(summary["families"]) > MAX_FAMILIES:  # one of each pivot: no group to head
        groups = {"": list(zip(family_labels(families), families, strict=True))}
    blocks = [("", [row("identity", identity_part(summary))])]
    blocks += [(pivot, [row(*member) for member in members]) for pivot, members in groups.items()]
    chance = {"metrics": summary["baselines"]["chance"]}
    last = [row("selected", summary["selected"]), row("chance", chance, lambda estimate: plain(estimate["mean"]))]
    change = change_heading(summary)
    columns = [name for metric in metrics for task in DIRECTIONS for name in (f"{task}\n{metric}", change)]
    return make_table(
        f"{summary['data']['name']}: retrieval on the test part{setting_words(families)}",
        ("aligner", "verdict", f"mean of both\n{change}", *columns, "gap\nt2i", "gap\ni2t"),
        [*blocks, ("", last)],
        alignment="ll",
        notes=main_notes(summary),
    )


def identity_part(summary: Summary) -> dict[str, Any]:
    """Metrics of identity on the test part and on training images."""
    baselines = summary["baselines"]
    return {"metrics": baselines[IDENTITY], "train_metrics": baselines.get("identity_train", {})}


def main_notes(summary: Summary) -> Iterator[str]:
    """What each estimate means, how its row was chosen, and how far it may be trusted."""
    folds, families = summary["folds"], shown_families(summary)
    pool = count_words(gallery_size(summary), "image")
    trials = count_words(trial_count(summary), "trial")
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
        yield GAP_NOTE
        inner = summary.get("inner", "an inner part that is never reported")
        yield (
            f"Settings and epoch of each row were chosen in each fold apart from its test part, on {inner}. selected: "
            f"the same choice among all trials and identity ({trials}): what choosing earns."
        )
        yield from _race_note(summary)
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


def shown_note(summary: Summary) -> tuple[str, ...]:
    """That only the best of each pivot are shown, where there are more than `MAX_FAMILIES`."""
    if len(summary["families"]) <= MAX_FAMILIES:
        return ()
    pivots = count_words(len(best_by(summary["families"], "pivot")), "pivot")
    return (
        f"Of {len(summary['families'])} combinations of pivot, aligner and loss, the one with the best selection score "
        f"of each of {pivots}; all are in tables/pivots.",
    )


def trial_count(summary: Summary) -> int:
    """Trials that were compared, those that a race dropped included."""
    reported = {trial["name"] for trial in summary["trials"]}
    return len(reported | {one["trial"] for one in find(summary, "race", "dropped") or ()})


def closed_words(summary: Summary) -> str:
    """The change of the choice against the best closed form; empty where identity is above chance."""
    selected = summary["selected"]
    if "delta_closed" not in selected:
        return ""
    name = choice_words(summary, selected["closed_per_fold"])
    if selected["per_fold"] == selected["closed_per_fold"]:
        return (
            f"Identity is at chance here; the best closed form, chosen on the same parts, is the choice itself: {name}."
        )
    change = {"delta": selected["delta_closed"], "verdict": selected.get("verdict_closed", {})}
    lead = f"Identity is at chance here. Against the best closed form, chosen on the same parts ({name}):"
    return f"{lead} {both_words(change)}"


def optimism_words(summary: Summary) -> str:
    """The gain that the seed protocol claims beside that of a nested choice; empty where that was not measured."""
    found = find(summary, "optimism", "both", "R@1")
    if not found:
        return ""
    claimed, honest, optimism = (signed(found[key]) for key in ("claimed", "honest", "optimism"))
    return (
        f"In the mean of both directions the seed protocol claims {claimed}; choosing on the other folds earns "
        f"{honest}: optimism {optimism}."
    )


def _race_note(summary: Summary) -> Iterator[str]:
    dropped = find(summary, "race", "dropped")
    if dropped:
        folds = summary["folds"] * summary["race"]["trials"]
        yield (
            f"The race dropped {len(dropped)} of {folds} trials × folds, behind the best of their fold on inner parts "
            "by an interval above 0: race in summary.json; --race=false fits all."
        )


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
