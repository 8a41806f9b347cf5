"""Plots of a summary as matplotlib figures, and their SVG: the same bytes for the same figures."""

from __future__ import annotations

import functools
import io
import re
from collections.abc import Callable, Mapping, Sequence
from html import escape
from statistics import median
from typing import TYPE_CHECKING, Any, Literal

from ccalign_jax.reporting.names import family_labels
from ccalign_jax.reporting.wording import DIRECTION_WORDS, DIRECTIONS, find, signed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["changes_plot", "curves_plot", "languages_plot", "make_panels", "overfitting_plot", "styled", "to_svg"]

Summary = Mapping[str, Any]
Sharing = bool | Literal["none", "all", "row", "col"]

# Told apart by any eye, on white as on near black (after Okabe and Ito).
BLUE, ORANGE, GREY = "#3287c8", "#d9772b", "#8c8c8c"
CYCLE = (BLUE, ORANGE, "#2a9d78", "#b968a8", "#b59b1f", "#7a7ad6", "#c95c5c", "#5aa9b5")
DASHES = ("-", "--", ":", "-.")
INK = "#010101"  # `to_svg` makes it the colour of the text around
WIDTH = 9.0
STYLE = {
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 11.0,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 10.0,
    "grid.alpha": 0.3,
    "grid.color": GREY,
    "legend.frameon": False,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}


def styled(draw: Callable[[Summary], Figure]) -> Callable[[Summary], Figure]:
    """Draw under our settings, whatever the user's own are."""

    @functools.wraps(draw)
    def drawn(summary: Summary) -> Figure:
        import matplotlib.style

        with matplotlib.style.context(["default", STYLE]):
            return draw(summary)

    return drawn


@styled
def changes_plot(summary: Summary) -> Figure:
    """Change of R@1 against identity for each family and the choice, one panel a direction.

    Args:
        summary: the content of `summary.json`.
    """
    parts = [*summary["families"], summary["selected"]]
    figure, panels = make_panels("R@1 against identity", 2, height=1.3 + 0.36 * len(parts), sharey=True)
    for axes, direction, colour in zip(panels, DIRECTIONS, (BLUE, ORANGE), strict=True):
        for row, part in enumerate(parts):
            change = part["delta"][direction]["R@1"]
            marker = "D" if part is summary["selected"] else "o"
            axes.errorbar(change["mean"], row, xerr=change["std"], fmt=marker, color=colour, capsize=3, markersize=6)
            end = change["mean"] + (change["std"] or 0)
            axes.annotate(signed(change["mean"]), (end, row), (7, 0), textcoords="offset points", va="center")
        axes.axvline(0, color=INK, linewidth=1, zorder=0)
        low, high = axes.get_xlim()
        axes.set_xlim(low, high + 0.2 * (high - low))  # room for the last number
        axes.locator_params(axis="x", nbins=5)
        axes.set(title=DIRECTION_WORDS[direction], xlabel="change of R@1 against identity")
    _name_rows(panels[0], [*family_labels(summary["families"]), "selected"])
    return figure


@styled
def overfitting_plot(summary: Summary) -> Figure:
    """R@1 on training and on holdout images for identity, each family and the choice; the bar between is the gap.

    Args:
        summary: the content of `summary.json`.
    """
    baselines = summary["baselines"]
    identity = {"metrics": baselines["identity"], "train_metrics": baselines.get("identity_train", {})}
    parts = [identity, *summary["families"], summary["selected"]]
    figure, panels = make_panels("R@1 on training and holdout images", 2, height=1.7 + 0.36 * len(parts), sharey=True)
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
    _name_rows(panels[0], ["identity", *family_labels(summary["families"]), "selected"])
    panels[0].plot([], [], "o", color=GREY, markersize=6, label="holdout")
    panels[0].plot([], [], "o", markerfacecolor="none", markeredgecolor=GREY, markersize=8, label="training images")
    panels[0].plot([], [], ":", color=INK, linewidth=1, label="identity on the holdout")
    figure.legend(loc="outside lower center", ncols=3)
    return figure


