"""Everything that a finished sweep leaves in its folder."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jax
import numpy as np

from ccalign_jax.checkpoints import save_checkpoint, save_tree
from ccalign_jax.measurement.estimates import Estimates, estimate_means
from ccalign_jax.measurement.inference import Bounds
from ccalign_jax.measurement.measure import DIRECTIONS, IDENTITY, Measurement
from ccalign_jax.measurement.records import MACRO, ArmEntry, record_rows, wide_rows
from ccalign_jax.metrics import Ranks
from ccalign_jax.reporting import (
    PAPER,
    SWEEP,
    draw,
    make_plots,
    make_tables,
    render_report,
    write_figures,
    write_tables,
)
from ccalign_jax.runs.kinds import SWEEP_FOLDER, read_config
from ccalign_jax.runs.load import EXAMPLES, run_digest
from ccalign_jax.runs.output import file_name, write_csv, write_json
from ccalign_jax.runs.store import Store
from ccalign_jax.study.outcomes import Outcome
from ccalign_jax.study.plan import Plan
from ccalign_jax.study.refit import describe, refit
from ccalign_jax.study.summary import RECORDS
from ccalign_jax.study.sweep_result import SweepResult
from ccalign_jax.training import Group

__all__ = ["result_rows", "write_results"]


def write_results(folder: Store, result: SweepResult, figures: Sequence[str] = ("svg",)) -> None:
    """Write tables, figures, report, ranks and maps, and move them into place; `summary.json` last, once complete.

    Raises:
        InputError: the disk is full.
    """
    if folder.path is None:
        return
    with folder.writing() as path:
        _write_results(path, result, folder=str(folder.path), figures=figures)
        write_json(path / SWEEP_FOLDER.marker, result.summary)


def _write_results(path: Path, result: SweepResult, *, folder: str, figures: Sequence[str]) -> None:
    plan, best = result.plan, result.best or refit(result)
    settings = list(dict.fromkeys(key for trial in plan.trials for key in trial.hyper._fields))
    outcomes = [result.identity, *result.outcomes]
    arms = result.estimates.arms
    write_csv(path / "results.csv", result_rows(outcomes, settings, arms, result.estimates.fold_bounds))
    write_csv(path / RECORDS, record_rows(arms))
    config = read_config(path / SWEEP_FOLDER.config, SWEEP_FOLDER)[1]
    folds = _fold_arrays(plan)
    digest = run_digest(config, folds)
    timing = {"finished": datetime.now(UTC).isoformat(timespec="seconds"), "seconds": result.seconds}
    shown = {**result.summary, **result.examples}
    plots = make_plots(SWEEP, shown)
    drawings = draw(plots)
    page = render_report(
        result.summary, config, folder=folder, timing=timing, extras=result.examples, drawings=drawings
    )
    (path / "report.html").write_text(page, encoding="utf-8")
    write_tables(path / "tables", make_tables([*SWEEP, *PAPER], shown))
    write_figures(path / "figures", plots, figures, drawings)
    (path / "ranks").mkdir(exist_ok=True)
    for outcome in outcomes:
        if not any(outcome.ranks):  # the race dropped it from every fold
            continue
        arrays = {"trial": outcome.name, "run": digest, **_rank_arrays(plan, outcome)}
        save_ranks(path / "ranks" / f"{file_name(outcome.name)}.npz", arrays)
    np.savez_compressed(path / "folds.npz", **folds)
    for group in plan.groups:
        _save_group(path / "checkpoints", plan, group, result.outcomes)
    save_checkpoint(path / "best", best)
    write_json(path / EXAMPLES, result.examples, indent=None)
    write_json(path / "timing.json", timing)


def _save_group(folder: Path, plan: Plan, group: Group, outcomes: Sequence[Outcome]) -> None:
    """One stacked tree `[trials, folds, …]` for the trials that one program served and no fold's race dropped."""
    members = [outcomes[trial.index] for trial in group.trials if outcomes[trial.index].is_whole]
    if not members:
        return
    folds = [jax.tree.map(lambda *leaves: np.stack(leaves), *outcome.params) for outcome in members]
    stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *folds)
    first = group.trials[0]
    about: Mapping[str, Any] = {
        "stacked": ["trials", "folds"],
        "trials": [describe(plan, one.trial, one.epochs) for one in members],
    }
    name = f"{first.pivot}/{first.aligner}/{first.loss}" + (f"/{first.index}" if plan.groups.index(group) else "")
    save_tree(folder / file_name(name), stacked, about)


