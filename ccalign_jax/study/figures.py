"""From ranks to figures: metrics of a fold, nested by route and language, and their means over folds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ccalign_jax.metrics import METRICS, PAIR_ROUTES, Ranks, Routes, all_tied, macro, ordered_pairs, retrieval_metrics
from ccalign_jax.study.intervals import BOTH
from ccalign_jax.training import LanguageRanks, Part

__all__ = [
    "DIRECTIONS",
    "IDENTITY",
    "Figures",
    "FoldMetrics",
    "chance_metrics",
    "compare_folds",
    "figure",
    "figures_of",
    "fold_metrics",
    "minus",
    "pair_names",
    "route_metrics",
]

DIRECTIONS = ("t2i", "i2t")
GAP = "R@1"  # the metric that train and holdout are compared by
IDENTITY = "identity"
FEW = 8  # values that NumPy adds up one by one

FoldMetrics = dict[str, dict[str, Any]]
Figures = dict[str, Any]


def fold_metrics(ranks: LanguageRanks, languages: Sequence[str]) -> FoldMetrics:
    """Both directions: the macro mean over languages, and each language; one without a query is left out.

    `both` is the mean of the two directions.
    """
    return _with_both(
        {
            direction: _with_macro({name: pair[number] for name, pair in zip(languages, ranks, strict=True)})
            for number, direction in enumerate(DIRECTIONS)
        }
    )


def route_metrics(routes: Routes, languages: Sequence[str]) -> FoldMetrics:
    """Every route that was taken: the macro mean over languages or ordered pairs (`ar->de`), and each of them.

    A route on which no query has an answer is left out: languages without an image in common have no pairs.
    """
    named: dict[str, Sequence[str]] = dict.fromkeys(DIRECTIONS, languages)
    named |= dict.fromkeys(PAIR_ROUTES, pair_names(languages))
    taken = {route: ranks for route, ranks in routes._asdict().items() if ranks}
    asked = {route: ranks for route, ranks in taken.items() if any((np.asarray(one.tied) > 0).any() for one in ranks)}
    return _with_both(
        {route: _with_macro(dict(zip(named[route], ranks, strict=True))) for route, ranks in asked.items()}
    )


def pair_names(languages: Sequence[str]) -> list[str]:
    """What summaries call the ordered pairs.

    Example:
        >>> pair_names(["de", "en"])
        ['de->en', 'en->de']
    """
    return [f"{languages[a]}->{languages[b]}" for a, b in ordered_pairs(len(languages))]


def chance_metrics(parts: Sequence[Part], languages: Sequence[str], *, routes: Sequence[str] = ()) -> list[FoldMetrics]:
    """What a score that tells nothing gets on each part, and on these routes between languages."""
    found = []
    for part in parts:
        owners = [np.asarray(owner) for owner in part.image_of]
        golds = [np.asarray(gold) for gold in part.captions_of]
        images = int((np.asarray(part.images) >= 0).sum())
        pairs = tuple(
            (all_tied(owner[:, None], images), all_tied(gold, int((owner >= 0).sum())))
            for owner, gold in zip(owners, golds, strict=True)
        )
        figures = fold_metrics(pairs, languages)
        if routes and len(languages) > 1:
            between = {
                name: all_tied(
                    np.where((owners[a] >= 0)[:, None], golds[b][owners[a]], -1), int((owners[b] >= 0).sum())
                )
                for name, (a, b) in zip(pair_names(languages), ordered_pairs(len(languages)), strict=True)
            }
            if any((one.tied > 0).any() for one in between.values()):
                figures |= dict.fromkeys(routes, _with_macro(between))
        found.append(figures)
    return found


def _with_macro(ranks: Mapping[str, Ranks]) -> dict[str, Any]:
    each = {name: retrieval_metrics(one) for name, one in ranks.items() if (np.asarray(one.tied) > 0).any()}
    return {**macro(list(each.values())), "per_language": each}


def _with_both(figures: FoldMetrics) -> FoldMetrics:
    """The figures, and after the two directions their mean."""
    t2i, i2t = (figures[direction] for direction in DIRECTIONS)
    shared = [language for language in t2i["per_language"] if language in i2t["per_language"]]
    both = {
        **macro([{metric: one[metric] for metric in METRICS} for one in (t2i, i2t)]),
        "per_language": {name: macro([one["per_language"][name] for one in (t2i, i2t)]) for name in shared},
    }
    return {
        "t2i": t2i,
        "i2t": i2t,
        BOTH: both,
        **{key: value for key, value in figures.items() if key not in DIRECTIONS},
    }


def minus(mine: Any, base: Any) -> Any:
    """Nested numbers less those of the same name."""
    if isinstance(mine, Mapping):
        return {key: minus(value, base[key]) for key, value in mine.items() if key in base}
    return mine - base


def compare_folds(
    report: Sequence[FoldMetrics], base: Sequence[FoldMetrics], sample: Sequence[FoldMetrics]
) -> tuple[Figures, list[Any]]:
    """Metrics, changes against a base, training metrics and their gap as figures; and the changes, fold by fold."""
    changes = [minus(mine, other) for mine, other in zip(report, base, strict=True)]
    gaps = [
        {way: {GAP: train[way][GAP] - held[way][GAP]} for way in train}
        for train, held in zip(sample, report, strict=True)
    ]
    return {
        "metrics": figures_of(report),
        "delta": figures_of(changes, delta=True),
        "train_metrics": figures_of(sample),
        "gap": figures_of(gaps),
    }, changes


def figures_of(folds: Sequence[Any], *, delta: bool = False, exact: bool = False) -> Figures:
    """Folds of nested numbers as nested figures.

    Args:
        folds: mappings of the same kind.
        delta: changes, which have p-values.
        exact: nothing was sampled, so that an interval is the mean itself.
    """
    if isinstance(folds[0], Mapping):
        shared = [key for key in folds[0] if all(key in fold for fold in folds)]
        return {key: figures_of([fold[key] for fold in folds], delta=delta, exact=exact) for key in shared}
    found = figure(folds)
    if exact:
        found |= {"low": found["mean"], "high": found["mean"]}
    return {**found, **({"p": None, "p_adjusted": None, "p_folds": None} if delta else {})}


def figure(values: Sequence[float]) -> dict[str, float | None]:
    """Mean and standard deviation over folds; the interval is open.

    Example:
        >>> figure([0.25, 0.75])
        {'mean': 0.5, 'std': 0.3535533905932738, 'low': None, 'high': None}
    """
    if len(values) < FEW:  # a summary has a hundred thousand of them, and NumPy would take most of its time
        mean = _sum(values) / len(values)
        squares = _sum([(value - mean) * (value - mean) for value in values])
        std = math.sqrt(squares / (len(values) - 1)) if len(values) > 1 else None
    else:
        mean, std = float(np.mean(values)), float(np.std(values, ddof=1))
    return {"mean": mean, "std": std, "low": None, "high": None}


def _sum(values: Sequence[float]) -> float:
    """As NumPy adds up few values, to the bit; the built-in sum of Python 3.12 adds otherwise."""
    total = 0.0
    for value in values:
        total += float(value)
    return total
