"""From a ragged data set to padded index arrays, what has to be fitted, and metrics against NumPy on the data."""

import dataclasses

import jax
import numpy as np
import pytest

from ccalign_jax.aligners import make_aligner
from ccalign_jax.data import EmbeddingSet
from ccalign_jax.data.splits import Fold, Inner, nested_folds, official_folds, seed_folds
from ccalign_jax.measurement.measure import measure
from ccalign_jax.numerics import unit_float32
from ccalign_jax.study.arrays import (
    caption_means,
    consensus_rows,
    device_embeddings,
    fold_arrays,
    make_part,
    plan_fits,
    without_language,
)
from ccalign_jax.training import map_part, rank_part


def ragged(count=5, seed=0):
    """Images a, b, …; en: a a c d d d, ja: b c (and so on for more images, at random)."""
    rng = np.random.default_rng(seed)
    keys = np.array(list("abcde")) if count == 5 else np.array([f"k{number:03d}" for number in range(count)])
    if count == 5:
        owners = {"en": list("aacddde"), "ja": list("bc")}
    else:
        owners = {lang: np.sort(rng.choice(keys, size)) for lang, size in (("en", 2 * count), ("ja", count))}
    image = rng.standard_normal((count, 6)).astype(np.float32)
    place = {key: number for number, key in enumerate(keys)}
    text = {
        lang: (image[[place[key] for key in rows]] + rng.standard_normal((len(rows), 6))).astype(np.float16)
        for lang, rows in owners.items()
    }
    return EmbeddingSet.build("toy", image, text, image_keys=keys, text_keys=owners)


