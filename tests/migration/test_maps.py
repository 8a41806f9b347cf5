"""Maps between spaces: exact where a solution is known, and the right one of their family."""

import numpy as np
import pytest

from ccalign_jax.migration.choice import apply_map, choose, solve
from ccalign_jax.migration.clusters import cluster_maps
from ccalign_jax.migration.maps import MAPS, candidates
from ccalign_jax.numerics import unit_float32
from ccalign_jax.solvers.moments import add_rows, empty_moments


def matrices(found, d_in, d_out):
    affine = [one for one in found if one.family != "clusters"]
    return {(one.family, one.setting): np.eye(d_in, d_out) + one.params["delta"] for one in affine}


@pytest.fixture(scope="module")
def rotated():
    """Rows, and the same rotated, scaled along each dimension and moved."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 6))
    q = np.linalg.qr(rng.normal(size=(6, 6)))[0]
    return x, q, np.array([1.0, 2.0, 0.5, 1.5, 3.0, 0.25]), rng.normal(size=6)


def test_a_rotation_with_scales_is_recovered(rotated):
    x, q, scales, offset = rotated
    found = {one.family: one for one in candidates(x, (x @ q) * 2.0 + offset)}
    np.testing.assert_allclose(np.eye(6) + found["procrustes"].params["delta"], 2.0 * q, atol=1e-5)
    y = (x @ q) * scales + offset
    error = {}
    for one in candidates(x, y, set(MAPS) - {"clusters"}):
        predicted = (x - one.params["mean"]) @ (np.eye(6) + one.params["delta"]) + one.params["offset"]
        error[one.family] = min(((predicted - y) ** 2).sum(), error.get(one.family, np.inf))
    assert error["ridge"] < error["scaled_procrustes"] < error["procrustes"] < error["identity"]


def test_scaled_procrustes_is_least_squares_along_each_dimension(rotated):
    x, q, scales, offset = rotated
    rng = np.random.default_rng(1)
    y = (x @ q) * scales + offset + 0.3 * rng.normal(size=x.shape)
    found = matrices(candidates(x, y), 6, 6)
    rotation = found["procrustes", ""] / np.linalg.norm(found["procrustes", ""], axis=0)
    turned, target = (x - x.mean(0)) @ rotation, y - y.mean(0)
    each = [np.linalg.lstsq(turned[:, [j]], target[:, j], rcond=None)[0][0] for j in range(6)]
    np.testing.assert_allclose(found["scaled_procrustes", ""], rotation * each, atol=1e-4)


def test_low_rank_has_its_rank_and_is_the_best_of_it():
    rng = np.random.default_rng(2)
    x = rng.normal(size=(400, 8))
    y = x @ rng.normal(size=(8, 2)) @ rng.normal(size=(2, 8)) + 0.01 * rng.normal(size=(400, 8))
    found = matrices(candidates(x, y), 8, 8)
    for share, rank in ((2, 4), (4, 2), (8, 1)):
        assert np.linalg.matrix_rank(found["low_rank", f"rank {8 // share}"], tol=1e-5) == rank
    predicted = (x - x.mean(0)) @ found["low_rank", "rank 2"]
    assert ((predicted - (y - y.mean(0))) ** 2).mean() < 0.01
    penalised = found["ridge", "penalty 0.01"]
    values = np.linalg.svd((x - x.mean(0)) @ penalised)[1]
    lost = (x - x.mean(0)) @ (penalised - found["low_rank", "rank 1"]) ** 1
    assert (lost**2).sum() == pytest.approx((values[1:] ** 2).sum(), rel=1e-3)  # Eckart and Young


def test_ridge_is_scikit_learns(rotated):
    linear_model = pytest.importorskip("sklearn.linear_model")
    x, q, scales, offset = rotated
    y = (x @ q) * scales + offset + 0.1 * np.random.default_rng(3).normal(size=x.shape)
    scale = np.linalg.eigvalsh(np.cov(x.T, bias=True) * len(x)).mean()
    found = matrices(candidates(x, y), 6, 6)
    for penalty in (0.001, 0.1):
        known = linear_model.Ridge(alpha=penalty * scale).fit(x, y)
        np.testing.assert_allclose(found["ridge", f"penalty {penalty:g}"], known.coef_.T, atol=1e-5)


def test_widths_may_differ_and_then_there_is_no_identity():
    rng = np.random.default_rng(4)
    x = rng.normal(size=(60, 5))
    for width in (3, 7):
        found = list(candidates(x, rng.normal(size=(60, width))))
        assert {one.family for one in found} == set(MAPS) - {"identity", "shift"}
        assert all(apply_map(one, unit_float32(x)).shape == (60, width) for one in found)


@pytest.mark.parametrize("direction", ["queries", "documents"])
def test_the_choice_finds_the_rotation_among_few_pairs(direction):
    """With as many pairs as dimensions, least squares has no chance, and a rotation is exact."""
    rng = np.random.default_rng(5)
    old = unit_float32(rng.normal(size=(90, 48)))
    new = old @ np.linalg.qr(rng.normal(size=(48, 48)))[0].astype(np.float32)
    scores, found = choose(old, new, direction, seed=0), solve(old, new, direction)
    assert found[int(np.argmax(scores))].family in ("procrustes", "scaled_procrustes")
    assert max(scores) > 0.95 > scores[0]


def test_clusters_have_maps_of_their_own():
    """Two topics, rotated differently: no one matrix takes both, and there are no more clusters than rows."""
    rng = np.random.default_rng(6)
    topic = rng.integers(2, size=400)
    x = unit_float32(rng.normal(size=(400, 8)) + 6 * np.eye(8)[topic])
    turns = np.stack([np.linalg.qr(rng.normal(size=(8, 8)))[0] for _ in range(2)])
    y = unit_float32(np.einsum("nd,ndo->no", x, turns[topic]))
    error = {}
    for one in candidates(x, y, ["ridge", "clusters"]):
        mapped = apply_map(one, x)
        error[one.family] = min(((mapped - y) ** 2).sum(axis=1).mean(), error.get(one.family, np.inf))
    assert error["clusters"] < 0.25 * error["ridge"]
    alike = {one.family: one for one in candidates(x[topic == 0], y[topic == 0])}
    ((_, few), *_) = cluster_maps(x[:3], y[:3], add_rows(empty_moments(8, 8), x[:3], y[:3]))
    assert np.isfinite(few["delta"]).all() and few["delta"].shape == (3, 8, 8)
    np.testing.assert_allclose(apply_map(alike["clusters"], x[topic == 0]), y[topic == 0], atol=0.05)
