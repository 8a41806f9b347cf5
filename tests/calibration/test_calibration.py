"""Fits, thresholds and bounds: against scikit-learn, by hand, and on simulated scores whose truth is known."""

import numpy as np
import pytest

from ccalign_jax.calibration import (
    ScoreCounts,
    conformal_bound,
    count_scores,
    coverage_band,
    first_half,
    fit_isotonic,
    fit_platt,
    operating_points,
    reliability,
    threshold_at_precision,
    translate_threshold,
)
from ccalign_jax.calibration.counts import merge


@pytest.fixture(scope="module")
def drawn():
    """Scores with many ties, and matches by a logistic curve of scale 9."""
    random = np.random.default_rng(0)
    scores = random.normal(0.3, 0.2, 4000).round(2)
    return scores, random.uniform(size=4000) < 1 / (1 + np.exp(4 - 9 * scores))


def test_isotonic_is_scikit_learns(drawn):
    known = pytest.importorskip("sklearn.isotonic").IsotonicRegression(out_of_bounds="clip").fit(*drawn)
    asked = np.linspace(-1, 1, 301)
    np.testing.assert_allclose(fit_isotonic(count_scores(*drawn)).probabilities(asked), known.predict(asked), atol=1e-9)


def test_platt_is_scikit_learns_on_its_labels(drawn):
    linear = pytest.importorskip("sklearn.linear_model")
    scores, right = drawn
    matches, others = right.sum(), (~right).sum()
    label = np.where(right, (matches + 1) / (matches + 2), 1 / (others + 2))
    known = linear.LogisticRegression(C=np.inf, tol=1e-10).fit(
        np.tile(scores, 2)[:, None], np.repeat([1, 0], len(scores)), np.concatenate([label, 1 - label])
    )
    np.testing.assert_allclose(fit_platt(count_scores(*drawn)), [known.coef_[0, 0], known.intercept_[0]], rtol=1e-3)


def test_platt_stays_finite_where_scores_separate_and_flat_where_they_mislead():
    scores = np.linspace(0, 1, 40)
    sure = fit_platt(count_scores(scores, scores > 0.5))
    assert 5 < sure.scale < 100 and np.isfinite(sure.probabilities(np.array([-1e6, 1e6]))).all()
    assert fit_platt(count_scores(scores, scores < 0.5)).scale == 0


def test_other_pairs_weigh_as_in_a_larger_gallery(drawn):
    counts = count_scores(*drawn)
    ten = merge([counts, *[counts._replace(right=np.zeros_like(counts.right))] * 9])
    for fit in (fit_platt, fit_isotonic):
        asked = counts.scores
        np.testing.assert_allclose(
            fit(counts.weigh_others(10)).probabilities(asked), fit(ten).probabilities(asked), atol=1e-6
        )
    odds = [fit_platt(each).probabilities(np.array([0.4]))[0] for each in (counts, ten)]
    assert odds[0] / (1 - odds[0]) == pytest.approx(10 * odds[1] / (1 - odds[1]), rel=0.2)


def test_probabilities_of_the_truth_have_a_small_error_and_wrong_ones_a_large_one(drawn):
    scores, right = drawn
    first = first_half(np.arange(len(scores)) // 2)
    assert abs(first.mean() - 0.5) < 0.01 and (first[::2] == first[1::2]).all()
    for fit in (fit_platt, fit_isotonic):
        given = fit(count_scores(scores[first], right[first])).probabilities(scores[~first])
        assert reliability(given, right[~first]).error < 0.04
    assert reliability(1 - given, right[~first]).error > 0.2
    known = reliability(given, right[~first]).error
    assert reliability(given, right[~first], np.full(len(given), 3.0)).error == pytest.approx(known)


def test_the_threshold_of_a_precision_is_the_lowest_that_has_it():
    counts = ScoreCounts(np.array([0.1, 0.2, 0.3, 0.4]), np.array([0.0, 3, 0, 1]), np.array([9.0, 1, 1, 1]))
    points = operating_points(counts)
    assert points.results.tolist() == [16, 7, 3, 2] and points.recall.tolist() == [1, 1, 0.25, 0.25]
    assert [threshold_at_precision(points, share) for share in (0.2, 0.5, 4 / 7, 0.6)] == [0.1, 0.2, 0.2, np.inf]
    assert points.at(0.15) == (7, 1, 4 / 7) and points.at(0.5)[:2] == (0, 0)


def test_a_map_that_stretches_scores_stretches_thresholds(drawn):
    scores, right = drawn
    old, new = (operating_points(count_scores(each, right)) for each in (scores, 2 * scores + 1))
    for threshold in (0.1, 0.3):
        for keep in ("results", "recall"):
            assert translate_threshold(old, new, threshold, keep=keep) == pytest.approx(2 * threshold + 1, abs=0.021)
    assert new.at(translate_threshold(old, new, 0.3, keep="precision"))[2] >= old.at(0.3)[2] - 1e-12
    assert translate_threshold(old, new, 5.0, keep="results") == np.inf


@pytest.mark.parametrize("captions", [1, 5])
def test_conformal_bounds_cover_new_images_as_often_as_promised(captions):
    """The mean over worlds is the promise, or up to 1 / (images + 1) more; captions of an image are much alike."""
    random, images, worlds = np.random.default_rng(1), 39, 1500
    groups, covered = np.repeat(np.arange(images), captions), []
    for _ in range(worlds):
        image = random.standard_exponential(images + 1)  # no normal distribution, and images differ in captions
        values = np.repeat(image, captions) + 0.1 * random.normal(size=(images + 1) * captions)
        new, kept = values[:captions], random.uniform(size=images * captions) < 0.8
        kept[::captions] = True
        covered.append((new <= conformal_bound(values[captions:][kept], groups[kept], 0.8)).mean())
    slack = 3 * np.std(covered) / np.sqrt(worlds)
    assert 0.8 - slack < np.mean(covered) < 0.8 + 1 / (images + 1) + slack


def test_the_band_of_the_coverage_is_that_of_worlds():
    random = np.random.default_rng(2)
    values = random.uniform(size=(1000, 150))
    bounds = np.sort(values[:, :50])[:, 45]  # the 46th of 50: the least that is 90 % of 51
    assert conformal_bound(values[0, :50], np.arange(50), 0.9) == bounds[0]
    low, high = coverage_band(50, 100, 0.9)
    found = (values[:, 50:] <= bounds[:, None]).mean(axis=1)
    assert 0.94 < ((found >= low) & (found <= high)).mean() < 0.99
    assert coverage_band(8, 100, 0.9) == (1, 1)
