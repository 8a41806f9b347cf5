"""What may be claimed of the figures of a summary: intervals, p-values adjusted for the number of trials, words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, MutableMapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ccalign_jax.statistics import LEVEL, corrected_resampled_t, holm, verdict
from ccalign_jax.study.intervals import (
    PAIR_DRAWS,
    FoldTally,
    Place,
    Resamples,
    bounds,
    change_tests,
    draw_figures,
    minus_draws,
)
from ccalign_jax.study.threads import in_threads

__all__ = ["Claims", "Measured", "adjust", "describe_statistics"]

UNMAPPED = " (unmapped)"
CLAIMED = "R@1"  # the metric that words are about

Entry = MutableMapping[str, Any]


class Measured(NamedTuple):
    """What a summary's entry was measured on, fold by fold.

    Attributes:
        name: equal names are the same measurement.
        report: of the holdouts.
        sample: of the training images, where they were ranked.
    """

    name: tuple[str, ...]
    report: Sequence[FoldTally]
    sample: Sequence[FoldTally] = ()


class Claims:
    """Fills in what `figures_of` leaves open; what entries share is computed once.

    Args:
        identity: that changes are against.
        resamples: of the data.
        test_share: images reported over images fitted, of a fold; for the correction of Nadeau and Bengio.
    """

    def __init__(self, identity: Measured, resamples: Resamples, *, test_share: float):
        self.identity, self.resamples, self.test_share = identity, resamples, test_share
        self.base = draw_figures(identity.report, resamples)
        self.base_bounds = bounds(self.base, "level")
        self.known: dict[tuple[str, ...], dict[str, Any]] = {}

    def level(self, figures: Entry, folds: Sequence[FoldTally] | None = None) -> None:
        """Intervals of levels: identity's, or those of other folds."""
        _fill(figures, self.base_bounds if folds is None else bounds(draw_figures(folds, self.resamples), "level"))

    def entry(self, entry: Entry, measured: Measured, changes: Sequence[Mapping[str, Any]]) -> None:
        """Intervals of an entry's metrics, changes, training metrics and gap, and the p-values of its changes.

        Args:
            entry: of a summary.
            measured: what it stands on.
            changes: fold by fold, what "delta" has the means of.
        """
        self.measure([measured])
        for key, found in self.known[measured.name].items():
            if key in entry:
                _fill(entry[key], found)
        self._compare_folds(entry["delta"], changes)

    def measure(self, several: Iterable[Measured]) -> None:
        """Compute side by side what `entry` will be asked for; without it, each is computed when it is."""
        new = {measured.name: measured for measured in several if measured.name not in self.known}
        found = in_threads(self._measure, new.values(), clusters=self.resamples.weights.shape[1])
        self.known |= zip(new, found, strict=True)

    def _measure(self, measured: Measured) -> dict[str, Any]:
        itself = measured.name == self.identity.name
        draws = self.base if itself else draw_figures(measured.report, self.resamples)
        changes = minus_draws(draws, self.base)
        tests = change_tests(changes, self.resamples)
        levels = self.base_bounds if itself else bounds(draws, "level")
        unmapped = {place: found for place, found in self.base_bounds.items() if place[1] is not None}
        levels = levels | {(route, f"{name}{UNMAPPED}"): found for (route, name), found in unmapped.items()}
        delta = {
            place: {metric: {**each, **tests[place].get(metric, {})} for metric, each in found.items()}
            for place, found in bounds(changes, "change").items()
        }
        found: dict[str, Any] = {"metrics": levels, "delta": delta}
        if measured.sample:
            train = draw_figures(measured.sample, self.resamples)
            found["train_metrics"] = bounds(train, "level")
            found["gap"] = bounds(minus_draws(train, draws), "change")
        return found

    def _compare_folds(self, delta: Entry, changes: Sequence[Mapping[str, Any]]) -> None:
        """The test over folds, which sees that another training part gives another map."""
        paths, figures = zip(*_figures(delta), strict=True)
        values = [[_at(one, path) for path in paths] for one in changes]
        p = corrected_resampled_t(np.array(values), test_share=self.test_share)[2]
        for figure, each in zip(figures, np.broadcast_to(p, len(figures)), strict=True):
            figure["p_folds"] = None if np.isnan(each) else float(each)


def adjust(entries: Sequence[Entry], *, optimistic: bool | Sequence[bool] = False, untested: int = 0) -> None:
    """Holm's adjustment of each figure over the entries, in place; and the words that follow from it.

    Args:
        entries: with a "delta" each.
        optimistic: whether maps were chosen on the images that are reported; for all entries, or one for each.
        untested: how many more there would be had scores not dropped them, on images that some fold reports; each
            counts as a test with p = 1, for what is left was selected.
    """
    places: dict[tuple[str, ...], list[Entry]] = {}
    for entry in entries:
        for path, figure in _figures(entry["delta"]):
            if figure.get("p") is not None:
                places.setdefault(path, []).append(figure)
    by_count: dict[int, list[list[Entry]]] = {}
    for figures in places.values():
        by_count.setdefault(len(figures), []).append(figures)
    for group in by_count.values():
        p = np.array([[figure["p"] for figure in figures] for figures in group])
        adjusted = holm(np.pad(p, ((0, 0), (0, untested)), constant_values=1.0))
        for figures, row in zip(group, adjusted, strict=True):
            for figure, each in zip(figures, row[: len(figures)], strict=True):
                figure["p_adjusted"] = float(each)
    for entry, biased in zip(entries, np.broadcast_to(optimistic, len(entries)), strict=True):
        entry["verdict"] = {
            route: verdict(figures[CLAIMED]["mean"], figures[CLAIMED]["p_adjusted"], optimistic=bool(biased))
            for route, figures in entry["delta"].items()
        }


def describe_statistics(resamples: Resamples) -> dict[str, Any]:
    """The `statistics` entry of a summary."""
    clusters = resamples.weights.shape[1]
    return {
        "level": LEVEL,
        "draws": len(resamples.weights),
        "pair_draws": PAIR_DRAWS,
        "median_draws": resamples.medians,
        "flips": len(resamples.signs),
        "clusters": clusters,
        "cluster": "image" if clusters == len(resamples.cluster_of) else "group of images",
    }


def _fill(figures: Entry, found: Mapping[Place, Mapping[str, Mapping[str, float]]]) -> None:
    for path, figure in _figures(figures):
        route, *name, metric = path
        figure.update(found.get((route, name[0] if name else None), {}).get(metric, {}))


def _at(tree: Mapping[str, Any], path: tuple[str, ...]) -> float:
    """The number at a path of `_figures`."""
    route, *name, metric = path
    figures = tree[route]["per_language"][name[0]] if name else tree[route]
    return figures[metric]


def _figures(tree: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], Entry]]:
    """`(route, metric)` or `(route, language, metric)`, and its figure."""
    for route, figures in tree.items():
        for metric, figure in figures.items():
            if metric != "per_language":
                yield (route, metric), figure
        for name, each in figures.get("per_language", {}).items():
            for metric, figure in each.items():
                yield (route, name, metric), figure
