"""Holm's adjustment by hand, against its definition, and under what must not change it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from ccalign_jax.statistics import holm

# Few values, so that ties are common.
CHANCES = st.one_of(st.floats(0, 1), st.sampled_from([0.0, 0.01, 0.02, 0.5, 1.0, np.nan]))
FAMILIES = arrays(np.float64, st.integers(0, 9), elements=CHANCES)


def by_definition(p):
    """For each test the least alpha at which Holm's procedure, step by step, rejects it."""
    adjusted = np.full(len(p), np.nan)
    tests = sorted((chance, place) for place, chance in enumerate(p) if not np.isnan(chance))
    needed = 0.0
    for step, (chance, place) in enumerate(tests):
        needed = max(needed, (len(tests) - step) * chance)
        adjusted[place] = min(needed, 1.0)
    return adjusted


def test_by_hand():
    # sorted: 4 × 0.005, 3 × 0.01, 2 × 0.03, then 0.04, which may not fall below 0.06
    np.testing.assert_allclose(holm(np.array([0.01, 0.04, 0.03, 0.005])), [0.03, 0.06, 0.06, 0.02], rtol=1e-12)
    np.testing.assert_allclose(holm(np.array([0.02, 0.02, 0.6])), [0.06, 0.06, 0.6], rtol=1e-12)
    np.testing.assert_allclose(holm(np.array([0.9, 0.5])), [1.0, 1.0])
    assert holm(np.array([0.03])).tolist() == [0.03]


@settings(max_examples=200, deadline=None, derandomize=True)
@given(FAMILIES)
def test_it_is_the_procedure(p):
    np.testing.assert_array_equal(holm(p), by_definition(p))


@settings(max_examples=200, deadline=None, derandomize=True)
@given(FAMILIES, st.randoms(use_true_random=False))
def test_it_keeps_order_and_place(p, random):
    adjusted = holm(p)
    known = ~np.isnan(p)
    np.testing.assert_array_equal(np.isnan(adjusted), ~known)
    assert (adjusted[known] >= p[known]).all()
    assert (adjusted[known] <= np.minimum(1, known.sum() * p[known])).all()  # Bonferroni's
    assert (np.diff(adjusted[known][np.argsort(p[known])]) >= 0).all()
    order = np.array(random.sample(range(len(p)), len(p)), int)
    np.testing.assert_array_equal(holm(p[order]), adjusted[order])
    np.testing.assert_array_equal(holm(p[known]), adjusted[known])


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.data())
def test_every_family_is_adjusted_alone(data):
    p = data.draw(arrays(np.float64, array_shapes(min_dims=1, max_dims=3, max_side=4), elements=CHANCES))
    axis = data.draw(st.integers(-p.ndim, p.ndim - 1))
    before = p.copy()
    np.testing.assert_array_equal(holm(p, axis=axis), np.apply_along_axis(by_definition, axis, p))
    np.testing.assert_array_equal(p, before)


def test_any_false_finding_is_as_rare_as_promised():
    p = np.random.default_rng(0).random((20_000, 6))
    assert np.mean((holm(p) <= 0.05).any(1)) == pytest.approx(1 - (1 - 0.05 / 6) ** 6, abs=0.006)


@pytest.mark.parametrize("wrong", [-0.1, 1.5])
def test_what_is_no_p_value_is_refused(wrong):
    with pytest.raises(ValueError, match=r"must be from 0 to 1"):
        holm(np.array([0.2, wrong, np.nan]))
