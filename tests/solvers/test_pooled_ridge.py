"""Partial pooling against the stacked system, and its two limits."""

import numpy as np
import pytest

from ccalign_jax import solvers

WIDTHS = (6, 5)
COUNTS = (40, 25, 4, 0)  # a language with fewer rows than dimensions, and one with none


def languages(seed=0):
    rng = np.random.default_rng(seed)
    common = rng.normal(size=WIDTHS)
    text = [rng.normal(size=(count, WIDTHS[0])) + 0.5 for count in COUNTS]
    return text, [rows @ (common + 0.3 * rng.normal(size=WIDTHS)) + rng.normal(size=(len(rows), 5)) for rows in text]


def gathered(text, target):
    return [
        solvers.add_rows(solvers.empty_moments(*WIDTHS), rows, aims) for rows, aims in zip(text, target, strict=True)
    ]


def unit(text):
    return sum(np.sum(rows**2) for rows in text) / WIDTHS[0]


@pytest.mark.parametrize("shared", [1e-3, 0.2, 30.0])
@pytest.mark.parametrize("own", [1e-3, 0.5, 30.0])
def test_against_the_stacked_system(shared, own):
    """One least-squares problem: rows [X_l, …, X_l, …] over the parameters [D, D_1, …, D_L], and rows for penalties."""
    text, target = languages()
    width, total = WIDTHS[0], WIDTHS[0] * (1 + len(COUNTS))
    blocks, aims = [], []
    for place, (rows, wanted) in enumerate(zip(text, target, strict=True)):
        block = np.zeros((len(rows), total))
        block[:, :width] = block[:, width * (place + 1) : width * (place + 2)] = rows
        blocks.append(block)
        aims.append(wanted - rows @ np.eye(*WIDTHS))
    strength = np.full(total, own * unit(text) / len(COUNTS))
    strength[:width] = shared * unit(text)
    stacked = np.linalg.lstsq(
        np.vstack([*blocks, np.diag(np.sqrt(strength))]), np.vstack([*aims, np.zeros((total, 5))]), rcond=None
    )[0].reshape(1 + len(COUNTS), *WIDTHS)
    found = solvers.pooled_ridge(gathered(text, target), shared_penalty=shared, own_penalty=own)
    np.testing.assert_allclose(found.shared, stacked[0], atol=1e-8)
    np.testing.assert_allclose(found.own, stacked[1:], atol=1e-8)
    assert not found.own[3].any() and np.isfinite(found.condition)
    # Where no small step of D, paid for by all D_l, gains anything.
    np.testing.assert_allclose(strength[0] * found.shared, strength[-1] * found.own.sum(axis=0), atol=1e-8)


def test_stiff_deviations_make_one_ridge():
    text, target = languages()
    moments = gathered(text, target)
    found = solvers.pooled_ridge(moments, shared_penalty=0.1, own_penalty=1e8)
    path = solvers.ridge_path(solvers.merge(*moments))
    wanted = solvers.ridge_map(path, 0.1 * path.mean_eigenvalue)
    np.testing.assert_allclose(found.shared, wanted.delta, atol=1e-6)
    assert np.abs(found.own).max() < 1e-6


def test_a_stiff_shared_map_makes_a_ridge_for_each():
    text, target = languages()
    moments = gathered(text, target)
    found = solvers.pooled_ridge(moments, shared_penalty=1e9, own_penalty=0.1)
    assert np.abs(found.shared).max() < 1e-6
    for place, one in enumerate(moments):
        alone = solvers.ridge_map(solvers.ridge_path(one), 0.1 * unit(text) / len(COUNTS))
        np.testing.assert_allclose(found.own[place], alone.delta, atol=1e-6)


def test_order_of_languages():
    moments = gathered(*languages())
    base, turned = (solvers.pooled_ridge(one, shared_penalty=0.1, own_penalty=0.2) for one in (moments, moments[::-1]))
    np.testing.assert_allclose(turned.shared, base.shared, atol=1e-10)
    np.testing.assert_allclose(turned.own[::-1], base.own, atol=1e-10)


def test_no_penalty_on_what_no_data_determines():
    """Shared and own maps then stand for each other; what they sum to is still determined, and least squares."""
    text, target = languages()
    found = solvers.pooled_ridge(gathered(text, target)[:2], shared_penalty=0.0, own_penalty=1e-9)
    for place in (0, 1):
        wanted = np.linalg.lstsq(text[place], target[place] - text[place] @ np.eye(*WIDTHS), rcond=None)[0]
        np.testing.assert_allclose(found.shared + found.own[place], wanted, atol=1e-5)
    nothing = solvers.pooled_ridge([solvers.empty_moments(*WIDTHS)], shared_penalty=1.0, own_penalty=1.0)
    assert not nothing.shared.any() and not nothing.own.any()


def test_refusals():
    moments = gathered(*languages())
    with pytest.raises(ValueError, match="one language at least"):
        solvers.pooled_ridge([], shared_penalty=1.0, own_penalty=1.0)
    for penalties in ({"shared_penalty": -1.0, "own_penalty": 1.0}, {"shared_penalty": 1.0, "own_penalty": np.inf}):
        with pytest.raises(ValueError, match="must be finite and at least 0"):
            solvers.pooled_ridge(moments, **penalties)


def test_towards_zero_with_stiff_parts_is_plain_ridge():
    text, target = languages()
    rows, aims = np.concatenate(text), np.concatenate(target)
    found = solvers.pooled_ridge(gathered(text, target), shared_penalty=0.2, own_penalty=1e10, to_identity=False)
    wanted = np.linalg.solve(rows.T @ rows + 0.2 * unit(text) * np.eye(WIDTHS[0]), rows.T @ aims)
    np.testing.assert_allclose(np.eye(*WIDTHS) + found.shared, wanted, atol=1e-6)
