"""Alignment and uniformity against the authors' formulas in torch, and the definition."""

from functools import partial

import jax
import numpy as np
import pytest

from ccalign_jax import losses

alignment_uniformity_loss = jax.jit(losses.alignment_uniformity_loss)


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


def problem(languages: int = 2) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return unit(rng.normal(size=(languages, 6, 5))), unit(rng.normal(size=(6, 5)))


def test_the_authors_formulas_in_torch():
    torch = pytest.importorskip("torch")
    (text,), image = problem(languages=1)
    rows = [torch.tensor(text, requires_grad=True), torch.tensor(image, requires_grad=True)]
    a, b = (torch.nn.functional.normalize(side, dim=1) for side in rows)
    uniformity = [torch.pdist(side).pow(2).mul(-1.5).exp().mean().log() for side in (a, b)]
    theirs = (a - b).norm(dim=1).pow(2).mean() + 0.7 * sum(uniformity) / 2
    theirs.backward()
    loss = partial(losses.alignment_uniformity_loss, uniformity_weight=0.7, sharpness=1.5)
    value, gradients = jax.jit(jax.value_and_grad(loss, argnums=(0, 1)))(text, image)
    np.testing.assert_allclose(value, theirs.item(), rtol=1e-5)
    for mine, other in zip(gradients, rows, strict=True):
        np.testing.assert_allclose(mine, other.grad, atol=1e-6)


def test_zero_rows_are_zero_vectors():
    """Against the definition by distances: two zero rows are aligned, and a zero row is one away from all others."""
    (text,), image = problem(languages=1)
    text[[0, 1, 3]], image[[0, 2, 3]] = 0.0, 0.0
    expected = np.mean(np.sum((text - image) ** 2, axis=1))
    for rows in (text, image):
        square = np.sum((rows[:, None] - rows[None]) ** 2, axis=-1)[~np.eye(6, dtype=bool)]
        expected += 0.5 * np.log(np.mean(np.exp(-2 * square)))
    np.testing.assert_allclose(alignment_uniformity_loss(text, image), expected, rtol=1e-5)
    both = np.zeros((2, 3), np.float32)
    assert alignment_uniformity_loss(both, both) == 0.0


def test_ragged_languages_and_groups_by_hand():
    text, image = problem()
    mask = np.array([[True] * 6, [True, False, False, True, True, False]])
    image_mask, groups = np.arange(6) != 4, np.array([7, 3, 3, 9, 7, 1])

    def uniformity(rows, exists):
        rows, labels = rows[exists], groups[exists]
        pairs = [(i, j) for i in range(len(rows)) for j in range(i) if labels[i] != labels[j]]
        return np.log(np.mean([np.exp(-2 * np.sum((rows[i] - rows[j]) ** 2)) for i, j in pairs]))

    exists = mask & image_mask
    alignment = np.mean([np.sum((text[own] - image)[exists[own]] ** 2, axis=1).mean() for own in range(2)])
    spread = np.mean([uniformity(text[own], exists[own]) for own in range(2)]), uniformity(image, image_mask)
    found = alignment_uniformity_loss(text, image, mask=mask, image_mask=image_mask, groups=groups)
    np.testing.assert_allclose(found, alignment + np.mean(spread), rtol=1e-5)


def test_length_and_rotation_do_not_matter():
    text, image = problem()
    rng = np.random.default_rng(1)
    turn = np.linalg.qr(rng.normal(size=(5, 5)))[0].astype(np.float32)
    lengths = rng.uniform(0.1, 9, size=(6, 1)).astype(np.float32)
    expected = alignment_uniformity_loss(text, image)
    np.testing.assert_allclose(alignment_uniformity_loss(text @ turn, image @ turn), expected, rtol=1e-5)
    np.testing.assert_allclose(alignment_uniformity_loss(text * lengths, image / lengths), expected, rtol=1e-5)


def test_rows_of_one_group_do_not_push_each_other_apart():
    rows = np.eye(2, dtype=np.float32)[[0, 0, 1]]
    together = alignment_uniformity_loss(rows, rows, groups=np.array([0, 0, 1]))
    np.testing.assert_allclose(together, -4.0, rtol=1e-6)  # log exp(−2 · 2)
    assert float(alignment_uniformity_loss(rows, rows)) > -2
