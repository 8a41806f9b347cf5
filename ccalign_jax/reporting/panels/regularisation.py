"""The regularisation path of a sweep: training, validation and test by the strength of a regulariser."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ccalign_jax._names import DIRECTIONS, IDENTITY
from ccalign_jax.reporting.family_names import best_by, family_key, family_labels
from ccalign_jax.reporting.format import Summary, find
from ccalign_jax.reporting.names import DIRECTION_WORDS
from ccalign_jax.reporting.panels.curves import draw_curve, path_legend
from ccalign_jax.reporting.plots import COLOURS, INK, make_subplots, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

REGULARISERS = ("prox", "ortho", "l2", "spectral", "dropout", "noise", "mix", "penalty")
MIN_VALUES = 3
MAX_PATHS = 3


class Path(NamedTuple):
    """The trials of one family along one regulariser, at each value the one with the best validation score.

    Attributes:
        family: in words.
        setting: its name.
        trials: by value, ascending.
    """

    family: str
    setting: str
    trials: Sequence[Mapping[str, Any]]


def regularisation_paths(summary: Summary) -> list[Path]:
    """Every family and regulariser with at least `MIN_VALUES` values, the longest path first."""
    return sorted(_paths(summary), key=lambda path: -len(path.trials))[:MAX_PATHS]


def _paths(summary: Summary) -> Iterator[Path]:
    labels = dict(zip(map(family_key, summary["families"]), family_labels(summary["families"]), strict=True))
    members: dict[str, list[Mapping[str, Any]]] = {}
    for trial in summary["trials"]:
        members.setdefault(family_key(trial), []).append(trial)
    for key, trials in members.items():
        for setting in REGULARISERS:
            known = [{**trial, setting: trial["hyper"][setting]} for trial in trials if setting in trial["hyper"]]
            best = best_by(known, setting)
            if len(best) >= MIN_VALUES:
                yield Path(labels[key], setting, sorted(best, key=lambda trial: trial[setting]))


@styled
def regularisation_plot(summary: Summary) -> Figure | None:
    """R@1 on training and test images by the value of a regulariser, a row a family; None without several values."""
    paths = regularisation_paths(summary)
    if not paths:
        return None
    figure, subplots = make_subplots(
        *("regularisation paths", 2), rows=len(paths), height=0.7 + 2.5 * len(paths), sharey="row", sharex="row"
    )
    chosen = Counter(summary["selected"]["per_fold"])
    for number, path in enumerate(paths):
        places = list(range(len(path.trials)))
        for axes, task in zip(subplots[2 * number :], DIRECTIONS, strict=False):
            for part, dashes in (("metrics", "-"), ("train_metrics", "--")):
                values = [find(trial, part, task, "R@1") for trial in path.trials]
                draw_curve(axes, places, values, COLOURS[task], dashes)
            axes.axhline(summary["baselines"][IDENTITY][task]["R@1"]["mean"], color=INK, linewidth=1, linestyle=":")
            for place, trial in enumerate(path.trials):
                if times := chosen[trial["name"]]:
                    at = (place, trial["metrics"][task]["R@1"]["mean"])
                    axes.plot(*at, "D", color=COLOURS[task], markersize=7, zorder=5)
                    axes.annotate(f"{times}×", at, (0, 12), textcoords="offset points", ha="center", va="center")
            axes.set_xticks(places, [f"{trial[path.setting]:g}" for trial in path.trials])
            axes.set_xlabel(path.setting.replace("_", " "))
            axes.set_title(f"{DIRECTION_WORDS[task]}: {path.family}", fontsize=10)
            axes.grid(axis="y")
        subplots[2 * number].set_ylabel("R@1")
    path_legend(figure, chosen=any(chosen[trial["name"]] for path in paths for trial in path.trials))
    return figure
