"""Procrustes against scipy and least squares; the multi-step chain against its own special cases, step by step."""

import numpy as np
import pytest
from scipy import linalg

from ccalign_jax import solvers


def rows(seed, count, width):
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(count, width)) / np.arange(1, width + 1) ** 0.5 + 0.4).astype(np.float32)


def pair(count, d_text=6, d_target=6):
    text = rows(0, count, d_text)
    map_ = np.random.default_rng(1).normal(size=(d_text, d_target))
    return text, (text @ map_ + 0.3 * rows(2, count, d_target)).astype(np.float32)


def gathered(text, target, **weights):
    return solvers.add_rows(solvers.empty_moments(text.shape[1], target.shape[1]), text, target, **weights)


def turn(seed, width):
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(width, width)))[0]


def test_against_scipy():
    text, target = pair(50)
    wanted, weight = linalg.orthogonal_procrustes(text.astype(np.float64), target.astype(np.float64))
    found = solvers.procrustes(gathered(text, target), scale=True)
    np.testing.assert_allclose(found.matrix, wanted, atol=1e-6)
    assert found.scale == pytest.approx(weight / np.sum(text.astype(np.float64) ** 2))
    assert found.condition == pytest.approx(np.linalg.cond(text.T.astype(np.float64) @ target), rel=1e-4)
    middle = [side.astype(np.float64) - side.mean(axis=0, dtype=np.float64) for side in (text, target)]
    about = solvers.procrustes(gathered(text, target), centre=True)
    np.testing.assert_allclose(about.matrix, linalg.orthogonal_procrustes(*middle)[0], atol=1e-6)
    np.testing.assert_allclose(about.target_mean, target.mean(axis=0), atol=1e-6)


def test_scale_is_the_best_factor():
    text, target = pair(50)
    found = solvers.procrustes(gathered(text, target), scale=True)
    mapped = text @ found.matrix
    assert found.scale == pytest.approx(np.linalg.lstsq(mapped.reshape(-1, 1), target.reshape(-1), rcond=None)[0][0])


@pytest.mark.parametrize("widths", [(4, 7), (7, 4)])
def test_rectangular(widths):
    text, target = pair(60, *widths)
    found = solvers.procrustes(gathered(text, target)).matrix
    small = found @ found.T if widths[0] < widths[1] else found.T @ found
    np.testing.assert_allclose(small, np.eye(4), atol=1e-10)
    reached = np.sum((text @ found) * target)
    rng = np.random.default_rng(3)
    for _ in range(50):  # no other map of orthonormal rows or columns, near or far, reaches more
        step = rng.choice([1e-3, 1e-1, 10.0]) * rng.normal(size=widths)
        left, _, right = np.linalg.svd(found + step, full_matrices=False)
        assert np.sum((text @ (left @ right)) * target) < reached
    if widths[0] < widths[1]:  # a map that keeps lengths is nearest as well
        assert np.sum((text @ found - target) ** 2) < np.sum((text @ np.eye(*widths) - target) ** 2)


def test_a_turn_is_found_whatever_the_rank():
    quarter = turn(4, 6)
    for count in (50, 6):
        text = rows(5, count, 6)
        np.testing.assert_allclose(solvers.procrustes(gathered(text, text @ quarter)).matrix, quarter, atol=1e-4)
    text, _ = pair(3)
    found = solvers.procrustes(gathered(text, text @ quarter)).matrix
    np.testing.assert_allclose(text @ found, text @ quarter, atol=1e-5)
    np.testing.assert_allclose(found @ found.T, np.eye(6), atol=1e-10)


def test_what_no_row_shows_stays():
    """Two dimensions without data: the classical solution is arbitrary there, this one is the identity."""
    text, target = pair(50)
    text[:, 4:] = target[:, 4:] = 0
    order = np.random.default_rng(6).permutation(50)
    found, again = (solvers.procrustes(gathered(text[one], target[one])).matrix for one in (np.arange(50), order))
    np.testing.assert_allclose(found[4:, 4:], np.eye(2), atol=1e-6)
    np.testing.assert_allclose(again, found, atol=1e-6)
    nothing = solvers.procrustes(solvers.empty_moments(3, 4), scale=True)
    np.testing.assert_allclose(nothing.matrix, np.eye(3, 4), atol=1e-12)
    assert nothing.scale == 1 and np.isinf(nothing.condition)


def test_towards_the_identity():
    text, target = pair(50)
    far = [
        np.linalg.norm(solvers.procrustes(gathered(text, target), penalty=penalty).matrix - np.eye(6))
        for penalty in (0, 1, 10, 1e6)
    ]
    assert far == sorted(far, reverse=True) and far[-1] < 1e-5


def test_turned_targets_turn_the_map():
    text, target = pair(50)
    other = turn(7, 6)
    base = solvers.procrustes(gathered(text, target), penalty=0.0).matrix
    moved = solvers.procrustes(gathered(text, target.astype(np.float64) @ other), penalty=0.0).matrix
    np.testing.assert_allclose(moved, base @ other, atol=1e-8)


def similarity(found, text, target):
    """Inner products of all texts with all targets, which no turn of the shared space changes."""
    return ((text - found.text_mean) @ found.text_map) @ ((target - found.target_mean) @ found.target_map).T


PLAIN = {"text_reweight": 0.0, "target_reweight": 0.0, "text_dewhiten": None, "target_dewhiten": None}


