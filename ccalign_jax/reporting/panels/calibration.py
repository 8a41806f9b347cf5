"""Calibrated scores: tables of probabilities, sets and thresholds, a plot, and a few sentences."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ccalign_jax.reporting.format import NOTHING, level, plain
from ccalign_jax.reporting.plots import BLUE, GREY, INK, ORANGE, legend_below, make_subplots, styled
from ccalign_jax.reporting.table import Column, Table, fill_table, make_table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["calibration_plot", "calibration_words", "probability_table", "set_table", "threshold_table"]

Summary = Mapping[str, Any]  # the content of a calibration.json

STATES = {"identity": "before the map", "mapped": "after the map"}
COLOURS = {"identity": BLUE, "mapped": ORANGE}
FITS = {"platt": "logistic curve", "isotonic": "isotonic"}
KEEPS = {"results": "results", "recall": "recall", "precision": "precision"}
HALVES = "[ ]: 95 % interval, images resampled. Each half of the images is measured with what was fitted on the other."


def probability_table(summary: Summary) -> Table:
    """Calibration error by language and fit, and the threshold of a precision, before and after the map."""
    share = _percent(summary["precision"])
    columns = [
        Column.names("captions"),
        Column("number", lambda name, one: f"{one['captions']:,}"),
        *(
            Column(f"error,\n{words}", lambda name, one, fit=fit: plain(one[fit]["error"], 4))
            for fit, words in FITS.items()
        ),
        Column("squared error\nof a query", lambda name, one: plain(one[one["chosen"]]["brier"], 3)),
        Column(f"threshold,\n{share} precision", lambda name, one: plain(one["threshold"]["threshold"])),
        Column("results\na query", lambda name, one: plain(one["threshold"]["results"], 2)),
        Column("recall", lambda name, one: plain(one["threshold"]["recall"])),
        Column("precision\nmeasured", lambda name, one: _estimate(one["threshold"]["precision"])),
    ]
    return fill_table(
        f"{summary['data']['name']}: probability of a match by score, in a gallery of {summary['gallery']:,}",
        columns,
        _blocks(summary),
        notes=(
            "error: expected calibration error of the pairs with a probability of 1 % or more; squared error: summed "
            "over the images of a query (Brier score), by the better fit; 1 is that of knowing nothing.",
            "threshold: the lowest score from which on so many results are right; empty where no score reaches it.",
            HALVES,
        ),
    )


def set_table(summary: Summary) -> Table:
    """Conformal sets by language: the score, or the number of nearest images, and the coverage measured."""
    return fill_table(
        f"{summary['data']['name']}: sets that hold the right image for {_percent(summary['coverage'])} of queries",
        [
            Column.names("captions"),
            Column("images with\na score above", lambda name, one: plain(one["sets"]["score"]["threshold"])),
            Column("images,\nmean", lambda name, one: plain(one["sets"]["score"]["results"], 1)),
            Column("coverage", lambda name, one: _estimate(one["sets"]["score"]["coverage"])),
            Column("nearest\nimages", lambda name, one: _whole(one["sets"]["nearest"]["bound"])),
            Column("coverage", lambda name, one: _estimate(one["sets"]["nearest"]["coverage"])),
        ],
        _blocks(summary),
        notes=(
            "The first set holds for galleries of any size; its mean size is that in one of "
            f"{summary['gallery']:,}. The nearest images are those of a gallery of {summary['searched']:,}.",
            "The promise is for a random caption of a new image, one language at a time; all: of a random language.",
            HALVES,
        ),
    )


def threshold_table(summary: Summary, *, languages: bool = True) -> Table | None:
    """Old thresholds, and those after the map that do the same, also by language; None without a map."""
    if "thresholds" not in summary:
        return None
    columns = ["before", "results\na query", "recall", "precision", "kept", "after", "results\na query", "recall"]
    blocks = []
    shown = _shown(summary["thresholds"])
    for language in shown if languages else [*shown][:1]:
        rows = shown[language]
        count, cells = summary["scores"]["mapped"][language]["captions"], []
        for row in rows:
            for number, (keep, words) in enumerate(KEEPS.items()):
                old = _point(row["before"], count) if not number else ("", "", "", "")
                cells.append((*old, words, *_point(row[keep], count)))
        blocks.append((language if len(summary["thresholds"]) > 2 else "", cells))
    return make_table(
        f"{summary['data']['name']}: a threshold before the map, and after it",
        [*columns, "precision"],
        blocks,
        alignment="rrrrlrrrr",
        notes=("Of the same held-out pairs, in a gallery of the same size.",),
    )


@styled
def calibration_plot(summary: Summary) -> Figure:
    """Probability against share of matches, probability by score, and coverage by language."""
    figure, (diagram, curve, sets) = make_subplots("calibration of scores", 3, height=3.6)
    states = summary["scores"]
    diagram.plot([0.005, 1], [0.005, 1], color=GREY, linewidth=1)
    for state, languages in states.items():
        one = languages["all"]
        for fit, marker in (("platt", "x"), ("isotonic", "o")):
            if (bins := one[fit]["bins"]) is not None:
                shares = [max(share, 0.005) for share in bins["right"]]
                diagram.plot(bins["probability"], shares, marker, color=COLOURS[state], markersize=5, alpha=0.8)
        curve.plot(*_curve(one), color=COLOURS[state], label=STATES[state])
    diagram.set(xscale="log", yscale="log", xlabel="probability\n(× logistic, • isotonic)", ylabel="share of matches")
    for axis in (diagram.xaxis, diagram.yaxis):
        axis.set_ticks([0.01, 0.1, 1], [".01", ".1", "1"])
        axis.set_ticks([], minor=True)
    curve.set(xlabel="cosine", ylabel="probability of a match")
    _draw_sets(sets, summary)
    for axes in (diagram, curve, sets):
        axes.grid(axis="y")
    if len(states) > 1:
        legend_below(figure, curve.get_legend_handles_labels()[0])
    return figure


def calibration_words(summary: Summary) -> tuple[str, ...]:
    """What the scores of all captions say after the map, or before it where there is none."""
    state = "mapped" if "mapped" in summary["scores"] else "identity"
    one = summary["scores"][state]["all"]
    point, nearest = one["threshold"], one["sets"]["nearest"]
    sentences = [
        f"Calibrated on {one['captions']:,} captions of {summary['held_out']}, for a gallery of "
        f"{summary['gallery']:,} images."
    ]
    share = _percent(summary["precision"])
    if point["threshold"] is None:
        sentences.append(f"No score makes {share} of the results right: read ranks, not scores.")
    else:
        sentences.append(
            f"From a score of {plain(point['threshold'])} on, {share} of the results are right (measured on the other "
            f"half of the images: {_estimate(point['precision'])}); {_percent(point['recall'])} of the right images "
            "score as high."
        )
    if nearest["bound"] is not None:
        sentences.append(
            f"The nearest {_whole(nearest['bound'])} of {summary['searched']:,} images hold the right one for "
            f"{_percent(summary['coverage'])} of queries (measured: {_estimate(nearest['coverage'])})."
        )
    return tuple(sentences)


def _draw_sets(axes: Axes, summary: Summary) -> None:
    languages = list(_shown(summary["scores"]["identity"]))
    for number, (state, found) in enumerate(summary["scores"].items()):
        for place, language in enumerate(languages):
            share = found[language]["sets"]["score"]["coverage"]
            x = place + 0.16 * (2 * number - len(summary["scores"]) + 1)
            axes.plot([x, x], [share["low"], share["high"]], color=COLOURS[state], linewidth=2)
            axes.plot(x, share["mean"], "o", color=COLOURS[state], markersize=5)
    axes.axhline(summary["coverage"], color=INK, linewidth=1, linestyle=":")
    axes.set_xticks(range(len(languages)), languages)
    axes.set(xlim=(-0.6, len(languages) - 0.4), ylabel="coverage of sets by score")


def _curve(one: Mapping[str, Any]) -> tuple[Sequence[float], Sequence[float]]:
    """Scores, and the probability of each by the better fit."""
    knots = one["isotonic"]["scores"]
    if one["chosen"] == "isotonic":
        return knots, one["isotonic"]["shares"]
    scores = [knots[0] + (knots[-1] - knots[0]) * step / 200 for step in range(201)]
    scale, offset = one["platt"]["scale"], one["platt"]["offset"]
    return scores, [0.5 + 0.5 * math.tanh(0.5 * (scale * score + offset)) for score in scores]


def _blocks(summary: Summary) -> Iterator[tuple[str, list[tuple[str, Mapping[str, Any]]]]]:
    for state, languages in summary["scores"].items():
        yield STATES[state] if len(summary["scores"]) > 1 else "", list(_shown(languages).items())


def _shown(languages: Mapping[str, Any]) -> dict[str, Any]:
    """All captions and each language; of a single one, that language."""
    return {name: values for name, values in languages.items() if len(languages) > 2 or name != "all"}


def _point(point: Mapping[str, float | None], captions: int) -> tuple[str, ...]:
    results = point["results"]
    return (
        plain(point["threshold"]),
        plain(None if results is None else results / captions, 2),
        plain(point["recall"]),
        plain(point["precision"]),
    )


def _estimate(share: Mapping[str, float | None]) -> str:
    return NOTHING if share["mean"] is None else level(share)


def _whole(number: float | None) -> str:
    return NOTHING if number is None else f"{number:,.0f}"


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
