"""Supervised contrastive losses against the definition, torch and InfoNCE."""

from functools import partial

import jax
import numpy as np
import pytest
from scipy.special import logsumexp

from ccalign_jax import losses

HOT = 0.2
FORMS, POOLS = ("in", "out"), ("union", "per_language")
supcon_loss = jax.jit(losses.supcon_loss, static_argnames=("form", "i2t_pool"))
clip_loss = jax.jit(losses.clip_loss, static_argnames=("mask_positives", "i2t_pool"))


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


def problem(languages: int = 2, size: int = 6, width: int = 5) -> tuple[np.ndarray, np.ndarray, dict]:
    """Image 5 has no caption but one of its group; image 1 has neither."""
    rng = np.random.default_rng(0)
    masks = {
        "mask": np.array([[True, False, True, True, True, False], [True, False, False, True, True, False]]),
        "image_mask": np.arange(size) != 4,
        "groups": np.array([7, 5, 3, 3, 7, 3]),
    }
    return unit(rng.normal(size=(languages, size, width))), unit(rng.normal(size=(size, width))), masks


def by_hand(text, image, mask, image_mask, groups, *, form, i2t_pool):
    """An anchor at a time: its candidates' scores, and which of them are right."""

    def term(scores, right):
        shares = np.exp(scores - logsumexp(scores))[right]
        return -np.log(shares.mean()) if form == "in" else -np.log(shares).mean()

    exists, scores = mask & image_mask, np.einsum("lbd,cd->lbc", text, image).astype(np.float64) / HOT
    t2i = [
        np.mean(
            [term(scores[own, i, image_mask], groups[image_mask] == groups[i]) for i in np.flatnonzero(exists[own])]
        )
        for own in range(len(text))
    ]
    i2t = []
    for pool in [[0, 1]] if i2t_pool == "union" else [[0], [1]]:
        captions = [(own, i) for own in pool for i in np.flatnonzero(exists[own])]
        right = {j: np.array([groups[i] == groups[j] for _, i in captions]) for j in np.flatnonzero(image_mask)}
        of = {j: np.array([scores[own, i, j] for own, i in captions]) for j in right}
        i2t.append(np.mean([term(of[j], right[j]) for j in right if right[j].any()]))
    return (np.mean(t2i) + np.mean(i2t)) / 2


@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize("form", FORMS)
def test_the_definition_by_hand(form, pool):
    text, image, masks = problem()
    expected = by_hand(text, image, **masks, form=form, i2t_pool=pool)
    found = supcon_loss(text, image, temperature=HOT, form=form, i2t_pool=pool, **masks)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize("form", FORMS)
def test_one_language_against_torch(form):
    torch = pytest.importorskip("torch")
    text, image, masks = problem(languages=1)
    rows = [torch.tensor(text[0], requires_grad=True), torch.tensor(image, requires_grad=True)]
    right = torch.tensor(masks["groups"][:, None] == masks["groups"]).float()
    theirs = 0.0
    for logits in (rows[0] @ rows[1].T / HOT, rows[1] @ rows[0].T / HOT):
        shares = torch.nn.functional.log_softmax(logits, dim=1)
        if form == "in":
            means = torch.log((right * shares.exp()).sum(1) / right.sum(1))
        else:
            means = (right * shares).sum(1) / right.sum(1)
        theirs = theirs - means.mean() / 2
    theirs.backward()
    loss = partial(losses.supcon_loss, temperature=HOT, form=form, groups=masks["groups"])
    value, gradients = jax.jit(jax.value_and_grad(loss, argnums=(0, 1)))(text[0], image)
    np.testing.assert_allclose(value, theirs.item(), rtol=1e-5)
    for mine, other in zip(gradients, rows, strict=True):
        np.testing.assert_allclose(mine, other.grad, atol=1e-6)


def test_where_every_image_is_its_own_out_is_infonce_with_its_positives_kept():
    text, image, _ = problem()
    for pool in POOLS:
        infonce = clip_loss(text, image, temperature=HOT, mask_positives=False, i2t_pool=pool)
        found = supcon_loss(text, image, temperature=HOT, form="out", i2t_pool=pool)
        np.testing.assert_allclose(found, infonce, rtol=1e-6)
    alone = [supcon_loss(text[0], image, temperature=HOT, form=form) for form in FORMS]  # one positive each: one form
    np.testing.assert_allclose(*alone, rtol=1e-6)


def test_in_needs_one_good_positive_and_out_needs_all():
    image = np.eye(4, dtype=np.float32)[:3]
    text = np.stack([image, np.eye(4, dtype=np.float32)[[3, 3, 3]]])  # the second captions are equal
    kind, strict = (supcon_loss(text, image, temperature=0.02, form=form) for form in ("in", "out"))
    t2i = np.log(3) / 2  # a guess among three images for half of the captions
    np.testing.assert_allclose([kind, strict], [(t2i + np.log(2)) / 2, (t2i + 0.5 / 0.02) / 2], rtol=1e-5)
    for seed in range(3):
        rng = np.random.default_rng(seed)
        rows = unit(rng.normal(size=(2, 6, 5))), unit(rng.normal(size=(6, 5)))
        groups = rng.integers(0, 3, 6)
        inside, outside = (supcon_loss(*rows, temperature=HOT, form=form, groups=groups) for form in FORMS)
        assert 0 < float(inside) <= float(outside)  # Jensen


def test_unknown_forms_are_refused():
    with pytest.raises(ValueError, match="form is 'mean'; it must be 'in' or 'out'"):
        losses.supcon_loss(np.eye(2), np.eye(2), temperature=HOT, form="mean")
