"""Similarity of two sets against scipy, hand-written matrices, and a dense version of CKNNA."""

import numpy as np
import pytest
from scipy import stats

from ccalign_jax import diagnostics as d


def noise(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape)


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def hsic1(k, m):
    """Equation 5 of Song et al., 2012, as it stands there."""
    n = len(k)
    k, m = k - np.diag(np.diag(k)), m - np.diag(np.diag(m))
    one = np.ones(n)
    middle = (one @ k @ one) * (one @ m @ one) / ((n - 1) * (n - 2))
    return (np.trace(k @ m) + middle - 2 / (n - 2) * one @ k @ m @ one) / (n * (n - 3))


def coefficient(function, a, b):
    return function(a, b) / np.sqrt(function(a, a) * function(b, b))


def dense_cknna(a, b, k):
    def kept(gram):
        mask = np.zeros_like(gram)
        np.put_along_axis(mask, np.argsort(-(gram - 9 * np.eye(len(gram))), axis=1)[:, :k], 1, axis=1)
        return mask

    a, b = a @ a.T, b @ b.T
    both = kept(a) * kept(b)
    return hsic1(both * a, both * b) / np.sqrt(hsic1(kept(a) * a, kept(a) * a) * hsic1(kept(b) * b, kept(b) * b))


@pytest.fixture(scope="module")
def pair():
    a = noise(0, 40, 12)
    return unit(a + 0.8), unit(a[:, :9] + 0.7 * noise(1, 40, 9) + 0.5)


def test_gold(pair, diagnostics_of):
    a, b = pair
    found = diagnostics_of(a, b)
    upper = np.triu_indices(40, 1)
    assert found["gram_correlation"] == pytest.approx(stats.pearsonr((a @ a.T)[upper], (b @ b.T)[upper])[0], abs=1e-5)
    assert found["gram_rank_correlation"] == pytest.approx(
        stats.spearmanr((a @ a.T)[upper], (b @ b.T)[upper])[0], abs=1e-5
    )
    x, y = a - a.mean(0), b - b.mean(0)
    cka = np.linalg.norm(x.T @ y) ** 2 / np.linalg.norm(x.T @ x) / np.linalg.norm(y.T @ y)
    assert found["biased_cka"] == pytest.approx(cka, abs=1e-5)
    assert found["unbiased_cka"] == pytest.approx(coefficient(hsic1, a @ a.T, b @ b.T), abs=1e-5)
    assert found["cknna"] == pytest.approx(dense_cknna(a, b, 5), abs=1e-5)


def test_neighbours_by_hand():
    """A line of five points: only the row in the middle has other neighbours once two ends change places."""
    a = d.nearest_rows(-(np.abs(np.subtract.outer(np.arange(5.0), np.arange(5.0))) ** 1.01), 2)
    assert [sorted(row) for row in a.tolist()] == [[1, 2], [0, 2], [1, 3], [2, 4], [2, 3]]
    b = np.array([[1, 2], [0, 2], [0, 1], [0, 1], [2, 3]])
    assert d.neighbour_jaccard(a, b) == pytest.approx((1 + 1 + 1 / 3 + 0 + 1) / 5)
    assert d.mutual_neighbours(a, b) == pytest.approx((1 + 1 + 0.5 + 0 + 1) / 5)


def test_ties_take_mean_ranks():
    gram = np.array([[9, 1, 4, 4], [1, 9, 2, 4], [4, 2, 9, 7], [4, 4, 7, 9.0]])
    ranks = d.gram_ranks(gram)
    upper = np.triu_indices(4, 1)
    np.testing.assert_allclose(ranks[upper] * 5 + 1, stats.rankdata(gram[upper]), rtol=1e-6)
    assert (ranks == ranks.T).all()


def test_invariances(pair, diagnostics_of):
    """Any order of the rows, a rotation of either space, and another scale change no diagnostic."""
    a, b = pair
    base = diagnostics_of(a, b)
    order = np.random.default_rng(2).permutation(len(a))
    turn_a, turn_b = (np.linalg.qr(noise(seed, width, width))[0] for seed, width in ((3, 12), (4, 9)))
    for changed in (
        diagnostics_of(a[order], b[order]),
        diagnostics_of(a @ turn_a, b @ turn_b),
        diagnostics_of(3 * a, 1e-3 * b),
    ):
        assert changed == pytest.approx(base, abs=2e-5)
    swapped = diagnostics_of(b, a)
    assert swapped.pop("cknna") == pytest.approx(base["cknna"], abs=2e-3)  # the one that is not quite symmetric
    assert swapped == pytest.approx({name: base[name] for name in swapped}, abs=1e-6)
    assert diagnostics_of(a, a) == pytest.approx(dict.fromkeys(base, 1.0), abs=1e-5)


@pytest.mark.parametrize("broken", ["duplicate", "zero"])
def test_odd_rows_keep_diagnostics_finite(pair, broken, diagnostics_of):
    a, b = (rows.copy() for rows in pair)
    if broken == "duplicate":
        a[1::2] = a[::2]
    else:
        a[3] = 0
    assert all(np.isfinite(value) and -1.01 <= value <= 1.01 for value in diagnostics_of(a, b).values())


def test_a_set_that_does_not_vary_is_like_nothing(pair):
    same = np.tile(pair[0][:1], (40, 1))
    for function in (d.gram_correlation, d.unbiased_cka, d.biased_cka):
        assert function(d.moments(d.gram_matrices([same, pair[1]])))[0, 1] == 0


def test_biased_cka_reads_noise_and_the_unbiased_one_does_not():
    read = d.moments(d.gram_matrices([unit(noise(seed, 554, 512)) for seed in range(4)]))
    upper = np.triu_indices(4, 1)
    np.testing.assert_allclose(d.biased_cka(read)[upper], 0.48, atol=0.005)
    np.testing.assert_allclose(d.unbiased_cka(read)[upper], 0.0, atol=0.005)
    np.testing.assert_allclose(d.gram_correlation(read)[upper], 0.0, atol=0.01)


def test_a_common_direction_hides_nothing(diagnostics_of):
    """Rows in a narrow cone: float32 would lose the variance under the mean square."""
    a = noise(0, 60, 8)
    b = a + 0.5 * noise(1, 60, 8)
    away = 30.0
    x, y = unit(a + away), unit(b + away)
    found = diagnostics_of(x, y)
    assert found["unbiased_cka"] == pytest.approx(coefficient(hsic1, x @ x.T, y @ y.T), abs=0.02)


def test_modality_gap_and_cosine(pair):
    a = pair[0]
    cosines = (a @ a.T)[np.triu_indices(40, 1)]
    assert d.mean_pairwise_cosine(a) == pytest.approx(cosines.mean(), abs=1e-9)
    assert d.modality_gap(a, a[::-1]) == pytest.approx(0, abs=1e-9)
    assert d.modality_gap(a, a + np.r_[3, 4, np.zeros(10)]) == pytest.approx(5)
    with pytest.raises(ValueError, match="common space"):
        d.modality_gap(*pair)


def test_what_cannot_be_compared_is_said():
    with pytest.raises(ValueError, match=r"\[6, 7\] rows"):
        d.gram_matrices([np.eye(6), np.eye(7)])
    with pytest.raises(ValueError, match="5 at least"):
        d.gram_matrices([np.eye(4)])
    with pytest.raises(ValueError, match="at most 4 neighbours"):
        d.nearest_rows(np.eye(5), 5)
