"""What one point of a curve says: holdout, training sample and change against identity, each with its interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ccalign_jax.study.claims import Claims, Measured
from ccalign_jax.study.figures import Figures, compare_folds
from ccalign_jax.study.summary import Outcome

__all__ = ["chosen_outcome", "curve_point", "without_languages"]


def curve_point(outcome: Outcome, identity: Outcome, claims: Claims) -> Figures:
    """`holdout`, `train`, `delta` and `gap` of an outcome, each `{"t2i" | "i2t" | "both": {metric: figure}}`.

    Args:
        outcome: its name tells it from all others that these claims are asked about.
        identity: measured on the same folds.
        claims: against this identity.
    """
    report, base, sample = map(without_languages, (outcome.report, identity.report, outcome.sample))
    entry, changes = compare_folds(report, base, sample)
    claims.entry(entry, Measured((outcome.name,), outcome.tallies, outcome.sample_tallies), changes)
    return {"holdout": entry.pop("metrics"), "train": entry.pop("train_metrics"), **entry}


def chosen_outcome(name: str, chosen: Sequence[Outcome]) -> Outcome:
    """One outcome of those that the folds chose, fold by fold."""
    found = Outcome(name)
    for fold, one in enumerate(chosen):
        found.report.append(one.report[fold])
        found.sample.append(one.sample[fold])
        found.tallies.append(one.tallies[fold])
        found.sample_tallies.append(one.sample_tallies[fold])
    return found


def without_languages(folds: Sequence[Mapping[str, Mapping[str, Any]]]) -> list[dict[str, dict[str, float]]]:
    """The metrics of each fold, less those of single languages.

    Example:
        >>> without_languages([{"t2i": {"R@1": 0.5, "per_language": {"en": {"R@1": 0.5}}}}])
        [{'t2i': {'R@1': 0.5}}]
    """
    return [
        {way: {key: value for key, value in figures.items() if key != "per_language"} for way, figures in one.items()}
        for one in folds
    ]
