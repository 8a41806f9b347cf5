import numpy as np
import pytest

from ccalign_jax.calibration import SoftmaxCalibration, calibration_error, fit_softmax
from ccalign_jax.calibration.softmax import LEAST_IMAGES
from ccalign_jax.search.sides import collapse


def drawn(queries, gallery, candidates, *, scale=9.0, seed=0):
    """Candidates of queries whose right image is drawn from a softmax over the whole gallery."""
    random = np.random.default_rng(seed)
    scores = -np.sort(-random.normal(0, 0.2, (queries, gallery)), axis=1)
    right = (scale * scores + random.gumbel(size=scores.shape)).argmax(1)
    return scores[:, :candidates], right[:, None] == np.arange(candidates)


def test_the_scale_that_made_the_data_is_found_and_probabilities_are_right():
    scores, right = drawn(3000, 150, 40)
    found = fit_softmax(scores, right, np.arange(3000), 150)
    assert abs(found.scale - 9) < 0.7 and found.error < 0.006 and (found.queries, found.images) == (3000, 3000)
    fresh, answers = drawn(3000, 150, 40, seed=1)
    given = found.probabilities(fresh, 150)
    assert calibration_error(given[:, 0], answers[:, 0]) < 0.03
    assert abs(given.sum(1).mean() - answers.any(1).mean()) < 0.02  # the rest is not among the candidates


def test_a_larger_gallery_makes_each_probability_smaller():
    scores, right = drawn(2000, 100, 50)
    found = fit_softmax(scores, right, np.arange(2000), 100)
    fresh, answers = drawn(2000, 1000, 50, seed=1)
    assert calibration_error(found.probabilities(fresh, 1000)[:, 0], answers[:, 0]) < 0.06  # an extrapolation
    assert (found.probabilities(fresh, 1000)[:, 0] < found.probabilities(fresh, 100)[:, 0]).all()


def test_scores_that_say_nothing_give_the_probability_of_chance():
    random = np.random.default_rng(0)
    scores = -np.sort(-random.normal(size=(1000, 20)), axis=1)
    right = random.integers(0, 20, 1000)[:, None] == np.arange(20)
    found = fit_softmax(scores, right, np.arange(1000), 20).probabilities(scores, 20)
    assert np.allclose(found, 0.05, atol=0.03)


def test_candidates_beyond_those_of_the_fit_have_the_weight_of_the_others():
    found = SoftmaxCalibration(2.0, 0.5, 2, 0, 0, 0.0).probabilities(np.array([[0.9, 0.8, 0.7, -np.inf]]), 10)
    weights = np.exp([1.8, 1.6, 0.5])
    assert np.allclose(found[0], [*(weights / (weights[0] + weights[1] + 8 * weights[2])), 0.0])


def test_few_images_give_no_calibration():
    scores, right = drawn(400, 30, 10)
    assert fit_softmax(scores, right, np.arange(400) % (LEAST_IMAGES - 1), 30) is None


def test_the_error_is_that_of_bins():
    assert calibration_error(np.full(100, 0.2), np.arange(100) % 5 == 0) == pytest.approx(0)
    assert calibration_error(np.repeat([0.0, 1.0], 50), np.repeat([True, False], 50)) == 1


def test_captions_of_one_image_count_once_by_the_nearest_that_is_there():
    owners, scores = collapse(np.array([[3, 3, 5, 3]]), np.array([[-np.inf, 0.9, 0.8, 0.7]]), 3)
    assert owners.tolist() == [[3, 5, -1]] and scores.tolist() == [[0.9, 0.8, -np.inf]]
