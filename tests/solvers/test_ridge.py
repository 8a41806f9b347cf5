"""Ridge to identity against scikit-learn, explicit refits, and what must hold at its limits."""

import sys

import numpy as np
import pytest
from scipy import linalg
from sklearn.linear_model import Ridge, RidgeCV

from ccalign_jax import solvers


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def pair(count, d_text=12, d_target=10, *, seed=0):
    """Unit rows with a common direction, as embeddings have it, and targets that depend on them."""
    rng = np.random.default_rng(seed)
    text = unit(rng.normal(size=(count, d_text)) / np.arange(1, d_text + 1) + 0.7)
    return text, unit(text @ rng.normal(size=(d_text, d_target)) + 0.3 * rng.normal(size=(count, d_target)))


def gathered(text, target, **weights):
    return solvers.add_rows(solvers.empty_moments(text.shape[1], target.shape[1]), text, target, **weights)


def solve(moments, *, penalty, **options):
    """The map of a relative penalty."""
    path = solvers.ridge_path(moments, **options)
    return solvers.ridge_map(path, penalty * path.mean_eigenvalue)


def exact_errors(path, text, target, lam):
    """Squared leave-one-out errors by the definition, ‖eᵢ / (1 − hᵢᵢ)‖², from the inverse of XᵀX + λI."""
    rows = np.asarray(text, np.float64) - path.text_mean
    inverse = np.linalg.inv(path.eigenvectors @ np.diag(path.eigenvalues + lam) @ path.eigenvectors.T)
    weight = np.eye(*path.projected.shape) + solvers.ridge_map(path, lam).delta
    rest = np.asarray(target, np.float64) - path.target_mean - rows @ weight
    leverage = np.einsum("nd,de,ne->n", rows, inverse, rows) + path.mean_leverage
    return np.sum(np.square(rest / (1 - leverage)[:, None]), axis=1)


def residual(text, target):
    """What the identity leaves, float64."""
    return target.astype(np.float64) - text.astype(np.float64) @ np.eye(text.shape[1], target.shape[1])


SIZES = [(60, 12, 10), (60, 10, 12), (60, 9, 9), (8, 12, 10), (12, 12, 12)]
PENALTIES = np.logspace(-4, 3, 8)


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("centre", [False, True])
def test_against_scikit_learn(size, centre):
    text, target = pair(*size)
    path = solvers.ridge_path(gathered(text, target), centre=centre)
    for lam in PENALTIES * path.mean_eigenvalue:
        found = solvers.ridge_map(path, lam)
        wanted = Ridge(alpha=lam, fit_intercept=centre, solver="svd").fit(
            text.astype(np.float64), residual(text, target)
        )
        np.testing.assert_allclose(found.delta, wanted.coef_.T, atol=1e-8)
        mapped = (text - found.text_mean) @ (np.eye(*size[1:]) + found.delta) + found.target_mean
        np.testing.assert_allclose(mapped, wanted.predict(text) + target - residual(text, target), atol=1e-6)


@pytest.mark.parametrize("centre", [False, True])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_leave_one_out_is_refitting(size, centre):
    text, target = pair(*size)
    weights = np.random.default_rng(1).uniform(0.5, 2, size=len(text))
    path = solvers.ridge_path(gathered(text, target, weights=weights), centre=centre)
    lambdas = PENALTIES[::-1] * path.mean_eigenvalue
    found = solvers.leave_one_out(path, text, target, lambdas, weights=weights)
    for place, lam in enumerate(lambdas):
        errors = np.empty_like(target, np.float64)
        for row in range(len(text)):
            rest = np.arange(len(text)) != row
            fit = Ridge(alpha=lam, fit_intercept=centre, solver="svd").fit(
                text[rest].astype(np.float64), residual(text, target)[rest], sample_weight=weights[rest]
            )
            errors[row] = residual(text, target)[row] - fit.predict(text[[row]].astype(np.float64))[0]
        np.testing.assert_allclose(found[:, place], np.sum(errors**2, axis=1), rtol=1e-6)


@pytest.mark.parametrize("centre", [False, True])
def test_leave_one_out_against_ridge_cv(centre):
    text, target = pair(80)
    path = solvers.ridge_path(gathered(text, target), centre=centre)
    lambdas = PENALTIES * path.mean_eigenvalue
    found = solvers.leave_one_out(path, text, target, lambdas)
    wanted = RidgeCV(alphas=lambdas, fit_intercept=centre, store_cv_results=True)
    wanted.fit(text.astype(np.float64), residual(text, target))
    np.testing.assert_allclose(found, wanted.cv_results_.sum(axis=1), rtol=1e-5)
    assert lambdas[found.mean(axis=0).argmin()] == pytest.approx(wanted.alpha_)


