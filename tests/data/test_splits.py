"""Fold plans: partitions that keep groups whole, what selects in turn, the seed study's own folds, the file's split."""

import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ccalign_jax.data import EmbeddingSet
from ccalign_jax.data.fold_checks import check_folds
from ccalign_jax.data.splits import (
    MIN_CROSSED,
    Fold,
    Inner,
    inner_fold,
    nested_folds,
    official_folds,
    seed_folds,
)


def toy(count=60, *, groups=None, split=None):
    """`count` images with a caption each."""
    rng = np.random.default_rng(count)
    text = {"en": rng.standard_normal((count, 4)).astype(np.float32)}
    keys = np.array([f"k{number:04d}" for number in range(count)])
    return EmbeddingSet.build("toy", rng.standard_normal((count, 4)), text, image_keys=keys, groups=groups, split=split)


def shuffled_groups(count, largest, random):
    """`[count]` numbers, each at most `largest` times, in any order."""
    groups = []
    while len(groups) < count:
        groups += [len(groups)] * random.randint(1, largest)
    groups = np.array(groups[:count])
    random.shuffle(groups)
    return groups


def assert_same(one, other):
    """The same plans."""
    assert len(one) == len(other)
    for mine, theirs in zip(one, other, strict=True):
        for name in ("train", "test", "train_eval", "refit"):
            np.testing.assert_array_equal(getattr(mine, name), getattr(theirs, name))
        for first, second in zip(mine.inner, theirs.inner, strict=True):
            np.testing.assert_array_equal(first.train, second.train)
            np.testing.assert_array_equal(first.validation, second.validation)


def assert_whole(parts, wanted):
    """Disjoint, and together what is wanted."""
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), wanted)


@pytest.mark.parametrize(("count", "folds"), [(60, 5), (61, 5), (7, 7), (23, 2), (2770, 5)])
def test_seed_folds_are_scikit_learns(count, folds):
    selection = pytest.importorskip("sklearn.model_selection")
    expected = selection.KFold(folds, shuffle=True, random_state=7).split(np.arange(count))
    found = seed_folds(toy(count), folds=folds)
    assert len(found) == folds
    for fold, (train, test) in zip(found, expected, strict=True):
        (inner,) = fold.inner
        for rows in (fold.train, fold.train_eval, inner.train):
            np.testing.assert_array_equal(rows, train)
        for rows in (fold.test, inner.validation):
            np.testing.assert_array_equal(rows, test)
        np.testing.assert_array_equal(fold.refit, np.arange(count))


FOLDS = st.tuples(st.integers(72, 120), st.integers(0, 9), st.integers(1, 6), st.randoms(use_true_random=False))


@settings(max_examples=40, deadline=None, derandomize=True)
@given(FOLDS, st.integers(2, 6), st.sampled_from([None, 1, 2, 3]), st.integers(1, 3))
def test_no_group_stands_on_two_sides(data, folds, inner, repeats):
    count, seed, largest, random = data
    groups = shuffled_groups(count, largest, random)
    data = toy(count, groups=groups)
    found = nested_folds(data, folds=folds, inner=inner, repeats=repeats, seed=seed)
    check_folds(data, found, nested=True)
    assert len(found) == folds * repeats
    for repeat in range(repeats):
        reported = [fold.test for fold in found[repeat * folds : (repeat + 1) * folds]]
        assert_whole(reported, np.arange(count))
        assert max(map(len, reported)) - min(map(len, reported)) <= largest
    for fold in found:
        outside = np.setdiff1d(np.arange(count), fold.test)
        sides = [(fold.train, fold.test)]
        for one in fold.inner:
            assert_whole([one.train, one.validation], outside)
            sides += [(one.train, one.validation), (one.train, fold.test), (one.validation, fold.test)]
        for one, other in sides:
            assert not set(groups[one]) & set(groups[other])
        assert set(fold.train_eval) <= set(fold.train) and len(np.unique(fold.train_eval)) == len(fold.train_eval)
        assert len(fold.train_eval) == min(len(fold.test), len(fold.train))
        np.testing.assert_array_equal(fold.refit, np.arange(count))


@pytest.mark.parametrize("folds", [4, 5, 7])
def test_the_other_folds_select_in_turn(folds):
    found = nested_folds(toy(50), folds=folds, seed=2)
    reported = [fold.test for fold in found]
    for number, fold in enumerate(found):
        np.testing.assert_array_equal(fold.train, np.setdiff1d(np.arange(50), fold.test))
        others = reported[:number] + reported[number + 1 :]
        assert len(fold.inner) == len(others) == folds - 1
        for one, select in zip(fold.inner, others, strict=True):
            np.testing.assert_array_equal(one.validation, select)
            np.testing.assert_array_equal(one.train, np.setdiff1d(fold.train, select))
    for a, b in itertools.combinations(range(folds), 2):  # two folds share what is fitted without both
        np.testing.assert_array_equal(found[a].inner[b - 1].train, found[b].inner[a].train)


