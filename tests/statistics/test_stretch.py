"""Intervals that few clusters carry: degrees of freedom by hand, and coverage where plain percentiles fall short."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from ccalign_jax.statistics import bootstrap_weights, interval_stretch, percentile_interval


@pytest.mark.parametrize("count", [2, 5, 50])
def test_degrees_of_freedom_by_hand(count):
    """Events of size ±1, as many up as down, among n clusters: κ = n / count."""
    shares = np.zeros(1000)
    shares[: 2 * count] = np.tile([1.0, -1.0], count)
    degrees = 2 * 1000 / (1000 / (2 * count) - 1)
    expected = stats.t.ppf(0.975, degrees) / stats.norm.ppf(0.975)
    assert interval_stretch(shares) == pytest.approx(expected, rel=1e-6)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.integers(2, 60), st.integers(0, 2**31), st.floats(1e-9, 1e6))
def test_scale_order_and_place_do_not_matter(count, seed, scale):
    rng = np.random.default_rng(seed)
    shares = rng.standard_normal((3, count)) * (rng.random((3, count)) < 0.5)
    stretch = interval_stretch(shares)
    assert stretch.shape == (3,) and (stretch >= 1).all()
    np.testing.assert_allclose(interval_stretch(scale * shares[:, ::-1]), stretch, rtol=1e-6)
    np.testing.assert_allclose(interval_stretch(shares + 7.0), stretch, rtol=1e-5)


def test_a_figure_that_all_carry_alike_is_left_as_it_is():
    assert interval_stretch(np.full(10, 0.1)) == pytest.approx(1.0, abs=1e-8)
    assert interval_stretch(np.zeros(10)) == pytest.approx(1.0, abs=1e-8)
    assert interval_stretch(np.random.default_rng(0).random(2000) < 0.5) == pytest.approx(1.0, abs=2e-3)


def test_clusters_that_add_nothing_hardly_matter():
    shares = np.zeros(200)
    shares[:6] = 1.0
    wider = np.concatenate([shares, np.zeros(2000)])
    assert interval_stretch(wider) == pytest.approx(interval_stretch(shares), rel=0.02)


def test_coverage_of_rare_changes():
    """About eight of 400 images change, up or down alike: percentiles alone cover some 93 % of nothing."""
    rng = np.random.default_rng(0)
    weights = bootstrap_weights(400, draws=1000, seed=1).astype(np.float32) / 400
    plain = wide = worlds = 0
    for _ in range(800):
        changes = (rng.random(400) < 8 / 400) * rng.choice([-1.0, 1.0], 400) * rng.uniform(0.5, 1.5, 400)
        low, high = percentile_interval(weights @ changes)
        mean, stretch = changes.mean(), interval_stretch(changes)
        plain += low <= 0 <= high
        wide += mean + stretch * (low - mean) <= 0 <= mean + stretch * (high - mean)
        worlds += 1
    assert plain / worlds < wide / worlds
    assert 0.935 < wide / worlds < 0.985
