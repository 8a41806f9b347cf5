"""Two curves as plots: what a penalty towards identity buys and costs, and what more images buy."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ccalign_jax.reporting.curve_tables import penalty_of
from ccalign_jax.reporting.evidence import NO_EVIDENCE, verdict
from ccalign_jax.reporting.panels import BLUE, GREY, INK, ORANGE, bars, make_panels, styled
from ccalign_jax.reporting.wording import DIRECTION_WORDS, DIRECTIONS, find

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["learning_plot", "path_places", "path_plot"]

Curves = Mapping[str, Any]
Point = Mapping[str, Any]

COLOURS = {"t2i": BLUE, "i2t": ORANGE}
MAX_TICKS = 7
MIN_STEP = 1.0  # decades between the ends of a path and the rest


def path_places(points: Sequence[Point]) -> list[float]:
    """Where the points of a path stand: −log10 λ, with identity and no penalty a step beyond the others.

    Args:
        points: of a path; the `penalty` of identity is infinite, which JSON may have as null.

    Example:
        >>> path_places([{"penalty": None}, {"penalty": 100.0}, {"penalty": 1.0}, {"penalty": 0.0}])
        [-4.0, -2.0, -0.0, 2.0]
    """
    penalties = [penalty_of(point) for point in points]
    logs = sorted({-math.log10(one) for one in penalties if 0 < one < math.inf})
    low, high = (logs[0], logs[-1]) if logs else (0.0, 0.0)
    step = max((high - low) / (len(logs) - 1) if len(logs) > 1 else 1.0, MIN_STEP)
    ends = {math.inf: low - step, 0.0: high + step}
    return [ends[one] if one in ends else -math.log10(one) for one in penalties]


@styled
def path_plot(curves: Curves) -> Figure:
    """R@1 on training and holdout images from identity to no penalty at all; below it, how far the map moves and turns.

    Args:
        curves: with `path`, whose points have `penalty`, `norm`, `rotation`, `train`, `holdout` and `chosen_in`.
    """
    points = sorted(curves["path"]["points"], key=lambda point: -penalty_of(point))
    places = path_places(points)
    figure, panels = make_panels(
        *("from identity to an unconstrained map", 2), height=6.0, rows=2, sharex=True, height_ratios=(2.2, 1)
    )
    identity = points[0] if math.isinf(penalty_of(points[0])) else None
    folds = sum(point.get("chosen_in") or 0 for point in points)
    for axes, way in zip(panels, DIRECTIONS, strict=False):
        for part, dashes in (("holdout", "-"), ("train", "--")):
            figures = [find(point, part, way, "R@1") for point in points]
            _draw_curve(axes, places, figures, COLOURS[way], dashes, label=part)
        if identity is not None:
            axes.axhline(identity["holdout"][way]["R@1"]["mean"], color=INK, linewidth=1, linestyle=":", zorder=1)
        _mark_chosen(axes, places, points, way, COLOURS[way])
        axes.set(title=DIRECTION_WORDS[way])
    top = max(axes.get_ylim()[1] for axes in panels[:2])
    for axes in panels[:2]:
        axes.set_ylim(0, top)
    panels[0].set_ylabel("R@1")
    for axes, key, words in zip(panels[2:], ("norm", "rotation"), ("‖W − E‖", "rotation, degrees"), strict=True):
        _draw_curve(axes, places, [point.get(key) for point in points], GREY, "-")
        axes.set(ylabel=words, ylim=(0, None), xlabel="penalty λ towards identity")
    for axes in panels:
        for place, point in zip(places, points, strict=True):
            if point.get("chosen_in"):
                axes.axvline(place, color=GREY, linewidth=1 + 5 * point["chosen_in"] / folds, alpha=0.25, zorder=0)
        axes.grid(axis="y")
        axes.set_axisbelow(True)
    _penalty_ticks(panels[2], points, places)
    _legend(figure, {"holdout": "-", "training images": "--", "identity on the holdout": ":"}, chosen=folds > 0)
    return figure


@styled
def learning_plot(curves: Curves) -> Figure:
    """What training on more images changes on the holdout, and what remains of the gap of train and holdout.

    Args:
        curves: with `learning`, whose points have `pairs`, `holdout`, `train` and `delta`.
    """
    points = sorted(curves["learning"]["points"], key=lambda point: point["pairs"])
    sizes = [point["pairs"] for point in points]
    figure, (change, gap) = make_panels("by number of training images", 2, height=3.8, sharex=True)
    change.axhline(0, color=INK, linewidth=1, zorder=1)
    gap.axhline(0, color=INK, linewidth=1, zorder=1)
    for way, colour in COLOURS.items():
        figures = [find(point, "delta", way, "R@1") for point in points]
        _draw_curve(change, sizes, figures, colour, "-", label=DIRECTION_WORDS[way])
        _draw_curve(gap, sizes, [_gap(point, way) for point in points], colour, "-")
    for axes in (change, gap):
        axes.set_xscale("log")
        axes.set_xticks(_apart(sizes), [f"{size:,}" for size in _apart(sizes)])
        axes.set_xticks([], minor=True)
        axes.set_xlabel("training images")
        axes.grid(axis="y")
        axes.set_axisbelow(True)
    change.set(title="change of R@1 on the holdout", ylabel="against identity")
    gap.set(title="gap", ylabel="R@1, train minus holdout")
    figure.legend(loc="outside lower center", ncols=2)
    return figure


def _draw_curve(
    axes: Axes, places: Sequence[float], figures: Sequence[Any], colour: str, dashes: str, *, label: str | None = None
) -> None:
    """A line with a dot a point and a band for the 95 % intervals; a dot without evidence is a ring."""
    there = [(place, one) for place, one in zip(places, figures, strict=True) if one is not None]
    if not there:
        return
    where, known = zip(*there, strict=True)
    means = [one["mean"] for one in known]
    lows, highs = zip(*map(bars, known), strict=True)
    axes.plot(where, means, dashes, color=colour, linewidth=1.8, label=label, zorder=3)
    below = [mean - low for mean, low in zip(means, lows, strict=True)]
    axes.fill_between(
        where,
        below,
        [mean + high for mean, high in zip(means, highs, strict=True)],
        color=colour,
        alpha=0.18,
        linewidth=0,
        zorder=2,
    )
    rings = [verdict(one) == NO_EVIDENCE for one in known]
    for place, mean, ring in zip(where, means, rings, strict=True):
        axes.plot(place, mean, "o", color=colour, markersize=4, mfc="none" if ring else colour, zorder=4)


def _mark_chosen(axes: Axes, places: Sequence[float], points: Sequence[Point], way: str, colour: str) -> None:
    """A diamond on the holdout's curve where the inner choice fell, with the number of folds it fell there in."""
    for place, point in zip(places, points, strict=True):
        if not point.get("chosen_in"):
            continue
        height = point["holdout"][way]["R@1"]["mean"]
        axes.plot(place, height, "D", color=colour, markersize=7, zorder=5)
        axes.annotate(
            f"{point['chosen_in']}×",
            (place, height),
            (0, -12),
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize=9,
        )