@pytest.mark.parametrize("widths", [(6, 6), (4, 7), (7, 4)])
def test_no_steps_but_the_turn_is_procrustes(widths):
    text, target = pair(60, *widths)
    found = solvers.multi_step(gathered(text, target), whiten=False, centre=False, **PLAIN)
    wanted = solvers.procrustes(gathered(text, target), penalty=0.0).matrix
    np.testing.assert_allclose(found.text_map @ found.target_map.T, wanted, atol=1e-10)
    assert found.condition == 1


@pytest.mark.parametrize("widths", [(6, 6), (7, 4)])
def test_the_chain_that_is_least_squares(widths):
    """Whitened, weighted on the text side alone, de-whitened by the target: the regression of targets on texts."""
    text, target = pair(60, *widths)
    found = solvers.multi_step(
        gathered(text, target),
        penalty=0.0,
        text_reweight=1.0,
        target_reweight=0.0,
        text_dewhiten="target",
        target_dewhiten="target",
        centre=False,
    )
    wanted = np.linalg.lstsq(text.astype(np.float64), target.astype(np.float64), rcond=None)[0]
    np.testing.assert_allclose(found.text_map @ found.target_map.T, wanted, atol=1e-8)
    np.testing.assert_allclose(found.target_map @ found.target_map.T, np.eye(widths[1]), atol=1e-8)


def chain(text, target, *, reweight, dewhiten, kept):
    """The steps on the rows themselves."""

    def whitening(side):
        _, values, right = np.linalg.svd(side, full_matrices=False)
        return right.T @ np.diag(1 / values) @ right

    text, target = (side.astype(np.float64) - side.mean(axis=0, dtype=np.float64) for side in (text, target))
    first, second = whitening(text), whitening(target)
    text, target = text @ first, target @ second
    left, values, right = np.linalg.svd(text.T @ target)
    text, target = text @ left * values ** reweight[0], target @ right.T * values ** reweight[1]
    colour = {"text": left.T @ np.linalg.inv(first) @ left, "target": right @ np.linalg.inv(second) @ right.T}
    text, target = (
        side if by is None else side @ colour[by] for side, by in zip((text, target), dewhiten, strict=True)
    )
    return text[:, :kept] @ target[:, :kept].T


@pytest.mark.parametrize("dewhiten", [("text", "target"), ("target", "target"), ("text", None)])
@pytest.mark.parametrize("kept", [6, 3])
def test_step_by_step(dewhiten, kept):
    text, target = pair(60)
    found = solvers.multi_step(
        gathered(text, target),
        penalty=0.0,
        text_reweight=0.5,
        target_reweight=0.7,
        text_dewhiten=dewhiten[0],
        target_dewhiten=dewhiten[1],
        dimensions=kept,
    )
    wanted = chain(text, target, reweight=(0.5, 0.7), dewhiten=dewhiten, kept=kept)
    np.testing.assert_allclose(similarity(found, text, target), wanted, atol=1e-6)


def test_fewer_rows_than_dimensions():
    text, target = pair(4)
    regular = solvers.multi_step(gathered(text, target), penalty=0.1)
    assert np.isfinite(regular.condition) and all(np.isfinite(part).all() for part in regular[:5])
    assert np.isinf(solvers.multi_step(gathered(text, target), penalty=0.0).condition)
    doubled = solvers.multi_step(gathered(text, target, weights=np.full(4, 2)), penalty=0.1)
    np.testing.assert_allclose(doubled.correlations, regular.correlations, atol=1e-10)


@pytest.mark.parametrize("widths", [(6, 6), (5, 9), (9, 5)])
def test_fewer_rows_than_dimensions_are_the_steps_on_whole_matrices(widths):
    text, target = pair(4, *widths)
    moments = gathered(text, target)
    found = solvers.multi_step(moments, penalty=0.3, sides=solvers.whitening_sides(moments))
    x, y = (side.astype(np.float64) - side.mean(axis=0, dtype=np.float64) for side in (text, target))
    roots = []
    for side in (x, y):
        values, vectors = np.linalg.eigh(side.T @ side)
        roots.append((vectors * np.sqrt(np.maximum(values, 0) + 0.3 * values.mean())) @ vectors.T)
    left, values, right = np.linalg.svd(
        np.linalg.solve(roots[0], x.T @ y) @ np.linalg.inv(roots[1]), full_matrices=False
    )
    sides = []
    for rows, root, turn in ((x, roots[0], left), (y, roots[1], right.T)):
        sides.append(rows @ np.linalg.inv(root) @ turn * np.sqrt(values) @ (turn.T @ root @ turn))
    np.testing.assert_allclose(similarity(found, text, target), sides[0] @ sides[1].T, atol=1e-9)
    for rows, mean, matrix, wanted in (
        (text, found.text_mean, found.text_map, sides[0]),
        (target, found.target_mean, found.target_map, sides[1]),
    ):
        lengths = np.linalg.norm((rows - mean) @ matrix, axis=1)
        np.testing.assert_allclose(lengths, np.linalg.norm(wanted, axis=1), atol=1e-6)


def test_refusals():
    moments = gathered(*pair(20))
    for dimensions in (0, 7):
        with pytest.raises(ValueError, match="it is 1 to 6"):
            solvers.multi_step(moments, dimensions=dimensions)
    for call in (solvers.procrustes, solvers.multi_step):
        with pytest.raises(ValueError, match="must be finite and at least 0"):
            call(moments, penalty=-0.1)
        with pytest.raises(ValueError, match="add rows first"):
            call(solvers.empty_moments(2, 2), centre=True)
