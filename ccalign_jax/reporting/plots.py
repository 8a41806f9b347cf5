"""Plots of a study's summary, as matplotlib figures."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from statistics import median
from typing import TYPE_CHECKING, Any

from ccalign_jax.reporting.names import family_key, family_labels, is_solved, shown_families
from ccalign_jax.reporting.panels import (
    BLUE,
    CYCLE,
    DASHES,
    GREY,
    INK,
    ORANGE,
    Summary,
    bars,
    draw_changes,
    make_panels,
    name_rows,
    styled,
)
from ccalign_jax.reporting.wording import DIRECTION_WORDS, DIRECTIONS, find

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["changes_plot", "curves_plot", "languages_plot", "overfitting_plot"]


@styled
def changes_plot(summary: Summary) -> Figure:
    """Change of R@1 against identity for each shown family and the choice, one panel a direction.

    Args:
        summary: the content of `summary.json`.
    """
    families = shown_families(summary)
    parts = [*families, summary["selected"]]
    figure, panels = make_panels("R@1 against identity", 2, height=1.3 + 0.4 * len(parts), sharey=True)
    for axes, direction, colour in zip(panels, DIRECTIONS, (BLUE, ORANGE), strict=True):
        changes = [part["delta"][direction]["R@1"] for part in parts]
        draw_changes(axes, changes, colour, markers={len(families): "D"})
        axes.set(title=DIRECTION_WORDS[direction], xlabel="change of R@1 against identity")
    name_rows(panels[0], [*family_labels(families), "selected"])
    return figure


@styled
def overfitting_plot(summary: Summary) -> Figure:
    """R@1 on training and holdout images for identity, each shown family and the choice; the bar between is the gap.

    Args:
        summary: the content of `summary.json`.
    """
    baselines = summary["baselines"]
    identity = {"metrics": baselines["identity"], "train_metrics": baselines.get("identity_train", {})}
    families = shown_families(summary)
    parts = [identity, *families, summary["selected"]]
    figure, panels = make_panels("R@1 on training and holdout images", 2, height=1.7 + 0.4 * len(parts), sharey=True)
    for axes, direction, colour in zip(panels, DIRECTIONS, (BLUE, ORANGE), strict=True):
        axes.axvline(baselines["identity"][direction]["R@1"]["mean"], color=INK, linewidth=1, linestyle=":", zorder=1)
        for row, part in enumerate(parts):
            holdout = part["metrics"][direction]["R@1"]["mean"]
            train = find(part, "train_metrics", direction, "R@1", "mean")
            if train is not None:
                axes.plot([holdout, train], [row, row], color=colour, linewidth=2, alpha=0.5, zorder=2)
                axes.plot(train, row, "o", markerfacecolor="none", markeredgecolor=colour, markersize=8, zorder=3)
            axes.plot(holdout, row, "o", color=colour, markersize=6, zorder=4)
        axes.margins(x=0.08)
        axes.set(title=DIRECTION_WORDS[direction], xlabel="R@1")
    name_rows(panels[0], ["identity", *family_labels(families), "selected"])
    panels[0].plot([], [], "o", color=GREY, markersize=6, label="holdout")
    panels[0].plot([], [], "o", markerfacecolor="none", markeredgecolor=GREY, markersize=8, label="training images")
    panels[0].plot([], [], ":", color=INK, linewidth=1, label="identity on the holdout")
    figure.legend(loc="outside lower center", ncols=3)
    return figure


@styled
def curves_plot(summary: Summary) -> Figure:
    """Selection figures by epoch for the best trial of each trained family that is shown; a dot marks the epoch chosen.

    Where several folds chose different epochs, it stands at their median. Closed forms have no epochs.

    Args:
        summary: the content of `summary.json`.
    """
    shown = set(map(family_key, shown_families(summary)))
    best = [trial for trial in best_trials(summary) if family_key(trial) in shown and not is_solved(trial)]
    labels = family_labels(best)
    columns = max(1, min(3, len(best), 100 // max(map(len, ["", *labels]))))  # side by side as many as have room
    height = 3.4 + 0.22 * -(-len(best) // columns)
    figure, panels = make_panels("selection figures by epoch", 3, height=height, sharey=False)
    aligners = list(dict.fromkeys(trial["aligner"] for trial in best))
    ways = list(dict.fromkeys((trial["pivot"], trial["loss"]) for trial in best))
    for axes, key in zip(panels, ("t2i_R@1", "i2t_R@1", "MRR"), strict=True):
        for trial, label in zip(best, labels, strict=True):
            curve = trial["curve"][key]
            epochs = trial["curve"].get("epoch", range(len(curve)))  # older summaries score every epoch
            chosen = bisect_right(epochs, median(trial["epochs"])) - 1
            colour = CYCLE[aligners.index(trial["aligner"]) % len(CYCLE)]
            dashes = DASHES[ways.index((trial["pivot"], trial["loss"])) % len(DASHES)]
            axes.plot(epochs, curve, dashes, color=colour, label=label if key == "MRR" else None, linewidth=1.6)
            axes.plot(epochs[chosen], curve[chosen], "o", color=colour, markersize=6)
        axes.locator_params(axis="x", integer=True)
        axes.set(title=key.replace("_", " "), xlabel="epoch")
        axes.grid(axis="y")
    figure.legend(loc="outside lower center", ncols=columns)
    return figure


@styled
def languages_plot(summary: Summary) -> Figure:
    """R@1 of each language under identity and under the choice, one panel a direction.

    Args:
        summary: the content of `summary.json`.
    """
    languages = list(summary["baselines"]["identity"]["t2i"]["per_language"])
    figure, panels = make_panels("R@1 by language", 2, height=3.2, sharey=True)
    for axes, direction, colour in zip(panels, DIRECTIONS, (BLUE, ORANGE), strict=True):
        sides = (
            ("identity", summary["baselines"]["identity"], -0.2, GREY),
            ("selected", summary["selected"]["metrics"], 0.2, colour),
        )
        for label, metrics, shift, fill in sides:
            figures = [metrics[direction]["per_language"][language]["R@1"] for language in languages]
            places = [place + shift for place in range(len(languages))]
            ends = list(zip(*map(bars, figures), strict=True))
            axes.bar(places, [each["mean"] for each in figures], 0.4, color=fill, label=label)
            axes.errorbar(places, [each["mean"] for each in figures], ends, fmt="none", ecolor=INK, elinewidth=0.8)
        turned = max(map(len, languages)) * len(languages) > 40
        axes.set_xticks(range(len(languages)), languages, rotation=90 if turned else 0)
        axes.tick_params(axis="x", length=0)
        axes.set(title=DIRECTION_WORDS[direction])
        axes.grid(axis="y")
        axes.set_axisbelow(True)
        axes.margins(y=0.2)
        axes.legend(loc="upper right", ncols=2)
    panels[0].set_ylabel("R@1")
    return figure


def best_trials(summary: Summary) -> list[Mapping[str, Any]]:
    """Of each family the trial with the best mean selection score."""
    best: dict[tuple[str, str, str], Mapping[str, Any]] = {}
    for trial in summary["trials"]:
        family = (trial["pivot"], trial["aligner"], trial["loss"])
        if family not in best or trial["selection"]["mean"] > best[family]["selection"]["mean"]:
            best[family] = trial
    return list(best.values())
