"""Intervals that few clusters carry: degrees of freedom by hand, and coverage where plain percentiles fall short."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from ccalign_jax.statistics import (
    bootstrap_weights,
    interval_stretch,
    percentile_interval,
    ratio_replicates,
    ratio_residuals,
)


def stretch_of(values):
    """Of the means of `[..., n]`, each of one query a cluster."""
    residuals = ratio_residuals(np.moveaxis(values, -1, 0)[..., None], np.ones(values.shape[::-1]))
    return interval_stretch(*(np.moveaxis(each[..., 0], 0, -1) for each in residuals))


def test_residuals_are_what_leaving_a_cluster_out_changes():
    rng = np.random.default_rng(0)
    counts = rng.integers(1, 6, size=(7, 2)).astype(float)
    counts[3, 1] = 0  # no query there
    sums = rng.random((7, 2, 3)) * counts[..., None]
    linear, left_out = ratio_residuals(sums, counts)
    ratio = sums.sum(axis=0) / counts.sum(axis=0)[:, None]
    for cluster in range(7):
        rest = np.arange(7) != cluster
        without = sums[rest].sum(axis=0) / counts[rest].sum(axis=0)[:, None]
        np.testing.assert_allclose(left_out[cluster], ratio - without, atol=1e-12)
        step = 1e-6 * rest + 1e-6 * ~rest * 2  # a little more weight on the cluster: the derivative
        moved = np.einsum("n,nkm->km", 1 + step - 1e-6, sums) / ((1 + step - 1e-6) @ counts)[:, None]
        np.testing.assert_allclose(linear[cluster], (moved - ratio) / 1e-6, atol=1e-5)


def test_a_cluster_with_all_queries_has_no_residual():
    linear, left_out = ratio_residuals(np.array([[2.0], [0.0]]), np.array([3.0, 0.0]))
    assert not linear.any() and not left_out.any()


@pytest.mark.parametrize("count", [2, 5, 50])
def test_degrees_of_freedom_by_hand(count):
    """Events of size ±1, as many up as down, among n clusters: κ = n / count."""
    changes = np.zeros(1000)
    changes[: 2 * count] = np.tile([1.0, -1.0], count)
    degrees = 2 * 1000 / (1000 / (2 * count) - 1)
    expected = stats.t.ppf(0.975, degrees) / stats.norm.ppf(0.975) * np.sqrt(1000 / 999)
    assert stretch_of(changes) == pytest.approx(expected, rel=1e-6)


def test_few_equal_clusters_have_the_interval_of_student():
    """Eight means, half of them above: the degrees of freedom are seven, and the standard error that of a sample."""
    values = np.tile([0.0, 1.0], 4)
    expected = stats.t.ppf(0.975, 7) / stats.norm.ppf(0.975) * np.sqrt(8 / 7)
    assert stretch_of(values) == pytest.approx(expected)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.integers(2, 60), st.integers(0, 2**31), st.floats(1e-9, 1e6))
def test_scale_order_and_place_do_not_matter(count, seed, scale):
    rng = np.random.default_rng(seed)
    values = rng.standard_normal((3, count)) * (rng.random((3, count)) < 0.5)
    stretch = stretch_of(values)
    assert stretch.shape == (3,) and (stretch >= 1).all()
    np.testing.assert_allclose(stretch_of(scale * values[:, ::-1]), stretch, rtol=1e-6)
    np.testing.assert_allclose(stretch_of(values + 7.0)[values.any(axis=1)], stretch[values.any(axis=1)], rtol=1e-5)


def test_an_estimate_of_equal_contributions_is_not_widened():
    assert stretch_of(np.zeros(10)) == 1.0
    assert stretch_of(np.random.default_rng(0).random(2000) < 0.5) == pytest.approx(1.0, abs=2e-3)


def test_clusters_that_add_nothing_hardly_matter():
    values = np.zeros(200)
    values[:6] = 1.0
    wider = np.concatenate([values, np.zeros(2000)])
    assert stretch_of(wider) == pytest.approx(stretch_of(values), rel=0.02)


def test_coverage_of_rare_changes():
    """About eight of 400 images change, up or down alike: percentiles alone cover some 93 % of nothing."""
    rng = np.random.default_rng(0)
    weights = bootstrap_weights(400, replicates=1000, seed=1).astype(np.float32) / 400
    plain = wide = worlds = 0
    for _ in range(800):
        changes = (rng.random(400) < 8 / 400) * rng.choice([-1.0, 1.0], 400) * rng.uniform(0.5, 1.5, 400)
        low, high = percentile_interval(weights @ changes)
        mean, stretch = changes.mean(), stretch_of(changes)
        plain += low <= 0 <= high
        wide += mean + stretch * (low - mean) <= 0 <= mean + stretch * (high - mean)
        worlds += 1
    assert plain / worlds < wide / worlds
    assert 0.935 < wide / worlds < 0.985


@pytest.mark.parametrize("clusters", [8, 20])
def test_coverage_of_few_clusters_of_unequal_size(clusters):
    """Groups of one to many queries, each with a level of its own about one half."""
    rng, worlds = np.random.default_rng(0), 1500
    counts = rng.geometric(0.2, (clusters, worlds))
    sums = rng.binomial(counts, rng.beta(2, 2, (clusters, worlds)))[..., None]
    replicates = ratio_replicates(bootstrap_weights(clusters, replicates=1000, seed=1), sums, counts)[:, 0]
    ends, value = np.stack(percentile_interval(replicates)), (sums.sum(axis=0)[:, 0] / counts.sum(axis=0))
    stretch = interval_stretch(*(residuals[..., 0].T for residuals in ratio_residuals(sums, counts)))
    plain, wide = (np.mean((low <= 0.5) & (high >= 0.5)) for low, high in (ends, value + stretch * (ends - value)))
    assert plain < 0.93
    assert 0.935 < wide < 0.97
