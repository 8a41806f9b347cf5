"""Whole sweeps: what their summaries say, what they choose by, and that a fold's choice is blind to what it reports."""

import dataclasses
import json

import jax
import numpy as np
import pytest

from ccalign_jax.data import EmbeddingSet, Fold, Inner
from ccalign_jax.errors import InputError
from ccalign_jax.options import SweepConfig
from ccalign_jax.study import sweep
from ccalign_jax.study.measure_maps import measure_test_parts
from ccalign_jax.study.outcomes import select
from ccalign_jax.study.plan import plan_folds, plan_sweep
from ccalign_jax.study.refit import refit
from ccalign_jax.study.run import run_sweep
from ccalign_jax.study.summary import Summary

QUICK = {"epochs": 2, "steps_per_epoch": 2, "batch_images": 8}


def test_the_summary_is_of_this_sweep(whole):
    summary = whole.summary
    names = [trial["name"] for trial in summary["trials"]]
    assert len(names) == 2 and names == [one.name for one in whole.outcomes]
    assert summary["best"] in {"identity", *names} and set(summary["selected"]["per_fold"]) <= {"identity", *names}
    assert summary["baselines"]["chance"]["t2i"]["R@1"]["mean"] == pytest.approx(1 / 30)
    for trial, one in zip(summary["trials"], whole.outcomes, strict=True):
        base = [fold.values["t2i", None]["R@1"] for fold in whole.identity.test]
        mine = [fold.values["t2i", None]["R@1"] for fold in one.test]
        assert trial["metrics"]["t2i"]["R@1"]["mean"] == pytest.approx(np.mean(mine))
        assert trial["delta"]["t2i"]["R@1"]["mean"] == pytest.approx(np.mean(np.subtract(mine, base)))
        assert all(0 <= epoch <= 2 for epoch in one.epochs)
        # epoch 0 of a residual is identity, on the same fold
        np.testing.assert_allclose([curve[0].mean() for curve in one.curves], whole.identity.selection, atol=1e-6)


def test_results_are_shown_as_soon_as_they_are_known(planned):
    """Identity, its score corrections, and a family when its last trial is done: the figures of the summary."""
    shown = []
    found = measure_test_parts(run_sweep(planned(), preview=lambda name, folds: shown.append((name, folds))))
    names = [name for name, _ in shown]
    assert names[0] == "identity" and names[-1] == "image/residual/infonce" and "identity, csls" in names
    (family,) = found.summary["families"]
    assert list(found.seconds) == ["baselines", "trials", "test parts", "estimates"]
    scores = found.summary["scores"]["identity"]
    wanted = [found.summary["baselines"]["identity"], *(scores[name.partition(", ")[2]] for name in names[1:-1])]
    for (_, folds), figures in zip(shown, [*wanted, family["metrics"]], strict=True):
        for way in ("t2i", "i2t", "both"):
            assert np.mean([fold[way]["R@1"] for fold in folds]) == pytest.approx(figures[way]["R@1"]["mean"])


def test_trials_are_chosen_by_one_yardstick(planned):
    """A trial whose epoch was picked by t2i alone is still compared by the mean, as identity is."""
    found = run_sweep(planned(criterion="t2i"))
    for one in found.outcomes:
        for fold, epoch in enumerate(one.epochs):
            scores = one.curves[fold]
            assert epoch == np.argmax(scores[:, 0])
            assert one.selection[fold] == pytest.approx(scores[epoch].mean())


FOLDS = 4
MIXED = (
    "epochs=3",
    "steps_per_epoch=3",
    "score_every=1",
    "batch_images=8",
    "learning_rate=0.02,0.2",
    "temperature=0.2",
)


def blurred(poisoned=()):
    """Captions are noisy images, so that trials and epochs are close; those of `poisoned` images are all noise."""
    rng, other, keys = np.random.default_rng(3), np.random.default_rng(9), [f"k{number:02d}" for number in range(64)]
    image = rng.standard_normal((64, 6))
    text = {language: image + 0.9 * rng.standard_normal((64, 6)) for language in ("de", "en")}
    for rows in (image, *text.values()):
        noise = other.standard_normal((64, 6))
        rows[list(poisoned)] = noise[list(poisoned)]
    return EmbeddingSet.build("blurred", image, text, image_keys=keys)


def mixed(data):
    """Trained and solved trials, under two pivots."""
    config = SweepConfig(
        pivots=("image", "text:en"), aligners=("residual", "ridge"), folds=FOLDS, hyper=MIXED, race=False
    )
    return run_sweep(plan_sweep(data, config, plan_folds(data, config)))


