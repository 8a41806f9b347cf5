"""Families and trials of a sweep: every family under its pivot, by language and from text to text, and every trial."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from ccalign_jax._names import BOTH, DIRECTIONS, IDENTITY, PAIR_TASKS
from ccalign_jax.reporting.family_names import (
    by_pivot,
    family_labels,
    is_solved,
    setting_words,
    settings_in,
    shown_families,
    shown_note,
    trial_names,
)
from ccalign_jax.reporting.format import (
    CLAIMED_GAIN,
    GAIN,
    LOSS,
    NOTHING,
    Estimate,
    Summary,
    cell_note,
    change_heading,
    changed,
    count_words,
    find,
    gap,
    identity_part,
    is_tested,
    level,
    plain,
)
from ccalign_jax.reporting.names import DIRECTION_WORDS, Family, aligner_name, loss_name, pivot_name
from ccalign_jax.reporting.panels.configurations import gap_columns
from ccalign_jax.reporting.panels.retrieval import MAIN_METRICS, TASKS, by_chance, compared, headings
from ccalign_jax.reporting.table import Column, Table, fill_table, make_table
from ccalign_jax.reporting.verdicts import evidence_notes, is_optimistic, verdict

Values = Mapping[str, Any]  # of a row

START = "(start)"
START_NOTE = (
    f"{START}: in every fold no epoch, nor any point of a closed form's path, did better than the start on the inner "
    "parts, so that the start was kept; most maps start as identity."
)
MAX_COLUMNS = 12  # of languages; more than that are summarised
TEXT_METRICS = ("R@1", "R@10", "MRR", "mAP")
TEXT_NOTE = (
    "A caption looks for the captions of its image in another language. Via an image: the image nearest to the "
    "caption is the query in its place; the right image shows what a perfect first step would give."
)


def _shown(heading: str, *path: str) -> Column:
    """The change at a path of a row's `delta`; of identity, which has none, the level."""
    return Column(heading, lambda name, part: _show(part, *path))


def _show(part: Values, *path: str) -> str:
    return changed(find(part["delta"], *path)) if "delta" in part else level(find(part["metrics"], *path))


def pivots_table(summary: Summary) -> Table:
    """Every family under its pivot: its changes in both directions and from text to text, and its gap."""
    paths = [*((task, metric) for metric in MAIN_METRICS for task in DIRECTIONS), ("t2t", "R@1")]
    blocks: list[tuple[str, list[tuple[str, Family]]]] = [("", [("identity (levels)", identity_part(summary))])]
    for pivot, members in by_pivot(summary["families"]).items():
        members = sorted(members, key=lambda member: -member[1]["delta"][BOTH]["R@1"]["mean"])
        named = [(name if any(family["epochs"]) else f"{name} {START}", family) for name, family in members]
        blocks.append((pivot, named))
    started = any(name.endswith(START) for _, rows in blocks for name, _ in rows)
    return fill_table(
        f"What each pivot changes on the test part{setting_words(summary['families'])}",
        [
            *(Column.names("aligner"), Column.verdict(), _shown("both\nΔR@1", BOTH, "R@1")),
            *(_shown(f"{task}\nΔ{metric}", task, metric) for task, metric in paths),
            *gap_columns(NOTHING),
        ],
        blocks,
        notes=(
            "identity: R@1, mAP and gap of the embeddings as they are. All others: change "
            "against it on the same queries; the gap is no change.",
            *evidence_notes(summary),
            "t2i: caption to image; i2t: image to caption; both: the mean of these; t2t: caption to the captions of "
            "its image in another language, directly, mean over ordered pairs. gap: R@1 on training images minus R@1 "
            "on the test part; far above identity's, it is overfitting.",
            "Under each pivot the best mean of both changes of R@1 comes first. To pick the first row would be to "
            "choose on the images that are reported: the change after selection is in the main table, as selected.",
            *([START_NOTE] if started else []),
        ),
    )


def pivots_by_language_table(summary: Summary) -> Table | None:
    """The change of R@1 in each language: of all families if they are few, else of the best of each pivot."""
    families, identity = shown_families(summary), summary["baselines"][IDENTITY]
    languages = list(identity["t2i"]["per_language"])
    if len(languages) < 2:  # the main table has it
        return None
    mean = _shown("mean", "R@1")
    if len(languages) <= MAX_COLUMNS:
        columns = [*(_shown(name, "per_language", name, "R@1") for name in languages), mean]
    else:
        gained = f"{CLAIMED_GAIN if is_optimistic(summary) else GAIN},\nlose"
        columns = [mean, *_extreme_columns(gained)]
    named = [*zip(family_labels(families), families, strict=True)]
    blocks = [
        (
            words,
            [
                ("identity (levels)", {"metrics": identity[task]}),
                *((label, {"delta": family["delta"][task]}) for label, family in named),
            ],
        )
        for task, words in DIRECTION_WORDS.items()
    ]
    untested = "No p is adjusted for the number of languages."
    return fill_table(
        f"What each pivot changes in each language, R@1 on the test part{setting_words(families)}",
        [Column.names("aligner"), *columns],
        blocks,
        notes=(
            "identity: R@1 of the embeddings as they are; all others: the change against it. mean: over languages.",
            *(f"{note} {untested}" for note in cell_note(summary) if is_tested(summary)),
            *shown_note(summary),
        ),
    )


