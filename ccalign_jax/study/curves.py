"""Curves of overfitting: retrieval along the penalty of a map towards identity, and by number of training images."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

import numpy as np

from ccalign_jax.data.frames import Backend
from ccalign_jax.measurement.estimates import Entry, Estimates, estimate_means
from ccalign_jax.measurement.inference import Arm, Inference, adjust
from ccalign_jax.measurement.measure import IDENTITY, Place, is_macro
from ccalign_jax.measurement.metric_replicates import describe_statistics
from ccalign_jax.measurement.records import wide_rows
from ccalign_jax.measurement.replicates import Replicates, draw_replicates
from ccalign_jax.reporting import (
    CURVES,
    draw,
    make_plots,
    make_tables,
    render_curves,
    write_figures,
    write_tables,
)
from ccalign_jax.runs.kinds import CURVES_FOLDER
from ccalign_jax.runs.output import write_csv, write_json
from ccalign_jax.runs.store import Store
from ccalign_jax.study.curve_runs import measure_path
from ccalign_jax.study.frames import rows_frame
from ccalign_jax.study.outcomes import arm_of, select
from ccalign_jax.study.plan import Plan
from ccalign_jax.study.run import Progress, run_sweep
from ccalign_jax.study.summary import SCHEMA, describe_data

__all__ = ["Curves", "Point", "curve_rows", "learning_curve", "make_curves", "regularisation_path", "write_curves"]

MOVED: Place = ("", None)  # the place of what a map does to the embeddings, which is of no retrieval task


class Point(NamedTuple):
    """One point of a curve.

    Attributes:
        about: what it is a point of: `pairs`, the mean number of images trained on; or `penalty` (None for the
            identity) and `chosen_in`, the number of folds whose inner parts choose it.
        entry: its estimates, macro means.
        moved: of a path, `norm` ‖W − E‖ and, where W is square, `rotation`: the mean angle of the nearest orthogonal
            map in degrees.
    """

    about: dict[str, Any]
    entry: Entry
    moved: Estimates | None = None

    def nest(self) -> dict[str, Any]:
        """As in `curves.json`."""
        moved = {} if self.moved is None else {"rotation": None, **self.moved.nest()[MOVED[0]]}
        return {**self.about, **moved, **self.entry.nest_point()}


class Curves(NamedTuple):
    """What `make_curves` finds.

    Attributes:
        summary: the content of `curves.json`; `docs/results.md` explains it.
        points: all estimates in it, by `path` and `learning`.
    """

    summary: dict[str, Any]
    points: dict[str, list[Point]]

    def frame(self, backend: Backend = "pandas") -> Any:
        """The rows of `curves.csv` as a data frame: one a curve, point and direction."""
        return rows_frame(curve_rows(self.points), ("curve", "direction"), backend)


def make_curves(
    *,
    path: Plan | None = None,
    learning: Sequence[Plan] = (),
    bar: Callable[[str], AbstractContextManager[Progress]] = lambda unit: nullcontext(lambda what, done, total: None),
) -> Curves:
    """Measure a regularisation path, a learning curve, or both.

    Args:
        path: from `plan_path`; None for no path.
        learning: from `plan_learning`, of the same data and seed; empty for no learning curve.
        bar: shows the progress of one curve, whose unit it is given; such as `reporting.progress_bar`.
    """
    several = {"path": [path] if path is not None else [], "learning": learning}
    plans = {name: each[-1] for name, each in several.items() if each}
    plan = next(iter(plans.values()))
    replicates = draw_replicates(plan.data.groups, seed=plan.config.seed)
    found: dict[str, Any] = {
        "schema": SCHEMA,
        "data": describe_data(plan.data),
        "folds": len(plan.folds),
        "inner": plan.inner,
        "statistics": describe_statistics(replicates),
        "config": {name: dataclasses.asdict(one.config) for name, one in plans.items()},
    }
    points = {}
    if path is not None:
        with bar("steps of the path") as progress:
            found["path"], points["path"] = regularisation_path(path, replicates, progress=progress)
    if learning:
        with bar("runs of the learning curve") as progress:
            found["learning"], points["learning"] = learning_curve(learning, replicates, progress=progress)
    notes = dict.fromkeys(plan.data.notes)
    for name, each in several.items():
        notes |= dict.fromkeys(f"{name}: {note}" for one in each for note in one.notes if note not in notes)
    found["notes"] = [*notes, *(f"{name}: {found[name]['about']}" for name in plans)]
    return Curves(found, points)


def write_curves(folder: Store, curves: Curves, figures: Sequence[str] = ("svg",)) -> None:
    """Write page, tables, figures, CSV and `curves.json` into an acquired folder.

    Raises:
        InputError: the disk is full.
    """
    with folder.writing() as path:
        tables, plots = make_tables(CURVES, curves.summary), make_plots(CURVES, curves.summary)
        drawings = draw(plots)
        (path / "report.html").write_text(render_curves(curves.summary, tables, drawings), encoding="utf-8")
        write_tables(path / "tables", tables)
        write_figures(path / "figures", plots, figures, drawings)
        write_csv(path / "curves.csv", curve_rows(curves.points))
        write_json(path / CURVES_FOLDER.marker, curves.summary)


def curve_rows(curves: Mapping[str, Sequence[Point]]) -> Iterator[dict[str, Any]]:
    """A row a curve × point × direction; the penalty of the identity is `inf`."""
    for name, points in curves.items():
        for about, entry, moved in points:
            head = {"curve": name, "penalty": "", "pairs": about.get("pairs", "")}
            if "penalty" in about:
                head["penalty"] = "inf" if about["penalty"] is None else f"{about['penalty']:g}"
            [(_, map_cells)] = [("", {})] if moved is None else wide_rows({"": moved})
            parts = {"test_": entry.metrics, "train_": entry.train, "delta_": entry.delta, "gap_": entry.gap}
            for (task, _), cells in wide_rows(parts):
                yield {**head, "direction": task, "chosen_in": about.get("chosen_in", ""), **map_cells, **cells}


def regularisation_path(
    plan: Plan, replicates: Replicates, *, progress: Progress = lambda what, done, total: None
) -> tuple[dict[str, Any], list[Point]]:
    """The points of `plan_path`, and their content of `curves.json`: from the identity to no constraint.

    Changes are adjusted over the points but the identity.
    """
    path, folds = measure_path(plan, progress), len(plan.folds)
    base = arm_of([path.outcomes[0]] * folds, train=False)
    inference = Inference(base, replicates, test_share=plan.test_share)
    picked = arm_of([path.outcomes[point] for point in path.chosen])
    arms = [*(arm_of([one] * folds) for one in path.outcomes), picked]
    *entries, chosen = (inference.entry(arm).only(is_macro) for arm in arms)
    for together in (entries[:1], entries[1:], [chosen]):
        adjust(together)
    points = []
    for number, (penalty, entry, moved) in enumerate(zip(path.penalties, entries, path.moved, strict=True)):
        names = ("norm",) if np.isnan(moved).any() else ("norm", "rotation")
        each = [{MOVED: dict(zip(names, map(float, values), strict=False))} for values in moved]
        about = {"penalty": penalty, "chosen_in": path.chosen.count(number)}
        points.append(Point(about, entry, estimate_means(each)))
    trial = plan.trials[0]
    head = {"aligner": trial.aligner, "pivot": trial.pivot, "about": path.about}
    earned = {"points": path.chosen, **chosen.nest_point()}
    return {**head, "points": [point.nest() for point in points], "chosen": earned}, points


def learning_curve(
    plans: Sequence[Plan], replicates: Replicates, *, progress: Progress = lambda what, done, total: None
) -> tuple[dict[str, Any], list[Point]]:
    """The points of `plan_learning`, and their content of `curves.json`: what the inner parts of each fold choose.

    Changes are adjusted over the points.
    """
    about, entries, identities = [], [], []
    for number, plan in enumerate(plans):
        pairs = round(np.mean([len(fold.train) for fold in plan.folds]))

        def tell(what: str, done: int, total: int, *, number: int = number, pairs: int = pairs) -> None:
            progress(f"{pairs} images: {what}", number * total + done, len(plans) * total)

        found = run_sweep(plan, progress=tell)
        inference = Inference(Arm((IDENTITY,), found.identity.test), replicates, test_share=plan.test_share)
        entries.append(inference.entry(arm_of(select(found.outcomes, per_fold=True))).only(is_macro))
        identities.append(inference.levels().only(is_macro).nest())
        about.append({"pairs": pairs})
    adjust(entries)
    points = [Point(*each) for each in zip(about, entries, strict=True)]
    nested = [{**one.nest(), IDENTITY: levels} for one, levels in zip(points, identities, strict=True)]
    trial = plans[0].trials[0]
    head = {"family": f"{trial.pivot}/{trial.aligner}/{trial.loss}", "about": _about(plans)}
    return {**head, "points": nested, IDENTITY: identities[-1]}, points


def _about(plans: Sequence[Plan]) -> str:
    about = "images are left out of training and validation parts alike; test parts stay"
    few = [plan for plan in plans if any(len(fold.train_eval) < len(fold.test) for fold in plan.folds)]
    if not few:
        return about
    images = max(len(fold.train) for plan in few for fold in plan.folds)
    return f"{about}; with up to {images} the training sample is smaller than the test part, so the gap is wider"
