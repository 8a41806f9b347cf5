"""d′ of the identity against the similarities themselves, and the decision based on it."""

import numpy as np
import pytest

from ccalign_jax import solvers


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def gathered(text, target):
    return solvers.add_rows(solvers.empty_moments(text.shape[1], target.shape[1]), text, target)


def pair(noise, *, count=300, d=16, seed=0):
    rng = np.random.default_rng(seed)
    text = unit(rng.normal(size=(count, d)) + 0.5)
    return text, unit(text + noise * rng.normal(size=(count, d)) - 0.3)


def test_against_the_similarities():
    text, target = pair(0.4)
    similarity = (text - text.mean(axis=0)) @ (target - target.mean(axis=0)).T
    wanted = similarity.diagonal().mean() / similarity.std()
    assert solvers.identity_separation(gathered(text, target)) == pytest.approx(wanted, rel=1e-9)


def test_separation_is_invariant_to_repeated_and_shifted_rows():
    text, target = pair(0.4)
    found = solvers.identity_separation(gathered(text, target))
    for other in (gathered(np.tile(text, (3, 1)), np.tile(target, (3, 1))), gathered(text + 2, 5 * target)):
        assert solvers.identity_separation(other) == pytest.approx(found, rel=1e-9)


def test_a_shared_space_informs_and_shuffled_or_turned_rows_do_not():
    text, target = pair(0.4)
    rng = np.random.default_rng(1)
    turn = np.linalg.qr(rng.normal(size=(16, 16)))[0]
    assert solvers.identity_informs(gathered(text, target))
    assert not solvers.identity_informs(gathered(text, target[rng.permutation(300)]))
    assert not solvers.identity_informs(gathered(text, target @ turn))
    assert not solvers.identity_informs(gathered(text, -target))
    assert not solvers.identity_informs(gathered(text, target[:, :9]))


def test_equal_rows_carry_no_information():
    assert solvers.identity_informs(gathered(np.ones((4, 3)), np.ones((4, 3))))


def test_widths_that_differ_are_refused():
    with pytest.raises(ValueError, match="width 16, targets 9"):
        solvers.identity_separation(gathered(np.ones((2, 16)), np.ones((2, 9))))