def result_rows(
    outcomes: Sequence[Outcome],
    settings: Sequence[str],
    arms: Iterable[ArmEntry],
    fold_bounds: Mapping[tuple[str, int], Bounds] | None = None,
) -> Iterator[dict[str, object]]:
    """The rows of `results.csv`: one a trial, fold, language or pair, and task; fold `all` has means and changes.

    A trial that the race dropped from a fold has rows of the other folds alone.

    Args:
        outcomes: the identity first.
        settings: hyper-parameters to give a column.
        arms: of these outcomes, by their names.
        fold_bounds: by trial and fold, the intervals of the fold by itself.
    """
    entries = {one.arm: one.entry for one in arms if one.role in ("baseline", "trial")}
    ends = fold_bounds or {}
    for outcome in outcomes:
        trial = outcome.trial
        head = {"trial": outcome.name, "pivot": "", "aligner": IDENTITY, "loss": ""}
        if trial is not None:
            head = {"trial": outcome.name, "pivot": trial.pivot, "aligner": trial.aligner, "loss": trial.loss}
        read = {} if trial is None else {key: getattr(trial.hyper, key) for key in trial.reads if key in settings}
        values = {key: f"{read[key]:g}" if key in read else "" for key in settings}
        entry = entries.get(outcome.name)
        if entry is not None:
            change = None if trial is None else entry.delta
            for (task, group), cells in wide_rows({"": entry.metrics, "train_": entry.train, "delta_": change}):
                yield {**head, "fold": "all", "language": group or MACRO, "direction": task, **cells, **values}
        for fold, (test, train) in enumerate(zip(outcome.test, outcome.train, strict=True)):
            if test is None:  # the race dropped it
                continue
            levels = _fold_estimates(test, ends.get((outcome.name, fold)))
            for (task, group), cells in wide_rows({"": levels, "train_": _fold_estimates(train)}):
                place = {"fold": fold, "language": group or MACRO, "direction": task}
                yield {**head, **place, **cells, "epoch": outcome.epochs[fold], **values}


def _fold_estimates(measured: Measurement, ends: Bounds | None = None) -> Estimates:
    """The metrics of one fold, and the intervals that are known."""
    found = estimate_means([measured.values], ("mean",))
    del found.columns["std"]
    if ends is not None:
        found.fill(ends, "low", "high")
    return found


def save_ranks(path: Path, arrays: Mapping[str, Any]) -> None:
    """An `.npz`, quickly compressed: the usual level takes four times as long, and saves a sixteenth."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        for name, values in arrays.items():
            with file.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asanyarray(values), allow_pickle=False)


def _fold_arrays(plan: Plan) -> dict[str, Any]:
    """The keys and groups of all images, and of each fold the rows that it trains on, tests on and validates on."""
    found = {"keys": plan.data.keys, "groups": plan.data.groups}
    for number, fold in enumerate(plan.folds):
        found |= {f"{number}/train": fold.train, f"{number}/test": fold.test}
        for place, inner in enumerate(fold.inner):
            found |= {
                f"{number}/inner/{place}/train": inner.train,
                f"{number}/inner/{place}/validation": inner.validation,
            }
    return found


def _rank_arrays(plan: Plan, outcome: Outcome) -> dict[str, Any]:
    """`t2i/en/better` and the like: a row a query, with its fold, the row of its caption or image, and its image's."""
    found: dict[str, list[np.ndarray]] = {}
    starts = np.cumsum([0, *(len(plan.data.text[language]) for language in plan.data.languages)])
    for number, ranks in enumerate(outcome.ranks):
        if ranks is None:
            continue
        part = plan.part(number, "test")
        for place, language in enumerate(plan.data.languages):
            owner = part.images[np.maximum(part.image_of[place], 0)]
            queries = {"t2i": (part.captions[place] - starts[place], owner), "i2t": (part.images, part.images)}
            for direction, one in zip(DIRECTIONS, ranks[place], strict=True):
                rows, images = queries[direction]
                one = Ranks(*(leaf[: len(rows)] for leaf in one))  # the rest is padding
                columns = {"fold": np.full(len(rows), number), "row": rows, "image": images}
                columns = {key: values.astype(np.int32) for key, values in columns.items()} | one._asdict()
                for key, values in columns.items():
                    found.setdefault(f"{direction}/{language}/{key}", []).append(values[one.tied > 0])
    return {key: np.concatenate(values) for key, values in found.items()}
