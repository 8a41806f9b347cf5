"""Both curves of overfitting in one dict, and the folder that keeps them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from ccalign_jax.measurement.inference import describe_statistics
from ccalign_jax.measurement.replicates import draw_replicates
from ccalign_jax.reporting import CURVES, make_plots, make_tables
from ccalign_jax.study.files import figure_cells, write_csv, write_json, write_plots, write_tables
from ccalign_jax.study.learning import learning_curve
from ccalign_jax.study.manifest import CURVES_FOLDER
from ccalign_jax.study.plan import Plan
from ccalign_jax.study.regularisation import regularisation_path
from ccalign_jax.study.run import Progress
from ccalign_jax.study.store import Store
from ccalign_jax.study.summary import SCHEMA, describe_data

__all__ = ["curve_rows", "make_curves", "write_curves"]


@contextmanager
def _quiet(unit: str) -> Iterator[Progress]:
    yield lambda what, done, total: None


def make_curves(
    *,
    path: Plan | None = None,
    learning: Sequence[Plan] = (),
    bar: Callable[[str], AbstractContextManager[Progress]] = _quiet,
) -> dict[str, Any]:
    """The content of `curves.json`.

    Args:
        path: from `plan_path`; None for no path.
        learning: from `plan_learning`, of the same data and seed; empty for no learning curve.
        bar: shows the progress of one curve, whose unit it is given; such as `reporting.progress_bar`.

    Returns:
        `data`, `folds`, `inner` and `statistics` as in the summary of a sweep, `config` of each curve, `path` (see
        `regularisation_path`), `learning` (see `learning_curve`) and `notes`.
    """
    plans = {name: plan for name, plan in (("path", path), ("learning", learning[-1] if learning else None)) if plan}
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
    if path is not None:
        with bar("steps of the path") as progress:
            found["path"] = regularisation_path(path, replicates, progress=progress)
    if learning:
        with bar("runs of the learning curve") as progress:
            found["learning"] = learning_curve(learning, replicates, progress=progress)
    notes = dict.fromkeys(plan.data.notes)
    for name, several in (("path", [path] if path else []), ("learning", learning)):
        notes |= dict.fromkeys(f"{name}: {note}" for one in several for note in one.notes if note not in notes)
    return {**found, "notes": [*notes, *(f"{name}: {found[name]['about']}" for name in plans)]}


def write_curves(folder: Store, curves: Mapping[str, Any]) -> None:
    """Write tables, plots, CSV and `curves.json`.

    Args:
        folder: of curves, acquired.
        curves: from `make_curves`.

    Raises:
        InputError: the disk is full.
    """
    with folder.writing() as path:
        write_tables(path / "tables", make_tables(CURVES, curves))
        write_plots(path / "plots", make_plots(CURVES, curves))
        write_csv(path / "curves.csv", curve_rows(curves))
        write_json(path / CURVES_FOLDER.marker, curves)


def curve_rows(curves: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """A row a curve × point × direction; the penalty of the identity is `inf`."""
    for name in ("path", "learning"):
        for point in curves.get(name, {}).get("points", ()):
            head = {"curve": name, "penalty": "", "pairs": point.get("pairs", "")}
            if "penalty" in point:
                head["penalty"] = "inf" if point["penalty"] is None else f"{point['penalty']:g}"
            moved = {key: point[key] for key in ("norm", "rotation") if point.get(key)}
            for task in point["test"]:
                cells = figure_cells(moved)
                for part in ("test", "train", "delta", "gap"):
                    cells |= figure_cells(point[part][task], f"{part}_")
                yield {**head, "direction": task, "chosen_in": point.get("chosen_in", ""), **cells}