def test_the_layout_by_hand():
    data = ragged()
    found = device_embeddings(data)
    assert found.text.shape == (9, 6) and found.text.dtype == np.float32
    np.testing.assert_array_equal(found.caption_counts, [[2, 0, 1, 3, 1], [0, 1, 1, 0, 0]])
    np.testing.assert_array_equal(
        found.caption_rows,
        [
            [[0, 1, 0], [0, 0, 0], [2, 0, 0], [3, 4, 5], [6, 0, 0]],
            [[0, 0, 0], [7, 0, 0], [8, 0, 0], [0, 0, 0], [0, 0, 0]],
        ],
    )
    np.testing.assert_allclose(np.linalg.norm(found.text, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(found.text[8], unit_float32(data.text["ja"])[1])


def test_a_part_by_hand():
    data = ragged()
    part = make_part(data, np.array([0, 2, 3]))
    np.testing.assert_array_equal(part.images, [0, 2, 3])
    np.testing.assert_array_equal(part.captions[0], [0, 1, 2, 3, 4, 5])
    np.testing.assert_array_equal(part.image_of[0], [0, 0, 1, 2, 2, 2])
    np.testing.assert_array_equal(part.captions_of[0], [[0, 1, -1], [2, -1, -1], [3, 4, 5]])
    np.testing.assert_array_equal(part.captions[1], [8])
    np.testing.assert_array_equal(part.image_of[1], [1])
    np.testing.assert_array_equal(part.captions_of[1], [[-1], [0], [-1]])
    none = make_part(data, np.array([4]))
    np.testing.assert_array_equal([none.captions[1], none.image_of[1]], [[-1], [-1]])
    np.testing.assert_array_equal(none.captions_of[1], [[-1]])


def test_caption_means_by_hand():
    data = ragged()
    en, ja = (unit_float32(data.text[language]) for language in ("en", "ja"))
    found = caption_means(device_embeddings(data), np.array([0, 2, 4]))
    np.testing.assert_allclose(found[0], unit_float32(np.stack([en[0] + en[1], en[2], en[6]])), atol=1e-6)
    np.testing.assert_allclose(found[1], [np.zeros(6), ja[1], np.zeros(6)], atol=1e-6)


@pytest.mark.parametrize("kind", ["procrustes", "gcca"])
def test_consensus_rows_are_made_of_the_images_asked_for(kind):
    data = ragged(30)
    images = np.arange(0, len(data), 2)
    found = consensus_rows(data, images, kind)
    np.testing.assert_allclose(np.linalg.norm(found[images], axis=1), 1, atol=1e-5)
    assert found.shape == (len(data), 6) and not found[1::2].any()
    alone = consensus_rows(data.take(images), np.arange(len(images)), kind)
    np.testing.assert_allclose(found[images], alone, atol=1e-5)
    if kind == "procrustes":  # in the space of the images, and near them
        assert np.mean(np.sum(found[images] * unit_float32(data.image[images]), axis=1)) > 0.8


@pytest.mark.parametrize("kind", ["procrustes", "gcca"])
@pytest.mark.parametrize("narrow", ["image", "text"])
def test_consensus_rows_are_as_wide_as_the_images(kind, narrow):
    data = ragged(30)
    if narrow == "image":
        data = dataclasses.replace(data, image=data.image[:, :4])
    else:
        data = dataclasses.replace(data, text={language: rows[:, :4] for language, rows in data.text.items()})
    found = consensus_rows(data, np.arange(len(data)), kind)
    assert found.shape == data.image.shape
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)


def folds_by_hand():
    """Two folds: the first has two inner parts, the second one, fitted on what it reports itself."""
    everything = np.arange(5)

    def inner(train, select):
        return Inner(np.array(train), np.array(select))

    one = Fold(
        np.array([0, 2, 3]), (inner([0, 2], [3]), inner([3], [0, 2])), np.array([1, 4]), np.array([0, 2]), everything
    )
    two = Fold(np.array([1, 2, 3]), (inner([1, 2, 3], [0]),), np.array([4]), np.array([2]), everything)
    return [one, two]


def test_folds_are_padded_with_minus_one():
    data, folds = ragged(), folds_by_hand()
    fits = plan_fits(folds)
    found = fold_arrays(data, folds, fits)
    np.testing.assert_array_equal(found.train, [[0, 2, -1], [3, -1, -1], [1, 2, 3], [0, 2, 3]])
    np.testing.assert_array_equal(found.train_count, [2, 1, 3, 3])
    assert found.consensus is None
    wanted = {
        "validation": fits.validation,
        "test": [fold.test for fold in folds],
        "train_eval": [fold.train_eval for fold in folds],
    }
    for name, parts in wanted.items():
        for number, images in enumerate(parts):
            plain = make_part(data, images)
            padded = jax.tree.map(lambda leaf, at=number: np.asarray(leaf[at]), getattr(found, name))
            for small, large in zip(jax.tree.leaves(plain), jax.tree.leaves(padded), strict=True):
                np.testing.assert_array_equal(large[tuple(slice(size) for size in small.shape)], small)
                kept = np.zeros(large.shape, bool)
                kept[tuple(slice(size) for size in small.shape)] = True
                assert (large[~kept] == -1).all()


def test_each_fit_has_consensus_rows_of_its_own():
    data = ragged(40)
    folds = nested_folds(data, folds=4)
    fits = plan_fits(folds)
    found = fold_arrays(data, folds, fits, consensus=["procrustes"], heldout="ja").consensus
    assert list(found) == ["procrustes"] and found["procrustes"].shape == (len(fits.train), len(data), 6)
    for rows, images in zip(found["procrustes"], fits.train, strict=True):
        np.testing.assert_array_equal(rows, consensus_rows(without_language(data, "ja"), images, "procrustes"))


def rows_of(*parts):
    return [part.tolist() for part in parts]


def test_equal_sets_are_fitted_and_scored_once():
    fits = plan_fits(folds_by_hand())
    assert rows_of(*fits.train) == [[0, 2], [3], [1, 2, 3], [0, 2, 3]]
    assert rows_of(*fits.validation) == [[3], [0, 2], [0]]
    assert fits.inner == (((0, 0), (1, 1)), ((2, 2),)) and fits.test == (3, 2)


def test_crossed_folds_share_what_is_fitted_without_two():
    """k (k + 1) / 2 fits and k selection parts, not k² of either."""
    data = ragged(40)
    for folds, repeats in ((4, 1), (5, 1), (5, 2)):
        fits = plan_fits(nested_folds(data, folds=folds, repeats=repeats))
        assert len(fits.train) == repeats * folds * (folds + 1) // 2 and len(fits.validation) == repeats * folds
        assert [len(pairs) for pairs in fits.inner] == [folds - 1] * folds * repeats
        both = {fit for pairs in fits.inner for fit, _ in pairs}
        assert not both & set(fits.test) and both | set(fits.test) == set(range(len(fits.train)))


PLANS = {
    "one part": lambda data: nested_folds(data, inner=1),
    "seed": seed_folds,
    "official": official_folds,
    "few folds": lambda data: nested_folds(data, folds=3),
}


@pytest.mark.parametrize("kind", PLANS)
def test_what_selects_alone_selects_for_the_fit_that_reports(kind):
    data = ragged(40)
    data = dataclasses.replace(data, split=np.resize(["train", "train", "train", "dev", "test"], len(data)))
    folds = PLANS[kind](data)
    fits = plan_fits(folds)
    assert len(fits.train) == len(fits.validation) == len(folds)
    assert fits.test == tuple(range(len(folds)))
    assert fits.inner == tuple(((number, number),) for number in range(len(folds)))


def test_inner_folds_of_their_own_are_all_fitted():
    fits = plan_fits(nested_folds(ragged(40), folds=3, inner=4))
    assert len(fits.train) == 3 * (4 + 1) and len(fits.validation) == 12
    assert len({fit for pairs in fits.inner for fit, _ in pairs}) == 12


@pytest.mark.parametrize(
    "options", [{}, {"inner": 1}, {"inner": 3}, {"folds": 3}, {"folds": 4, "repeats": 2}, {"folds": 6, "inner": 2}]
)
def test_a_fold_finds_its_own_sets_in_the_plan(options):
    folds = nested_folds(ragged(40), **options)
    fits = plan_fits(folds)
    for number, fold in enumerate(folds):
        np.testing.assert_array_equal(fits.train[fits.test[number]], fold.train)
        for inner, (fit, part) in zip(fold.inner, fits.inner[number], strict=True):
            np.testing.assert_array_equal(fits.train[fit], inner.train)
            np.testing.assert_array_equal(fits.validation[part], inner.validation)
    for sets in (fits.train, fits.validation):
        assert len({rows.tobytes() for rows in sets}) == len(sets)


def numpy_metrics(data, images, language):
    """R@1, R@5 and MRR both ways, straight from the data set; no ties in it."""
    unit = {side: rows / np.linalg.norm(rows, axis=1, keepdims=True) for side, rows in
            (("image", data.image.astype(float)), ("text", data.text[language].astype(float)))}  # fmt: skip
    chosen = np.flatnonzero(np.isin(data.image_of[language], images))
    owner = data.image_of[language][chosen]
    scores = unit["text"][chosen] @ unit["image"][images].T
    t2i = [1 + np.sum(row > row[images == own]) for row, own in zip(scores, owner, strict=True)]
    i2t = [
        1 + np.sum(column > column[owner == image].max())
        for column, image in zip(scores.T, images, strict=True)
        if image in owner
    ]
    return [[np.mean(np.array(r) <= 1), np.mean(np.array(r) <= 5), np.mean(1 / np.array(r))] for r in (t2i, i2t)]


@pytest.mark.parametrize("seed", [0, 1])
def test_metrics_through_the_arrays_are_numpys(seed):
    data = ragged(60, seed)
    folds = nested_folds(data, folds=3, seed=seed)
    embeddings, arrays = device_embeddings(data), fold_arrays(data, folds, plan_fits(folds))
    aligner = make_aligner("identity", 6, 6, languages=2)

    def ranks_of(part):
        return rank_part(map_part(aligner, {}, embeddings, part))

    for number, fold in enumerate(folds):
        for name in ("test", "train_eval"):
            part = jax.tree.map(lambda leaf, at=number: leaf[at], getattr(arrays, name))
            found = measure(ranks_of(part), part, data.languages).values
            for language in data.languages:
                expected = numpy_metrics(data, getattr(fold, name), language)
                for direction, figures in zip(("t2i", "i2t"), expected, strict=True):
                    mine = found[direction, language]
                    np.testing.assert_allclose([mine[key] for key in ("R@1", "R@5", "MRR")], figures, atol=1e-6)
            each = [found["t2i", language]["MRR"] for language in ("en", "ja")]
            assert found["t2i", None]["MRR"] == pytest.approx(sum(each) / 2)