def _extreme_columns(gained: str) -> list[Column]:
    """The languages with the lowest and the highest value, how many rise, and how many with evidence."""

    def each(part: Values) -> dict[str, Estimate]:
        metrics = part.get("delta") or part["metrics"]
        return {name: one["R@1"] for name, one in metrics["per_language"].items()}

    def extreme(part: Values, end: Callable[..., str]) -> str:
        found = each(part)
        name = end(found, key=lambda name: found[name]["mean"])
        return f"{name} {_show(part, 'per_language', name, 'R@1')}"

    def rise(name: str, part: Values) -> str:
        changes = each(part).values()
        return f"{sum(change['mean'] > 0 for change in changes)} of {len(changes)}" if "delta" in part else ""

    def lose(name: str, part: Values) -> str:
        words = Counter(map(verdict, each(part).values()))
        return f"{words[GAIN]}, {words[LOSS]}" if "delta" in part and not words[""] else ""

    lowest = Column("lowest", lambda name, part: extreme(part, min))
    highest = Column("highest", lambda name, part: extreme(part, max))
    return [lowest, highest, Column("languages\nthat rise", rise), Column(gained, lose)]


def trials_table(summary: Summary) -> Table:
    """Every trial with the settings that differ between trials; those that all share are in a note."""
    trials, chosen = summary["trials"], Counter(summary["selected"]["per_fold"])
    varied, shared = [], []
    for key in dict.fromkeys(key for trial in trials for key in trial["hyper"]):
        values = {trial["hyper"][key] for trial in trials if key in trial["hyper"]}  # others do not read it
        (varied.append(key) if len(values) > 1 else shared.append(f"{key.replace('_', ' ')} {_number(values.pop())}"))
    columns = [Column("aligner", lambda name, trial: aligner_name(trial["aligner"]), "l")]
    if len({trial["pivot"] for trial in trials}) > 1:
        columns.append(Column("pivot", lambda name, trial: pivot_name(trial["pivot"]), "l"))
    if len({trial["loss"] for trial in trials if not is_solved(trial)}) > 1:
        columns.append(Column("loss", lambda name, trial: loss_name(trial["loss"]), "l"))
    for key in varied:
        columns.append(Column(key.replace("_", "\n"), lambda name, trial, key=key: _number(trial["hyper"].get(key))))
    columns += [
        *(Column("other", lambda name, trial: _other_settings(trial), "l"), Column.verdict()),
        *Column.directions("{task}\nR@1", change_heading(summary)),
        Column("gap\nt2i", lambda name, trial: gap(trial, "t2i")),
        Column("score", lambda name, trial: plain(trial["selection"]["mean"])),
        Column("epochs", lambda name, trial: _epochs(trial)),
        Column("chosen", lambda name, trial: f"{chosen[name]} of {summary['folds']}" if chosen[name] else ""),
    ]
    failed = any("diverged" in trial for trial in trials)
    part = "the reported folds" if is_optimistic(summary) else "the inner parts"
    return fill_table(
        f"{count_words(len(trials), 'trial')}{setting_words(trials)}",
        columns,
        [("", [(trial["name"], trial) for trial in trials])],
        notes=(
            f"score: what trials are chosen by, on {part}; epochs: the one chosen in each fold, 0 is the start, "
            "of closed forms the place on their path; chosen: in how many folds this trial was.",
            f"Chosen over all folds: {trial_names(summary).get(summary['best'], summary['best'])}.",
            *(["diverged: parameters became NaN or infinite, from the step that the notes name."] if failed else []),
            *evidence_notes(summary, "trials"),
            *([f"The same in all trials that read it: {', '.join(shared)}."] if shared else []),
        ),
    )


def _epochs(trial: Mapping[str, Any]) -> str:
    """The fewest and the most epochs of the folds, and whether training diverged in one of them."""
    chosen = "–".join(map(str, sorted({min(trial["epochs"]), max(trial["epochs"])})))
    return f"{chosen} (diverged)" if "diverged" in trial else chosen


def _other_settings(trial: Mapping[str, Any]) -> str:
    """The settings in the name beyond family and numbers, such as the width of a hidden layer."""
    return ", ".join(part for part in settings_in(trial) if part.partition("=")[0] not in ("", *trial["hyper"]))


def _number(value: Any) -> str:
    return NOTHING if value is None else f"{value:g}"


def text_to_text_table(summary: Summary) -> Table | None:
    """Captions of one language as queries for those of another, directly and through images: means over pairs.

    Of a sweep a row is a family, and of an evaluation a task.
    """
    tasks = [task for task in PAIR_TASKS if task in summary["baselines"][IDENTITY]]
    if not tasks:
        return None
    if "families" not in summary:
        rows = [
            [TASKS[task], *(cell for metric in TEXT_METRICS for cell in compared(summary, task, metric))]
            for task in tasks
        ]
        chance = ["chance", *(cell for metric in TEXT_METRICS for cell in by_chance(summary, "t2t", metric))]
        return make_table(
            "Text to text, mean over ordered pairs of languages",
            ("task", *(name for metric in TEXT_METRICS for name in headings(summary, metric))),
            [("", rows), ("", [chance] if "t2t" in summary["baselines"]["chance"] else [])],
            notes=(TEXT_NOTE,),
        )
    families, columns = shown_families(summary), [Column.names("aligner")]
    for task in tasks:
        columns.append(Column.estimate(f"{TASKS[task]}\nR@1", "metrics", task, "R@1"))
        columns.append(Column.estimate(change_heading(summary), "delta", task, "R@1"))
    identity = ("identity", {"metrics": summary["baselines"][IDENTITY]})
    return fill_table(
        f"Text to text, R@1 on the test part, mean over ordered pairs of languages{setting_words(families)}",
        columns,
        [("", [identity]), ("", zip(family_labels(families), families, strict=True))],
        notes=(TEXT_NOTE, *cell_note(summary), *shown_note(summary)),
    )
