"""Estimates: means over folds of what all folds have, changes of what both arms have, and what stays open."""

import numpy as np
import pytest

from ccalign_jax.measurement.estimates import differences, estimate, estimate_means, mean_and_std
from ccalign_jax.measurement.measure import Measurement

ALL, EN = ("t2i", None), ("t2i", "en")


def folds_of(*folds):
    """Measurements whose only metric, R@1, has these values by place."""
    return [Measurement({place: {"R@1": x} for place, x in fold.items()}, {}, np.arange(1)) for fold in folds]


def test_mean_and_spread_over_folds():
    found = estimate_means([one.values for one in folds_of({ALL: 0.3}, {ALL: 0.6}, {ALL: 0.3})]).nest()
    spread = {"mean": pytest.approx(0.4), "std": pytest.approx(0.03**0.5)}
    assert found == {"t2i": {"R@1": {**spread, "low": None, "high": None}}}
    alone = estimate_means([one.values for one in folds_of({ALL: 0.3})]).nest()["t2i"]["R@1"]
    assert alone == {"mean": 0.3, "std": None, "low": None, "high": None}


@pytest.mark.parametrize("count", range(1, 12))
def test_means_and_spreads_are_those_of_each_number_alone(count):
    """To the bit, whatever stands beside it."""
    values = np.random.default_rng(count).standard_normal((count, 6, 7))
    mean, std = mean_and_std(values)
    for place in np.ndindex(6, 7):
        one = values[(slice(None), *place)].copy()
        assert mean[place] == np.mean(one)
        assert std[place] == np.std(one, ddof=1) if count > 1 else np.isnan(std[place])


def test_what_a_fold_lacks_has_no_mean():
    folds = folds_of({ALL: 1.0, EN: 2.0}, {ALL: 3.0})
    found = estimate_means([one.values for one in folds], exact=True)
    assert found.places == [ALL]
    assert found.nest()["t2i"]["R@1"] == {"mean": 2.0, "std": pytest.approx(2**0.5), "low": 2.0, "high": 2.0}


def test_changes_are_of_what_both_have():
    (mine,), (base,) = folds_of({ALL: 0.5, EN: 0.5, ("t2i", "en (unmapped)"): 0.25}), folds_of({ALL: 0.25, EN: 0.125})
    assert differences([mine.values], [base.values]) == [{ALL: {"R@1": 0.25}, EN: {"R@1": 0.375}}]


def test_all_estimates_of_an_arm():
    entry = estimate(folds_of({ALL: 0.5, EN: 0.5}), folds_of({ALL: 0.25}), folds_of({ALL: 0.75, EN: 0.5}))
    found = entry.nest()
    assert list(found) == ["metrics", "delta", "train_metrics", "gap"]
    assert found["metrics"]["t2i"]["per_language"]["en"]["R@1"]["mean"] == 0.5
    nothing = dict.fromkeys(("std", "low", "high", "p", "p_adjusted", "p_folds"))
    assert found["delta"] == {"t2i": {"R@1": {"mean": 0.25, **nothing}}}
    assert found["gap"]["t2i"]["R@1"]["mean"] == 0.25 and "per_language" not in found["gap"]["t2i"]
    assert list(estimate(folds_of({ALL: 0.5}), folds_of({ALL: 0.5})).nest()) == ["metrics", "delta"]
    assert "per_language" not in entry.only(lambda place: place[1] is None).nest()["metrics"]["t2i"]