@pytest.mark.parametrize("size", [SIZES[0], SIZES[2]], ids=str)
def test_towards_zero_is_plain_ridge(size):
    text, target = pair(*size)
    path = solvers.ridge_path(gathered(text, target), centre=True, to_identity=False)
    for lam in PENALTIES[::3] * path.mean_eigenvalue:
        wanted = Ridge(alpha=lam, solver="svd").fit(text.astype(np.float64), target.astype(np.float64))
        np.testing.assert_allclose(np.eye(*size[1:]) + solvers.ridge_map(path, lam).delta, wanted.coef_.T, atol=1e-8)
        found = solvers.leave_one_out(path, text, target, [lam])[:, 0]
        np.testing.assert_allclose(found, exact_errors(path, text, target, lam), rtol=1e-8)
    strong = solve(gathered(text, target), penalty=1e9, to_identity=False)
    np.testing.assert_allclose(strong.delta, -np.eye(*size[1:]), atol=1e-8)


@pytest.mark.parametrize("spectrum", ["equal", "nearly equal", "pairs", "rank 3"])
def test_leave_one_out_with_equal_eigenvalues(spectrum):
    """Partial fractions divide by the gaps between eigenvalues, of which these have none."""
    rng = np.random.default_rng(2)
    basis, turn = np.linalg.qr(rng.normal(size=(40, 8)))[0], np.linalg.qr(rng.normal(size=(8, 8)))[0]
    scales = {
        "equal": np.ones(8),
        "nearly equal": 1 + np.logspace(-14, -2, 8),
        "pairs": np.repeat([1.0, 2.0, 3.0, 4.0], 2) * (1 + 1e-7 * np.arange(8)),
        "rank 3": np.array([3.0, 2.0, 1.0, 0, 0, 0, 0, 0]),
    }[spectrum]
    text, target = basis * scales @ turn, rng.normal(size=(40, 6))
    path = solvers.ridge_path(gathered(text, target))
    lambdas = np.logspace(-3, 5, 9)
    found = solvers.leave_one_out(path, text, target, lambdas)
    for place, lam in enumerate(lambdas):
        np.testing.assert_allclose(found[:, place], exact_errors(path, text, target, lam), rtol=1e-8)


def test_leave_one_out_in_chunks_and_blocks(monkeypatch):
    text, target = pair(50)
    path = solvers.ridge_path(gathered(text, target))
    whole = solvers.leave_one_out(path, text, target, PENALTIES)
    parts = [solvers.leave_one_out(path, text[part], target[part], PENALTIES) for part in (slice(9), slice(9, None))]
    np.testing.assert_allclose(np.concatenate(parts), whole, rtol=1e-10)
    monkeypatch.setattr(sys.modules["ccalign_jax.solvers.ridge"], "BLOCK_ROWS", 7)
    np.testing.assert_allclose(solvers.leave_one_out(path, text, target, PENALTIES), whole, rtol=1e-10)


def test_rows_of_weight_zero_are_held_out():
    text, target = pair(50)
    mask = np.arange(50) % 4 > 0
    path = solvers.ridge_path(gathered(text, target, weights=mask))
    found = solvers.leave_one_out(path, text, target, [0.1], weights=mask)[:, 0]
    plain = residual(text, target) - text.astype(np.float64) @ solvers.ridge_map(path, 0.1).delta
    np.testing.assert_allclose(found[~mask], np.sum(plain[~mask] ** 2, axis=1), rtol=1e-9)
    np.testing.assert_allclose(found[mask], solvers.leave_one_out(path, text[mask], target[mask], [0.1])[:, 0])


def test_a_row_that_determines_itself_has_no_error():
    text, target = pair(6)
    path = solvers.ridge_path(gathered(text, target))
    errors = solvers.leave_one_out(path, text, target, [0.0, 1.0])
    assert np.isinf(errors[:, 0]).all() and np.isfinite(errors[:, 1]).all()


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_no_penalty_is_least_squares(size):
    text, target = pair(*size)
    found = solve(gathered(text, target), penalty=0.0)
    wanted = linalg.lstsq(text.astype(np.float64), residual(text, target))[0]
    np.testing.assert_allclose(found.delta, wanted, atol=1e-5)
    assert np.isinf(found.condition) == (len(text) < size[1])


