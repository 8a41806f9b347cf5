"""Calibration of a data set before and after a map: against scores of all pairs, and on scores that say nothing."""

import json

import numpy as np
import pytest

from ccalign_jax.aligners import residual
from ccalign_jax.data import EmbeddingSet
from ccalign_jax.data.fingerprints import fingerprint
from ccalign_jax.errors import InputError
from ccalign_jax.evaluation import calibrate, read_calibration
from ccalign_jax.evaluation.pair_scores import Gallery, count_above, join, score_pairs
from ccalign_jax.evaluation.write_calibration import calibration_tables, write_calibration
from ccalign_jax.learned_map import LearnedMap
from ccalign_jax.reporting.panels.calibration import calibration_words
from ccalign_jax.runs.kinds import CALIBRATION_FOLDER
from ccalign_jax.runs.store import Store

IMAGES, WIDTH = 160, 8


def made(noise):
    """Images at random, and captions near them but turned by one place; German has two captions of each image."""
    random = np.random.default_rng(0)
    image = random.standard_normal((IMAGES, WIDTH)).astype(np.float32)
    owner = {"de": np.repeat(np.arange(IMAGES), 2), "en": np.arange(IMAGES)}
    text = {
        language: np.roll(image[rows], -1, axis=1) + noise * random.standard_normal((len(rows), WIDTH))
        for language, rows in owner.items()
    }
    keys = np.array([f"{number:03d}" for number in range(IMAGES)])
    return EmbeddingSet.build("made", image, text, image_keys=keys, text_keys={k: keys[r] for k, r in owner.items()})


@pytest.fixture(scope="module")
def turned():
    """Data, and the map that turns captions back, trained on every third image."""
    data = made(0.3)
    turn = np.roll(np.eye(WIDTH, dtype=np.float32), 1, axis=1) - np.eye(WIDTH, dtype=np.float32)
    about = {"aligner": "residual", "trial": "image/residual/infonce", "languages": ["de", "en"]}
    seen = fingerprint(data.take(np.arange(0, IMAGES, 4)))
    return data, LearnedMap(residual(WIDTH, WIDTH), {"delta": turn}, about | {"d_text": WIDTH, "d_image": WIDTH}, seen)


@pytest.fixture(scope="module")
def found(turned):
    return calibrate(*turned, precision=0.6, coverage=0.8, gallery=1000)


def test_pairs_are_counted_as_a_matrix_of_all_scores_has_them():
    random = np.random.default_rng(1)
    text, image = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in random.normal(size=(2, 30, 4)))
    owner, groups = np.arange(30)[::-1].copy(), np.r_[np.arange(29), 28]  # the last two images show the same
    first = groups % 2 == 0
    held = Gallery(text.astype(np.float32), image.astype(np.float32), owner, groups, first)
    pairs, scores = score_pairs(held, 59), text @ image.T
    right = groups[owner][:, None] == groups
    assert pairs.both.right.sum() == right.sum() and pairs.both.others.sum() == pytest.approx(2 * (~right).sum())
    np.testing.assert_allclose(pairs.own, scores[np.arange(30), owner], atol=1e-6)
    assert pairs.place.tolist() == (scores >= scores[np.arange(30), owner][:, None] - 1e-9).sum(axis=1).tolist()
    above = [score_pairs(held, 59).halves[half].scores.max() for half in (0, 1)]
    inside = [scores[np.ix_(each[owner], each)].max() for each in (first, ~first)]
    np.testing.assert_allclose(above, inside, atol=1e-4)
    counted, results = count_above(held, 30, (0.5, 0.2))
    mine = np.where(first[owner], 0.5, 0.2)[:, None]
    there = (scores >= mine) & (first[owner][:, None] == first)
    assert counted.sum() == (there & right).sum() and (results >= counted).all()
    both = join([pairs, pairs])
    assert len(both.own) == 60 and both.both.right.sum() == 2 * right.sum()


def test_the_right_map_raises_thresholds_and_shrinks_sets(found):
    before, after = (found.summary["scores"][state] for state in ("identity", "mapped"))
    assert after["de"]["images"] == 120 and after["de"]["captions"] == 240 and after["all"]["captions"] == 360
    assert found.summary["held_out"] == "120 images that the map was not trained on"
    for language in after:
        assert after[language]["sets"]["nearest"]["bound"] < 10 < 40 < before[language]["sets"]["nearest"]["bound"]
        sets = after[language]["sets"]
        assert sets["score"]["coverage"]["low"] < 0.83 and sets["score"]["coverage"]["high"] > 0.77
        assert sets["nearest"]["coverage"]["high"] > 0.77  # or more: places are whole numbers
        assert after[language][after[language]["chosen"]]["error"] < 0.1
    point = after["all"]["threshold"]
    assert point["precision"]["low"] < 0.6 < point["precision"]["high"] and before["de"]["threshold"]["recall"] < 0.1
    for row in found.summary["thresholds"]["all"]:
        assert row["recall"]["results"] < row["before"]["results"] / 2
        assert row["recall"]["recall"] >= row["before"]["recall"] - 1e-9


def test_a_calibration_is_written_and_read_back(found, tmp_path):
    with Store(tmp_path / "out", CALIBRATION_FOLDER) as store:
        store.acquire(overwrite=False)
        write_calibration(store, found)
    again = read_calibration(tmp_path / "out")
    assert again.summary == json.loads(json.dumps(found.summary)) and len(calibration_tables(again)) == 3
    shares = [again.probabilities(np.array([0.2, 0.95]), language) for language in (None, "de")]
    assert all(low < 0.05 < 0.5 < high for low, high in shares)
    assert found.probabilities(0.9, mapped=False) < found.probabilities(0.9)
    words = " ".join(calibration_words(found.summary))
    assert "60 % of the results are right" in words and "hold the right one for 80 % of queries" in words
    with pytest.raises(InputError, match="no calibration of fr; there are all, de, en"):
        again.probabilities(0.5, "fr")
    with pytest.raises(InputError, match="missing, or no calibration"):
        read_calibration(tmp_path)


def test_scores_that_say_nothing_have_the_probability_of_chance_and_sets_of_nearly_all():
    data = made(100.0)
    one = calibrate(data.with_languages(["de"])).summary["scores"]["identity"]["de"]
    assert one["threshold"]["threshold"] is None and one["sets"]["nearest"]["bound"] > 0.8 * IMAGES
    assert one[one["chosen"]]["brier"] == pytest.approx(1 - 1 / IMAGES, abs=0.01)
    share = one["sets"]["score"]["coverage"]
    assert share["low"] < 0.93 and share["high"] > 0.87
    words = calibration_words(calibrate(data).summary)
    assert words[1].startswith("No score makes 50 % of the results right")


def test_too_few_images_are_refused(turned):
    data, learned = turned
    with pytest.raises(InputError, match="40 images; 50 are needed"):
        calibrate(data.take(np.arange(40)))
    with pytest.raises(InputError, match="made: the map does not tell its training images; give other data"):
        calibrate(data, learned._replace(training_images=None))
    with pytest.raises(InputError, match="coverage=1: give a number between 0 and 1"):
        calibrate(data, learned, coverage=1)
