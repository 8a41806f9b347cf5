"""Canonical correlations against scikit-learn and the generalised eigenproblem; the similarity pair by pair."""

import numpy as np
import pytest
from scipy import linalg
from sklearn.cross_decomposition import CCA

from ccalign_jax import solvers


def pair(count, d_text=6, d_target=4, *, seed=0):
    rng = np.random.default_rng(seed)
    common = rng.normal(size=(count, 3))
    text = common @ rng.normal(size=(3, d_text)) + rng.normal(size=(count, d_text)) + 1
    return text, common @ rng.normal(size=(3, d_target)) + rng.normal(size=(count, d_target)) - 2


def gathered(text, target, **weights):
    return solvers.add_rows(solvers.empty_moments(text.shape[1], target.shape[1]), text, target, **weights)


def solve(moments, penalty=1.0, dimensions=None):
    path = solvers.cca_path(moments)
    return solvers.cca_map(path, text_penalty=penalty, target_penalty=penalty, dimensions=dimensions)


def projected(found, text, target):
    return (text - found.text_mean) @ found.text_map, (target - found.target_mean) @ found.target_map


def test_against_scikit_learn():
    text, target = pair(200)
    found = solve(gathered(text, target), penalty=0.0)
    reference = CCA(n_components=4, max_iter=20000, tol=1e-14).fit(text, target)
    ours, theirs = projected(found, text, target), reference.transform(text, target)
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(np.abs(np.corrcoef(one.T, other.T)[:4, 4:].diagonal()), 1, atol=1e-5)
    np.testing.assert_allclose(
        found.correlations, [np.corrcoef(theirs[0][:, i], theirs[1][:, i])[0, 1] for i in range(4)], atol=1e-5
    )


def test_columns_are_uncorrelated_with_unit_variance():
    text, target = pair(200)
    found = solve(gathered(text, target), penalty=0.0)
    a, b = projected(found, text, target)
    for side in (a, b):
        np.testing.assert_allclose(np.cov(side.T, ddof=0), np.eye(4), atol=1e-9)
    np.testing.assert_allclose(a.T @ b / 200, np.diag(found.correlations), atol=1e-9)
    assert (np.diff(found.correlations) <= 0).all()


@pytest.mark.parametrize("count", [200, 5])
def test_regularised_is_the_generalised_eigenproblem(count):
    text, target = pair(count)
    found = solve(gathered(text, target), penalty=0.3)
    covariance = np.cov(np.hstack([text, target]).T, ddof=0)
    xx, yy, xy = covariance[:6, :6], covariance[6:, 6:], covariance[:6, 6:]
    xx, yy = xx + 0.3 * np.trace(xx) / 6 * np.eye(6), yy + 0.3 * np.trace(yy) / 4 * np.eye(4)
    squares = linalg.eigh(xy @ np.linalg.inv(yy) @ xy.T, xx, eigvals_only=True)[::-1][:4]
    np.testing.assert_allclose(found.correlations**2, squares, atol=1e-8)
    np.testing.assert_allclose(found.text_map.T @ xx @ found.text_map, np.eye(4), atol=1e-8)
    np.testing.assert_allclose(found.text_map.T @ xy @ found.target_map, np.diag(found.correlations), atol=1e-8)
    assert found.condition == pytest.approx(max(np.linalg.cond(xx), np.linalg.cond(yy)), rel=1e-6)


def test_fewer_rows_than_dimensions_need_the_penalty():
    text, target = pair(5)
    free = solve(gathered(text, target), penalty=0.0)
    np.testing.assert_allclose(free.correlations, 1, atol=1e-7)
    assert np.isinf(free.condition)
    correlations = [solve(gathered(text, target), penalty=penalty).correlations[0] for penalty in (0.1, 1, 10)]
    assert 1 > correlations[0] > correlations[1] > correlations[2] > 0


@pytest.mark.parametrize("count", [5, 3])
def test_fewer_rows_have_fewer_directions_and_lose_nothing(count):
    """Weighted by their correlations, the maps of both sides are (C_xx + λI)⁻¹ C_xy (C_yy + μI)⁻¹."""
    text, target = pair(count, 9, 11)
    path = solvers.cca_path(gathered(text, target))
    found = solvers.cca_map(path, text_penalty=0.3, target_penalty=2.0)
    assert path.cross.shape == (count - 1, count - 1) and len(found.correlations) == count - 1
    covariances = np.cov(np.hstack([text, target]).T, ddof=0)
    xx, xy, yy = covariances[:9, :9], covariances[:9, 9:], covariances[9:, 9:]
    wanted = np.linalg.inv(xx + 0.3 * xx.trace() / 9 * np.eye(9)) @ xy
    wanted = wanted @ np.linalg.inv(yy + 2.0 * yy.trace() / 11 * np.eye(11))
    np.testing.assert_allclose(found.text_map * found.correlations @ found.target_map.T, wanted, atol=1e-10)
    conditions = [
        np.linalg.cond(own + part * np.eye(len(own)))
        for own, part in ((xx, 0.3 * xx.trace() / 9), (yy, 2.0 * yy.trace() / 11))
    ]
    assert found.condition == pytest.approx(max(conditions), rel=1e-6)


def test_invariances():
    """Sides swapped, turned, scaled, shifted, rows doubled or permuted: the correlations stay."""
    text, target = pair(100)
    base = solve(gathered(text, target), penalty=0.1).correlations
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(6, 6)))[0]
    order = np.random.default_rng(2).permutation(100)
    for changed in (
        gathered(target, text),
        gathered(3 * text @ turn + 5, target),
        gathered(text[order], target[order]),
        gathered(text, target, weights=np.full(100, 2)),
        gathered(np.vstack([text, text]), np.vstack([target, target])),
    ):
        np.testing.assert_allclose(solve(changed, penalty=0.1).correlations, base, atol=1e-9)
    anything = gathered(text @ np.random.default_rng(3).normal(size=(6, 6)), target)
    np.testing.assert_allclose(
        solve(anything, penalty=0.0).correlations,
        solve(gathered(text, target), penalty=0.0).correlations,
        atol=1e-9,
    )


def test_first_dimensions():
    text, target = pair(100)
    whole, first = (solve(gathered(text, target), dimensions=kept) for kept in (None, 2))
    np.testing.assert_array_equal(first.text_map, whole.text_map[:, :2])
    np.testing.assert_array_equal(first.correlations, whole.correlations[:2])
    with pytest.raises(ValueError, match="it is 1 to 4"):
        solve(gathered(text, target), dimensions=5)


def test_canonical_similarity_pair_by_pair():
    text, target = pair(30)
    found = solve(gathered(text, target), dimensions=3)
    sides = projected(found, text, target)
    rows = [np.asarray(solvers.csa_rows(side, found.correlations)) for side in sides]
    for i in range(5):
        for j in range(5):
            a, b = sides[0][i], sides[1][j]
            wanted = np.sum(found.correlations * a * b) / np.linalg.norm(a) / np.linalg.norm(b)
            assert rows[0][i] @ rows[1][j] == pytest.approx(wanted, abs=1e-6)
    cosine = [np.asarray(solvers.csa_rows(side, np.ones(3))) for side in sides]
    np.testing.assert_allclose(np.linalg.norm(cosine[0], axis=1), 1, atol=1e-6)
    assert not np.asarray(solvers.csa_rows(np.zeros((1, 3)), found.correlations)).any()