def _penalty_ticks(axes: Axes, points: Sequence[Point], places: Sequence[float]) -> None:
    """Powers of ten, and what identity and no penalty are, on an axis that runs from strict to free."""
    named = {penalty_of(point): place for point, place in zip(points, places, strict=True)}
    inside = [place for penalty, place in named.items() if 0 < penalty < math.inf]
    ticks = {}
    if inside:
        low, high = math.ceil(min(inside) - 1e-9), math.floor(max(inside) + 1e-9)
        step = max(1, -(-(high - low) // (MAX_TICKS - 2)))
        ticks = {float(power): _power_of_ten(-power) for power in range(low, high + 1, step)}
    ticks |= {named[math.inf]: "∞\nidentity"} if math.inf in named else {}
    ticks |= {named[0.0]: "0\nfree"} if 0.0 in named else {}
    axes.set_xticks(list(ticks), list(ticks.values()))


def _power_of_ten(exponent: int) -> str:
    return "10" + str(exponent).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def _legend(figure: Figure, lines: Mapping[str, str], *, chosen: bool) -> None:
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], color=GREY, label=name) for name in lines]
    for handle, dashes in zip(handles, lines.values(), strict=True):
        handle.set(linestyle=dashes)
    if chosen:
        label = "chosen on inner parts, in so many folds"
        handles.append(Line2D([], [], color=GREY, marker="D", linestyle="none", markersize=7, label=label))
    figure.legend(handles=handles, loc="outside lower center", ncols=4)


def _gap(point: Point, way: str) -> Mapping[str, Any]:
    known = find(point, "gap", way, "R@1")
    train, holdout = (point[part][way]["R@1"]["mean"] for part in ("train", "holdout"))
    return known or {"mean": train - holdout}


def _apart(sizes: Sequence[int]) -> list[int]:
    """Those of ascending sizes that have room for a label each on a logarithmic axis, the largest among them."""
    kept = [sizes[-1]]
    for size in sizes[::-1]:
        if math.log(kept[-1] / size) >= math.log(sizes[-1] / sizes[0]) / MAX_TICKS > 0:
            kept.append(size)
    return kept[::-1]
