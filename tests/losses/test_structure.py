"""Losses over similarities within a side, against NumPy, SciPy and torch."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.special import softmax

from ccalign_jax import losses

gram_loss, structure_loss = (jax.jit(loss) for loss in (losses.gram_loss, losses.structure_loss))
MASK = np.array([[True] * 6, [True, False, False, True, True, False], [False, True] + [False] * 4])


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    rows = np.random.default_rng(seed).normal(size=shape)
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


def rotation(width: int) -> np.ndarray:
    return np.linalg.qr(np.random.default_rng(9).normal(size=(width, width)))[0].astype(np.float32)


def test_gram_by_hand():
    """The mean over languages with at least two captions of the mean over their off-diagonal entries."""
    text, target = normal(3, 6, 4), normal(6, 4, seed=1)
    expected = []
    for rows, mask in zip(text[:2], MASK[:2], strict=True):  # the third has one caption, so nothing to compare
        gap = rows[mask] @ rows[mask].T - target[mask] @ target[mask].T
        expected.append(np.mean(gap[~np.eye(len(gap), dtype=bool)] ** 2))
    np.testing.assert_allclose(gram_loss(text, target, mask=MASK), np.mean(expected), rtol=1e-5)


def test_gram_against_torch():
    torch = pytest.importorskip("torch")
    text, target = normal(6, 4), normal(6, 4, seed=1)
    rows = [torch.tensor(text, requires_grad=True), torch.tensor(target, requires_grad=True)]
    off = ~torch.eye(6, dtype=torch.bool)
    theirs = torch.nn.functional.mse_loss((rows[0] @ rows[0].T)[off], (rows[1] @ rows[1].T)[off])
    theirs.backward()
    value, gradients = jax.jit(jax.value_and_grad(losses.gram_loss, argnums=(0, 1)))(text, target)
    np.testing.assert_allclose(value, theirs.item(), rtol=1e-5)
    for mine, other in zip(gradients, rows, strict=True):
        np.testing.assert_allclose(mine, other.grad, atol=1e-6)


def test_gram_sees_no_rotation():
    text, target = normal(2, 6, 4), normal(6, 4, seed=1)
    np.testing.assert_allclose(gram_loss(text @ rotation(4), target), gram_loss(text, target), rtol=1e-5)
    assert float(gram_loss(target @ rotation(4), target)) < 1e-12


def neighbour_shares(rows: np.ndarray, temperature: float) -> np.ndarray:
    scores = (rows @ rows.T).astype(np.float64) / temperature
    np.fill_diagonal(scores, -np.inf)
    return softmax(scores, axis=1)


@pytest.mark.parametrize("temperature", [0.05, 1.0])
def test_structure_against_scipy(temperature):
    mapped, original = normal(3, 6, 4), normal(3, 6, 7, seed=1)
    expected = [
        np.mean(
            jensenshannon(*(neighbour_shares(side[own, MASK[own]], temperature) for side in (mapped, original)), axis=1)
            ** 2  # SciPy returns the distance, the square root
        )
        for own in range(2)
    ]
    found = structure_loss(mapped, original, temperature=temperature, mask=MASK)
    np.testing.assert_allclose(found, np.mean(expected), rtol=1e-4)


def test_structure_survives_rotation_and_is_at_its_best_there():
    original = normal(2, 6, 4)
    step = jax.jit(jax.value_and_grad(losses.structure_loss))
    for mapped in (original, original @ rotation(4)):
        value, gradient = step(mapped, original, temperature=0.1)
        assert abs(float(value)) < 1e-6
        np.testing.assert_allclose(gradient, 0, atol=1e-5)
    worse, _ = step(normal(2, 6, 4, seed=1), original, temperature=0.1)
    assert float(worse) > 0.1


def test_structure_depends_on_scores_over_temperature_alone():
    mapped, original = normal(2, 6, 4), normal(2, 6, 4, seed=1)
    halved = structure_loss(mapped / 2, original / 2, temperature=0.05)
    np.testing.assert_allclose(halved, structure_loss(mapped, original, temperature=0.2), rtol=1e-4)


def test_structure_is_log_two_where_nobody_keeps_a_neighbour():
    """Two couples before and two others after, each as good as all the neighbours that its rows have."""
    before, after = np.eye(2, dtype=np.float32)[[0, 0, 1, 1]], np.eye(2, dtype=np.float32)[[0, 1, 0, 1]]
    np.testing.assert_allclose(structure_loss(after, before, temperature=0.01), np.log(2), rtol=1e-6)
    np.testing.assert_allclose(structure_loss(before, after, temperature=0.01), np.log(2), rtol=1e-6)
    together = partial(structure_loss, after, before)
    assert float(together(temperature=100.0)) < 1e-4  # so hot that every row is as near as every other


def test_shapes_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match=r"\(3, 6, 4\).*\(5, 4\)"):
        losses.gram_loss(jnp.zeros((3, 6, 4)), jnp.zeros((5, 4)))
    with pytest.raises(ValueError, match=r"\(3, 6, 4\) and original \(6, 4\)"):
        losses.structure_loss(jnp.zeros((3, 6, 4)), jnp.zeros((6, 4)), temperature=1.0)
    with pytest.raises(ValueError, match=r"mask \(3, 1\) must be \(3, 6\)"):
        losses.structure_loss(jnp.zeros((3, 6, 4)), jnp.zeros((3, 6, 7)), temperature=1.0, mask=jnp.ones((3, 1)))
