"""Summaries by hand: means over folds, changes, and who is chosen."""

import dataclasses
import json

import numpy as np
import pytest

from ccalign_jax.study.outcomes import best_of, select
from ccalign_jax.study.summary import make_summary


@pytest.fixture
def summarise(fold_of):
    """`summarise(outcomes, identity)` without intervals."""

    def make(outcomes, identity, protocol="nested", **options):
        return make_summary(
            **options,
            data={},
            protocol=protocol,
            identity=identity,
            chance=[fold_of(0.1)] * len(identity.test),
            outcomes=outcomes,
            best=outcomes[0],
            notes=["note"],
        ).content

    return make


@pytest.fixture
def identity(outcome):
    return outcome("identity", [0.2, 0.4, 0.3], [0.5, 0.5, 0.5])


@pytest.fixture
def three(outcome):
    """Trials a, b and c, the last of another family."""
    return [
        outcome("a", [0.3, 0.6, 0.3], [0.6, 0.4, 0.5]),
        outcome("b", [0.5, 0.1, 0.9], [0.3, 0.4, 0.9]),
        outcome("c", [0.0, 0.0, 0.1], [0.7, 0.1, 0.1], aligner="linear"),
    ]


def test_estimates_by_hand(summarise, three, identity):
    found = summarise(three, identity)
    trial = found["trials"][0]
    expected = {"mean": pytest.approx(0.4), "std": pytest.approx(0.03**0.5), "low": None, "high": None}
    assert trial["metrics"]["t2i"]["R@1"] == expected
    assert trial["metrics"]["i2t"]["per_language"]["en"]["MRR"] == expected
    delta = trial["delta"]["t2i"]["R@1"]  # fold by fold: 0.1, 0.2, 0
    nothing = dict.fromkeys(("low", "high", "p", "p_adjusted", "p_folds"))
    assert delta == {"mean": pytest.approx(0.1), "std": pytest.approx(0.1), **nothing}
    assert trial["gap"] == {
        way: {"R@1": {**expected, "mean": pytest.approx(-0.2), "std": pytest.approx(0.0075**0.5)}}
        for way in ("t2i", "i2t", "both")
    }
    assert trial["train_metrics"]["t2i"]["R@1"]["mean"] == pytest.approx(0.2)
    assert trial["curve"]["MRR"] == [0.4, 0.4]
    assert trial["epochs"] == [3, 3, 3]
    chance = found["baselines"]["chance"]["both"]["R@1"]
    assert chance["low"] == chance["high"] == chance["mean"] == pytest.approx(0.1)
    assert "verdict" not in trial and "statistics" not in found


def test_one_fold_has_no_spread(summarise, outcome):
    one = summarise([outcome("a", [0.3], [1.0])], outcome("identity", [0.2], [0.5]))
    assert one["trials"][0]["metrics"]["t2i"]["R@1"] == {"mean": 0.3, "std": None, "low": None, "high": None}
    json.dumps(one, allow_nan=False)


def test_nested_folds_choose_for_themselves_and_may_choose_identity(summarise, three, identity):
    found = summarise(three, identity)
    assert found["selected"]["per_fold"] == ["c", "identity", "b"]
    assert found["selected"]["metrics"]["t2i"]["R@1"]["mean"] == pytest.approx((0.0 + 0.4 + 0.9) / 3)
    assert found["selected"]["delta"]["t2i"]["R@1"]["mean"] == pytest.approx((-0.2 + 0 + 0.6) / 3)
    families = {(one["aligner"]): one["per_fold"] for one in found["families"]}
    assert families == {"residual": ["a", "a", "b"], "linear": ["c", "c", "c"]}


def test_the_seed_protocol_takes_the_best_mean_and_no_identity(summarise, three, identity):
    found = summarise(three[::-1], identity, "seed")
    assert found["selected"]["per_fold"] == ["b", "b", "b"]


def test_ties_go_to_the_safest(outcome, identity):
    same = outcome("same", [0.9, 0.9, 0.9], identity.selection)
    nearly = outcome("nearly", [0.9, 0.9, 0.9], [0.5 + 3e-8] * 3)  # another program's rounding
    assert [one.name for one in select([identity, same, nearly], per_fold=True)] == ["identity"] * 3
    assert select([identity, same, nearly], per_fold=False)[0].name == "identity"
    better = outcome("better", [0.9, 0.9, 0.9], [0.5 + 1e-4] * 3)
    assert {one.name for one in select([identity, same, better], per_fold=True)} == {"better"}
    assert best_of([0.1, np.float32(0.3), 0.3, 0.2]) == 1


def test_where_identity_is_at_chance_the_choice_is_set_against_the_best_closed_form(summarise, three, outcome):
    """Each fold's own choice among the closed forms: here cca, csa, csa."""
    identity = outcome("identity", [0.0, 0.0, 0.0], [0.0, 0.0, 0.0])
    closed = [outcome("cca", [0.2, 0.9, 0.9], [0.6, 0.1, 0.1]), outcome("csa", [0.9, 0.1, 0.4], [0.2, 0.3, 0.3])]
    for one in closed:
        one.trial = dataclasses.replace(one.trial, aligner=one.name, loss="closed_form")
    found = summarise([*three, *closed], identity, informed=False)
    assert found["selected"]["closed_per_fold"] == ["cca", "csa", "csa"]
    assert found["baselines"]["closed_form"]["t2i"]["R@1"]["mean"] == pytest.approx((0.2 + 0.1 + 0.4) / 3)
    assert found["selected"]["per_fold"] == ["c", "a", "b"]
    assert found["selected"]["delta_closed"]["t2i"]["R@1"]["mean"] == pytest.approx((-0.2 + 0.5 + 0.5) / 3)
    assert found["selected"]["delta"]["t2i"]["R@1"]["mean"] == pytest.approx((0.0 + 0.6 + 0.9) / 3)
    linear = next(one for one in found["families"] if one["aligner"] == "linear")
    assert linear["delta_closed"]["both"]["MRR"]["mean"] == pytest.approx((-0.2 - 0.1 - 0.3) / 3)
    assert "delta_closed" not in found["trials"][0]
    for other in (summarise([*three, *closed], identity), summarise(three, identity, informed=False)):
        assert "delta_closed" not in other["selected"] and "closed_form" not in other["baselines"]
