"""From a ragged data set to padded index arrays, and metrics through them against NumPy on the data itself."""

import dataclasses

import jax
import numpy as np
import pytest

from ccalign_jax.aligners import make_aligner
from ccalign_jax.data import EmbeddingSet
from ccalign_jax.data.splits import Fold, nested_folds
from ccalign_jax.study.arrays import caption_means, consensus_rows, fold_arrays, lay_out, make_part, unit_float32
from ccalign_jax.study.summary import chance_metrics, fold_metrics
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
    found = lay_out(data)
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
    found = caption_means(lay_out(data), np.array([0, 2, 4]))
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


def test_folds_are_padded_with_minus_one():
    data = ragged()
    one = Fold(*(np.array(rows) for rows in ([0, 2], [1], [3, 4], [0, 2], [0, 1, 2, 3, 4])))
    two = Fold(*(np.array(rows) for rows in ([1, 2, 3], [0], [4], [2], [0, 1, 2, 3, 4])))
    found = fold_arrays(data, [one, two])
    np.testing.assert_array_equal(found.train, [[0, 2, -1], [1, 2, 3]])
    np.testing.assert_array_equal(found.train_count, [2, 3])
    for number, fold in enumerate((one, two)):
        for name in ("select", "report", "sample"):
            plain = make_part(data, getattr(fold, name))
            padded = jax.tree.map(lambda leaf, at=number: np.asarray(leaf[at]), getattr(found, name))
            for small, large in zip(jax.tree.leaves(plain), jax.tree.leaves(padded), strict=True):
                np.testing.assert_array_equal(large[tuple(slice(size) for size in small.shape)], small)
                kept = np.zeros(large.shape, bool)
                kept[tuple(slice(size) for size in small.shape)] = True
                assert (large[~kept] == -1).all()


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
    embeddings, arrays = lay_out(data), fold_arrays(data, folds)
    aligner = make_aligner("identity", 6, 6, languages=2)

    def ranks_of(part):
        return rank_part(map_part(aligner, {}, embeddings, part))

    for number, fold in enumerate(folds):
        for name in ("report", "sample"):
            part = jax.tree.map(lambda leaf, at=number: leaf[at], getattr(arrays, name))
            found = fold_metrics(ranks_of(part), data.languages)
            for language in data.languages:
                expected = numpy_metrics(data, getattr(fold, name), language)
                for direction, figures in zip(("t2i", "i2t"), expected, strict=True):
                    mine = found[direction]["per_language"][language]
                    np.testing.assert_allclose([mine[key] for key in ("R@1", "R@5", "MRR")], figures, atol=1e-6)
            by_language = found["t2i"]["per_language"]
            assert found["t2i"]["MRR"] == pytest.approx((by_language["en"]["MRR"] + by_language["ja"]["MRR"]) / 2)


def test_chance_counts_galleries_and_answers():
    data = ragged()
    (found,) = chance_metrics([make_part(data, np.arange(5))], data.languages)
    assert found["t2i"]["per_language"]["en"]["R@1"] == pytest.approx(1 / 5)
    # images a, c, d, e have 2, 1, 3, 1 of seven captions
    assert found["i2t"]["per_language"]["en"]["R@1"] == pytest.approx(np.mean([2, 1, 3, 1]) / 7)
    assert found["i2t"]["per_language"]["ja"]["R@1"] == pytest.approx(1 / 2)


def test_a_language_without_a_query_is_left_out():
    """A rare language may be absent from a training sample; the others still count."""
    data = ragged()
    (found,) = chance_metrics([make_part(data, np.array([0, 3, 4]))], data.languages)
    assert list(found["t2i"]["per_language"]) == ["en"]
    assert found["t2i"]["R@1"] == pytest.approx(1 / 3)


@pytest.mark.parametrize("scale", [1e-44, 1e-30, 1e-20, 1.0, 1e20, 1e37])
def test_unit_rows_whatever_their_length(scale):
    """Squares of tiny and huge rows leave float32; the data set lets such rows in, as they have a direction."""
    rows = np.array([[3.0, 4.0], [1.0, 0.0]]).astype(np.float32)
    scaled = rows.copy()
    scaled[0] = (rows[0].astype(np.float64) * scale).astype(np.float32)
    found = unit_float32(scaled)
    tolerance = 0.1 if scale < 1e-40 else 1e-6
    np.testing.assert_allclose(found, [[0.6, 0.8], [1.0, 0.0]], atol=tolerance)
    np.testing.assert_array_equal(found[1], unit_float32(rows)[1])
