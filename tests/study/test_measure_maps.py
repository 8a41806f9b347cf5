"""What is measured after a sweep: every trial between languages, and what each fold chose described."""

import dataclasses
import json

import numpy as np
import pytest

from ccalign_jax.data import EmbeddingSet, synthetic
from ccalign_jax.measurement.metric_replicates import PAIR_REPLICATES
from ccalign_jax.metrics import SCORINGS, rank, retrieval_metrics
from ccalign_jax.numerics import unit_float32
from ccalign_jax.statistics import holm
from ccalign_jax.study import sweep
from ccalign_jax.study.arrays import make_part
from ccalign_jax.study.measure_maps import measure_test_parts
from ccalign_jax.study.score_corrections import bank_rows
from ccalign_jax.training import Part, PartRows

QUICK = {"epochs": 1, "steps_per_epoch": 2, "batch_images": 8, "learning_rate": (1e-3, 3e-2), "temperature": 0.07}


@pytest.fixture(scope="module")
def found():
    return sweep(synthetic(45, dimensions=6, languages=("ar", "de", "en")), aligners=["residual"], hyper=QUICK, folds=2)


def test_between_languages_of_identity_is_that_of_the_rows(found):
    data, plan = found.plan.data, found.plan
    for number, fold in enumerate(plan.folds):
        part = make_part(data, fold.test)
        starts = np.cumsum([0, *(len(data.text[language]) for language in data.languages)])
        a, b = 0, 1
        rows = [
            unit_float32(data.text[data.languages[place]][part.captions[place] - starts[place]]) for place in (a, b)
        ]
        gold = np.where(part.image_of[a][:, None] >= 0, part.captions_of[b][part.image_of[a]], -1)
        ranks = rank(*rows, gold, gallery_mask=part.image_of[b] >= 0)
        mine = found.identity.test[number].values["t2t", f"{data.languages[a]}->{data.languages[b]}"]
        assert mine == pytest.approx(retrieval_metrics(ranks), abs=1e-6)


def test_every_trial_has_text_to_text_and_every_family_diagnostics(found):
    summary = found.summary
    json.dumps(summary, allow_nan=False)
    for trial in summary["trials"]:
        for task in ("t2t", "via_image", "via_image_oracle"):
            after, before = (part[task]["R@1"]["mean"] for part in (trial["metrics"], summary["baselines"]["identity"]))
            change = trial["delta"][task]["R@1"]
            assert change["mean"] == pytest.approx(after - before)
            assert change["low"] <= change["mean"] <= change["high"] and 0 < change["p"] <= change["p_adjusted"] <= 1
            assert trial["verdict"][task] in ("gain", "no evidence", "loss")
            pair = trial["metrics"][task]["per_language"]["ar->de"]["MRR"]
            assert pair["low"] < pair["mean"] < pair["high"]
    assert summary["statistics"]["pair_replicates"] == PAIR_REPLICATES
    assert set(summary["diagnostics"]) == {"identity", "image/residual/infonce"}
    identity = summary["diagnostics"]["identity"]
    assert np.shape(identity["between_languages"]["gram_correlation"]["matrix"]) == (3, 3)
    assert 0 < identity["probe"]["by_image"]["accuracy"] < 1
    assert identity["image"] == pytest.approx(summary["diagnostics"]["image/residual/infonce"]["image"])


@pytest.fixture(scope="module")
def scored(solved):
    """Scores on top of what a sweep on crossed folds chose."""
    result = dataclasses.replace(solved[1])
    return measure_test_parts(result, tasks=(), scores=True, diagnostics=False)


def test_the_bank_has_what_is_fitted_for_the_report(scored):
    """Not what is fitted to choose, which is less."""
    assert scored.plan.min_train_size == 50
    assert scored.summary["scores"]["bank"]["images"] == 75 == min(len(fold.train) for fold in scored.plan.folds)