@pytest.fixture(scope="module")
def clean():
    return mixed(blurred())


def chosen(result, fold):
    """What a fold chooses, of all trials and of each family; and everything that it chooses by."""
    families = {}
    for one in result.outcomes:
        families.setdefault(one.family, []).append(one)
    picks = [select([result.identity, *result.outcomes], per_fold=True)[fold].name]
    picks += [select(members, per_fold=True)[fold].name for members in families.values()]
    every = [(one.name, one.epochs[fold], one.selection[fold]) for one in (result.identity, *result.outcomes)]
    return picks, every, [one.curves[fold].tolist() for one in result.outcomes]


@pytest.mark.parametrize("fold", range(FOLDS))
def test_what_a_fold_reports_has_no_part_in_its_choice(clean, fold):
    """Other captions and images in one fold's report part: its trial, epochs and maps stay, to the bit."""
    found = mixed(blurred(clean.plan.folds[fold].test))
    assert chosen(found, fold) == chosen(clean, fold)
    assert found.summary["selected"]["per_fold"][fold] == clean.summary["selected"]["per_fold"][fold]
    assert found.summary["selected"]["epochs"][fold] == clean.summary["selected"]["epochs"][fold]
    for one, other in zip(found.outcomes, clean.outcomes, strict=True):
        jax.tree.map(np.testing.assert_array_equal, one.params[fold], other.params[fold])
        assert one.train[fold].values == other.train[fold].values
        assert one.test[fold].values != other.test[fold].values
    for other_fold in set(range(FOLDS)) - {fold}:  # to the others they were training and selection
        assert chosen(found, other_fold) != chosen(clean, other_fold)


def test_the_choices_are_not_all_the_same(clean):
    """Else nothing above would tell one from another."""
    assert len({epoch for one in clean.outcomes for epoch in one.epochs}) > 2
    assert len(set(clean.summary["selected"]["per_fold"])) > 1


def test_what_selects_is_the_mean_over_inner_parts(clean):
    """Identity has no fit: its score of a fold is the mean of what it has on the other folds, which report it."""
    assert clean.summary["inner"] == "each of the other 3 folds in turn"
    selection = np.array(clean.identity.selection)
    ways = (("t2i", "R@1"), ("i2t", "R@1"), ("both", "MRR"))
    folds = [[fold.values[way, None][metric] for way, metric in ways] for fold in clean.identity.test]
    levels = np.mean(folds, axis=1)
    np.testing.assert_allclose(selection, (levels.sum() - levels) / (FOLDS - 1), atol=1e-6)


def test_repeats_report_every_image_again(planned):
    once, twice = (run_sweep(planned(repeats=repeats)) for repeats in (1, 2))
    assert (once.summary["folds"], once.summary["repeats"]) == (2, 1)
    assert (twice.summary["folds"], twice.summary["repeats"]) == (4, 2)
    for one, other in zip(once.outcomes, twice.outcomes, strict=True):
        mine, theirs = ([fold.values for fold in each.test] for each in (one, other))
        assert mine == theirs[:2] and one.epochs == other.epochs[:2]
        assert theirs[:2] != theirs[2:]
    reported = np.concatenate([fold.test for fold in twice.plan.folds])
    np.testing.assert_array_equal(np.bincount(reported), np.full(60, 2))


def test_without_resamples_nothing_is_claimed(whole):
    assert "statistics" not in whole.summary and whole.replicates is None
    assert dataclasses.replace(whole).summary == whole.summary


@pytest.mark.slow
def test_an_official_split_is_one_fold(toy):
    data = toy(split=np.repeat(["train", "dev", "test"], [35, 10, 15]))
    found = sweep(data, split="official", aligners=["ridge"], diagnostics=False)
    assert found.summary["folds"] == 1
    figure = found.summary["selected"]["metrics"]["t2i"]["R@1"]
    assert figure["std"] is None and figure["low"] <= figure["mean"] <= figure["high"]
    assert found.summary["selected"]["delta"]["t2i"]["R@1"]["p_folds"] is None
    assert found.summary["baselines"]["chance"]["t2i"]["R@1"]["mean"] == pytest.approx(1 / 15)