@pytest.mark.parametrize("folds", range(2, MIN_CROSSED))
def test_of_few_folds_one_part_selects(folds):
    assert_same(nested_folds(toy(50), folds=folds, seed=4), nested_folds(toy(50), folds=folds, inner=1, seed=4))
    assert len(nested_folds(toy(50), folds=MIN_CROSSED)[0].inner) > 1


@settings(max_examples=20, deadline=None, derandomize=True)
@given(FOLDS, st.integers(2, 5))
def test_one_part_is_a_fifth_and_costs_no_fit_of_its_own(data, folds):
    count, seed, largest, random = data
    data = toy(count, groups=shuffled_groups(count, largest, random))
    for fold in nested_folds(data, folds=folds, inner=1, seed=seed):
        (inner,) = fold.inner
        np.testing.assert_array_equal(inner.train, fold.train)
        assert abs(len(inner.validation) - (count - len(fold.test)) / 5) <= largest


def test_one_part_stays_the_one_it_was():
    """Runs of earlier versions, which had this split alone, can be repeated."""
    fold = nested_folds(toy(15), folds=3, inner=1, seed=3)[-1]
    assert fold.train.tolist() == [2, 5, 6, 7, 9, 10, 11, 13] and fold.inner[0].validation.tolist() == [1, 3]
    assert fold.test.tolist() == [0, 4, 8, 12, 14] and fold.train_eval.tolist() == [2, 5, 7, 10, 11]
    fold = nested_folds(toy(15), folds=5, inner=1, seed=1)[-1]
    assert fold.train.tolist() == [0, 1, 2, 4, 5, 8, 10, 11, 12] and fold.inner[0].validation.tolist() == [6, 7, 13]
    assert fold.test.tolist() == [3, 9, 14] and fold.train_eval.tolist() == [4, 5, 12]


@pytest.mark.parametrize(("folds", "inner"), [(2, 2), (3, 4), (5, 3)])
def test_inner_folds_divide_the_rest(folds, inner):
    found = nested_folds(toy(50), folds=folds, inner=inner, seed=1)
    for fold in found:
        np.testing.assert_array_equal(fold.train, np.setdiff1d(np.arange(50), fold.test))
        parts = [one.validation for one in fold.inner]
        assert len(parts) == inner and max(map(len, parts)) - min(map(len, parts)) <= 1
        assert_whole(parts, fold.train)
    firsts = {found[0].inner[0].validation.tobytes(), found[1].inner[0].validation.tobytes()}
    assert len(firsts) == 2  # each divides its own


@pytest.mark.parametrize("inner", [None, 1, 3])
def test_repeats_divide_anew_and_the_first_is_as_ever(inner):
    data = toy(50)
    once, thrice = (nested_folds(data, folds=4, inner=inner, repeats=repeats, seed=5) for repeats in (1, 3))
    assert_same(thrice[:4], once)
    assert len(thrice) == 12
    assert len({fold.test.tobytes() for fold in thrice}) == 12
    assert len({one.validation.tobytes() for fold in thrice for one in fold.inner}) == (12 if inner != 3 else 36)
    other = nested_folds(data, folds=4, inner=inner, repeats=3, seed=6)
    assert not {fold.test.tobytes() for fold in thrice} & {fold.test.tobytes() for fold in other}


def test_the_seed_alone_decides():
    data = toy(50)
    for inner in (None, 1, 2):
        first, again, other = (nested_folds(data, folds=4, inner=inner, seed=seed) for seed in (1, 1, 2))
        assert_same(first, again)
        for name in ("train", "test", "train_eval"):
            assert not any(
                np.array_equal(getattr(a, name), getattr(b, name)) for a, b in zip(first, other, strict=True)
            )
        assert not np.array_equal(first[0].inner[0].validation, other[0].inner[0].validation)


def test_inner_fold_reports_nothing_of_its_own():
    fold = inner_fold(toy(50), seed=3)
    (inner,) = fold.inner
    np.testing.assert_array_equal(fold.train, inner.train)
    assert_whole([fold.train, inner.validation], np.arange(50))
    assert len(inner.validation) == 10
    np.testing.assert_array_equal(fold.test, inner.validation)


