"""Families and trials of a sweep: every family under its pivot, by language, every trial, and how trials train."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import TYPE_CHECKING, Any

from ccalign_jax._names import DIRECTIONS, IDENTITY
from ccalign_jax.reporting.format import (
    NOTHING,
    Summary,
    both,
    changed,
    count_words,
    find,
    gap,
    level,
    plain,
    range_words,
)
from ccalign_jax.reporting.measures import DIRECTION_WORDS, MAIN_METRICS
from ccalign_jax.reporting.names import (
    aligner_name,
    best_by,
    by_pivot,
    family_key,
    family_labels,
    is_solved,
    loss_name,
    pivot_name,
    setting_words,
    settings_in,
    shown_families,
    trial_names,
)
from ccalign_jax.reporting.plots import CYCLE, DASHES, make_subplots, styled
from ccalign_jax.reporting.results import identity_part, shown_note
from ccalign_jax.reporting.table import Table, make_table
from ccalign_jax.reporting.verdicts import (
    CLAIMED_GAIN,
    GAIN,
    LOSS,
    cell_note,
    change_heading,
    evidence_notes,
    is_optimistic,
    is_tested,
    verdict,
    verdict_cell,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

START = "(start)"
MAX_COLUMNS = 12  # of languages; more than that are summarised


def pivots_table(summary: Summary) -> Table:
    """Every family under its pivot: its changes in both directions and from text to text, and its gap."""
    paths = [*((task, metric) for metric in MAIN_METRICS for task in DIRECTIONS), ("t2t", "R@1")]

    def row(name: str, part: Mapping[str, Any]) -> list[str]:
        shown, show = (part["delta"], changed) if "delta" in part else (part["metrics"], level)
        cells = [both(shown), *(find(shown, *path) for path in paths)]
        gaps = [gap(part, task) or NOTHING for task in DIRECTIONS]
        return [name, verdict_cell(part), *map(show, cells), *gaps]

    blocks = [("", [row("identity (levels)", identity_part(summary))])]
    for pivot, members in by_pivot(summary["families"]).items():
        members = sorted(members, key=lambda member: -both(member[1]["delta"])["mean"])
        named = [(name if any(family["epochs"]) else f"{name} {START}", family) for name, family in members]
        blocks.append((pivot, [row(*member) for member in named]))
    started = any(cells[0].endswith(START) for _, rows in blocks for cells in rows)
    return make_table(
        f"What each pivot changes on the test part{setting_words(summary['families'])}",
        ("aligner", "verdict", "both\nΔR@1", *(f"{task}\nΔ{metric}" for task, metric in paths), "gap\nt2i", "gap\ni2t"),
        blocks,
        alignment="ll",
        notes=(
            "identity: R@1, mAP and gap of the embeddings as they are. All others: change "
            "against it on the same queries; the gap is no change.",
            *evidence_notes(summary),
            "t2i: caption to image; i2t: image to caption; both: the mean of these; t2t: caption to the captions of "
            "its image in another language, directly, mean over ordered pairs. gap: R@1 on training images minus R@1 "
            "on the test part; far above identity's, it is overfitting.",
            "Under each pivot the best mean of both changes of R@1 comes first. To pick the first row would be to "
            "choose on the images that are reported: what choosing earns is in the main table, as selected.",
            *(
                f"{START}: in every fold no epoch, nor any point of a closed form's path, did better than the start on "
                "the inner parts, so that the start was kept; most maps start as identity."
                for _ in range(started)
            ),
        ),
    )


def pivots_by_language_table(summary: Summary) -> Table:
    """The change of R@1 in each language: of all families if they are few, else of the best of each pivot."""
    families, identity = shown_families(summary), summary["baselines"][IDENTITY]
    languages = list(identity["t2i"]["per_language"])
    few = len(languages) <= MAX_COLUMNS
    gained = f"{CLAIMED_GAIN if is_optimistic(summary) else GAIN},\nlose"
    columns = (*languages, "mean") if few else ("mean", "lowest", "highest", "languages\nthat rise", gained)
    cells = _each_language if few else _extremes
    blocks = []
    for task, words in DIRECTION_WORDS.items():
        rows = [["identity (levels)", *cells(identity[task], languages, changes=False)]]
        for label, family in zip(family_labels(families), families, strict=True):
            rows.append([label, *cells(family["delta"][task], languages, changes=True)])
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


def trials_table(summary: Summary) -> Table:
    """Every trial with the settings that differ between trials; those that all share are in a note."""
    trials = summary["trials"]
    varied, shared = [], []
    for key in dict.fromkeys(key for trial in trials for key in trial["hyper"]):
        values = {trial["hyper"][key] for trial in trials if key in trial["hyper"]}  # others do not read it
        (varied.append(key) if len(values) > 1 else shared.append(f"{key.replace('_', ' ')} {_number(values.pop())}"))
    others = [", ".join(_other_settings(trial)) for trial in trials]
    words: dict[str, Callable[[str], str]] = {"pivot": pivot_name, "loss": loss_name}
    several = {"pivot": trials, "loss": [trial for trial in trials if not is_solved(trial)]}
    named = [key for key, members in several.items() if len({trial[key] for trial in members}) > 1]

    def row(trial: Mapping[str, Any], other: str) -> list[str]:
        times = summary["selected"]["per_fold"].count(trial["name"])
        cells = [aligner_name(trial["aligner"]), *(words[key](trial[key]) for key in named)]
        cells += [*(_number(trial["hyper"].get(key)) for key in varied), other, verdict_cell(trial)]
        for task in DIRECTIONS:
            cells += [level(trial["metrics"][task]["R@1"]), changed(trial["delta"][task]["R@1"])]
        cells += [gap(trial, "t2i"), plain(trial["selection"]["mean"]), range_words(trial["epochs"])]
        return [*cells, f"{times} of {summary['folds']}" if times else ""]

    part = "the reported folds" if is_optimistic(summary) else "the inner parts"
    columns = ["aligner", *named, *varied, "other"]
    return make_table(
        f"{count_words(len(trials), 'trial')}{setting_words(trials)}",
        (
            *(key.replace("_", "\n") for key in columns),
            "verdict",
            *(name for task in DIRECTIONS for name in (f"{task}\nR@1", change_heading(summary))),
            *("gap\nt2i", "score", "epochs", "chosen"),
        ),
        [("", [row(trial, other) for trial, other in zip(trials, others, strict=True)])],
        alignment="l" * (len(named) + 1) + "r" * len(varied) + "ll",
        notes=(
            f"score: what trials are chosen by, on {part}; epochs: the one chosen in each fold, 0 is the start, "
            "of closed forms the place on their path; chosen: in how many folds this trial was.",
            f"Chosen over all folds: {trial_names(summary).get(summary['best'], summary['best'])}.",
            *evidence_notes(summary, "trials"),
            *([f"The same in all trials that read it: {', '.join(shared)}."] if shared else []),
        ),
    )


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
    figure, subplots = make_subplots("selection metrics by epoch", 3, height=height, sharey=False)
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


def _other_settings(trial: Mapping[str, Any]) -> list[str]:
    """The settings in the name beyond family and numbers, such as the width of a hidden layer."""
    return [part for part in settings_in(trial) if part.partition("=")[0] not in ("", *trial["hyper"])]


def _number(value: Any) -> str:
    return NOTHING if value is None else f"{value:g}"
