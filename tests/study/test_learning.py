"""The learning curve: which images are left out, and that nothing else changes."""

import dataclasses

import numpy as np
import pytest

from ccalign_jax.data import EmbeddingSet, nested_folds, synthetic
from ccalign_jax.measurement.replicates import draw_replicates
from ccalign_jax.options import SweepConfig
from ccalign_jax.study.arrays import plan_fits
from ccalign_jax.study.curve_runs import SHARES, plan_learning, subset_folds
from ccalign_jax.study.curves import learning_curve
from ccalign_jax.study.plan import plan_folds, plan_sweep
from ccalign_jax.study.run import run_sweep

DATA = synthetic(80, dimensions=8, languages=("de", "en"))
QUICK = ("epochs=2", "steps_per_epoch=4", "batch_images=8", "temperature=0.03,0.07", "learning_rate=0.01")
CONFIG = SweepConfig(aligners=("residual",), hyper=QUICK, folds=4)


def grouped(count=120, seed=0):
    """Images in groups of one to four."""
    random = np.random.default_rng(seed)
    image = random.normal(size=(count, 4)).astype(np.float32)
    text = image + random.normal(size=(count, 4)).astype(np.float32)
    return EmbeddingSet.build("grouped", image, {"en": text}, groups=np.sort(random.integers(60, size=count)))


def planned(sizes=None, config=CONFIG):
    return plan_learning(DATA, config, plan_folds(DATA, config), sizes=sizes)


def parts(fold):
    """All that a fold learns or chooses from."""
    return [fold.train, fold.refit, *(rows for one in fold.inner for rows in (one.train, one.validation))]


@pytest.mark.parametrize("choices", [{}, {"inner": 1}, {"inner": 3}, {"repeats": 2}])
@pytest.mark.parametrize("make", [grouped, lambda: DATA])
def test_subsets_are_nested_and_keep_groups_whole(make, choices):
    data = make()
    folds = nested_folds(data, folds=4, **choices)
    before = None
    for share in (0.3, 0.5, 0.7, 1.0):
        fewer = subset_folds(data, folds, share, seed=3)
        for number, (fold, full) in enumerate(zip(fewer, folds, strict=True)):
            np.testing.assert_array_equal(fold.test, full.test)
            everything = np.unique(np.concatenate(parts(full)))
            kept = np.unique(np.concatenate(parts(fold)))
            assert set(data.groups[kept]).isdisjoint(data.groups[np.setdiff1d(everything, kept)])
            for mine, whole in zip(parts(fold), parts(full), strict=True):  # the same images are left out of all parts
                np.testing.assert_array_equal(mine, whole[np.isin(whole, kept)])
            if not choices:  # as large a share of each fold; where only one part selects, nearly so
                assert len(fold.train) == pytest.approx(share * len(full.train), rel=0.25)
            assert set(fold.train_eval) <= set(fold.train) and (np.diff(fold.train_eval) > 0).all()
            assert len(fold.train_eval) == min(len(full.train_eval), len(fold.train))
            if before is not None:
                for mine, less in zip(parts(fold), parts(before[number]), strict=True):
                    assert set(less) <= set(mine)
                assert len(before[number].train) < len(fold.train)
        before = fewer


def test_with_all_images_the_plans_are_as_they_were():
    for data in (grouped(), DATA):
        folds = nested_folds(data, folds=4)
        for mine, theirs in zip(subset_folds(data, folds, 1.0), folds, strict=True):
            for rows, wanted in zip([*parts(mine), mine.train_eval], [*parts(theirs), theirs.train_eval], strict=True):
                np.testing.assert_array_equal(rows, wanted)


def test_folds_lose_equally_many_and_go_on_sharing_inner_fits():
    folds = nested_folds(DATA, folds=4)
    fewer = subset_folds(DATA, folds, 0.5)
    assert {len(fold.train) for fold in fewer} == {30}
    assert len(plan_fits(fewer).train) == len(plan_fits(folds).train) == 10
    other = subset_folds(DATA, folds, 0.5, seed=1)
    assert set(fewer[0].train) != set(other[0].train)


