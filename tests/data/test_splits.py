"""Fold plans: partitions that keep groups whole, the seed study's own folds, and every mistake in one line."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ccalign_jax.data import EmbeddingSet
from ccalign_jax.data.splits import (
    Fold,
    check_folds,
    inner_fold,
    nested_folds,
    official_folds,
    seed_folds,
)


def toy(count=60, *, groups=None, split=None, rare=()):
    """`count` images with a caption in en, and one in ja for the images in `rare`."""
    rng = np.random.default_rng(count)
    text = {"en": rng.standard_normal((count, 4)).astype(np.float32)}
    keys = np.array([f"k{number:04d}" for number in range(count)])
    text_keys = {"en": keys}
    if len(rare):
        text["ja"], text_keys["ja"] = text["en"][list(rare)], keys[list(rare)]
    return EmbeddingSet.build(
        "toy", rng.standard_normal((count, 4)), text, image_keys=keys, text_keys=text_keys, groups=groups, split=split
    )


@pytest.mark.parametrize(("count", "folds"), [(60, 5), (61, 5), (7, 7), (23, 2), (2770, 5)])
def test_seed_folds_are_scikit_learns(count, folds):
    selection = pytest.importorskip("sklearn.model_selection")
    expected = selection.KFold(folds, shuffle=True, random_state=7).split(np.arange(count))
    found = seed_folds(toy(count), folds=folds)
    assert len(found) == folds
    for fold, (train, test) in zip(found, expected, strict=True):
        np.testing.assert_array_equal(fold.train, train)
        np.testing.assert_array_equal(fold.report, test)
        np.testing.assert_array_equal(fold.select, test)
        np.testing.assert_array_equal(fold.sample, train)
        np.testing.assert_array_equal(fold.refit, np.arange(count))


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.integers(30, 90), st.integers(2, 5), st.integers(0, 9), st.integers(1, 6), st.randoms(use_true_random=False))
def test_nested_folds_partition_and_keep_groups_whole(count, folds, seed, largest, random):
    groups = []
    while len(groups) < count:
        groups += [len(groups)] * random.randint(1, largest)
    groups = np.array(groups[:count])
    random.shuffle(groups)
    data = toy(count, groups=groups)
    found = nested_folds(data, folds=folds, seed=seed)
    np.testing.assert_array_equal(np.sort(np.concatenate([fold.report for fold in found])), np.arange(count))
    sizes = [len(fold.report) for fold in found]
    assert max(sizes) - min(sizes) <= largest
    for fold in found:
        whole = np.concatenate([fold.train, fold.select, fold.report])
        np.testing.assert_array_equal(np.sort(whole), np.arange(count))
        for one, other in (("train", "select"), ("train", "report"), ("select", "report")):
            assert not set(groups[getattr(fold, one)]) & set(groups[getattr(fold, other)])
        assert set(fold.sample) <= set(fold.train)
        assert len(fold.sample) == min(len(fold.report), len(fold.train))
        assert abs(len(fold.select) - (len(fold.train) + len(fold.select)) / 5) <= largest
        np.testing.assert_array_equal(fold.refit, np.arange(count))
    check_folds(data, found)


def test_the_seed_alone_decides():
    data = toy(50)
    first, again, other = (nested_folds(data, folds=3, seed=seed) for seed in (1, 1, 2))
    for name in ("train", "select", "report", "sample"):
        for one, same in zip(first, again, strict=True):
            np.testing.assert_array_equal(getattr(one, name), getattr(same, name))
        assert any(not np.array_equal(getattr(a, name), getattr(b, name)) for a, b in zip(first, other, strict=True))


def test_inner_fold_reports_nothing_of_its_own():
    fold = inner_fold(toy(50), seed=3)
    np.testing.assert_array_equal(np.sort(np.concatenate([fold.train, fold.select])), np.arange(50))
    assert len(fold.select) == 10
    np.testing.assert_array_equal(fold.report, fold.select)


def test_official_split():
    split = np.array(["train"] * 20 + ["extra"] * 10 + ["dev"] * 8 + ["test"] * 12)
    (fold,) = official_folds(toy(50, split=split))
    np.testing.assert_array_equal(fold.train, np.arange(30))
    np.testing.assert_array_equal(fold.select, np.arange(30, 38))
    np.testing.assert_array_equal(fold.report, np.arange(38, 50))
    np.testing.assert_array_equal(fold.refit, np.arange(38))
    assert len(fold.sample) == 12 and set(fold.sample) <= set(fold.train)
    (fold,) = official_folds(toy(50, split=np.where(split == "dev", "train", split)))
    assert len(fold.select) == round(38 / 5) and set(fold.select) <= set(range(38))


def test_official_split_mistakes(one_line):
    split = np.array(["train"] * 20 + ["test"] * 10)
    one_line(lambda: official_folds(toy(30)), "toy", "split", "--split=kfold")
    one_line(lambda: official_folds(toy(30, split=np.full(30, "train"))), "'test'", "there are train")
    one_line(lambda: official_folds(toy(30, split=np.full(30, "test"))), "none is left")
    groups = np.arange(30)
    groups[[3, 25]] = 77
    one_line(lambda: official_folds(toy(30, split=split, groups=groups)), "1 image groups", "k0003")
    one_line(lambda: official_folds(toy(5, split=np.array(["train"] * 3 + ["test"] * 2))), "3 image groups are left")


def test_too_little_data(one_line):
    one_line(lambda: nested_folds(toy(30), folds=1), "--folds=1", "at least 2")
    one_line(lambda: seed_folds(toy(30), folds=0), "--folds=0")
    one_line(lambda: seed_folds(toy(3), folds=5), "3 images cannot make 5 folds")
    one_line(lambda: nested_folds(toy(30, groups=np.zeros(30, int)), folds=2), "1 image groups cannot make 2 folds")
    # the folds can be made, the inner part cannot: lower --folds would make it worse
    message = one_line(lambda: nested_folds(toy(6), folds=2), "3 image groups are left", "more images")
    assert "lower --folds" not in message
    one_line(lambda: inner_fold(toy(4)), "4 image groups are left")


def test_check_folds_names_what_is_wrong(one_line):
    data = toy(30, rare=[0, 1, 2])
    fold = nested_folds(toy(30), folds=3)[0]
    one_line(lambda: check_folds(data, []), "no fold")
    one_line(lambda: check_folds(data, [fold]), "fold 0", "in ja")
    plain = toy(30)
    check_folds(plain, [fold])

    def changed(**parts):
        plan = dataclasses.replace(fold, **{key: np.asarray(rows) for key, rows in parts.items()})
        return lambda: check_folds(plain, [fold, plan])

    one_line(changed(report=np.arange(0)), "fold 1", "no image to report")
    one_line(changed(report=np.union1d(fold.report, fold.train[:1])), "trains on images that it reports")
    one_line(changed(select=np.union1d(fold.select, fold.train[:1])), "trains on images that it selects")
    one_line(changed(sample=fold.report), "images to report in its training sample")
    same = dataclasses.replace(fold, select=fold.report)
    check_folds(plain, [same])
    one_line(lambda: check_folds(plain, [same], nested=True), "selects on images that it reports")
    one_line(changed(report=[1, 30]), "rows 1 to 30", "0 to 29")
    one_line(changed(train=[-1, 3]), "rows -1 to 3")
    one_line(changed(sample=fold.train[::-1]), "sample must be ascending")
    one_line(changed(report=np.repeat(fold.report, 2)), "each once")
    one_line(changed(select=np.ones(30, bool)), "select must be ascending image rows")


def test_the_plan_is_compared_by_identity():
    fold = Fold(*(np.arange(3) for _ in range(5)))
    assert fold == fold and fold != dataclasses.replace(fold)
