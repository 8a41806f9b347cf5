"""Several views: MAXVAR against its n × n eigenproblem, Procrustes against scipy, known turns and its own optimum."""

import numpy as np
import pytest
from scipy import linalg

from ccalign_jax import solvers

COUNT = 40
WIDTHS = (5, 4, 6)


def views(seed=0, *, noise=0.5):
    rng = np.random.default_rng(seed)
    common = rng.normal(size=(COUNT, 3))
    return [common @ rng.normal(size=(3, width)) + noise * rng.normal(size=(COUNT, width)) + 1 for width in WIDTHS]


def masks(seed=1):
    """Each view has about two thirds of the rows; row 0 is in none."""
    present = np.random.default_rng(seed).uniform(size=(len(WIDTHS), COUNT)) < 0.67
    present[:, 0] = False
    return present


def turn(seed, width):
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(width, width)))[0]


def subspace(rows):
    """The projection on the span of the columns, which neither signs nor turns change."""
    basis = np.linalg.qr(rows)[0]
    return basis @ basis.T


@pytest.mark.parametrize("present", [np.ones((3, COUNT), bool), masks()], ids=["complete", "missing"])
@pytest.mark.parametrize("penalty", [0.0, 0.2])
def test_maxvar_is_the_eigenproblem_of_the_rows(present, penalty):
    """Top eigenvectors of K^-½ Σ Pᵥ K^-½, with Pᵥ the ridge projection on the columns of view v."""
    found = solvers.gcca(views(), present, penalty=penalty, dimensions=3)
    projections = []
    for rows, mask in zip(views(), present, strict=True):
        rows = np.where(mask[:, None], rows - rows[mask].mean(axis=0), 0)
        own = rows.T @ rows
        projections.append(rows @ np.linalg.inv(own + penalty * np.trace(own) / len(own) * np.eye(len(own))) @ rows.T)
    many = np.maximum(present.sum(axis=0), 1)
    values, vectors = linalg.eigh(sum(projections) / np.sqrt(many[:, None] * many))
    np.testing.assert_allclose(found.shares, values[::-1][:3], atol=1e-8)
    wanted = vectors[:, ::-1][:, :3] * np.sqrt(present.sum() / many)[:, None]
    signs = np.sign(np.sum(wanted * found.rows, axis=0))
    np.testing.assert_allclose(found.rows, wanted * signs, atol=1e-7)
    np.testing.assert_allclose((many * found.rows.T) @ found.rows / present.sum(), np.eye(3), atol=1e-8)
    for rows, mask, mean, matrix in zip(views(), present, found.means, found.maps, strict=True):
        rows = rows[mask] - mean  # each map is the ridge regression of the consensus on its view
        strength = penalty * np.sum(rows**2) / rows.shape[1]
        refit = np.linalg.solve(rows.T @ rows + strength * np.eye(rows.shape[1]), rows.T @ found.rows[mask])
        np.testing.assert_allclose(matrix, refit, atol=1e-7)


def test_maxvar_of_two_views_is_cca():
    text, target, _ = views()
    moments = solvers.add_rows(solvers.empty_moments(5, 4), text, target)
    path = solvers.cca_path(moments)
    pair = solvers.cca_map(path, text_penalty=0.2, target_penalty=0.2)
    unpenalised = solvers.cca_map(path, text_penalty=0.0, target_penalty=0.0)
    found = solvers.gcca([text, target], penalty=0.2)
    # Regularised, the values are those of [P, XY; YX, P] and not (1 + ρ) / 2 exactly.
    free = solvers.gcca([text, target], penalty=0.0)
    np.testing.assert_allclose(free.shares, (1 + unpenalised.correlations) / 2, atol=1e-9)
    assert (found.shares < free.shares).all() and (pair.correlations < 1).all()
    ours = (text - free.means[0]) @ free.maps[0]
    theirs = (text - pair.text_mean) @ unpenalised.text_map
    np.testing.assert_allclose(np.abs(np.corrcoef(ours.T, theirs.T)[:4, 4:].diagonal()), 1, atol=1e-8)


@pytest.mark.parametrize("solve", [solvers.gcca, solvers.generalised_procrustes])
def test_missing_rows_may_hold_anything_and_order_does_not_matter(solve):
    present, rows = masks(), views()
    base = solve(rows, present)
    spoilt = [np.where(mask[:, None], one, np.nan) for one, mask in zip(rows, present, strict=True)]
    order = np.random.default_rng(2).permutation(COUNT)
    again, moved = solve(spoilt, present), solve([one[order] for one in rows], present[:, order])
    np.testing.assert_allclose(again.rows, base.rows, atol=1e-10)
    np.testing.assert_allclose(np.abs(moved.rows), np.abs(base.rows[order]), atol=1e-6)
    np.testing.assert_allclose(moved.shares, base.shares, atol=1e-9)
    assert not base.rows[0].any()


@pytest.mark.parametrize("solve", [solvers.gcca, solvers.generalised_procrustes])
def test_blocks_are_the_whole(solve, monkeypatch):
    base = solve(views(), masks())
    monkeypatch.setattr(solvers.consensus, "BLOCK_ROWS", 7)
    again = solve(views(), masks())
    np.testing.assert_allclose(np.abs(again.rows), np.abs(base.rows), atol=1e-8)
    np.testing.assert_allclose(again.means[2], base.means[2], atol=1e-12)


@pytest.mark.parametrize("solve", [solvers.gcca, solvers.generalised_procrustes])
def test_doubled_rows_change_no_map(solve):
    base, twice = solve(views(), masks()), solve([np.tile(one, (2, 1)) for one in views()], np.tile(masks(), (1, 2)))
    for one, other in zip(base.maps, twice.maps, strict=True):
        np.testing.assert_allclose(np.abs(other), np.abs(one), atol=1e-6)


