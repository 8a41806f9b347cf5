"""Intervals and p-values of a summary: from the ranks on disk, adjusted by hand, and none where nothing changed."""

import dataclasses
import json

import numpy as np
import pytest

from ccalign_jax.measurement.estimates import CHANGE_COLUMNS, Entry, Estimates
from ccalign_jax.measurement.inference import Arm, Inference, adjust
from ccalign_jax.measurement.metric_replicates import describe_statistics
from ccalign_jax.measurement.replicates import draw_replicates
from ccalign_jax.metrics import mean_metrics
from ccalign_jax.runs.output import file_name

IMAGES, FOLDS = 100, 4
LANGUAGES = ("de", "en")


def walk(tree, path=()):
    """Every figure of a tree, and where it stands."""
    if isinstance(tree, dict) and "mean" in tree:
        yield path, tree
    elif isinstance(tree, dict | list):
        for key, one in tree.items() if isinstance(tree, dict) else enumerate(tree):
            yield from walk(one, (*path, key))


def hits_by_image(out, name):
    """`[folds, images]`: what each image adds to macro t2i R@1 of each fold."""
    found = np.zeros((FOLDS, IMAGES))
    with np.load(out / "ranks" / f"{file_name(name)}.npz") as ranks:
        for language in LANGUAGES:
            fold, image, better, equal, tied = (
                ranks[f"t2i/{language}/{key}"] for key in ("fold", "image", "better", "equal", "tied")
            )
            hit = (better == 0) * tied / (tied + equal)
            np.add.at(found, (fold, image), hit / np.bincount(fold)[fold] / len(LANGUAGES))
    return found


def test_estimates_come_from_the_ranks_on_disk(solved):
    """Means, p-values and their adjustment of macro t2i R@1 of every trial, by ten lines of NumPy and scipy."""
    stats = pytest.importorskip("scipy.stats")
    out, _ = solved
    trials = json.loads((out / "summary.json").read_text())["trials"]
    base, rng = hits_by_image(out, "identity"), np.random.default_rng(5)
    signs = rng.choice([-1, 1], (20000, IMAGES))
    p = []
    for trial in trials:
        mine, change = hits_by_image(out, trial["name"]), trial["delta"]["t2i"]["R@1"]
        folds, each = (mine - base).sum(axis=1), (mine - base).mean(axis=0)  # what an image adds to the change
        assert trial["metrics"]["t2i"]["R@1"]["mean"] == pytest.approx(mine.sum(axis=1).mean(), abs=1e-6)
        assert change["mean"] == pytest.approx(each.sum(), abs=1e-6)
        assert change["std"] == pytest.approx(folds.std(ddof=1), abs=1e-6)
        p.append(np.mean(np.abs(signs @ each) >= abs(each.sum()) - 1e-9))
        assert change["p"] == pytest.approx(p[-1], abs=0.02)
        if not folds.any():  # it kept its start, the identity
            assert change["p_folds"] == 1.0
            continue
        error = np.sqrt((1 / FOLDS + 1 / (FOLDS - 1)) * folds.var(ddof=1))
        assert change["p_folds"] == pytest.approx(2 * stats.t.sf(abs(folds.mean()) / error, FOLDS - 1), rel=1e-3)
    said = np.array([trial["delta"]["t2i"]["R@1"]["p"] for trial in trials])
    order, adjusted = np.argsort(said), np.empty(len(said))
    adjusted[order] = np.minimum(np.maximum.accumulate(said[order] * np.arange(len(said), 0, -1)), 1)  # Holm
    np.testing.assert_allclose([trial["delta"]["t2i"]["R@1"]["p_adjusted"] for trial in trials], adjusted)
    assert min(p) < 0.05 < max(p)  # some gain, some do not


def resampled(out, name, times):
    """Macro t2i R@1 in every resample: hits over queries of each fold and language, then the means."""
    with np.load(out / "ranks" / f"{file_name(name)}.npz") as ranks:
        each = []
        for fold in range(FOLDS):
            for language in LANGUAGES:
                rows = ranks[f"t2i/{language}/fold"] == fold
                better, equal, tied, image = (
                    ranks[f"t2i/{language}/{key}"][rows] for key in ("better", "equal", "tied", "image")
                )
                weight = times[:, image]
                each.append(weight @ ((better == 0) * tied / (tied + equal)) / weight.sum(axis=1))
    return np.mean(each, axis=0)


