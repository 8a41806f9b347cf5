"""The race: what is dropped is beaten on inner parts, each family keeps its best, and images carry the interval."""

import csv
import dataclasses

import numpy as np
import pytest

from ccalign_jax.data import nested_folds, synthetic
from ccalign_jax.runs.kinds import SWEEP_FOLDER
from ccalign_jax.runs.store import Store
from ccalign_jax.study.arrays import plan_fits
from ccalign_jax.study.measure_maps import measure_test_parts
from ccalign_jax.study.plan import can_race
from ccalign_jax.study.race import FoldScore, first_pairs, lead_over, race_fold
from ccalign_jax.study.run import run_sweep
from ccalign_jax.study.write import write_results

IMAGES = 200


def score(*hits):
    """One inner part for each array of what images add."""
    images = [np.asarray(each, float) / len(each) for each in hits]
    return FoldScore(float(np.mean([each.sum() for each in images])), images)


def some_hits(share, seed=0):
    return np.random.default_rng(seed).random(IMAGES) < share


def test_the_interval_is_that_of_a_paired_difference():
    one, other = some_hits(0.7), some_hits(0.5, seed=1)
    behind, low, high = lead_over(score(one), score(other), [np.arange(IMAGES)])
    each = one.astype(float) - other
    assert behind == pytest.approx(each.mean())
    reach = 1.959964 * each.std(ddof=1) / np.sqrt(IMAGES)
    assert (low, high) == pytest.approx((behind - reach, behind + reach), abs=1e-6)


def test_images_of_a_cluster_count_as_one():
    """Every image four times: as many hits, and an interval as wide as that of the clusters."""
    one, other = some_hits(0.7), some_hits(0.5, seed=1)
    single = lead_over(score(one), score(other), [np.arange(IMAGES)])
    repeated = lead_over(score(np.repeat(one, 4)), score(np.repeat(other, 4)), [np.repeat(np.arange(IMAGES), 4)])
    assert repeated == pytest.approx(single)


def test_parts_of_several_sizes_and_their_padding():
    parts = [(some_hits(0.7), some_hits(0.6, 1)), (some_hits(0.7, 2)[:150], some_hits(0.6, 3)[:150])]
    one, other = (score(*(part[side] for part in parts)) for side in (0, 1))
    clusters = [np.arange(200), np.arange(150)]
    found = lead_over(one, other, clusters)
    each = [lead_over(score(a), score(b), [rows]) for (a, b), rows in zip(parts, clusters, strict=True)]
    assert found[0] == pytest.approx(np.mean([behind for behind, *_ in each]))
    reaches = [high - behind for behind, _, high in each]
    assert found[2] - found[0] == pytest.approx(np.hypot(*reaches) / 2)
    padded = FoldScore(one.value, [np.pad(rows, (0, 9)) for rows in one.images])
    assert lead_over(padded, FoldScore(other.value, [np.pad(rows, (0, 9)) for rows in other.images]), clusters) == found


def test_the_beaten_are_dropped_and_each_family_keeps_its_best():
    base = some_hits(0.6)
    near = base.copy()
    near[:2] = ~near[:2]
    scores = {
        "residual/a": score(base),
        "residual/b": score(near),  # two images differ: not beaten
        "residual/c": score(some_hits(0.2, 1)),
        "linear/a": score(some_hits(0.05, 2)),
        "linear/b": score(some_hits(0.1, 3)),  # beaten by far, and the best of its family
    }
    families = {name: (name.partition("/")[0],) for name in scores}
    beaten = race_fold(3, scores, families, [np.arange(IMAGES)])
    assert [one.trial for one in beaten] == ["residual/c", "linear/a"]
    for one in beaten:
        assert (
            one.fold == 3 and one.parts == 1 and scores[one.leader].value == max(each.value for each in scores.values())
        )
        assert 0 < one.low < one.behind < one.high
        assert one.behind == pytest.approx(scores[one.leader].value - scores[one.trial].value)


