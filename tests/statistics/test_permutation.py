"""The sign-flip test against SciPy's, against enumeration in whole numbers, and under the null."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from scipy import stats

from ccalign_jax.statistics import _blocks, sign_flip_test, sign_flips

ALTERNATIVES = ("two-sided", "greater", "less")


def thirds_and_fifths(n, seed):
    """Differences of means of one to six queries: as fractions, exact, and as floats."""
    rng = np.random.default_rng(seed)
    exact = [Fraction(int(rng.integers(-3, 4)), int(rng.integers(1, 7))) for _ in range(n)]
    return exact, np.array([float(one) for one in exact])


def enumerated(exact, alternative="two-sided"):
    """The share of all assignments that reach the sum, in whole numbers."""
    seen, sums = (
        sum(exact),
        [
            sum(s * d for s, d in zip(signs, exact, strict=True))
            for signs in itertools.product((1, -1), repeat=len(exact))
        ],
    )
    reached = {
        "two-sided": [abs(one) >= abs(seen) for one in sums],
        "greater": [one >= seen for one in sums],
        "less": [one <= seen for one in sums],
    }
    return np.mean(reached[alternative])


# signs


def test_few_clusters_have_every_assignment_once():
    signs = sign_flips(6, flips=64, seed=0)
    assert signs.dtype == np.int8
    assert {tuple(row) for row in signs.tolist()} == set(itertools.product((1, -1), repeat=6))
    assert len(signs) == len(sign_flips(6, flips=10_000, seed=1)) == 64
    assert len(sign_flips(6, flips=63, seed=0)) == 63


@pytest.mark.parametrize("clusters", [1, 8, 9, 16, 17])
def test_all_assignments_are_unlike(clusters):
    signs = sign_flips(clusters, flips=2**clusters, seed=0)
    assert signs.shape == (2**clusters, clusters)
    assert len(np.unique(signs, axis=0)) == 2**clusters


def test_random_signs_are_fair_and_know_nothing_of_each_other():
    signs = sign_flips(37, flips=20_000, seed=0).astype(float)
    assert set(np.unique(signs)) == {-1.0, 1.0}
    np.testing.assert_allclose(signs.T @ signs / 20_000, np.eye(37), atol=0.04)
    np.testing.assert_allclose(signs.mean(0), 0, atol=0.04)


def test_signs_follow_the_seed_and_not_the_number_of_flips():
    first = sign_flips(37, flips=21, seed=3)
    np.testing.assert_array_equal(sign_flips(37, flips=50, seed=3)[:21], first)
    assert (sign_flips(37, flips=21, seed=4) != first).any()


@pytest.mark.parametrize(("clusters", "flips"), [(0, 5), (5, 0)])
def test_nothing_to_flip_is_refused(clusters, flips):
    with pytest.raises(ValueError, match=f"{clusters} clusters and {flips} flips"):
        sign_flips(clusters, flips=flips, seed=0)


# the test


@pytest.mark.parametrize("alternative", ALTERNATIVES)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_ties_count_as_in_whole_numbers(alternative, dtype):
    for seed in range(12):
        exact, differences = thirds_and_fifths(9, seed)
        found = sign_flip_test(differences.astype(dtype), sign_flips(9, seed=0), alternative=alternative)
        assert found == enumerated(exact, alternative)


@pytest.mark.parametrize("alternative", ALTERNATIVES)
def test_scipys_permutation_test_agrees(alternative):
    differences = np.random.default_rng(0).normal(0.4, 1, (10, 5))
    expected = stats.permutation_test(
        (differences,),
        lambda d, axis: d.sum(axis),
        permutation_type="samples",
        n_resamples=np.inf,
        vectorized=True,
        alternative=alternative,
    )
    found = sign_flip_test(differences, sign_flips(10, seed=0), alternative=alternative)
    np.testing.assert_allclose(found, expected.pvalue, rtol=1e-12)


def test_random_signs_come_close_to_all():
    differences = np.random.default_rng(0).normal(0.3, 1, (13, 20))
    exact = sign_flip_test(differences, sign_flips(13, flips=2**13, seed=0))
    drawn = sign_flip_test(differences, sign_flips(13, flips=8000, seed=0))
    assert exact.min() < 0.05 < exact.max()
    np.testing.assert_allclose(drawn, exact, atol=4 * 0.5 / np.sqrt(8000))


def test_random_signs_count_what_was_seen_among_them():
    differences = np.random.default_rng(0).random((40, 1)) + 1
    assert sign_flip_test(differences, sign_flips(40, flips=99, seed=0)).tolist() == [0.01]
    assert sign_flip_test(differences, sign_flips(40, flips=99, seed=0), alternative="less").tolist() == [1.0]
    assert sign_flip_test(differences[:5], sign_flips(5, seed=0)).tolist() == [2 / 32]


@pytest.mark.parametrize("clusters", [6, 30])
def test_no_change_anywhere_is_certain(clusters):
    signs = sign_flips(clusters, flips=500, seed=0)
    for alternative in ALTERNATIVES:
        assert sign_flip_test(np.zeros((clusters, 2)), signs, alternative=alternative).tolist() == [1.0, 1.0]


def test_it_errs_as_often_as_it_says():
    differences = np.random.default_rng(0).standard_t(3, (40, 3000))
    p = sign_flip_test(differences, sign_flips(40, flips=999, seed=0))
    for alpha in (0.01, 0.05, 0.5):
        assert np.mean(p <= alpha) == pytest.approx(alpha, abs=4 * np.sqrt(alpha * (1 - alpha) / 3000))


def test_it_tells_the_sign_of_a_change():
    differences = np.random.default_rng(0).normal(0.5, 1, 100)
    signs = sign_flips(100, flips=2000, seed=0)
    greater, less = (sign_flip_test(differences, signs, alternative=side) for side in ("greater", "less"))
    assert greater < 0.01 and less > 0.99
    assert sign_flip_test(-differences, signs, alternative="less") == greater
    assert sign_flip_test(-differences, signs) == sign_flip_test(differences, signs)


def test_what_must_not_matter_does_not():
    """The order of clusters, clusters without a difference, the unit, and which other columns are there."""
    _, flat = thirds_and_fifths(180, 1)
    differences, signs = flat.reshape(60, 3), sign_flips(60, flips=500, seed=0)
    expected = sign_flip_test(differences, signs)
    order = np.random.default_rng(2).permutation(60)
    np.testing.assert_array_equal(sign_flip_test(differences[order], signs[:, order]), expected)
    more = np.concatenate([signs, sign_flips(9, flips=500, seed=5)[:500]], axis=1)
    np.testing.assert_array_equal(sign_flip_test(np.pad(differences, ((0, 9), (0, 0))), more), expected)
    for unit in (1e-9, 1 / 3, 1e9):
        np.testing.assert_array_equal(sign_flip_test(unit * differences, signs), expected)
    np.testing.assert_array_equal(sign_flip_test(differences[:, 1], signs), expected[1])
    shaped = sign_flip_test(np.tile(differences[:, None], (1, 2, 1)), signs)
    np.testing.assert_array_equal(shaped, [expected, expected])


@pytest.mark.parametrize("entries", [1, 100, 777])
def test_blocks_do_not_matter(monkeypatch, entries):
    _, flat = thirds_and_fifths(120, 1)
    signs = sign_flips(40, flips=500, seed=0)
    expected = sign_flip_test(flat.reshape(40, 3), signs)
    monkeypatch.setattr(_blocks, "BLOCK_ENTRIES", entries)
    np.testing.assert_array_equal(sign_flip_test(flat.reshape(40, 3), signs), expected)


def test_nan_stays_in_its_column():
    differences = np.random.default_rng(0).normal(size=(30, 3))
    signs = sign_flips(30, flips=200, seed=0)
    expected = sign_flip_test(differences, signs)
    differences[4, 1] = np.nan
    found = sign_flip_test(differences, signs)
    assert np.isnan(found[1])
    np.testing.assert_array_equal(found[[0, 2]], expected[[0, 2]])


def test_what_does_not_fit_is_refused():
    signs = sign_flips(30, flips=20, seed=0)
    with pytest.raises(ValueError, match="'both' is unknown; it is one of two-sided, greater, less"):
        sign_flip_test(np.zeros(30), signs, alternative="both")
    with pytest.raises(ValueError, match="differences of 29 clusters, but signs of 30"):
        sign_flip_test(np.zeros(29), signs)


def test_equal_columns_have_equal_p_values_and_change_no_others():
    differences, signs = np.random.default_rng(0).normal(size=(12, 3)), sign_flips(12, flips=500, seed=0)
    repeated = differences[:, [2, 0, 2, 1, 0]]
    each = sign_flip_test(differences, signs)
    np.testing.assert_array_equal(sign_flip_test(repeated, signs), each[[2, 0, 2, 1, 0]])
    np.testing.assert_array_equal(
        sign_flip_test(np.stack([repeated, -repeated], axis=1), signs)[0], each[[2, 0, 2, 1, 0]]
    )
