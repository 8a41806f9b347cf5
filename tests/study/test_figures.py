"""Metrics of folds as figures: the mean of both directions, chance, changes, and what stays open."""

import numpy as np
import pytest

from ccalign_jax.data import EmbeddingSet
from ccalign_jax.metrics import METRICS, Ranks, Routes
from ccalign_jax.study.arrays import make_part
from ccalign_jax.study.figures import chance_metrics, figure, figures_of, fold_metrics, minus, route_metrics


def ranks_of(*places):
    """Queries whose answers stand at these places; 0 is no query."""
    places = np.array(places)
    there = (places > 0).astype(np.int32)
    value = np.where(places > 0, 1 / np.maximum(places, 1), 0)
    return Ranks(np.maximum(places - 1, 0), 0 * there, there, value, value, value)


PAIRS = ((ranks_of(1, 2), ranks_of(4, 1, 1, 1)), (ranks_of(1, 1, 0), ranks_of(2, 2)))


def test_both_is_the_mean_of_the_two_directions():
    found = fold_metrics(PAIRS, ("de", "en"))
    assert list(found) == ["t2i", "i2t", "both"]
    assert found["t2i"]["R@1"] == 0.75 and found["i2t"]["R@1"] == 0.375 and found["both"]["R@1"] == 0.5625
    assert found["both"]["per_language"]["de"]["R@1"] == pytest.approx((0.5 + 0.75) / 2)
    assert list(found["both"]) == [*METRICS, "per_language"]
    for metric in METRICS:
        halves = (found["t2i"], found["i2t"])
        assert found["both"][metric] == pytest.approx(np.mean([one[metric] for one in halves]))
        for language in ("de", "en"):
            wanted = np.mean([one["per_language"][language][metric] for one in halves])
            assert found["both"]["per_language"][language][metric] == pytest.approx(wanted)


def test_a_language_of_one_direction_alone_is_not_of_both():
    found = fold_metrics(((ranks_of(1), ranks_of(1)), (ranks_of(2), ranks_of(0))), ("de", "en"))
    assert list(found["t2i"]["per_language"]) == ["de", "en"]
    assert list(found["i2t"]["per_language"]) == list(found["both"]["per_language"]) == ["de"]
    assert found["both"]["R@1"] == 0.75  # of the directions' means


def test_routes_that_are_taken_come_after_both():
    none, one = ranks_of(0, 0), ranks_of(1, 2)
    taken = dict.fromkeys(Routes._fields, ()) | {
        **{"t2i": (one, one), "i2t": (one, one)},
        **{"t2t": (one, none), "via_image": (none, none)},
    }
    found = route_metrics(Routes(**taken), ("de", "en"))
    assert list(found) == ["t2i", "i2t", "both", "t2t"]
    assert list(found["t2t"]["per_language"]) == ["de->en"] and found["t2t"]["R@1"] == 0.5


def ragged():
    """Images a to e; en: a a c d d d e, ja: b c."""
    owners = {"en": list("aacddde"), "ja": list("bc")}
    rng = np.random.default_rng(0)
    text = {language: rng.standard_normal((len(rows), 6)) for language, rows in owners.items()}
    return EmbeddingSet.build("toy", rng.standard_normal((5, 6)), text, image_keys=list("abcde"), text_keys=owners)


def test_chance_counts_galleries_and_answers():
    data = ragged()
    (found,) = chance_metrics([make_part(data, np.arange(5))], data.languages)
    assert found["t2i"]["per_language"]["en"]["R@1"] == pytest.approx(1 / 5)
    # images a, c, d, e have 2, 1, 3, 1 of seven captions
    assert found["i2t"]["per_language"]["en"]["R@1"] == pytest.approx(np.mean([2, 1, 3, 1]) / 7)
    assert found["i2t"]["per_language"]["ja"]["R@1"] == pytest.approx(1 / 2)
    assert found["both"]["R@1"] == pytest.approx((found["t2i"]["R@1"] + found["i2t"]["R@1"]) / 2)


def test_a_language_without_a_query_is_left_out():
    """A rare language may be absent from a training sample; the others still count."""
    data = ragged()
    (found,) = chance_metrics([make_part(data, np.array([0, 3, 4]))], data.languages)
    assert list(found["t2i"]["per_language"]) == list(found["both"]["per_language"]) == ["en"]
    assert found["t2i"]["R@1"] == pytest.approx(1 / 3)


def test_chance_between_languages():
    data = ragged()
    (found,) = chance_metrics([make_part(data, np.arange(5))], data.languages, routes=["t2t"])
    # c alone has both: one caption of ja among two, and one of en among seven
    assert {name: one["R@1"] for name, one in found["t2t"]["per_language"].items()} == {
        "en->ja": pytest.approx(1 / 2),
        "ja->en": pytest.approx(1 / 7),
    }


def test_mean_and_spread_over_folds():
    assert figure([0.3, 0.6, 0.3]) == {
        **{"mean": pytest.approx(0.4), "std": pytest.approx(0.03**0.5)},
        **{"low": None, "high": None},
    }
    assert figure([0.3]) == {"mean": 0.3, "std": None, "low": None, "high": None}


def test_nested_numbers_become_nested_figures():
    folds = [{"a": {"x": 1.0, "y": 2.0}, "b": 5.0}, {"a": {"x": 3.0}, "b": 7.0}]
    found = figures_of(folds)
    assert set(found["a"]) == {"x"}  # what a fold lacks has no mean
    assert found["a"]["x"]["mean"] == 2.0 and found["b"]["mean"] == 6.0
    change = figures_of(folds, delta=True)["b"]
    assert change == {**found["b"], "p": None, "p_adjusted": None, "p_folds": None}
    exact = figures_of(folds, exact=True)["b"]
    assert exact == {**found["b"], "low": 6.0, "high": 6.0}


def test_changes_are_of_what_both_have():
    mine = {"t2i": {"R@1": 0.5, "per_language": {"en": {"R@1": 0.5}, "en (unmapped)": {"R@1": 0.25}}}}
    base = {"t2i": {"R@1": 0.25, "per_language": {"en": {"R@1": 0.125}}}, "i2t": {"R@1": 1.0}}
    assert minus(mine, base) == {"t2i": {"R@1": 0.25, "per_language": {"en": {"R@1": 0.375}}}}


@pytest.mark.parametrize("count", range(1, 12))
def test_means_and_spreads_are_numpys_to_the_bit(count):
    for values in np.random.default_rng(count).standard_normal((50, count)):
        found = figure(values.tolist())
        assert found["mean"] == np.mean(values)
        assert found["std"] == (np.std(values, ddof=1) if count > 1 else None)