@pytest.mark.slow
def test_a_rare_language_may_be_missing_from_the_training_sample(toy_rows):
    texts, image = toy_rows()
    keys = [f"k{number:02d}" for number in range(60)]
    owners = {"de": keys, "en": [keys[0], keys[1], keys[30]]}
    text = {"de": texts["de"], "en": texts["en"][[0, 1, 30]]}
    data = EmbeddingSet.build("rare", image, text, image_keys=keys, text_keys=owners)
    rows = np.arange(60)
    train = np.setdiff1d(rows, [0, 1, *range(2, 20)])
    inner = (Inner(train, np.array([0, *range(2, 10)])),)
    fold = Fold(train, inner, np.array([1, *range(10, 20)]), np.arange(31, 42), rows)
    found = sweep(data, folds=[fold], aligners=["ridge"])
    trial = found.summary["trials"][0]
    assert list(trial["train_metrics"]["t2i"]["per_language"]) == ["de"]
    assert list(trial["metrics"]["t2i"]["per_language"]) == ["de", "en"]
    assert trial["gap"]["t2i"]["R@1"]["low"] <= trial["gap"]["t2i"]["R@1"]["mean"]
    with pytest.raises(InputError, match="no fold"):
        sweep(data, folds=[])
    with pytest.raises(InputError, match="trains on its validation images"):
        sweep(data, folds=[dataclasses.replace(fold, inner=(Inner(rows[20:], rows[:40]),))])


@pytest.mark.slow
def test_the_seed_protocol_reports_where_it_selects(toy):
    hyper = {**QUICK, "temperature": 0.1, "learning_rate": 0.1}
    found = sweep(toy(), protocol="seed", folds=2, aligners=["residual"], hyper=hyper, diagnostics=False)
    (only,) = found.outcomes
    assert min(only.epochs) >= 1
    for fold, report in enumerate(only.test):
        assert only.selection[fold] == pytest.approx(report.values["t2i", None]["R@1"], abs=1e-6)
    summary = found.summary
    assert summary["best"] == only.name and found.best.about["epoch"] >= 1
    assert summary["inner"] == "the test parts themselves"
    for way in ("t2i", "i2t", "both"):
        told = summary["optimism"][way]["R@1"]
        assert told["claimed"] == pytest.approx(summary["selected"]["delta"][way]["R@1"]["mean"], abs=1e-6)
        assert told["optimism"] == pytest.approx(told["claimed"] - told["honest"])
    assert told["honest"] <= max(one.values["both", None]["R@1"] for one in only.test)


BURST = ("epochs=2", "steps_per_epoch=2", "batch_images=8", "temperature=0.1", "prox=1e38")


@pytest.fixture(scope="module")
def burst(planned):
    """A trial that stays finite, and one that diverges in its second step."""
    return run_sweep(planned(hyper=(*BURST, "learning_rate=0.01,100")))


def test_a_trial_that_diverges_is_named_and_not_chosen(burst):
    calm, wild = burst.outcomes
    assert wild.diverged == [2, 2] and calm.diverged == [0, 0] and wild.epochs == [0, 0]
    assert [one.get("diverged") for one in burst.summary["trials"]] == [None, [2, 2]]
    assert burst.summary["diverged"] == {wild.name: [2, 2]}
    assert wild.name not in {burst.summary["best"], *burst.summary["selected"]["per_fold"]}
    (note,) = (note for note in burst.summary["notes"] if "diverged" in note)
    assert note.startswith(f"{wild.name} diverged in 2 of 2 folds, first after step 2: ")
    assert all(np.isfinite(params["delta"]).all() for params in wild.params)
    json.dumps(burst.summary, allow_nan=False)


def test_a_trial_that_diverges_harms_no_other(burst, planned):
    calm, (alone,) = burst.outcomes[0], run_sweep(planned(hyper=(*BURST, "learning_rate=0.01"))).outcomes
    assert calm.epochs == alone.epochs
    jax.tree.map(np.testing.assert_array_equal, list(calm.params), list(alone.params))
    assert [part.values for part in calm.test] == [part.values for part in alone.test]


def test_where_all_trials_diverge_the_seed_protocol_keeps_identity(planned):
    found = run_sweep(planned(protocol="seed", hyper=(*BURST, "learning_rate=1e4")))
    assert found.summary["best"] == "identity" and any(
        "diverged in 2 of 2 folds" in one for one in found.summary["notes"]
    )


def test_a_refit_that_diverges_leaves_identity(burst):
    wild = burst.outcomes[1]
    wrong = dataclasses.replace(wild, epochs=[2, 2])
    summary = {**burst.summary, "best": wild.name, "notes": []}
    found = dataclasses.replace(burst, outcomes=[burst.outcomes[0], wrong])
    found.estimates = Summary(summary, [], {})
    assert refit(found).about["aligner"] == found.summary["best"] == "identity"
    assert found.summary["notes"] == [
        f"best: refitted on all images, {wild.name} diverged at step 2, before epoch 2; best/ holds identity"
    ]
