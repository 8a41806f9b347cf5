"""The corrected resampled t-test by hand, and against SciPy's t-test where nothing is corrected."""

import numpy as np
import pytest
from scipy import stats

from ccalign_jax.statistics import corrected_resampled_t


def test_by_hand():
    # mean 0.03, variance 0.00025 × (1/5 + 1/4), so t = 2√2; with 4 degrees of freedom P(|t| > 2√2) = 1 − √(2/3) · 7/6
    low, high, p = corrected_resampled_t(np.array([0.01, 0.02, 0.03, 0.04, 0.05]), test_share=0.25)
    half = 2.7764451052 * np.sqrt(0.0001125)
    assert p == pytest.approx(1 - np.sqrt(2 / 3) * 7 / 6, rel=1e-9)
    assert (low, high) == (pytest.approx(0.03 - half, rel=1e-9), pytest.approx(0.03 + half, rel=1e-9))


@pytest.mark.parametrize("level", [0.5, 0.95])
@pytest.mark.parametrize("folds", [2, 5, 30])
def test_uncorrected_it_is_the_t_test(folds, level):
    changes = np.random.default_rng(folds).normal(0.1, 1, (folds, 3, 2))
    expected = stats.ttest_1samp(changes, 0)
    low, high, p = corrected_resampled_t(changes, test_share=0, level=level)
    np.testing.assert_allclose(p, expected.pvalue, rtol=1e-9)
    np.testing.assert_allclose([low, high], expected.confidence_interval(level), rtol=1e-9, atol=1e-12)


def test_the_correction_widens_the_interval():
    """By √((1/J + share) / (1/J)): one and a half times for five-fold cross-validation."""
    changes = np.random.default_rng(0).normal(0.5, 1, (5, 40))
    (low, high, p), (plain_low, plain_high, plain_p) = (
        corrected_resampled_t(changes, test_share=share) for share in (0.25, 0)
    )
    np.testing.assert_allclose(high - low, 1.5 * (plain_high - plain_low), rtol=1e-9)
    assert (p > plain_p).all()


def test_intervals_without_0_have_p_below_005():
    low, high, p = corrected_resampled_t(np.random.default_rng(0).normal(1, 1, (5, 400)), test_share=0.25)
    np.testing.assert_array_equal((low > 0) | (high < 0), p < 0.05)
    assert 0 < (p < 0.05).mean() < 1


def test_folds_in_another_order_or_sign():
    changes = np.random.default_rng(0).normal(0.5, 1, 6)
    low, high, p = corrected_resampled_t(changes, test_share=0.2)
    np.testing.assert_allclose(corrected_resampled_t(changes[::-1], test_share=0.2), (low, high, p), rtol=1e-9)
    np.testing.assert_allclose(corrected_resampled_t(-changes, test_share=0.2), (-high, -low, p), rtol=1e-9)


def test_folds_that_agree_leave_no_doubt():
    """0.1 three times is not 0.1 on average in floating point, which must not matter."""
    changes = np.tile([0.1, 0.0, -0.3], (3, 1))
    low, high, p = corrected_resampled_t(changes, test_share=0.25)
    assert low.tolist() == high.tolist() == [0.1, 0.0, -0.3]
    assert p.tolist() == [0.0, 1.0, 0.0]
    assert [float(part) for part in corrected_resampled_t(changes[:, 1], test_share=0.25)] == [0.0, 0.0, 1.0]


def test_one_fold_or_nan_says_nothing():
    assert np.isnan(corrected_resampled_t(np.array([[0.1, 0.2]]), test_share=0.25)).all()
    changes = np.array([[0.1, np.nan], [0.2, 0.1], [0.2, 0.3]])
    found = np.array(corrected_resampled_t(changes, test_share=0.25))
    assert np.isnan(found[:, 1]).all() and not np.isnan(found[:, 0]).any()


@pytest.mark.parametrize(
    ("changes", "settings", "words"),
    [
        ([], {"test_share": 0.25}, "no fold"),
        ([0.1, 0.2], {"test_share": -0.25}, "test_share is -0.25"),
        ([0.1, 0.2], {"test_share": np.nan}, "test_share is nan"),
        ([0.1, 0.2], {"test_share": 0.25, "level": 95}, "level is 95"),
    ],
)
def test_what_does_not_fit_is_refused(changes, settings, words):
    with pytest.raises(ValueError, match=words):
        corrected_resampled_t(np.array(changes), **settings)