def test_maxvar_does_not_see_turned_views():
    """Each view turned, scaled and shifted: the same consensus."""
    base = solvers.gcca(views(), masks(), dimensions=3)
    changed = [(place + 2) * one @ turn(place, one.shape[1]) + place for place, one in enumerate(views())]
    np.testing.assert_allclose(
        subspace(solvers.gcca(changed, masks(), dimensions=3).rows), subspace(base.rows), atol=1e-8
    )


def test_fewer_rows_than_dimensions():
    few = [one[:4] for one in views()]
    regular = solvers.gcca(few, penalty=0.1, dimensions=2)
    assert np.isfinite(regular.condition) and all(np.isfinite(part).all() for part in (*regular.maps, regular.rows))
    assert (regular.shares < 1).all() and np.isinf(solvers.gcca(few, penalty=0.0).condition)
    beyond = solvers.gcca(few, penalty=0.0, dimensions=15)  # more columns than four centred rows can have
    assert np.isfinite(beyond.rows).all() and np.linalg.matrix_rank(beyond.rows, tol=1e-6) == 3
    turned = solvers.generalised_procrustes(few)
    assert all(np.allclose(matrix @ matrix.T, np.eye(len(matrix))) for matrix in turned.maps)


@pytest.mark.parametrize("centre", [False, True])
def test_procrustes_of_two_views_is_scipy(centre):
    one, other = views()[2], views(3)[2] + views()[2]
    found = solvers.generalised_procrustes([one, other], centre=centre)
    middle = [rows - centre * rows.mean(axis=0) for rows in (one, other)]
    wanted = linalg.orthogonal_procrustes(middle[1], middle[0])[0]
    np.testing.assert_allclose(found.maps[1], wanted, atol=1e-6)
    np.testing.assert_allclose(found.maps[0], np.eye(6), atol=1e-9)
    np.testing.assert_allclose(found.rows, (middle[0] + middle[1] @ wanted) / 2, atol=1e-6)


def test_procrustes_finds_turns_through_missing_rows():
    """Three turned copies, rows missing: the copies are brought together and the missing rows filled in."""
    rows, present = views(noise=1.0)[2], masks()
    turned = [rows, rows @ turn(1, 6), rows @ turn(2, 6)]
    found = solvers.generalised_procrustes(turned, present)
    np.testing.assert_allclose(found.maps[1], turn(1, 6).T, atol=1e-5)
    seen = present.any(axis=0)
    np.testing.assert_allclose(found.rows[seen], rows[seen], atol=1e-5)
    assert found.shares[0] == pytest.approx(1) and found.steps < 1000


@pytest.mark.parametrize("present", [None, masks()], ids=["complete", "missing"])
def test_procrustes_is_at_its_optimum(present):
    """No view can be turned to lie nearer to the consensus, and none of many other turns of all does better."""
    found = solvers.generalised_procrustes(views(), present, tolerance=1e-12)
    kept = np.ones((3, COUNT), bool) if present is None else present

    def distance(maps):
        mapped = [
            np.where(mask[:, None], one @ matrix, 0) for one, mask, matrix in zip(views(), kept, maps, strict=True)
        ]
        middle = sum(mapped) / np.maximum(kept.sum(axis=0), 1)[:, None]
        total = sum(np.sum((one[mask] - middle[mask]) ** 2) for one, mask in zip(mapped, kept, strict=True))
        return total, middle

    reached, middle = distance(found.maps)
    np.testing.assert_allclose(found.rows, middle, atol=1e-9)
    size = sum(np.sum(one[mask] ** 2) for one, mask in zip(views(), kept, strict=True))
    assert found.shares[0] == pytest.approx(1 - reached / size)
    for one, mask, matrix in zip(views(), kept, found.maps, strict=True):
        left, _, right = np.linalg.svd(one[mask].T @ middle[mask], full_matrices=False)
        np.testing.assert_allclose(one[mask] @ left @ right, one[mask] @ matrix, atol=1e-4)
    rng = np.random.default_rng(4)
    for _ in range(30):
        step = rng.choice([1e-2, 1.0])
        others = [np.linalg.svd(one + step * rng.normal(size=one.shape), full_matrices=False) for one in found.maps]
        assert distance([left @ right for left, _, right in others])[0] > reached


def test_the_anchor_chooses_the_space():
    base, other = (
        solvers.generalised_procrustes(views(), masks(), anchor=anchor, tolerance=1e-12) for anchor in (2, 1)
    )
    np.testing.assert_allclose(base.maps[2], np.eye(6), atol=1e-9)
    np.testing.assert_allclose(other.maps[1], np.eye(4, 6), atol=1e-9)
    np.testing.assert_allclose(other.rows @ other.rows.T, base.rows @ base.rows.T, atol=1e-3)


def test_refusals():
    for solve in (solvers.gcca, solvers.generalised_procrustes):
        with pytest.raises(ValueError, match=r"the views have \[40, 39\] rows"):
            solve([views()[0], views()[1][1:]])
        with pytest.raises(ValueError, match=r"masks are \(3, 40\)"):
            solve(views()[:2], masks())
        with pytest.raises(ValueError, match="view 1 has no row"):
            solve(views(), masks() & (np.arange(3) != 1)[:, None])
        with pytest.raises(ValueError, match="NaN or infinite"):
            solve([np.full((COUNT, 2), np.nan), views()[0]])
        with pytest.raises(ValueError, match="one view at least"):
            solve([])
    with pytest.raises(ValueError, match="1 to 15"):
        solvers.gcca(views(), dimensions=16)
    with pytest.raises(ValueError, match="views 0 to 2"):
        solvers.generalised_procrustes(views(), anchor=3)