def test_the_intervals_come_from_images_drawn_anew(solved):
    """Percentiles, which Student's t takes further apart where few images carry a figure."""
    stats = pytest.importorskip("scipy.stats")
    out, result = solved
    times = np.random.default_rng(6).multinomial(IMAGES, np.full(IMAGES, 1 / IMAGES), size=4000)
    summary, base = result.summary, hits_by_image(out, "identity").mean(axis=0)
    before = resampled(out, "identity", times)
    cases = [(before, base, summary["baselines"]["identity"])]
    for trial in summary["trials"]:
        drawn, each = resampled(out, trial["name"], times), hits_by_image(out, trial["name"]).mean(axis=0)
        cases += [(drawn, each, trial["metrics"]), (drawn - before, each - base, trial["delta"])]
    for drawn, each, figures in cases:
        found = figures["t2i"]["R@1"]
        if not each.any():
            assert found["low"] == found["high"] == 0.0
            continue
        freedom = 2 * IMAGES / (stats.kurtosis(each, fisher=False) - 1)
        stretch = max(1.0, stats.t.ppf(0.975, freedom) / stats.norm.ppf(0.975))
        low, high = each.sum() + stretch * (np.quantile(drawn, [0.025, 0.975]) - each.sum())
        room = 0.1 * (high - low)  # of 4,000 and 10,000 draws
        assert found["low"] == pytest.approx(low, abs=room) and found["high"] == pytest.approx(high, abs=room)


LEVELS = ("baselines", "trials", "families", "selected")


def test_every_estimate_lies_in_its_interval(solved):
    summary, seen = solved[1].summary, 0
    for path, figure in walk({key: summary[key] for key in LEVELS}):
        if "selection" in path:
            assert figure["low"] is figure["high"] is None
            continue
        assert figure["low"] - 1e-6 <= figure["mean"] <= figure["high"] + 1e-6, (path, figure)
        seen += 1
        if "delta" in path:
            assert 0 < figure["p"] <= figure["p_adjusted"] <= 1 and 0 <= figure["p_folds"] <= 1, (path, figure)
        if "chance" in path:
            assert figure["low"] == figure["mean"] == figure["high"]
    assert seen > 500


def test_both_is_the_mean_of_the_two_directions(solved):
    summary = solved[1].summary
    parts = [summary["baselines"][name] for name in ("identity", "chance", "identity_train")]
    parts += [trial[key] for trial in summary["trials"] for key in ("metrics", "delta", "train_metrics", "gap")]
    for part in parts:
        for metric, figure in part["both"].items():
            if metric == "per_language":
                continue
            halves = [part[way][metric] for way in ("t2i", "i2t")]
            assert figure["mean"] == pytest.approx(np.mean([one["mean"] for one in halves]), abs=1e-9)
            assert figure["low"] <= figure["mean"] <= figure["high"]


def test_the_gap_is_train_less_test(solved):
    for entry in (*solved[1].summary["trials"], *solved[1].summary["families"], solved[1].summary["selected"]):
        for way in ("t2i", "i2t", "both"):
            gap = entry["gap"][way]["R@1"]
            train, held = (entry[key][way]["R@1"] for key in ("train_metrics", "metrics"))
            assert gap["mean"] == pytest.approx(train["mean"] - held["mean"], abs=1e-9)
            assert gap["low"] < gap["mean"] < gap["high"]
        assert set(entry["gap"]) == {"t2i", "i2t", "both"}


def test_the_language_that_others_move_to_has_its_own_interval(solved):
    summary = solved[1].summary
    trial = next(trial for trial in summary["trials"] if trial["pivot"] == "text:en")
    for way in ("t2i", "i2t"):
        still = trial["metrics"][way]["per_language"]["en (unmapped)"]["R@1"]
        before = summary["baselines"]["identity"][way]["per_language"]["en"]["R@1"]
        assert still == before and before["low"] < before["mean"]
        assert "en (unmapped)" not in trial["delta"][way]["per_language"]


def test_words_follow_from_p_adjusted_and_the_sign(solved):
    seen = set()
    for entry in (*solved[1].summary["trials"], *solved[1].summary["families"], solved[1].summary["selected"]):
        for task, word in entry["verdict"].items():
            change = entry["delta"][task]["R@1"]
            sure = change["p_adjusted"] < 0.05
            assert word == ("no evidence" if not sure else "gain" if change["mean"] > 0 else "loss")
            seen.add(word)
        assert set(entry["verdict"]) == set(entry["delta"])
    assert len(seen) > 1


def test_selected_is_one_hypothesis_and_families_are_as_many_as_they_are(solved):
    summary = solved[1].summary
    assert len(summary["families"]) == len(summary["trials"]) == 4
    for path, figure in walk(summary["selected"]["delta"]):
        assert figure["p_adjusted"] == figure["p"], path
    more = [figure["p_adjusted"] - figure["p"] for _, figure in walk([one["delta"] for one in summary["families"]])]
    assert min(more) >= 0 and max(more) > 0


def test_without_resamples_intervals_stay_open(solved):
    summary = dataclasses.replace(solved[1], replicates=None, maps=None).summary
    assert "statistics" not in summary and "verdict" not in summary["selected"]
    for path, figure in walk({key: summary[key] for key in ("trials", "selected")}):
        assert figure["low"] is figure["high"] is None, path
        assert "delta" not in path or figure["p"] is figure["p_adjusted"] is figure["p_folds"] is None


