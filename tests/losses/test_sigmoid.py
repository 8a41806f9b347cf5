"""The sigmoid loss against torch, optax and the definition."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from ccalign_jax import losses

sigmoid_loss = jax.jit(losses.sigmoid_loss)


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


def problem(languages: int = 2, size: int = 6, width: int = 5) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return unit(rng.normal(size=(languages, size, width))), unit(rng.normal(size=(size, width)))


def test_the_papers_algorithm_in_torch():
    torch = pytest.importorskip("torch")
    (text,), image = problem(languages=1)
    rows = [torch.tensor(text, requires_grad=True), torch.tensor(image, requires_grad=True)]
    scale, bias = torch.tensor(10.0, requires_grad=True), torch.tensor(-2.0, requires_grad=True)
    logits = rows[0] @ rows[1].T * scale + bias
    theirs = -torch.nn.functional.logsigmoid((2 * torch.eye(6) - 1) * logits).sum() / 6
    theirs.backward()

    def loss(text, image, scale, bias):
        return losses.sigmoid_loss(text, image, temperature=1 / scale, bias=bias)

    value, gradients = jax.jit(jax.value_and_grad(loss, argnums=(0, 1, 2, 3)))(text, image, 10.0, -2.0)
    np.testing.assert_allclose(value, theirs.item(), rtol=1e-5)
    for mine, other in zip(gradients, (*rows, scale, bias), strict=True):
        np.testing.assert_allclose(mine, other.grad, atol=1e-6, rtol=1e-5)


def test_ragged_languages_and_groups_against_optax():
    text, image = problem()
    mask = np.array([[True] * 6, [True, False, False, True, True, False]])
    image_mask, groups = np.arange(6) != 4, np.array([7, 3, 3, 9, 7, 1])
    logits = np.einsum("lbd,cd->lbc", text, image) / 0.1 - 3.0
    same = (groups[:, None] == groups).astype(np.float32)
    terms = optax.sigmoid_binary_cross_entropy(logits, np.broadcast_to(same, logits.shape))
    each = np.sum(terms[..., image_mask], axis=-1)
    expected = np.mean([each[own, mask[own] & image_mask].mean() for own in range(2)])
    found = sigmoid_loss(text, image, temperature=0.1, bias=-3.0, mask=mask, image_mask=image_mask, groups=groups)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_the_sum_is_divided_by_the_captions_and_not_by_the_pairs():
    """As long as the negatives cost nothing, a pair weighs the same in a batch of any size."""
    each = [float(sigmoid_loss(np.eye(n), np.eye(n), temperature=0.1, bias=-10.0)) for n in (2, 8, 32)]
    np.testing.assert_allclose(each, np.log(2), atol=2e-3)


def test_an_image_given_twice_is_a_positive_of_both_its_captions():
    rows = np.eye(4, dtype=np.float32)[[0, 1, 2, 0]]
    loss = partial(sigmoid_loss, rows, rows, temperature=0.1, bias=-5.0)
    assert float(loss(groups=jnp.array([0, 1, 2, 0]))) < 0.1 < float(loss())
