"""Overfitting at a glance: what each candidate adds on training images, and on test images."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ccalign_jax._names import DIRECTIONS
from ccalign_jax.reporting.family_names import family_labels
from ccalign_jax.reporting.format import Summary, difference, find, identity_part
from ccalign_jax.reporting.names import DIRECTION_WORDS
from ccalign_jax.reporting.panels.candidates import candidates
from ccalign_jax.reporting.plots import COLOURS, GREY, INK, legend_below, make_subplots, name_rows, styled, write_column

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@styled
def overfitting_plot(summary: Summary) -> Figure:
    """R@1 on training and on test images, each less that of identity, for every candidate and the choice.

    Identity is the zero of both, so that training images that are harder or easier than test images do not matter.
    """
    families = candidates(summary)
    parts = [*families, summary["selected"]]
    figure, subplots = make_subplots(
        *("R@1 on training and test images", 2), height=1.6 + 0.3 * len(parts), sharey=True, sharex=True
    )
    for axes, task in zip(subplots, DIRECTIONS, strict=True):
        words = []
        for row, part in enumerate(parts):
            test, train = (_gain(summary, part, key, task) for key in ("metrics", "train_metrics"))
            words.append("" if math.isnan(train) else difference(test, train))
            if not math.isnan(train):
                axes.plot([test, train], [row, row], color=COLOURS[task], linewidth=2, alpha=0.5, zorder=2)
                axes.plot(train, row, "o", mfc="none", mec=COLOURS[task], markersize=8, zorder=3)
            axes.plot(test, row, "o", color=COLOURS[task], markersize=6, zorder=4)
        write_column(axes, words, heading="train − test")
        axes.axvline(0, color=INK, linewidth=1, zorder=1)
        axes.spines["left"].set_visible(False)
        axes.margins(x=0.06)
        axes.locator_params(axis="x", nbins=5)
        axes.set(title=DIRECTION_WORDS[task], xlabel="R@1 less that of identity")
    name_rows(subplots[0], [*family_labels(families), "selected"])
    subplots[0].plot([], [], "o", color=GREY, markersize=6, label="test images")
    subplots[0].plot([], [], "o", mfc="none", mec=GREY, markersize=8, label="training images")
    legend_below(figure)
    return figure


def _gain(summary: Summary, part: Mapping[str, Any], key: str, task: str) -> float:
    """R@1 of a part on test images (`metrics`) or training images (`train_metrics`) less identity's; NaN if unknown."""
    mine, base = (find(one, key, task, "R@1", "mean") for one in (part, identity_part(summary)))
    return math.nan if mine is None or base is None else float(mine - base)
