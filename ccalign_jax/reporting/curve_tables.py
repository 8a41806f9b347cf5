"""The tables of the curves: every point of a path of penalties, and of a learning curve."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ccalign_jax.reporting.evidence import CHANGE, VERDICT_NOTE, verdict_cell
from ccalign_jax.reporting.names import LOSSES, aligner_name, pivot_name
from ccalign_jax.reporting.tables import Table
from ccalign_jax.reporting.wording import DIRECTIONS, NOTHING, both_figure, changed, find, has_interval, level, signed

__all__ = ["curves_tables", "penalty_of"]

Curves = Mapping[str, Any]


def curves_tables(curves: Curves) -> dict[str, Table]:
    """`path` and `learning`, each where the curves have it.

    Args:
        curves: as `path_plot` and `learning_plot` take them.
    """
    build = {"path": _path_table, "learning": _learning_table}
    return {name: build[name](curves) for name in build if name in curves}


def _path_table(curves: Curves) -> Table:
    path = curves["path"]
    points = sorted(path["points"], key=lambda point: -penalty_of(point))
    folds = sum(point.get("chosen_in") or 0 for point in points)
    rows = []
    for point in points:
        times = f"{point['chosen_in']} of {folds}" if point.get("chosen_in") else ""
        moved = (level(point.get("norm"), 2), level(point.get("rotation"), 1))
        rows.append((_penalty_words(point), *_path_cells(point, changes=penalty_of(point) < math.inf), *moved, times))
    rules = []
    if "chosen" in path:
        rules.append(len(rows))
        rows.append(("chosen", *_path_cells(path["chosen"]), "", "", ""))
    name = f"{aligner_name(path['aligner'])}, {pivot_name(path['pivot'])}"
    columns = [head for way in DIRECTIONS for head in (f"{way} R@1\nholdout", CHANGE)]
    columns += [f"{way} R@1\ntrain" for way in DIRECTIONS]
    return Table(
        title=f"{_name(curves)}: {name}, by penalty towards identity",
        columns=("penalty", "verdict", f"mean of both\n{CHANGE}", *columns, "‖W − E‖", "rotation,\ndegrees", "chosen"),
        rows=tuple(rows),
        alignment="rl" + "r" * (len(columns) + 4),
        notes=(
            "penalty: at ∞ the map is identity, at 0 nothing holds it back. change: on the holdout, against identity. "
            "rotation: mean angle of the nearest orthogonal map.",
            "chosen: in how many folds the inner parts chose this point; the row of that name is what these choices "
            "earn. To pick the best row instead would be to choose on the images that are reported.",
            *_notes(rows, "penalties"),
        ),
        rules=tuple(rules),
    ).filled()


def _path_cells(point: Mapping[str, Any], *, changes: bool = True) -> list[str]:
    """Verdict, change of both directions, each on the holdout, each on training images; identity has no changes."""
    cells = [verdict_cell(point), _change(point, "both")] if changes else ["", ""]
    for way in DIRECTIONS:
        cells += [level(find(point, "holdout", way, "R@1")), _change(point, way) if changes else ""]
    return [*cells, *(level(find(point, "train", way, "R@1")) for way in DIRECTIONS)]


def _learning_table(curves: Curves) -> Table:
    learning = curves["learning"]
    rows = []
    for point in sorted(learning["points"], key=lambda point: point["pairs"]):
        cells = [str(point["pairs"]), verdict_cell(point), _change(point, "both")]
        for way in DIRECTIONS:
            train, holdout = (find(point, part, way, "R@1") for part in ("train", "holdout"))
            known = find(point, "gap", way, "R@1")
            gap = changed(known) if has_interval(known) else signed(train["mean"] - holdout["mean"])
            cells += [level(find(point, "identity", way, "R@1")), level(holdout), _change(point, way), gap]
        rows.append(tuple(cells))
    columns = [
        name for way in DIRECTIONS for name in (f"{way} R@1\nidentity", f"{way} R@1\nholdout", CHANGE, f"gap\n{way}")
    ]
    return Table(
        title=f"{_name(curves)}: {_family_words(learning['family'])}, by number of training images",
        columns=("training\nimages", "verdict", f"mean of both\n{CHANGE}", *columns),
        rows=tuple(rows),
        alignment="rl" + "r" * (len(columns) + 1),
        notes=(
            "change: on the same holdout for every row, against identity. gap: R@1 on training images minus R@1 on the "
            "holdout.",
            *_notes(rows, "rows"),
        ),
    ).filled()


def _notes(rows: list[tuple[str, ...]], number: str) -> tuple[str, ...]:
    if not any(row[1] for row in rows):
        return ()
    return (f"[ ]: 95 % interval. p: paired sign flips, adjusted (Holm) for the number of {number}.", VERDICT_NOTE)


def _change(point: Mapping[str, Any], way: str) -> str:
    delta = point.get("delta")
    if not delta:
        return ""
    return changed(both_figure(delta) if way == "both" else find(delta, way, "R@1"))


def penalty_of(point: Mapping[str, Any]) -> float:
    """The penalty of a point of a path; that of identity is infinite, which JSON has as null."""
    return math.inf if point["penalty"] is None else float(point["penalty"])


def _penalty_words(point: Mapping[str, Any]) -> str:
    penalty = penalty_of(point)
    return "∞" if math.isinf(penalty) else f"{penalty:.3g}"


def _family_words(key: str) -> str:
    """What a reader calls `pivot/aligner/loss`; any other name is kept."""
    parts = key.split("/")
    if len(parts) != 3:
        return key
    pivot, aligner, loss = parts
    return ", ".join((aligner_name(aligner), pivot_name(pivot), LOSSES.get(loss, loss)))


def _name(curves: Curves) -> str:
    return find(curves, "data", "name") or NOTHING