def test_identity_is_the_limit():
    text, target = pair(60)
    moments = gathered(text, target)
    deltas = [np.abs(solve(moments, penalty=penalty).delta).max() for penalty in (1e2, 1e5, 1e8)]
    assert deltas[0] > deltas[1] > deltas[2] and deltas[2] < 1e-7
    # Text that is its own target already has nothing to learn.
    assert np.abs(solve(gathered(text, text), penalty=1e-3).delta).max() < 1e-12


def test_a_relative_penalty_means_the_same_for_any_size():
    text, target = pair(60)
    once = solve(gathered(text, target), penalty=0.3)
    thrice = solve(gathered(np.tile(text, (3, 1)), np.tile(target, (3, 1))), penalty=0.3)
    longer = solve(gathered(2 * text, 2 * target), penalty=0.3)
    for other in (thrice, longer):
        np.testing.assert_allclose(other.delta, once.delta, atol=1e-10)
        assert other.condition == pytest.approx(once.condition)
    shifted = gathered(text, target).text_text + 0.3 * gathered(text, target).text_text.trace() / 12 * np.eye(12)
    assert once.condition == pytest.approx(np.linalg.cond(shifted))


def test_turned_targets_turn_the_map():
    text, target = pair(60, 10, 10)
    turn = np.linalg.qr(np.random.default_rng(3).normal(size=(10, 10)))[0]
    base = solve(gathered(text, target), penalty=0.1)
    both = solve(gathered(text @ turn, target @ turn), penalty=0.1)
    np.testing.assert_allclose(both.delta, turn.T @ base.delta @ turn, atol=1e-6)


def test_doubled_rows_are_weights_of_two():
    text, target = pair(40)
    counts = 1 + np.arange(40) % 2
    doubled = gathered(np.repeat(text, counts, axis=0), np.repeat(target, counts, axis=0))
    found = solve(gathered(text, target, weights=counts), penalty=0.1, centre=True)
    np.testing.assert_allclose(found.delta, solve(doubled, penalty=0.1, centre=True).delta, atol=1e-10)


def test_rows_that_say_nothing():
    """Zero rows add nothing; with nothing but zero rows, or none, the map is the identity."""
    text, target = pair(40)
    more = [np.concatenate([rows, np.zeros_like(rows[:5])]) for rows in (text, target)]
    path, padded = (solvers.ridge_path(gathered(*both)) for both in ((text, target), more))
    np.testing.assert_allclose(solvers.ridge_map(padded, 0.1).delta, solvers.ridge_map(path, 0.1).delta, atol=1e-10)
    nothing = solve(gathered(np.zeros_like(text), target), penalty=0.1)
    assert not nothing.delta.any() and np.isinf(nothing.condition)
    assert not solve(solvers.empty_moments(4, 3), penalty=1.0).delta.any()


@pytest.mark.parametrize("bad", [-1.0, np.nan, np.inf])
def test_refusals(bad):
    text, target = pair(20)
    path = solvers.ridge_path(gathered(text, target))
    for call in (
        lambda: solvers.ridge_map(path, bad),
        lambda: solvers.leave_one_out(path, text, target, [1.0, bad]),
    ):
        with pytest.raises(ValueError, match="must be finite and at least 0"):
            call()


def test_real_embeddings(real_data):
    """Two hundred times the mean, the first eigenvalue of CLIP's captions; fewer rows than dimensions."""
    with np.load(real_data("coco500_clip.npz")) as data:
        image = {key: row for key, row in zip(data["image_keys"], data["image"], strict=True)}
        text, target = data["text_en"], np.stack([image[key] for key in data["text_en_keys"]])
    path = solvers.ridge_path(gathered(text, target))
    for penalty in (1e-4, 1e-2, 1.0):
        lam = penalty * path.mean_eigenvalue
        rows, rest = text.astype(np.float64), residual(text, target)
        kernel = np.linalg.inv(rows @ rows.T + lam * np.eye(len(rows)))
        np.testing.assert_allclose(solvers.ridge_map(path, lam).delta, rows.T @ kernel @ rest, atol=1e-5)
        wanted = np.sum((kernel @ rest) ** 2, axis=1) / kernel.diagonal() ** 2
        found = solvers.leave_one_out(path, text, target, [lam, 10 * lam])[:, 0]
        np.testing.assert_allclose(found, wanted, rtol=1e-5)