def test_sizes_are_images_trained_on():
    assert [len(plan.folds[0].train) for plan in planned([48, 21])] == [21, 48]
    assert [len(plan.folds[0].train) for plan in planned()] == [round(20 * share) * 3 for share in SHARES]
    whole = planned([60])[0].folds
    for mine, theirs in zip(whole, plan_folds(DATA, CONFIG), strict=True):
        np.testing.assert_array_equal(mine.train, theirs.train)


def test_impossible_sizes_are_one_line(one_line):
    one_line(lambda: planned([0]), "--sizes=0", "1 to 60")
    one_line(lambda: planned([20, 61]), "--sizes=61", "1 to 60")
    one_line(lambda: planned([1]), "--sizes=1 is too few", "fold 0")


def test_a_learning_curve_is_of_one_family(one_line):
    for changed in ({"pivots": ("image", "centroid")}, {"aligners": ("residual", "low_rank")}):
        config = SweepConfig(**{"aligners": ("residual",), "hyper": QUICK, "folds": 4, **changed})
        one_line(lambda config=config: planned(config=config), "one family", "2")


@pytest.fixture(scope="module")
def curve():
    replicates = draw_replicates(DATA.groups, seed=0, replicates=200, flips=200)
    told = []
    found, _ = learning_curve(planned([21, 60]), replicates, progress=lambda *args: told.append(args))
    return replicates, found, told


def test_the_largest_size_is_the_plain_sweep_to_the_digit(curve):
    replicates, found, _ = curve
    swept = run_sweep(plan_sweep(DATA, CONFIG, plan_folds(DATA, CONFIG)))
    summary = dataclasses.replace(swept, replicates=replicates).summary
    (family,), last = summary["families"], found["points"][-1]
    assert last["pairs"] == 60 and len(set(family["per_fold"])) > 1  # each fold chooses for itself
    for way in ("t2i", "i2t", "both"):
        assert found["identity"][way]["R@1"] == summary["baselines"]["identity"][way]["R@1"]
        for mine, theirs in (("test", "metrics"), ("train", "train_metrics"), ("gap", "gap")):
            assert last[mine][way]["R@1"] == family[theirs][way]["R@1"]
        adjusted = last["delta"][way]["R@1"].pop("p_adjusted")  # here for two sizes, there for one family
        wanted = {key: value for key, value in family["delta"][way]["R@1"].items() if key != "p_adjusted"}
        assert last["delta"][way]["R@1"] == wanted and wanted["p"] <= adjusted <= 2 * wanted["p"]


def test_fewer_images_are_measured_on_the_same_test_parts(curve):
    _, found, told = curve
    assert found["family"] == "image/residual/infonce"
    first, last = found["points"]
    assert (first["pairs"], last["pairs"]) == (21, 60) and first["identity"] == last["identity"]
    for way in ("t2i", "i2t"):
        level, base = first["test"][way]["R@1"]["mean"], found["identity"][way]["R@1"]["mean"]
        assert first["delta"][way]["R@1"]["mean"] == pytest.approx(level - base, abs=1e-12)
    assert first["test"] != last["test"]
    done = [step for _, step, _ in told]
    (total,) = {total for *_, total in told}
    assert done == sorted(done) and done[-1] == total


def test_a_training_sample_smaller_than_the_test_part_is_noted():
    replicates = draw_replicates(DATA.groups, seed=0, replicates=10, flips=10)
    config = SweepConfig(aligners=("ridge",), folds=4)
    few, _ = learning_curve(planned([12, 60], config), replicates)
    assert "with up to 12 the training sample is smaller" in few["about"]
    enough, _ = learning_curve(planned([60], config), replicates)
    assert "smaller" not in enough["about"]
