"""Curves of overfitting, as tables and plots: along the penalty towards identity, and along the training images."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ccalign_jax._names import DIRECTIONS
from ccalign_jax.reporting.format import CHANGE, Estimate, changed, find
from ccalign_jax.reporting.names import DIRECTION_WORDS, aligner_name, key_words, pivot_name
from ccalign_jax.reporting.plots import COLOURS, GREY, INK, bars, face_colour, legend_below, make_subplots, styled
from ccalign_jax.reporting.table import Column, Table, fill_table
from ccalign_jax.reporting.verdicts import VERDICT_NOTE, verdict_cell

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Curves = Mapping[str, Any]  # the content of a curves.json
Point = Mapping[str, Any]

MAX_TICKS = 7
MIN_STEP = 1.0  # decades between the ends of a path and the rest


def path_table(curves: Curves) -> Table | None:
    """Every point of a path of penalties: changes, R@1 on test and training images, norm and rotation of the map."""
    if "path" not in curves:
        return None
    path, points = curves["path"], _path_points(curves)
    folds = sum(point.get("chosen_in") or 0 for point in points)
    rows = [(f"{penalty_of(point):.3g}".replace("inf", "∞"), dict(point)) for point in points]
    for name, point in rows:
        if name == "∞":  # identity has no change
            point.pop("delta", None)
            point.pop("verdict", None)
    return fill_table(
        f"{curves['data']['name']}: {aligner_name(path['aligner'])}, {pivot_name(path['pivot'])}, "
        "by penalty towards identity",
        [
            Column.names("penalty", "r"),
            *Column.both(CHANGE),
            *Column.directions("{task} R@1\ntest", CHANGE, key="test"),
            *(Column.estimate(f"{task} R@1\ntrain", "train", task, "R@1") for task in DIRECTIONS),
            Column.estimate("‖W − E‖", "norm", places=2),
            Column.estimate("rotation,\ndegrees", "rotation", places=1),
            Column("chosen", lambda name, point: f"{point['chosen_in']} of {folds}" if point.get("chosen_in") else ""),
        ],
        [("", rows), ("", [("chosen", path["chosen"])] if "chosen" in path else [])],
        notes=(
            "penalty: at ∞ the map is identity, at 0 nothing holds it back. change: on the test part, against "
            "identity. rotation: mean angle of the nearest orthogonal map.",
            "chosen: in how many folds the inner parts chose this point; the row of that name is what these choices "
            "earn. To pick the best row instead would be to choose on the images that are reported.",
            *_notes(points, "penalties"),
        ),
    )


def learning_table(curves: Curves) -> Table | None:
    """Every point of a learning curve: R@1 under identity and on the test part, changes and gaps."""
    if "learning" not in curves:
        return None
    points = _learning_points(curves)
    columns = []
    for task in DIRECTIONS:
        columns += [
            Column.estimate(f"{task} R@1\nidentity", "identity", task, "R@1"),
            Column.estimate(f"{task} R@1\ntest", "test", task, "R@1"),
            Column.estimate(CHANGE, "delta", task, "R@1"),
            Column(f"gap\n{task}", lambda name, point, task=task: changed(_gap(point, task))),
        ]
    return fill_table(
        f"{curves['data']['name']}: {key_words(curves['learning']['family'])}, by number of training images",
        [Column.names("training\nimages", "r"), *Column.both(CHANGE), *columns],
        [("", [(str(point["pairs"]), point) for point in points])],
        notes=(
            "change: on the same test part for every row, against identity. gap: R@1 on training images minus R@1 on "
            "the test part.",
            *_notes(points, "rows"),
        ),
    )


def _notes(points: Sequence[Point], number: str) -> Iterator[str]:
    if any(verdict_cell(point) for point in points):
        yield f"[ ]: 95 % interval. p: paired sign flips, adjusted (Holm) for the number of {number}."
        yield VERDICT_NOTE


def _gap(point: Point, task: str) -> Estimate:
    """R@1 on training images minus R@1 on the test part."""
    known: Estimate | None = find(point, "gap", task, "R@1")
    train, test = (point[part][task]["R@1"]["mean"] for part in ("train", "test"))
    return known or {"mean": train - test}


@styled
def path_plot(curves: Curves) -> Figure | None:
    """R@1 on training and test images from identity to no penalty at all; below it, how far the map moves and turns."""
    if "path" not in curves:
        return None
    points = _path_points(curves)
    places = path_places(points)
    placed = [(place, point, point.get("chosen_in")) for place, point in zip(places, points, strict=True)]
    chosen = [(place, point, times) for place, point, times in placed if times]
    folds = sum(times for *_, times in chosen)
    figure, subplots = make_subplots("path of penalties", 2, height=6.0, rows=2, sharex=True, height_ratios=(2.2, 1))
    for axes, task in zip(subplots, DIRECTIONS, strict=False):
        for part, dashes in (("test", "-"), ("train", "--")):
            draw_curve(axes, places, [find(point, part, task, "R@1") for point in points], COLOURS[task], dashes)
        if math.isinf(penalty_of(points[0])):
            axes.axhline(points[0]["test"][task]["R@1"]["mean"], color=INK, linewidth=1, linestyle=":", zorder=1)
        for number, (place, point, times) in enumerate(chosen):
            at = (place, point["test"][task]["R@1"]["mean"])
            axes.plot(*at, "D", color=COLOURS[task], markersize=7, zorder=5)
            beside = (0, 12 if number % 2 else -12)  # neighbours apart
            axes.annotate(f"{times}×", at, beside, textcoords="offset points", ha="center", va="center", fontsize=9)
        axes.set(title=DIRECTION_WORDS[task])
    top = max(axes.get_ylim()[1] for axes in subplots[:2])
    for axes in subplots[:2]:
        axes.set_ylim(0, top)
    subplots[0].set_ylabel("R@1")
    for axes, key, words in zip(subplots[2:], ("norm", "rotation"), ("‖W − E‖", "rotation, degrees"), strict=True):
        if not any(point.get(key) for point in points):  # a map that is not square has no angle
            axes.set_axis_off()
            continue
        draw_curve(axes, places, [point.get(key) for point in points], GREY, "-")
        axes.set(ylabel=words, ylim=(0, None), xlabel="penalty λ towards identity")
    for axes in subplots:
        for place, _, times in chosen:
            axes.axvline(place, color=GREY, linewidth=1 + 5 * times / folds, alpha=0.25, zorder=0)
        axes.grid(axis="y")
    _penalty_ticks(subplots[2], dict(zip(map(penalty_of, points), places, strict=True)))
    path_legend(figure, chosen=bool(chosen))
    return figure


@styled
def learning_plot(curves: Curves) -> Figure | None:
    """Change on the test part by number of training images, and the gap of training and test images."""
    if "learning" not in curves:
        return None
    points = _learning_points(curves)
    sizes = [point["pairs"] for point in points]
    figure, (change, gap) = make_subplots("by number of training images", 2, height=3.8, sharex=True)
    for axes in (change, gap):
        axes.axhline(0, color=INK, linewidth=1, zorder=1)
        axes.spines["bottom"].set_visible(False)
    for task in DIRECTIONS:
        deltas = [find(point, "delta", task, "R@1") for point in points]
        draw_curve(change, sizes, deltas, COLOURS[task], "-", label=DIRECTION_WORDS[task])
        draw_curve(gap, sizes, [_gap(point, task) for point in points], COLOURS[task], "-")
    for axes in (change, gap):
        axes.set_xscale("log")
        axes.set_xticks(_apart(sizes), [f"{size:,}" for size in _apart(sizes)])
        axes.set_xticks([], minor=True)
        axes.set_xlabel("training images")
        axes.grid(axis="y")
    change.set(title="change of R@1 on the test part", ylabel="against identity")
    gap.set(title="gap", ylabel="R@1, train minus test")
    legend_below(figure)
    return figure


def penalty_of(point: Point) -> float:
    """The penalty of a point of a path; that of identity is infinite, which JSON has as null."""
    return math.inf if point["penalty"] is None else float(point["penalty"])


def path_places(points: Sequence[Point]) -> list[float]:
    """Places of the points of a path on the axis: −log10 λ, with identity and no penalty a step beyond the others.

    Example:
        >>> path_places([{"penalty": None}, {"penalty": 100.0}, {"penalty": 1.0}, {"penalty": 0.0}])
        [-4.0, -2.0, -0.0, 2.0]
    """
    penalties = [penalty_of(point) for point in points]
    logs = sorted({-math.log10(one) for one in penalties if 0 < one < math.inf}) or [0.0]
    step = max((logs[-1] - logs[0]) / max(len(logs) - 1, 1), MIN_STEP)
    ends = {math.inf: logs[0] - step, 0.0: logs[-1] + step}
    return [ends[one] if one in ends else -math.log10(one) for one in penalties]


def _path_points(curves: Curves) -> list[Point]:
    return sorted(curves["path"]["points"], key=lambda point: -penalty_of(point))


def _learning_points(curves: Curves) -> list[Point]:
    return sorted(curves["learning"]["points"], key=lambda point: point["pairs"])


def draw_curve(
    axes: Axes, places: Sequence[float], values: Sequence[Any], colour: str, dashes: str, *, label: str | None = None
) -> None:
    """A line with a dot a point and a band for the 95 % intervals; a dot without evidence is a ring."""
    there = [(place, one) for place, one in zip(places, values, strict=True) if one is not None]
    if not there:
        return
    xs, known = zip(*there, strict=True)
    low, high = [one["mean"] - bars(one)[0] for one in known], [one["mean"] + bars(one)[1] for one in known]
    axes.plot(xs, [one["mean"] for one in known], dashes, color=colour, linewidth=1.8, label=label, zorder=3)
    axes.fill_between(xs, low, high, color=colour, alpha=0.18, linewidth=0, zorder=2)
    for place, one in there:
        axes.plot(place, one["mean"], "o", color=colour, markersize=4, mfc=face_colour(one, colour), zorder=4)


def _penalty_ticks(axes: Axes, named: Mapping[float, float]) -> None:
    """Powers of ten, and identity and no penalty at the ends, on an axis that runs from strict to free."""
    inside = [place for penalty, place in named.items() if 0 < penalty < math.inf]
    ticks = {}
    if inside:
        low, high = math.ceil(min(inside) - 1e-9), math.floor(max(inside) + 1e-9)
        step = max(1, -(-(high - low) // (MAX_TICKS - 2)))
        superscript = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
        ticks = {float(power): "10" + str(-power).translate(superscript) for power in range(low, high + 1, step)}
    ticks |= {named[end]: words for end, words in ((math.inf, "∞\nidentity"), (0.0, "0\nfree")) if end in named}
    axes.set_xticks(list(ticks), list(ticks.values()))


def path_legend(figure: Figure, *, chosen: bool) -> None:
    """The legend of R@1 along a regulariser, below the subplots, with the mark of a selected point if there is one."""
    from matplotlib.lines import Line2D

    lines: dict[Any, str] = {"-": "test images", "--": "training images", ":": "identity on test images"}
    handles = [Line2D([], [], color=GREY, label=name, linestyle=dashes) for dashes, name in lines.items()]
    label = "selected, in so many folds"
    diamond = Line2D([], [], color=GREY, marker="D", linestyle="none", markersize=7, label=label)
    legend_below(figure, [*handles, *[diamond] * chosen])


def _apart(sizes: Sequence[int]) -> list[int]:
    """Those of ascending sizes that have room for a label each on a logarithmic axis, the largest among them."""
    kept = [sizes[-1]]
    for size in sizes[::-1]:
        if math.log(kept[-1] / size) >= math.log(sizes[-1] / sizes[0]) / MAX_TICKS > 0:
            kept.append(size)
    return kept[::-1]