def test_equal_trials_all_stay():
    same = score(some_hits(0.5))
    assert race_fold(0, {"a": same, "b": same}, {"a": ("x",), "b": ("x",)}, [np.arange(IMAGES)]) == []


def test_the_first_parts_take_few_fits():
    """Five crossed folds: ten inner fits, of which three give each fold a part."""
    data = synthetic(60, dimensions=8)
    plan = plan_fits(nested_folds(data, folds=5))
    pairs = first_pairs(plan)
    assert all(pair in inner for pair, inner in zip(pairs, plan.inner, strict=True))
    assert len({fit for fit, _ in pairs}) == 3
    assert can_race(plan)
    assert not can_race(plan_fits(nested_folds(data, folds=5, inner=1)))


@pytest.fixture(scope="module")
def hopeless(planned):
    """Three trials, one of which moves far away in its first steps."""
    hyper = ("epochs=2", "learning_rate=0.01,0.02,30", "temperature=0.1", "start_counts=false")
    return planned(synthetic(120, dimensions=16, languages=("de", "en")), folds=4, hyper=hyper)


@pytest.fixture(scope="module")
def raced(hopeless):
    return run_sweep(hopeless)


def test_what_was_dropped_is_said_and_never_chosen(raced):
    found = raced
    lost = found.outcomes[2]
    race = found.summary["race"]
    assert race["trials"] == 3 and {one["trial"] for one in race["dropped"]} >= {lost.name}
    assert set(lost.beaten) == {0, 1, 2, 3} and not lost.is_whole and lost.test == [None] * 4
    assert all(one["fold"] in range(4) and one["parts"] in (1, 3) and one["low"] > 0 for one in race["dropped"])
    names = [trial["name"] for trial in found.summary["trials"]]
    assert lost.name not in names and names
    assert lost.name not in found.summary["selected"]["per_fold"]
    (family,) = found.summary["families"]
    assert lost.name not in family["per_fold"] and len(family["per_fold"]) == 4


def test_the_files_of_a_run_have_what_was_reported(raced, tmp_path):
    lost, kept = raced.outcomes[2], raced.outcomes[0]
    folder = Store(tmp_path / "run", SWEEP_FOLDER)
    folder.acquire(raced.plan.config, {"data_sha256": raced.plan.data.sha256()})
    measure_test_parts(raced, diagnostics=False)
    write_results(folder, raced)
    assert lost.test == [None] * 4  # measuring holdouts left it out
    with (tmp_path / "run" / "results.csv").open(encoding="utf-8") as file:
        folds = {(row["trial"], row["fold"]) for row in csv.DictReader(file)}
    assert not any(trial == lost.name for trial, _ in folds)
    reported = {str(fold) for fold, test in enumerate(kept.test) if test is not None}
    assert {fold for trial, fold in folds if trial == kept.name} - {"all"} == reported
    names = {str(np.load(path)["trial"]) for path in (tmp_path / "run" / "ranks").iterdir()}
    assert lost.name not in names and {"identity", kept.name} <= names
    checkpoints = (tmp_path / "run" / "checkpoints").rglob("checkpoint.json")
    assert all(lost.name not in path.read_text(encoding="utf-8") for path in checkpoints)
    assert "The race dropped" in (tmp_path / "run" / "tables" / "main.md").read_text(encoding="utf-8")


def test_the_race_sees_no_image_that_its_fold_reports(hopeless):
    """Other rows for the images of one report part: that fold drops the same trials for the same reasons."""
    fold = 1
    changed = hopeless.data.image.copy()
    changed[hopeless.folds[fold].test] = np.random.default_rng(5).permutation(changed[hopeless.folds[fold].test])
    other = hopeless._replace(data=dataclasses.replace(hopeless.data, image=changed))
    before, after = (run_sweep(plan).summary["race"]["dropped"] for plan in (hopeless, other))
    mine, theirs = ([one for one in dropped if one["fold"] == fold] for dropped in (before, after))
    assert mine == theirs and mine
    assert before != after