def test_scores_are_compared_with_the_cosine_of_identity(scored):
    scores = {state: each for state, each in scored.summary["scores"].items() if state != "bank"}
    families = {"/".join(outcome.family) for outcome in scored.outcomes}
    assert set(scores) == {"identity", *families} and all(set(each) == set(SCORINGS) for each in scores.values())
    base = scores["identity"]["cosine"]
    plain = scored.summary["baselines"]["identity"]
    for way in ("t2i", "i2t", "both"):
        assert base[way]["R@1"]["mean"] == pytest.approx(plain[way]["R@1"]["mean"], abs=1e-6)
        own = base["delta"][way]["R@1"]  # against itself, which is no test
        assert {own[key] for key in ("mean", "low", "high")} == {0.0} and own["p"] == 1.0 and own["p_adjusted"] is None
        tested = []
        for state, each in scores.items():
            for name, entry in each.items():
                change = entry["delta"][way]["R@1"]
                assert change["mean"] == pytest.approx(entry[way]["R@1"]["mean"] - base[way]["R@1"]["mean"], abs=1e-9)
                assert change["low"] - 1e-6 <= change["mean"] <= change["high"] + 1e-6
                if (state, name) != ("identity", "cosine"):
                    tested.append((change["p"], change["p_adjusted"]))
        p, adjusted = np.transpose(tested)
        np.testing.assert_allclose(adjusted, holm(p))


@pytest.fixture(scope="module")
def chosen_apart(whole):
    """Scores on top where the first fold chose the second trial, and the second fold the first."""
    first, second = (
        dataclasses.replace(one, selection=scores)
        for one, scores in zip(whole.outcomes, ([0.0, 1.0], [1.0, 0.0]), strict=True)
    )
    found = measure_test_parts(dataclasses.replace(whole, outcomes=[first, second]), tasks=(), diagnostics=False)
    assert found.summary["families"][0]["per_fold"] == [second.name, first.name]
    return found


@pytest.mark.parametrize("run", ["scored", "chosen_apart"])
def test_the_plain_cosine_of_a_choice_is_its_estimate(run, request):
    """Whatever trials the folds chose: mean, interval and p-values."""
    summary = request.getfixturevalue(run).summary
    for family in summary["families"]:
        cosine = summary["scores"]["/".join(family[key] for key in ("pivot", "aligner", "loss"))]["cosine"]
        for way in ("t2i", "i2t", "both"):
            for metric, change in family["delta"][way].items():
                if metric != "per_language":
                    level = family["metrics"][way][metric]
                    for mine, own in ((cosine["delta"][way][metric], change), (cosine[way][metric], level)):
                        for key in set(own) - {"p_adjusted"}:  # of other tests
                            assert mine[key] == pytest.approx(own[key], abs=1e-5), (way, metric, key)


def test_the_seed_protocol_has_claimed_gains_only(solved):
    """Wherever a map was chosen on the reported images; scores on identity involve no choice."""
    plan = solved[1].plan
    seed = dataclasses.replace(solved[1], plan=plan._replace(config=dataclasses.replace(plan.config, protocol="seed")))
    summary = measure_test_parts(seed, tasks=(), diagnostics=False).summary
    entries = [
        *summary["trials"],
        *summary["families"],
        summary["selected"],
        *summary["subgroups"]["difficulty"]["bins"],
    ]
    scores = {state: list(each.values()) for state, each in summary["scores"].items() if state != "bank"}
    untrained = scores.pop("identity")[1:]  # the cosine is the baseline
    entries += [entry for each in scores.values() for entry in each]
    for entry in entries:
        words = set(entry["verdict"].values())
        assert words <= {"claimed gain", "no evidence", "loss"}, entry["verdict"]
    assert summary["selected"]["verdict"]["both"] == "claimed gain"
    assert all("claimed gain" not in entry["verdict"].values() for entry in untrained)


def test_too_few_whole_images_are_said_and_cost_nothing_else():
    rng = np.random.default_rng(0)
    keys = np.array([f"k{number:02d}" for number in range(30)])
    owners = {"de": keys[:16], "en": keys[14:]}
    text = {language: rng.standard_normal((16, 5)).astype(np.float32) for language in owners}
    data = EmbeddingSet.build(
        "apart", rng.standard_normal((30, 5)).astype(np.float32), text, image_keys=keys, text_keys=owners
    )
    summary = sweep(data, aligners=["ridge"], folds=2).summary
    assert "diagnostics" not in summary and any("fewer than 5 images" in note for note in summary["notes"])


def test_a_language_without_training_captions_has_the_neighbours_of_all_others():
    """One that is held out: with a bank of none, scores on top would change nothing and look like a result."""
    rows = [np.full((3, 2), number, np.float32) for number in range(3)]
    owners = (np.array([0, 1, -1]), np.array([-1, -1, -1]), np.array([0, 0, 1]))
    part = Part(np.arange(2), tuple(rows), owners, ())
    text, image = bank_rows(PartRows(part, np.ones((2, 2), np.float32), tuple(rows)))
    assert [sorted(np.unique(one)) for one in text] == [[0], [0, 2], [2]] and [len(one) for one in text] == [2, 5, 3]
    assert len(image) == 2
