"""Verdicts: the rule, and the sentences that follow it."""

import pytest

from ccalign_jax.reporting.format import changed, gap, level, p_words
from ccalign_jax.reporting.panels.results import main_notes
from ccalign_jax.reporting.scope import folds_words
from ccalign_jax.reporting.sentences import both_words, closed_words, selected_words
from ccalign_jax.reporting.verdicts import verdict, verdict_cell, verdict_of


def change(mean, p, low=-1.0, high=1.0):
    return {"mean": mean, "std": None, "low": low, "high": high, "p": p, "p_adjusted": p}


@pytest.mark.parametrize(
    ("mean", "p", "word"),
    [
        *((0.1, 0.049, "gain"), (0.1, 0.05, "no evidence"), (-0.1, 0.049, "loss"), (-0.1, 0.9, "no evidence")),
        *((0.0, 0.001, "no evidence"), (0.1, None, "")),
    ],
)
def test_a_verdict_is_the_sign_of_what_is_significant(mean, p, word):
    assert verdict(change(mean, p)) == word
    swapped = {"gain": "loss", "loss": "gain"}.get(word, word)
    assert verdict(change(mean, p), lower_is_better=True) == verdict(change(-mean, p)) == swapped


def test_the_word_of_the_summary_goes_before_our_own():
    part = {"verdict": {"both": "loss"}, "delta": {"both": {"R@1": change(0.1, 0.001)}}}
    assert verdict_of(part) == "loss"
    del part["verdict"]
    assert verdict_of(part) == "gain"
    assert verdict_of({"delta": {}}) == verdict_of({}) == ""


def test_a_cell_says_where_directions_differ():
    figures = {"both": change(0.1, 0.001), "t2i": change(0.3, 0.001), "i2t": change(-0.1, 0.001)}
    part = {"delta": {way: {"R@1": figure} for way, figure in figures.items()}}
    assert verdict_cell(part) == "gain (t2i, i2t loss)"
    part["delta"]["i2t"]["R@1"]["p_adjusted"] = 0.5
    assert verdict_cell(part) == "gain (t2i)"
    assert verdict_cell({}) == ""


@pytest.mark.parametrize(
    ("mean", "p", "words"),
    [
        (0.1, 0.001, "Gain: the mean of both directions rose by .100 ("),
        (-0.1, 0.001, "Loss: the mean of both directions fell by .100 ("),
        (-0.1, 0.2, "No evidence of a gain: the mean of both directions changed by −.100 ("),
        (-0.0001, 0.001, "Loss: the mean of both directions changed by .000 ("),
    ],
)
def test_the_sentence_starts_with_the_verdict(mean, p, words):
    assert both_words({"delta": {"both": {"R@1": change(mean, p)}}}).startswith(words)


def test_folds_are_silent_where_there_is_no_test_over_them():
    assert folds_words({"selected": {"delta": {"both": {"R@1": change(0.1, 0.001)}}}}) == ""


@pytest.mark.parametrize(
    ("p", "words"), [(0.00099, "p < .001"), (0.001, "p = .001"), (0.0344, "p = .034"), (0.9991, "p > .999")]
)
def test_p_is_always_as_wide(p, words):
    assert p_words(p) == words


def test_cells_have_an_interval_where_one_is_known():
    ranks = {"mean": 20.0, "std": 0.5, "low": 18.25, "high": 22.0}
    assert level(ranks, 1) == "20.0 [18.2, 22.0]" and level(None) == "—"
    assert changed({**ranks, "mean": -2.0, "low": -4.0, "high": 0.0, "p_adjusted": 0.02}, 1) == (
        "−2.0 [−4.0, 0.0] p=.020"
    )
    assert changed({**ranks, "low": None, "high": None, "p_adjusted": None}, 1) == "+20.0±0.5"


def test_a_gap_without_an_interval_has_no_spread():
    part = {"metrics": {"t2i": {"R@1": {"mean": 0.5}}}, "train_metrics": {"t2i": {"R@1": {"mean": 0.75}}}}
    assert gap(part, "t2i") == "+.250" and gap({"metrics": part["metrics"]}, "t2i") == ""
    part["gap"] = {"t2i": {"R@1": {"mean": 0.25, "std": 0.1, "low": None, "high": None}}}
    assert gap(part, "t2i") == "+.250"
    part["gap"]["t2i"]["R@1"] |= {"low": 0.2, "high": 0.3}
    assert gap(part, "t2i") == "+.250 [+.200, +.300]"


def test_where_identity_is_at_chance_the_best_closed_form_is_the_baseline(make):
    summary = make(("symmetric", "csa", "closed_form", 0.1, 0.1), ("image", "linear", "infonce", 0.1, 0.1))
    assert closed_words(summary) == ""
    selected = summary["selected"]
    selected["closed_per_fold"] = ["symmetric/csa/closed_form"] * 5
    selected["delta_closed"] = {"both": {"R@1": change(-0.02, 0.01)}}
    said = closed_words(summary)
    assert "(symmetric: CSA in all 5 folds): Loss: the mean of both directions fell by .020" in said
    assert said in selected_words(summary) and said in main_notes(summary)
    selected["per_fold"] = selected["closed_per_fold"]
    assert "the choice is itself" in closed_words(summary)
