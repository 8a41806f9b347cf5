"""A sweep before it runs: what selects, in words, what is left out, and how large the parts are."""

import dataclasses

import numpy as np
import pytest

from ccalign_jax.data import EmbeddingSet, Fold, Inner


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"folds": 5}, "each of the other 4 folds in turn"),
        ({"folds": 4, "repeats": 2}, "each of the other 3 folds in turn"),
        ({"folds": 3}, "one inner part of the other images"),
        ({"folds": 5, "inner_folds": 1}, "one inner part of the other images"),
        ({"folds": 4, "inner_folds": 3}, "3 inner folds"),
        ({"protocol": "seed", "folds": 4}, "the test parts themselves"),
    ],
)
def test_what_selects_in_words(planned, options, words):
    assert planned(**options).inner == words


def test_folds_of_different_kinds_in_words(planned):
    plan = planned(folds=4, inner_folds=3)
    fewer = dataclasses.replace(plan.folds[0], inner=plan.folds[0].inner[:2])
    assert plan._replace(folds=[fewer, *plan.folds[1:]]).inner == "several inner folds"


def test_what_no_fold_has_is_said(planned, toy):
    groups = np.arange(60)
    groups[[3, 4, 55]] = 99
    data = toy(split=np.repeat(["train", "dev", "test"], [35, 10, 15]), groups=groups)
    plan = planned(data, split="official")
    (note,) = (note for note in plan.notes if "left out" in note)
    assert note.startswith("left out 2 of 60 images")
    assert plan.inner == "one inner part of the other images"
    assert not any("left out" in note for note in planned(toy()).notes)


def test_the_share_that_is_reported(planned):
    assert planned(folds=5).test_share == pytest.approx(1 / 4)
    assert planned(folds=5, inner_folds=1).test_share == pytest.approx(12 / 38)  # 48, of which ten select
    everything = np.arange(60)

    def fold(train):
        inner = (Inner(everything[:train], everything[50:55]),)
        return Fold(everything[:train], inner, everything[55:], everything[:5], everything)

    plan = planned()._replace(folds=[fold(50), fold(25)])
    assert plan.test_share == pytest.approx((5 / 50 + 5 / 25) / 2)


def test_batches_fit_into_the_smallest_part_that_is_fitted(planned):
    """Which serves the choice: of five folds three are left to it, of sixty images 36."""
    assert planned(folds=5).min_train_size == 36 and planned(folds=5, inner_folds=1).min_train_size == 38
    hyper = ("batch_images=40", "epochs=1")
    (note,) = (note for note in planned(folds=5, hyper=hyper).notes if "batches" in note)
    assert "batches of 40 images are cut to 36" in note
    assert not any("batches" in note for note in planned(folds=5, hyper=("batch_images=36",)).notes)


def test_more_steps_than_int32_counts_are_refused(planned, one_line):
    hyper = ("epochs=65536", "steps_per_epoch=32768")
    one_line(lambda: planned(folds=5, hyper=hyper), "image/", "2,147,483,648 steps, more than 2,147,483,647")


def test_an_identity_at_chance_is_said_in_one_line(planned):
    rng = np.random.default_rng(0)
    image = rng.standard_normal((60, 8))
    text = {language: image + 0.3 * rng.standard_normal((60, 8)) for language in ("de", "en")}
    whole = planned(EmbeddingSet.build("shared", image, text))
    assert whole.informed and not any("chance" in note for note in whole.notes)
    shuffled = {language: rows[rng.permutation(60)] for language, rows in text.items()}
    for data, words in (
        (EmbeddingSet.build("shuffled", image, shuffled), "identity is at chance: captions lie no nearer"),
        (
            EmbeddingSet.build("narrow", image, {k: rows[:, :5] for k, rows in text.items()}),
            "have 5 dimensions, images 8",
        ),
    ):
        plan = planned(data, aligners=("ridge",))
        (note,) = (note for note in plan.notes if "chance" in note)
        assert words in note and "against the best closed form" in note and not plan.informed
        (note,) = (note for note in planned(data, aligners=("linear",)).notes if "chance" in note)
        assert "no closed form is compared with" in note
