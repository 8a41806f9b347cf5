"""Several sweeps or evaluations in one table, those apart whose numbers do not compare."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ccalign_jax._names import BOTH, DIRECTIONS, IDENTITY
from ccalign_jax.errors import InputError
from ccalign_jax.reporting.baselines import baselines
from ccalign_jax.reporting.cells import Cell
from ccalign_jax.reporting.family_names import family_labels
from ccalign_jax.reporting.format import NOTHING, changed, chosen_words, count_words, find, is_tested, plain, signed
from ccalign_jax.reporting.html import Part, Section, render_page
from ccalign_jax.reporting.names import scoring_name
from ccalign_jax.reporting.panels.baselines import FREE
from ccalign_jax.reporting.results_folder import CURVES_RESULTS, SWEEP_RESULTS, Results
from ccalign_jax.reporting.table import Table, make_table
from ccalign_jax.reporting.verdicts import verdict_cell

__all__ = ["render_runs", "runs_table"]

# What decides which images are tested, in a config.
OF_FOLDS = (
    "protocol",
    "folds",
    "repeats",
    "split",
    "seed",
    "limit",
    "languages",
    "heldout_language",
    "duplicate_cosine",
)
COLUMNS = (
    *("run", "data", "t2i R@1\nbefore", "after", "i2t R@1\nbefore", "after", "mean\nbefore", "after"),
    *("change of\nthe mean", "verdict", "best baseline", "time", "map"),
)
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def runs_table(runs: Sequence[Results]) -> Table:
    """A row a run: R@1 of identity and of what was selected, the change, its verdict, and the best baseline.

    Runs on the same test images stand together. Others must not be compared, and have a heading of their own.

    Raises:
        InputError: curves, which have no such row.
    """
    groups: dict[tuple[Any, ...], list[Results]] = {}
    for run in runs:
        if run.kind == CURVES_RESULTS:
            raise InputError(f"{run.path}: curves have no row beside others; give sweeps and evaluations")
        groups.setdefault(_tested_images(run), []).append(run)
    blocks = []
    for letter, members in zip(_letters(), groups.values(), strict=False):
        heading = f"test images {letter}: {_place(members[0])}" if len(groups) > 1 else ""
        blocks.append((heading, [_row(run) for run in members]))
    return make_table(
        f"{count_words(len(runs), 'run')} side by side",
        COLUMNS,
        blocks,
        alignment="llrrrrrrrllrl",
        notes=_notes(runs, apart=len(groups) > 1),
    )


def render_runs(runs: Sequence[Results], table: Table) -> str:
    """The page of several runs: `runs_table` of them, and a link to the page of each."""
    places = len({_tested_images(run) for run in runs})
    where = f"{places} sets of test images, which do not compare" if places > 1 else "the same test images"
    shown = Part("runs", replace(table, notes=()), open=True)
    return render_page(
        name="report",
        title="runs side by side",
        verdict="",
        answer=f"{count_words(len(runs), 'run')} on {where}",
        facts=[],
        first=[],
        sentences=["Whether one run is better than another, image by image: `ccalign compare RUN_A RUN_B`."],
        sections=[Section("Runs", "A row a run: R@1 before and after the map that it selected.", [shown])],
        notes=table.notes,
        settings="Settings that differ",
        links=[str(run.path.resolve() / "report.html") for run in runs],
        appendix=[other] if (other := _differences(runs)) else [],
    )


def _differences(runs: Sequence[Results]) -> Table | None:
    """The settings that are not the same in all runs; None where there are none."""
    configs = [run.config.get("config", {}) for run in runs]
    keys = dict.fromkeys(key for config in configs for key in config)
    rows = [(key, *(_setting(config.get(key)) for config in configs)) for key in keys]
    rows = [row for row in rows if len({*row[1:]}) > 1]
    names = [str(run.path) for run in runs]
    return Table("Settings that differ", ("setting", *names), tuple(rows), "l" * (len(runs) + 1)) if rows else None


def _setting(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or NOTHING
    return NOTHING if value is None else str(value)


def _notes(runs: Sequence[Results], *, apart: bool) -> Iterator[str]:
    yield "before: identity, the embeddings as they are; after: what each fold selected, or the evaluated map; R@1."
    if apart:
        yield (
            "Rows below different headings do not compare: their data, splits or folds differ, and R@1 with them. "
            "Below one heading all test on the same images."
        )
    yield (
        "change: after minus before within the run"
        + (", with its 95 % interval and adjusted p" if any(is_tested(run.summary) for run in runs) else "")
        + ". Whether one run is better than another is a paired question that this table does not answer: "
        "ccalign compare RUN_A RUN_B."
    )
    yield "best baseline: the best of the scores and forms without training, picked on the test images, and its change."


def _tested_images(run: Results) -> tuple[Any, ...]:
    """What has to be alike for two runs to test on the same images."""
    config = run.config.get("config", {})
    known = {**config, "protocol": run.summary.get("protocol"), "folds": run.summary.get("folds")}
    split = run.summary.get("split")
    return (run.kind, run.summary["data"]["sha256"], split, *(str(known.get(key)) for key in OF_FOLDS))


def _place(run: Results) -> str:
    data, folds = run.summary["data"], run.summary.get("folds")
    how = f"{run.summary.get('protocol')}, {count_words(folds, 'fold')}" if folds else run.summary.get("split", "all")
    return f"{data['name']}, {count_words(data['images'], 'image')}, {how}"


def _row(run: Results) -> list[str]:
    summary = run.summary
    sweep = run.kind == SWEEP_RESULTS
    part = summary["selected"] if sweep else summary
    after = part.get("metrics")
    name = _chosen(summary) if sweep else summary.get("name", IDENTITY)
    levels = []
    for task in (*DIRECTIONS, BOTH):
        for metrics in (summary["baselines"][IDENTITY], after):
            levels.append(plain(find(metrics, task, "R@1", "mean")))
    change = changed(find(part, "delta", BOTH, "R@1")) if after else NOTHING
    data = summary["data"]["name"]
    return [str(run.path), data, *levels, change, verdict_cell(part), _best_baseline(summary), _duration(run), name]


def _chosen(summary: Mapping[str, Any]) -> str:
    """The families that the folds chose."""
    trials = summary["trials"]
    labels = dict(zip((trial["name"] for trial in trials), family_labels(trials), strict=True))
    return chosen_words([labels.get(name, name) for name in summary["selected"]["per_fold"]])


def _best_baseline(summary: Mapping[str, Any]) -> str:
    if "families" in summary:
        free = {one.name: one.mean for one in baselines(summary) if one.group == FREE}
    else:
        scores = find(summary, "scores", IDENTITY) or {}
        free = {
            scoring_name(summary, scoring): found["delta"][BOTH]["R@1"]["mean"]
            for scoring, found in scores.items()
            if scoring != "cosine"
        }
    if not free:
        return NOTHING
    best = max(free, key=lambda name: free[name])
    return Cell.of(f"{best} {signed(free[best])}", {"mean": free[best]})


def _duration(run: Results) -> str:
    seconds = run.timing.get("seconds")
    if not isinstance(seconds, Mapping):
        return NOTHING
    whole = sum(seconds.values())
    minutes, rest = divmod(round(whole), 60)
    return Cell.of(f"{minutes}:{rest:02d} min" if minutes else f"{rest} s", {"mean": whole})


def _letters() -> Iterator[str]:
    yield from LETTERS
    yield from (f"{first}{second}" for first in LETTERS for second in LETTERS)
