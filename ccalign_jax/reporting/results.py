"""The tables of a study: what each family earns, each language, every trial."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ccalign_jax.reporting.evidence import change_heading, evidence_notes, verdict_cell
from ccalign_jax.reporting.figure_names import main_metrics
from ccalign_jax.reporting.names import (
    LOSSES,
    MAX_FAMILIES,
    aligner_name,
    by_pivot,
    choice_words,
    family_labels,
    is_solved,
    pivot_name,
    setting_words,
    settings_in,
    shown_families,
    trial_names,
)
from ccalign_jax.reporting.notes import main_notes
from ccalign_jax.reporting.tables import Table
from ccalign_jax.reporting.wording import (
    DIRECTIONS,
    NOTHING,
    both_figure,
    changed,
    count_words,
    find,
    gap,
    has_interval,
    level,
    plain,
    range_words,
)

__all__ = ["language_table", "main_table", "trials_table"]

Summary = Mapping[str, Any]


def main_table(summary: Summary) -> Table:
    """Identity, each family or of many the best of each pivot, what choosing earns, and chance.

    Args:
        summary: the content of `summary.json`.
    """
    families, identity, metrics = shown_families(summary), summary["baselines"]["identity"], main_metrics(summary)
    rows = [
        _main_row(
            "identity", metrics, {"metrics": identity, "train_metrics": find(summary, "baselines", "identity_train")}
        )
    ]
    rules = []
    groups = by_pivot(families)
    if len(summary["families"]) > MAX_FAMILIES:  # one of each pivot: no group to head
        groups = {"": list(zip(family_labels(families), families, strict=True))}
    for pivot, members in groups.items():
        rules.append(len(rows))
        rows += [(pivot, *[""] * (len(rows[0]) - 1))] if pivot else []
        rows += [_main_row(name, metrics, family) for name, family in members]
    rules.append(len(rows))
    rows.append(_main_row("selected", metrics, summary["selected"]))
    rows.append(_main_row("chance", metrics, {"metrics": summary["baselines"]["chance"]}, show=_mean))
    change = change_heading(summary)
    columns = [name for metric in metrics for way in DIRECTIONS for name in (f"{way}\n{metric}", change)]
    columns[0:0] = ["verdict", f"mean of both\n{change}"]
    return Table(
        title=f"{summary['data']['name']}: retrieval on the holdout{setting_words(families)}",
        columns=("aligner", *columns, "gap\nt2i", "gap\ni2t"),
        rows=tuple(rows),
        alignment="ll" + "r" * (len(columns) + 1),
        notes=tuple(main_notes(summary)),
        rules=tuple(rules),
    ).filled()


def language_table(summary: Summary) -> Table:
    """R@1 of each language under identity and under the choice.

    Args:
        summary: the content of `summary.json`.
    """
    identity, selected = summary["baselines"]["identity"], summary["selected"]
    languages = list(identity["t2i"]["per_language"])
    unmapped = [name for name in selected["metrics"]["t2i"]["per_language"] if name not in languages]
    rows = [(name, *_compared(identity, selected, ("R@1",), name)) for name in (*languages, *unmapped, None)]
    notes = [f"selected: {choice_words(summary, selected['per_fold'])}."]
    if has_interval(selected["delta"]["t2i"]["R@1"]):
        notes.append("[ ]: 95 % interval. p: paired sign flips over images, not adjusted for the number of languages.")
    elif summary["folds"] > 1:
        notes.append("± is the standard deviation over folds, not a confidence interval.")
    if unmapped:
        notes.append("unmapped: the pivot's captions as they are, among images as they are; no part of the mean.")
    return Table(
        title="Each language, R@1 on the holdout",
        columns=("language", *(f"{d}\n{name}" for d in DIRECTIONS for name in ("identity", "selected", "change"))),
        rows=tuple(("mean" if name is None else name, *cells) for name, *cells in rows),
        alignment="l" + "r" * 6,
        notes=tuple(notes),
        rules=(len(rows) - 1,),
    )


def trials_table(summary: Summary) -> Table:
    """Every trial with the settings that differ between trials; those that all share are in a note.

    Args:
        summary: the content of `summary.json`.
    """
    trials = summary["trials"]
    varied, shared = [], []
    for key in dict.fromkeys(key for trial in trials for key in trial["hyper"]):
        values = {trial["hyper"][key] for trial in trials if key in trial["hyper"]}  # others do not read it
        (varied.append(key) if len(values) > 1 else shared.append(f"{key.replace('_', ' ')} {_number(values.pop())}"))
    others = [_other_settings(trial) for trial in trials]
    told: dict[str, Callable[[str], str]] = {"pivot": pivot_name, "loss": lambda loss: LOSSES.get(loss, loss)}
    several = {"pivot": trials, "loss": [trial for trial in trials if not is_solved(trial)]}
    named = [key for key, members in several.items() if len({trial[key] for trial in members}) > 1]
    columns = ["aligner", *named, *varied, *(["other"] if any(others) else [])]
    rows = []
    for trial, other in zip(trials, others, strict=True):
        times = summary["selected"]["per_fold"].count(trial["name"])
        cells = [
            aligner_name(trial["aligner"]),
            *(told[key](trial[key]) for key in named),
            *(_number(trial["hyper"].get(key)) for key in varied),
        ]
        cells += [other] if any(others) else []
        cells.append(verdict_cell(trial))
        for direction in DIRECTIONS:
            cells.append(level(trial["metrics"][direction]["R@1"]))
            cells.append(changed(trial["delta"][direction]["R@1"]))
        cells += [gap(trial, "t2i"), plain(trial["selection"]["mean"]), range_words(trial["epochs"])]
        rows.append((*cells, f"{times} of {summary['folds']}" if times else ""))
    part = "the reported folds" if summary["protocol"] == "seed" else "the inner parts"
    notes = [
        f"score: what trials are chosen by, on {part}; epochs: the one chosen in each fold, 0 is the start, "
        "of closed forms the place on their path; chosen: in how many folds this trial was.",
        f"Chosen over all folds: {trial_names(summary).get(summary['best'], summary['best'])}.",
    ]
    notes += evidence_notes(summary, "trials")
    notes += [f"The same in all trials that read it: {', '.join(shared)}."] if shared else []
    return Table(
        title=f"{count_words(len(trials), 'trial')}{setting_words(trials)}",
        columns=(
            *(key.replace("_", "\n") for key in columns),
            "verdict",
            *(name for direction in DIRECTIONS for name in (f"{direction}\nR@1", change_heading(summary))),
            *("gap\nt2i", "score", "epochs", "chosen"),
        ),
        rows=tuple(rows),
        alignment="l" * (len(named) + 1) + "r" * len(varied) + "l" * any(others) + "l" + "r" * 8,
        notes=tuple(notes),
    ).filled()


def _main_row(
    name: str, metrics: Sequence[str], part: Mapping[str, Any], *, show: Callable[[Any], str] = level
) -> tuple[str, ...]:
    cells = [verdict_cell(part), changed(both_figure(part["delta"])) if "delta" in part else ""]
    for metric in metrics:
        for direction in DIRECTIONS:
            cells.append(show(part["metrics"][direction][metric]))
            cells.append(changed(part["delta"][direction][metric]) if "delta" in part else "")
    return (name, *cells, *(gap(part, direction) for direction in DIRECTIONS))


def _mean(figure: Mapping[str, Any]) -> str:
    return plain(figure["mean"])


def _compared(before: Any, after: Any, metrics: Sequence[str], language: str | None) -> list[str]:
    """Identity, mapped and change of each metric and direction; an unmapped language is compared with itself."""
    cells = []
    base = language if language is None else language.removesuffix(" (unmapped)")
    for metric in metrics:
        for direction in DIRECTIONS:
            cells.append(level(_at(before, direction, metric, base)))
            cells.append(level(_at(after["metrics"], direction, metric, language)))
            cells.append(changed(_at(after["delta"], direction, metric, language)))
    return cells


def _at(metrics: Any, direction: str, metric: str, language: str | None) -> Any:
    return find(metrics, direction, *(() if language is None else ("per_language", language)), metric)


def _other_settings(trial: Mapping[str, Any]) -> str:
    """What the name says beyond family and numbers, such as the width of a hidden layer."""
    settings = settings_in(trial).split(",")
    return ", ".join(part for part in settings if part.partition("=")[0] not in ("", *trial["hyper"]))


def _number(value: Any) -> str:
    return NOTHING if value is None else f"{value:g}"
