"""Augmentations: what is mixed with what, by how much, and what stays as it is."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from ccalign_jax.training.augmentation import embedding_noise, fusemix

LANGUAGES, SIZE, WIDTH = 3, 8, 16
noisy, mixed = jax.jit(embedding_noise), jax.jit(fusemix)


def unit(*shape: int, seed: int = 0) -> np.ndarray:
    rows = np.random.default_rng(seed).normal(size=shape)
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


def shares(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of mixtures of the rows of the identity: the share of each row's own, and who its partner is."""
    rows = np.asarray(rows)
    weights = rows / rows.sum(axis=-1, keepdims=True)
    own = np.diagonal(weights, axis1=-2, axis2=-1)
    others = weights * (1 - np.eye(rows.shape[-2], rows.shape[-1]))
    return own, np.where(own < 1 - 1e-6, others.argmax(axis=-1), np.arange(rows.shape[-2]))


def test_one_coefficient_and_one_partner_for_all_languages_and_the_image():
    text = np.broadcast_to(np.eye(SIZE, WIDTH, dtype=np.float32), (LANGUAGES, SIZE, WIDTH))
    text_shares, text_partners = shares(mixed(jax.random.key(3), text, np.eye(SIZE), alpha=1.0)[0])
    image_shares, partners = shares(mixed(jax.random.key(3), text, np.eye(SIZE), alpha=1.0)[1])
    assert (text_partners == partners).all() and sorted(partners) == list(range(SIZE))
    np.testing.assert_allclose(text_shares, np.broadcast_to(image_shares, text_shares.shape), rtol=1e-6)
    moved = image_shares[partners != np.arange(SIZE)]
    assert len(moved) > 4 and 0.5 <= moved[0] < 1
    np.testing.assert_allclose(moved, moved[0], rtol=1e-5)


@jax.jit
@jax.vmap
def coefficient(key, alpha):
    """Of two rows mixed with each other: the share of the first in itself, and whether it was mixed at all."""
    rows, _ = fusemix(key, jnp.eye(2), jnp.eye(2), alpha=alpha)
    return jnp.max(rows[0]) / jnp.sum(rows[0]), rows[0, 1] > 0


@pytest.mark.parametrize("alpha", [0.3, 1.0, 4.0])
def test_the_coefficient_is_the_larger_side_of_a_beta(alpha):
    found, moved = map(np.asarray, coefficient(jax.random.split(jax.random.key(0), 2000), jnp.full(2000, alpha)))
    assert 900 < moved.sum() < 1100  # a permutation of two rows swaps them half of the time

    def folded(x):
        return stats.beta.cdf(x, alpha, alpha) - stats.beta.cdf(1 - x, alpha, alpha)

    assert stats.kstest(found[moved], folded).pvalue > 1e-3


def test_rows_stay_unit_rows_and_mostly_themselves():
    text, image = unit(LANGUAGES, SIZE, WIDTH), unit(SIZE, WIDTH + 2, seed=1)
    for rows, before in zip(mixed(jax.random.key(1), text, image, alpha=0.5), (text, image), strict=True):
        assert rows.shape == before.shape and rows.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(rows, axis=-1), 1, rtol=1e-6)
        nearest = np.einsum("...bd,...cd->...bc", rows, before).argmax(axis=-1)
        assert (nearest == np.arange(SIZE)).all() and not np.allclose(rows, before)


def test_alpha_is_traced_and_zero_mixes_nothing():
    text, image = unit(SIZE, WIDTH), unit(SIZE, WIDTH, seed=1)
    sweep = jax.jit(jax.vmap(lambda alpha: fusemix(jax.random.key(1), text, image, alpha=alpha)))
    each, _ = sweep(jnp.array([0.0, 1.0]))
    np.testing.assert_allclose(each[0], text, atol=1e-7)
    assert not np.allclose(each[1], text)


def test_nothing_that_is_missing_gets_into_a_mixture():
    rng = np.random.default_rng(0)
    mask, image_mask = rng.random((LANGUAGES, SIZE)) > 0.3, np.arange(SIZE) != 2
    text, image = unit(LANGUAGES, SIZE, WIDTH), unit(SIZE, WIDTH, seed=1)
    text[~mask], image[~image_mask] = 1e6, 1e6
    moved = np.zeros(SIZE, bool)
    for seed in range(20):
        found = mixed(jax.random.key(seed), text, image, alpha=1.0, mask=mask, image_mask=image_mask)
        new_text, new_image = map(np.asarray, found)
        exists = mask & image_mask
        assert np.abs(new_text[exists]).max() <= 1.01 and np.abs(new_image[image_mask]).max() <= 1.01
        # an image and its captions move together, or not at all
        here = ~np.isclose(new_image, image).all(axis=1)
        captions = ~np.isclose(new_text, text).all(axis=2)
        assert (captions[exists] == np.broadcast_to(here, mask.shape)[exists]).all()
        moved |= here & image_mask
    assert moved.sum() > SIZE // 2


def test_noise_turns_rows_by_its_angle_at_any_width():
    for width in (8, 1024):
        text, image = unit(2, 500, width), unit(500, width, seed=1)
        for rows, before in zip(noisy(jax.random.key(0), text, image, scale=0.3), (text, image), strict=True):
            np.testing.assert_allclose(np.linalg.norm(rows, axis=-1), 1, rtol=1e-6)
            angles = np.arccos(np.sum(rows * before, axis=-1))
            assert abs(np.mean(angles) - np.arctan(0.3)) < 0.03, width


def test_noise_is_its_own_for_each_row_and_follows_its_key():
    text, image = unit(2, SIZE, WIDTH), unit(SIZE, WIDTH)
    same = np.stack([image, image])
    first, other = noisy(jax.random.key(0), same, image, scale=0.1)
    assert not np.allclose(first[0], first[1]) and not np.allclose(first[0], other)
    again = noisy(jax.random.key(0), same, image, scale=0.1)
    assert np.array_equal(again[0], first) and np.array_equal(again[1], other)
    for rows, before in zip(noisy(jax.random.key(0), text, image, scale=0.0), (text, image), strict=True):
        np.testing.assert_allclose(rows, before, atol=1e-7)


@pytest.mark.parametrize("augment", [partial(fusemix, alpha=1.0), partial(embedding_noise, scale=0.1)])
def test_half_precision_stays_half_precision(augment):
    text, image = (jnp.asarray(rows, jnp.bfloat16) for rows in (unit(2, SIZE, WIDTH), unit(SIZE, WIDTH)))
    found = jax.jit(augment)(jax.random.key(0), text, image)
    assert [rows.dtype for rows in found] == [jnp.bfloat16] * 2
    assert all(np.isfinite(rows.astype(jnp.float32)).all() for rows in found)