@styled
def curves_plot(summary: Summary) -> Figure:
    """Selection figures by epoch for the best trial of each family; a dot marks the epoch chosen (median over folds).

    Args:
        summary: the content of `summary.json`.
    """
    best = best_trials(summary)
    labels = family_labels(best)
    figure, panels = make_panels("selection figures by epoch", 3, height=3.4 + 0.22 * -(-len(best) // 3), sharey=False)
    aligners = list(dict.fromkeys(trial["aligner"] for trial in best))
    ways = list(dict.fromkeys((trial["pivot"], trial["loss"]) for trial in best))
    for axes, key in zip(panels, ("t2i_R@1", "i2t_R@1", "MRR"), strict=True):
        for trial, label in zip(best, labels, strict=True):
            curve, epoch = trial["curve"][key], int(median(trial["epochs"]))
            colour = CYCLE[aligners.index(trial["aligner"]) % len(CYCLE)]
            dashes = DASHES[ways.index((trial["pivot"], trial["loss"])) % len(DASHES)]
            axes.plot(curve, dashes, color=colour, label=label if key == "MRR" else None, linewidth=1.6)
            axes.plot(epoch, curve[min(epoch, len(curve) - 1)], "o", color=colour, markersize=6)
        axes.locator_params(axis="x", integer=True)
        axes.set(title=key.replace("_", " "), xlabel="epoch")
        axes.grid(axis="y")
    figure.legend(loc="outside lower center", ncols=min(len(best), 3))
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
            spread = None if figures[0]["std"] is None else [each["std"] for each in figures]
            axes.bar(places, [each["mean"] for each in figures], 0.4, color=fill, label=label)
            axes.errorbar(places, [each["mean"] for each in figures], spread, fmt="none", ecolor=INK, elinewidth=0.8)
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


def to_svg(figure: Figure) -> str:
    """The figure as one `<svg>` element that takes the font and colour of the page around it; its text stays text."""
    import matplotlib.style

    file = io.StringIO()
    title = str(figure.get_label())
    # Ticks are made only now, so under our settings too. Salted by label: two figures in one page share no id.
    with matplotlib.style.context(["default", STYLE, {"svg.fonttype": "none", "svg.hashsalt": title}]):
        nothing: Any = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(file, format="svg", transparent=True, metadata=nothing)
    svg = file.getvalue()
    svg = svg[svg.index("<svg") :].replace(INK, "currentColor")
    used = set(re.findall(r"#([\w.-]+)", svg))
    svg = re.sub(r' id="([^"]+)"', lambda found: found[0] if found[1] in used else "", svg)
    svg = re.sub(r' transform="rotate\(-0 [^"]*"', "", svg)
    svg = re.sub(r' (?:d|x|y)="[^"]*"', lambda found: re.sub(r"(\.\d\d)\d+", r"\1", found[0]), svg)
    return svg.replace("<svg", f'<svg role="img" aria-label="{escape(title)}"', 1)


def best_trials(summary: Summary) -> list[Mapping[str, Any]]:
    """Of each family the trial with the best mean selection score."""
    best: dict[tuple[str, str, str], Mapping[str, Any]] = {}
    for trial in summary["trials"]:
        family = (trial["pivot"], trial["aligner"], trial["loss"])
        if family not in best or trial["selection"]["mean"] > best[family]["selection"]["mean"]:
            best[family] = trial
    return list(best.values())


def make_panels(
    label: str, columns: int, *, height: float, sharey: Sharing = False, rows: int = 1, **settings: Any
) -> tuple[Figure, list[Axes]]:
    """A figure of the common width and its panels, row by row; `settings` are those of `Figure.subplots`."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, height), layout="constrained", label=label)
    return figure, list(figure.subplots(rows, columns, sharey=sharey, squeeze=False, **settings).flat)


def _name_rows(axes: Axes, names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.7)
    for each in axes.figure.axes:
        each.grid(axis="x")
        each.tick_params(axis="y", length=0)
