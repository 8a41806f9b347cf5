"""Losses over the nearest rivals, against torch and the definitions."""

from functools import partial

import jax
import numpy as np
import pytest

from ccalign_jax import losses

POOLS = ("union", "per_language")
triplet_loss = jax.jit(losses.triplet_loss, static_argnames="i2t_pool")
rcsls_loss = jax.jit(losses.rcsls_loss, static_argnames=("neighbours", "mask_positives", "i2t_pool"))


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


def problem(languages: int = 2, size: int = 6, width: int = 5) -> tuple[np.ndarray, np.ndarray, dict]:
    rng = np.random.default_rng(0)
    masks = {
        "mask": np.array([[True] * 6, [True, False, True, True, True, False]])[:languages],
        "image_mask": np.arange(size) != 4,
        "groups": np.array([7, 3, 3, 9, 7, 1]),
    }
    return unit(rng.normal(size=(languages, size, width))), unit(rng.normal(size=(size, width))), masks


def by_hand(text, image, mask, image_mask, groups, *, i2t_pool, mask_positives, term):
    """A pair at a time: `term(own, scores of the candidate images) + term(own, scores of the candidate captions)`."""
    exists, scores = mask & image_mask, np.einsum("lbd,cd->lbc", text, image)
    means = []
    for own in range(len(text)):
        terms = []
        for i in np.flatnonzero(exists[own]):
            rival = (groups != groups[i]) | (not mask_positives)
            pool = range(len(text)) if i2t_pool == "union" else [own]
            captions = np.concatenate([scores[one, exists[one] & rival, i] for one in pool])
            terms.append(
                term(scores[own, i, i], scores[own, i, image_mask & rival]) + term(scores[own, i, i], captions)
            )
        means.append(np.mean(terms))
    return np.mean(means)


@pytest.mark.parametrize("pool", POOLS)
def test_triplet_by_hand(pool):
    text, image, masks = problem()
    expected = by_hand(
        text, image, **masks, i2t_pool=pool, mask_positives=True,
        term=lambda own, rivals: max(0.0, 0.3 + max(rivals) - own),
    )  # fmt: skip
    np.testing.assert_allclose(triplet_loss(text, image, margin=0.3, i2t_pool=pool, **masks), expected, rtol=1e-5)


def test_triplet_against_torch():
    torch = pytest.importorskip("torch")
    (text,), image, _ = problem(languages=1)
    rows = [torch.tensor(text, requires_grad=True), torch.tensor(image, requires_grad=True)]
    scores = rows[0] @ rows[1].T
    rivals = scores.masked_fill(torch.eye(6, dtype=torch.bool), -torch.inf)
    theirs = sum(
        torch.nn.functional.margin_ranking_loss(scores.diag(), rivals.amax(axis), torch.ones(6), margin=0.2)
        for axis in (0, 1)
    )
    theirs.backward()
    value, gradients = jax.jit(jax.value_and_grad(losses.triplet_loss, argnums=(0, 1)))(text, image)
    np.testing.assert_allclose(value, theirs.item(), rtol=1e-5)
    for mine, other in zip(gradients, rows, strict=True):
        np.testing.assert_allclose(mine, other.grad, atol=1e-6)


def test_a_pair_that_keeps_its_margin_costs_nothing_and_pulls_nothing():
    rows = np.eye(4, dtype=np.float32)
    value, gradient = jax.jit(jax.value_and_grad(losses.triplet_loss))(rows, rows, margin=0.9)
    assert value == 0 and not gradient.any()
    assert float(triplet_loss(rows, rows, margin=1.25)) == 0.5  # a quarter too little, in each direction


@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize("mask_positives", [True, False])
@pytest.mark.parametrize("neighbours", [2, 99])
def test_rcsls_by_hand(mask_positives, pool, neighbours):
    text, image, masks = problem()
    settings = {"i2t_pool": pool, "mask_positives": mask_positives}
    expected = by_hand(
        text, image, **masks, **settings, term=lambda own, near: np.mean(np.sort(near)[-neighbours:]) - own
    )
    found = rcsls_loss(text, image, neighbours=neighbours, **settings, **masks)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_rcsls_as_published_in_torch():
    torch = pytest.importorskip("torch")
    (text,), image, _ = problem(languages=1)
    rows = [torch.tensor(text, requires_grad=True), torch.tensor(image, requires_grad=True)]
    scores = rows[0] @ rows[1].T
    near = [scores.topk(3, axis).values.sum() / 3 for axis in (0, 1)]
    theirs = (-2 * scores.diag().sum() + near[0] + near[1]) / 6
    theirs.backward()
    loss = partial(losses.rcsls_loss, neighbours=3, mask_positives=False)
    value, gradients = jax.jit(jax.value_and_grad(loss, argnums=(0, 1)))(text, image)
    np.testing.assert_allclose(value, theirs.item(), rtol=1e-5)
    for mine, other in zip(gradients, rows, strict=True):
        np.testing.assert_allclose(mine, other.grad, atol=1e-6)


def test_what_is_known_to_be_right_is_neither_rival_nor_neighbour():
    rows = np.eye(4, dtype=np.float32)[[0, 1, 2, 0]]
    groups = np.array([0, 1, 2, 0])
    assert float(triplet_loss(rows, rows, groups=groups)) == 0 < float(triplet_loss(rows, rows))
    joined, apart = (float(rcsls_loss(rows, rows, neighbours=1, groups=labels)) for labels in (groups, np.arange(4)))
    assert joined == -2 and apart == -1  # for half of the pairs the copy is as near as the target


def test_no_neighbours_are_refused():
    with pytest.raises(ValueError, match="neighbours is 0; it must be at least 1"):
        losses.rcsls_loss(np.eye(2), np.eye(2), neighbours=0)
