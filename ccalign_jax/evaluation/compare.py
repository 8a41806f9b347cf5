"""Two finished runs on the same data against each other: paired, image by image, on their test parts."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ccalign_jax.data.frames import Backend
from ccalign_jax.errors import InputError
from ccalign_jax.measurement.estimates import Entry
from ccalign_jax.measurement.inference import Arm, Inference, adjust
from ccalign_jax.measurement.measure import IDENTITY
from ccalign_jax.measurement.metric_replicates import describe_statistics
from ccalign_jax.measurement.records import MACRO, ArmEntry, metric_rows
from ccalign_jax.measurement.replicates import draw_replicates
from ccalign_jax.reporting import (
    COMPARISON,
    comparison_html,
    comparison_table,
    comparison_text,
    figure_of,
    write_tables,
)
from ccalign_jax.runs.kinds import COMPARISON_FOLDER
from ccalign_jax.runs.load import SELECTED, FinishedRun, read_run
from ccalign_jax.runs.output import write_csv, write_json
from ccalign_jax.runs.store import Store
from ccalign_jax.study.frames import records_frame
from ccalign_jax.study.summary import SCHEMA

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Comparison", "compare", "comparison_rows", "write_comparison"]

# Choices on which it depends what data a sweep has, and which test images its folds have.
OF_DATA = ("languages", "limit", "duplicate_cosine")
OF_FOLDS = ("folds", "split", "repeats", "seed")


class Comparison(NamedTuple):
    """What `compare` finds.

    Attributes:
        summary: the content of `comparison.json`: `a` and `b`, each `{"run", "name", "per_fold"}`, `a_metrics`,
            `b_metrics`, and `delta`, b minus a; `docs/results.md` explains it.
        arms: all estimates in it, those of a and those of b.
    """

    summary: dict[str, Any]
    arms: list[ArmEntry]

    def frame(self, backend: Backend = "pandas") -> Any:
        """All estimates as a data frame, whose arms are a and b; see `study.frames.records_frame`."""
        return records_frame(self.arms, backend)

    def plot(self, name: str = "changes") -> Figure:
        """A Matplotlib figure of what b changes against a.

        Args:
            name: `changes` (of each metric) or `languages`.

        Raises:
            ValueError: no such figure, or there is one language.
        """
        return figure_of(COMPARISON, name, self.summary)

    def __repr__(self) -> str:
        return comparison_text(self.summary)

    def _repr_html_(self) -> str:
        return comparison_html(self.summary)


def compare(
    run_a: str | os.PathLike[str],
    run_b: str | os.PathLike[str],
    *,
    trial_a: str = SELECTED,
    trial_b: str = SELECTED,
    seed: int = 0,
) -> Comparison:
    """What the map of one run does better or worse than that of another, on the same queries and galleries.

    Intervals and tests are those of a sweep: the images are resampled, or the signs of their differences flipped, with
    all their captions. The test over folds corrects both for the smaller training parts.

    Args:
        run_a, run_b: folders of finished sweeps; the same one twice compares two of its trials.
        trial_a, trial_b: "selected", what each fold chose; the name of a trial; or "identity".
        seed: of the replicates; with a sweep's own seed its intervals and p-values come out again.

    Raises:
        InputError: a folder is not a finished sweep's, a trial is unknown, or data, protocol or test images differ.
    """
    a, b = read_run(run_a), read_run(run_b)
    _check_comparable(a, b)
    replicates = draw_replicates(a.plan["groups"], seed=seed)
    base = Arm(("a",), a.measured_folds(trial_a))
    inference = Inference(base, replicates, test_share=max(a.test_share, b.test_share))
    levels, entry = inference.levels(), inference.entry(Arm(("b",), b.measured_folds(trial_b)))
    adjust([entry], optimistic=a.config.protocol == "seed")
    nested = entry.nest()
    summary = {
        "schema": SCHEMA,
        "a": {"run": str(a.path), "name": trial_a, "per_fold": a.per_fold(trial_a)},
        "b": {"run": str(b.path), "name": trial_b, "per_fold": b.per_fold(trial_b)},
        "data": a.summary["data"],
        "protocol": a.config.protocol,
        "folds": a.summary["folds"],
        "repeats": a.config.repeats,
        "seed": seed,
        "notes": list(_notes(a, b, trial_a, trial_b)),
        "statistics": describe_statistics(replicates),
        "a_metrics": levels.nest(),
        "b_metrics": nested["metrics"],
        "delta": nested["delta"],
        "verdict": nested["verdict"],
    }
    return Comparison(summary, [ArmEntry("baseline", "a", Entry(levels)), ArmEntry("map", "b", entry, "a")])


def comparison_rows(arms: Sequence[ArmEntry]) -> Iterator[dict[str, Any]]:
    """The rows of `comparison.csv`: one a direction × language (and `macro`) × metric, with both levels and change."""
    a, b = (arm.entry for arm in arms)
    for (task, group), metric, cells in metric_rows({"a": a.metrics, "b": b.metrics, "delta": b.delta}):
        yield {"direction": task, "language": group or MACRO, "metric": metric, **cells}


def write_comparison(folder: Store, found: Comparison) -> None:
    """Write CSV, tables and `comparison.json` into an acquired folder; without a path nothing.

    Raises:
        InputError: the disk is full.
    """
    if folder.path is None:
        return
    table = comparison_table(found.summary)
    with folder.writing() as path:
        write_tables(path, {"comparison": table})
        write_csv(path / "comparison.csv", comparison_rows(found.arms))  # in place of the table's, with every estimate
        write_json(path / COMPARISON_FOLDER.marker, found.summary)


def _check_comparable(a: FinishedRun, b: FinishedRun) -> None:
    """Check that both runs test on the same images of the same data, under the same protocol."""
    one, other = a.summary["data"], b.summary["data"]
    mine, theirs = b.config, a.config
    again = "sweep one of them again as the other was"
    if mine.protocol != theirs.protocol:
        raise InputError(
            f"{b.path}: the protocol is {mine.protocol}, that of {a.path} is {theirs.protocol}, and seed chooses on "
            f"its test images; {again}"
        )
    if one["sha256"] != other["sha256"]:
        if one["name"] != other["name"]:
            raise InputError(f"{b.path}: its data are {other['name']}, those of {a.path} {one['name']}; {again}")
        differences = _differences(a, b, [*OF_DATA, "seed"] if mine.limit is not None else OF_DATA)
        why = differences or f"both are of {one['name']}, which has changed in between"
        raise InputError(f"{b.path}: its data are not those of {a.path}: {why}; {again}")
    if mine.heldout_language != theirs.heldout_language:
        differences = _differences(a, b, ["heldout_language"])
        raise InputError(f"{b.path}: tests on other languages than {a.path}: {differences}; {again}")
    tested = a.rows("test"), b.rows("test")
    alike = [np.array_equal(*rows) for rows in zip(*tested, strict=False)]
    if len(tested[0]) != len(tested[1]) or not all(alike):
        what = f"fold {alike.index(False)} has other test images" if not all(alike) else "it has more or fewer folds"
        differences = _differences(a, b, OF_FOLDS) or "their folds were made differently"
        raise InputError(f"{b.path}: {what} than {a.path}: {differences}; {again}")


def _differences(a: FinishedRun, b: FinishedRun, choices: Iterable[str]) -> str:
    """Which of these choices of run b are not those of run a."""
    values = {key: (getattr(b.config, key), getattr(a.config, key)) for key in choices}
    return ", ".join(f"--{key} is {mine}, there {theirs}" for key, (mine, theirs) in values.items() if mine != theirs)


def _notes(a: FinishedRun, b: FinishedRun, trial_a: str, trial_b: str) -> Iterator[str]:
    """What else differs, or weakens what is found: sentences."""
    sizes = [np.mean([len(rows) for rows in run.rows("train")]) for run in (a, b)]
    if sizes[0] != sizes[1]:
        yield f"part of the change: a fold of a trains on {sizes[0]:.0f} images, one of b on {sizes[1]:.0f}"
    elif not all(map(np.array_equal, a.rows("train"), b.rows("train"))):
        yield "part of the change: a and b train on other images"
    inner = [{key: rows.tobytes() for key, rows in run.plan.items() if "/inner/" in key} for run in (a, b)]
    if inner[0] != inner[1]:
        one, other = (run.summary["inner"] for run in (a, b))
        words = f"a by {one}, b by {other}" if one != other else f"both by {one}, but not the same"
        yield f"part of the change: epochs and trials are chosen differently, {words}"
    if a.config.protocol == "seed":
        yield "both are optimistic: under protocol seed a fold chooses on its test images"
    for side, run, trial in (("a", a, trial_a), ("b", b, trial_b)):
        count = len(run.summary["trials"])
        if trial not in (SELECTED, IDENTITY) and count > 1:
            yield f"{side} is one of {count} trials: if it was named for its results here, p takes no account of that"