def test_identity_against_itself(measured):
    folds = [measured(range(20)), measured(range(20, 40), seed=1)]
    replicates = draw_replicates(np.arange(40), replicates=100, flips=100, seed=0)
    base = Arm(("identity", "identity"), folds)
    entry = Inference(base, replicates, test_share=0.25).entry(base)
    adjust([entry])
    figures = list(walk(entry.nest()["delta"]))
    assert len(figures) == 3 * 3 * len(mean_metrics())  # tasks; macro, de and en
    for path, figure in figures:
        nothing = {"mean": 0.0, "std": 0.0, "low": 0.0, "high": 0.0}
        assert figure == {**nothing, "p": 1.0, "p_adjusted": 1.0, "p_folds": 1.0}, path
    assert entry.verdict == dict.fromkeys(("t2i", "i2t", "both"), "no evidence")


def test_what_was_measured_once_is_not_measured_again(measured, monkeypatch):
    """Trials are families of their own often enough; the name says that it is the same."""
    base, mine = Arm(("identity",), [measured(range(20))]), Arm(("a",), [measured(range(20), better=0.5)])
    inference = Inference(base, draw_replicates(np.arange(20), replicates=50, flips=50, seed=0), test_share=0.25)
    counted = []
    once = Inference._measure
    monkeypatch.setattr(Inference, "_measure", lambda self, one: counted.append(one.name) or once(self, one))
    one, other = (inference.entry(mine).nest() for _ in range(2))
    assert one == other and counted == [("a",)]
    change = one["delta"]["t2i"]["MRR"]
    assert change["p_folds"] is None and change["low"] < change["high"]  # of one fold


R1, MRR, EN = (("t2i", None), "R@1"), (("t2i", None), "MRR"), (("t2i", "en"), "R@1")


def entry_of(mean, p, **others):
    """An entry whose every change is this; `others` are the p-values of some metrics of t2i."""
    places, metrics = [("t2i", None), ("t2i", "en")], ["R@1", "MRR"]
    columns = {key: np.full((2, 2), np.nan) for key in CHANGE_COLUMNS}
    columns |= {"mean": np.full((2, 2), mean), "p": np.full((2, 2), np.nan if p is None else p)}
    for metric, value in others.items():
        columns["p"][0, metrics.index(metric)] = value
    changes = Estimates(places, metrics, columns)
    return Entry(changes, changes)


def adjusted_of(entries, place):
    return [entry.delta.at(*place, "p_adjusted") for entry in entries]


def test_holm_by_hand():
    entries = [entry_of(0.1, 0.01), entry_of(-0.1, 0.02), entry_of(0.1, 0.04), entry_of(0.1, None, **{"R@1": 0.9})]
    adjust(entries)  # R@1 of four, all else of three
    assert adjusted_of(entries, R1) == pytest.approx([0.04, 0.06, 0.08, 0.9])
    for place in (MRR, EN):
        assert adjusted_of(entries, place) == pytest.approx([0.03, 0.04, 0.04, np.nan], nan_ok=True)
    assert [entry.verdict["t2i"] for entry in entries] == ["gain", "no evidence", "no evidence", "no evidence"]
    alone = [entry_of(-0.1, 0.02)]
    adjust(alone)
    assert alone[0].verdict == {"t2i": "loss"}


def test_trials_that_a_race_dropped_count_as_tests():
    """Two that are left of five: Holm over five, of which three have p = 1."""
    entries = [entry_of(0.1, 0.009), entry_of(0.1, 0.02)]
    adjust(entries, untested=3)
    assert adjusted_of(entries, R1) == pytest.approx([0.045, 0.08])
    assert [entry.verdict["t2i"] for entry in entries] == ["gain", "no evidence"]


@pytest.mark.parametrize(
    ("optimistic", "words"), [(True, ["claimed gain"] * 2), ([False, True], ["gain", "claimed gain"])]
)
def test_gains_of_choices_on_the_reported_images_are_claimed(optimistic, words):
    entries = [entry_of(0.1, 0.01) for _ in range(2)]
    adjust(entries, optimistic=optimistic)
    assert [entry.verdict["t2i"] for entry in entries] == words


def test_what_the_estimates_rest_on_is_noted(solved):
    told = solved[1].summary["statistics"]
    assert told["clusters"] == IMAGES and told["cluster"] == "image" and told["level"] == 0.95
    assert told["replicates"] == told["flips"] == 10_000
    few = describe_statistics(draw_replicates(np.array([0, 0, 1]), replicates=30, flips=30, seed=0))
    assert (
        few["clusters"] == 2 and few["cluster"] == "group of images" and few["flips"] == 4 and few["replicates"] == 30
    )
