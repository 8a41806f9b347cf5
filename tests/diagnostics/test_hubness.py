"""Hubs by hand, against scipy's skew, and under ties."""

import numpy as np
import pytest
from scipy import stats

from ccalign_jax import diagnostics as d


def unit(seed, count, width):
    rows = np.random.default_rng(seed).normal(size=(count, width))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def shared(scores, k=10, *, same=True):
    return d.share_ties(scores, d.nearest_rows(scores, k, same=same), same=same)


def test_a_hub_by_hand():
    """Everyone's nearest is item 0, whose own nearest is item 1."""
    scores = np.array([[1, 0.9, 0.8, 0.7], [0.9, 1, 0, 0.1], [0.8, 0, 1, 0.1], [0.7, 0.1, 0.1, 1]])
    assert d.k_occurrence(scores, 1).tolist() == [3, 1, 0, 0]
    assert d.hub_share(d.k_occurrence(scores, 1)) == 0.75
    assert d.k_occurrence(scores, 1, same=False).tolist() == [1, 1, 1, 1]
    assert scores[0, 0] == 1  # the scores are not written into


def test_skew_and_share_against_scipy():
    counts = d.k_occurrence(unit(0, 250, 40) @ unit(0, 250, 40).T)
    assert counts.sum() == 2500
    assert d.hub_skew(counts) == pytest.approx(stats.skew(counts))
    assert d.hub_share(counts) == np.sort(counts)[-2:].sum() / 2500  # 2.5 rounds to the even 2
    assert d.hub_skew(np.full(5, 3)) == 0


def test_gini_is_the_mean_difference_of_pairs():
    counts = np.random.default_rng(0).integers(0, 9, 40)
    wanted = np.abs(counts[:, None] - counts).mean() / (2 * counts.mean())
    assert d.hub_gini(counts) == pytest.approx(wanted) == d.hub_gini(counts[::-1] * 7)
    assert d.hub_gini(np.zeros(3)) == 0


def test_shared_and_plain_agree_without_ties():
    scores = unit(1, 80, 10) @ unit(1, 80, 10).T
    np.testing.assert_array_equal(d.k_occurrence(scores, 7), shared(scores, 7))
    across = unit(1, 80, 10) @ unit(2, 60, 10).T
    np.testing.assert_array_equal(d.k_occurrence(across, 7, same=False), shared(across, 7, same=False))


def test_shared_ties_do_not_see_the_order_of_rows():
    """Every row four times: ten neighbours are three copies, and seven of the next rows' eight."""
    rows = np.repeat(unit(3, 30, 6), 4, axis=0)
    order = np.random.default_rng(0).permutation(len(rows))
    base = shared(rows @ rows.T)
    moved = shared(rows[order] @ rows[order].T)
    np.testing.assert_allclose(moved, base[order], atol=1e-9)
    assert base.sum() == pytest.approx(1200)
    np.testing.assert_allclose(base.reshape(30, 4), base.reshape(30, 4).mean(axis=1, keepdims=True).repeat(4, 1))
    turned = rows @ np.linalg.qr(np.random.default_rng(1).normal(size=(6, 6)))[0].astype(np.float32)
    np.testing.assert_allclose(shared(turned @ turned.T), base, atol=1e-9)


def test_a_zero_row_is_no_hub():
    rows = np.abs(unit(4, 50, 8))
    rows[7] = 0
    assert d.k_occurrence(rows @ rows.T)[7] == 0
    assert shared(rows @ rows.T).sum() == pytest.approx(500)


@pytest.mark.parametrize("function", [d.k_occurrence, shared])
def test_too_few_items(function):
    with pytest.raises(ValueError, match="at most 3 neighbours"):
        function(np.eye(4), 4)
    assert function(np.eye(4), 4, same=False).tolist() == [4, 4, 4, 4]
