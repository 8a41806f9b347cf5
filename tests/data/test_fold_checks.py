"""Plans of one's own: every mistake in one line, and images that no fold has are counted."""

import dataclasses

import numpy as np
import pytest

from ccalign_jax.data import EmbeddingSet, Fold, Inner, nested_folds, official_folds
from ccalign_jax.data.fold_checks import check_folds, unused_images

COUNT = 30


def toy(*, rare=(), **options):
    """30 images with a caption in en, and one in ja for the images in `rare`."""
    rng = np.random.default_rng(0)
    text = {"en": rng.standard_normal((COUNT, 4))}
    keys = np.array([f"k{number:02d}" for number in range(COUNT)])
    text_keys = {"en": keys}
    if len(rare):
        text["ja"], text_keys["ja"] = text["en"][list(rare)], keys[list(rare)]
    image = rng.standard_normal((COUNT, 4))
    return EmbeddingSet.build("toy", image, text, image_keys=keys, text_keys=text_keys, **options)


def fold_of(train, report, *inner):
    """A plan that is sampled where it trains; of each inner part, what is fitted and what selects."""
    rows = [tuple(map(np.asarray, part)) for part in inner]
    return Fold(np.asarray(train), tuple(Inner(*part) for part in rows), np.asarray(report), train, np.arange(COUNT))


WHOLE = fold_of(
    np.arange(20),
    np.arange(20, 30),
    (np.arange(10), np.arange(10, 20)),
    (np.arange(10, 20), np.arange(10)),
)


def changed(*, fold=WHOLE, nested=False, data=None, inner=None, **parts):
    """The check of a good plan followed by one with these parts; of the last inner part where it is `inner`."""
    rows = {name: np.asarray(part) for name, part in parts.items()}
    if inner is not None:
        other = dataclasses.replace(fold.inner[-1], **{name: np.asarray(part) for name, part in inner.items()})
        rows["inner"] = (*fold.inner[:-1], other)
    return lambda: check_folds(data or toy(), [fold, dataclasses.replace(fold, **rows)], nested=nested)


def test_good_plans_pass():
    for fold in (WHOLE, dataclasses.replace(WHOLE, inner=WHOLE.inner[:1])):
        check_folds(toy(), [fold], nested=True)
    seed = fold_of(WHOLE.train, WHOLE.test, (WHOLE.train, WHOLE.test))
    check_folds(toy(), [seed])
    for folds in (2, 5):
        check_folds(toy(), nested_folds(toy(), folds=folds), nested=True)


def test_a_mistake_names_the_fold_and_the_part(one_line):
    one_line(lambda: check_folds(toy(), []), "toy", "no fold")
    one_line(lambda: check_folds(toy(), [dataclasses.replace(WHOLE, inner=())]), "fold 0", "no inner part")
    one_line(changed(test=np.arange(0)), "fold 1", "no image for test")
    one_line(changed(test=np.arange(19, 30)), "fold 1 trains on its test images")
    one_line(changed(train_eval=WHOLE.test), "fold 1", "test images in its training sample")
    one_line(changed(test=[1, 30]), "fold 1: test", "rows 1 to 30", "0 to 29")
    one_line(changed(train=[-1, 3]), "rows -1 to 3")
    one_line(changed(train_eval=WHOLE.train[::-1]), "train_eval must be ascending")
    one_line(changed(test=np.repeat(WHOLE.test, 2)), "each once")
    one_line(changed(refit=np.ones((2, 2), int)), "refit must be ascending")


def test_a_mistake_within_names_the_inner_part(one_line):
    one_line(changed(inner={"validation": np.arange(0)}), "fold 1", "no image for validation in inner part 1")
    one_line(changed(inner={"train": np.arange(0)}), "fold 1", "no image for training in inner part 1")
    one_line(changed(inner={"validation": [3, 30]}), "fold 1: validation in inner part 1", "rows 3 to 30")
    one_line(changed(inner={"train": [5, 4]}), "fold 1: training in inner part 1", "ascending")
    one_line(
        changed(inner={"validation": np.ones(30, bool)}), "validation in inner part 1 must be ascending image rows"
    )
    one_line(changed(inner={"validation": np.arange(12)}), "fold 1 trains on its validation images")


@pytest.mark.parametrize("name", ["train", "validation"])
def test_nested_plans_choose_by_nothing_that_they_report(name, one_line):
    rows = np.append(getattr(WHOLE.inner[-1], name), 25)
    changed(inner={name: rows})()
    one_line(changed(inner={name: rows}, nested=True), "fold 1 has test images in")


def test_one_part_alone_has_no_number(one_line):
    one = dataclasses.replace(WHOLE, inner=WHOLE.inner[:1])
    message = one_line(changed(fold=one, inner={"validation": np.arange(0)}), "fold 1", "no image for validation;")
    assert "inner part" not in message


@pytest.mark.parametrize(
    ("rare", "part"),
    [
        ([0, 1, 2], "test"),
        ([25, 26], "training"),
        ([0, 1, 25], "validation in inner part 0"),
        ([12, 25], "training in inner part 0"),
    ],
)
def test_every_part_needs_every_language(rare, part, one_line):
    """The training sample alone may lack one."""
    one_line(lambda: check_folds(toy(rare=rare), [WHOLE]), f"fold 0 has no caption in ja for {part};", "--languages")
    check_folds(toy(rare=[0, 12, 25]), [dataclasses.replace(WHOLE, train_eval=np.arange(3, 9))])


def test_images_that_no_fold_has_are_counted():
    assert unused_images(toy(), [WHOLE]) == 0
    few = fold_of([1, 2], [3], ([1], [4]))
    assert unused_images(toy(), [few]) == COUNT - 4
    assert unused_images(toy(), [few, fold_of([5, 6], [7], ([5], [8, 9]))]) == COUNT - 9
    for options in ({}, {"inner": 1}, {"repeats": 2}, {"folds": 2, "inner": 3}):
        assert unused_images(toy(), nested_folds(toy(), **options)) == 0
    groups = np.arange(COUNT)
    groups[[3, 4, 25]] = 77
    data = toy(split=np.repeat(["train", "dev", "test"], 10), groups=groups)
    assert unused_images(data, official_folds(data)) == 2