def test_official_split():
    split = np.array(["train"] * 20 + ["extra"] * 10 + ["dev"] * 8 + ["test"] * 12)
    (fold,) = official_folds(toy(50, split=split))
    (inner,) = fold.inner
    np.testing.assert_array_equal(fold.train, np.arange(30))
    np.testing.assert_array_equal(inner.train, fold.train)
    np.testing.assert_array_equal(inner.validation, np.arange(30, 38))
    np.testing.assert_array_equal(fold.test, np.arange(38, 50))
    np.testing.assert_array_equal(fold.refit, np.arange(38))
    assert len(fold.train_eval) == 12 and set(fold.train_eval) <= set(fold.train)
    (fold,) = official_folds(toy(50, split=np.where(split == "dev", "train", split)))
    assert len(fold.inner[0].validation) == round(38 / 5) and set(fold.inner[0].validation) <= set(range(38))


def test_an_official_split_leaves_out_what_its_test_images_show():
    split = np.array(["train"] * 20 + ["dev"] * 8 + ["test"] * 12)
    groups = np.arange(40)
    groups[[3, 30]] = 77  # training and test
    groups[[21, 31]] = 78  # dev and test
    groups[[5, 22]] = 79  # training and dev
    groups[[7, 23, 32]] = 80  # all three
    (fold,) = official_folds(toy(40, split=split, groups=groups))
    (inner,) = fold.inner
    np.testing.assert_array_equal(fold.test, np.arange(28, 40))  # the test is the test
    np.testing.assert_array_equal(inner.validation, np.setdiff1d(np.arange(20, 28), [21, 23]))
    np.testing.assert_array_equal(fold.train, np.setdiff1d(np.arange(20), [3, 5, 7]))
    np.testing.assert_array_equal(inner.train, fold.train)
    np.testing.assert_array_equal(fold.refit, np.setdiff1d(np.arange(28), [3, 7, 21, 23]))
    check_folds(toy(40, split=split, groups=groups), [fold], nested=True)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(FOLDS, st.booleans())
def test_no_group_of_an_official_split_stands_on_two_sides(data, dev):
    count, seed, largest, random = data
    groups = shuffled_groups(count, largest, random)
    split = np.array(random.choices(["train", "dev", "test"], [6, dev, 2], k=count - 20) + ["train"] * 19 + ["test"])
    groups[-20:-1] = np.arange(count, count + 19)  # enough that none can leave out
    (fold,) = official_folds(toy(count, split=split, groups=groups), seed=seed)
    (inner,) = fold.inner
    np.testing.assert_array_equal(fold.test, np.flatnonzero(split == "test"))
    for one, other in itertools.combinations((fold.train, inner.validation, fold.test), 2):
        assert not set(groups[one]) & set(groups[other])
    assert not set(groups[fold.refit]) & set(groups[fold.test])
    out = np.setdiff1d(np.arange(count), np.concatenate([fold.train, inner.validation, fold.test]))
    kept = set(groups[np.union1d(inner.validation, fold.test)])
    assert set(groups[out]) <= kept  # nothing is left out without a reason


def test_official_split_mistakes(one_line):
    split = np.array(["train"] * 20 + ["test"] * 10)
    one_line(lambda: official_folds(toy(30)), "toy", "split", "--split=kfold")
    one_line(lambda: official_folds(toy(30, split=np.full(30, "train"))), "'test'", "there are train")
    one_line(lambda: official_folds(toy(30, split=np.full(30, "test"))), "none is left", "--split=kfold")
    one_line(lambda: official_folds(toy(30, split=split, groups=np.zeros(30, int))), "in a group with one that is")
    one_line(lambda: official_folds(toy(5, split=np.array(["train"] * 3 + ["test"] * 2))), "3 image groups are left")


def test_too_little_data(one_line):
    one_line(lambda: nested_folds(toy(30), folds=1), "--folds=1", "at least 2")
    for repeats in (0, 10**9):
        one_line(
            lambda repeats=repeats: nested_folds(toy(30), repeats=repeats), f"--repeats={repeats}", "from 1 to 1000"
        )
    one_line(lambda: nested_folds(toy(30), inner=0), "--inner_folds=0", "at least 1")
    one_line(lambda: seed_folds(toy(30), folds=0), "--folds=0")
    one_line(lambda: seed_folds(toy(3), folds=5), "3 images cannot make 5 folds")
    one_line(lambda: nested_folds(toy(30, groups=np.zeros(30, int)), folds=2), "1 image groups cannot make 2 folds")
    # the folds can be made, the inner part cannot: lower --folds would make it worse
    message = one_line(lambda: nested_folds(toy(6), folds=2), "3 image groups are left", "more images")
    assert "lower --folds" not in message
    message = one_line(lambda: nested_folds(toy(6), folds=2, inner=4), "3 images", "4", "--inner_folds")
    assert "lower --folds" not in message
    one_line(lambda: inner_fold(toy(4)), "4 image groups are left")


def test_the_plan_is_compared_by_identity():
    rows = np.arange(3)
    fold = Fold(rows, (Inner(rows, rows),), rows, rows, rows)
    assert fold == fold and fold != dataclasses.replace(fold)
