"""Kernel maps: their features against the kernel itself, and what they read off data."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial.distance import pdist
from sklearn.kernel_approximation import Nystroem
from sklearn.metrics.pairwise import rbf_kernel

from ccalign_jax.aligners import (
    dual,
    fourier,
    fourier_features,
    gaussian_kernel,
    median_distance,
    nystroem,
    per_language,
)
from ccalign_jax.errors import InputError
from ccalign_jax.numerics import unit_float32


def unit(normal, *shape, seed=0):
    return unit_float32(normal(*shape, seed=seed))


def nystroem_features(params, rows):
    """φ(x) = k(x, Z) K^(−1/2), so that φ(x)·φ(z) = k(x, Z) K⁻¹ k(Z, z)."""
    return gaussian_kernel(rows, params["landmarks"], params["bandwidth"]) @ params["inverse_root"]


def adapted(aligner, text, mask=None, image=None):
    """Parameters at the start, and after `adapt` to captions `[languages, m, d]` and images, far away unless given."""
    mask = np.ones(text.shape[:2], bool) if mask is None else mask
    image = np.full((3, text.shape[-1]), 1e6, text.dtype) if image is None else image

    return _run(aligner)(text, mask, image)


@cache
def _run(aligner):
    def run(text, mask, image):
        params = aligner.init(jax.random.key(0))
        return params, aligner.adapt(params, text, mask, image, jnp.ones(len(image), bool), jax.random.key(1))

    return jax.jit(run)


def test_the_kernel_is_that_of_scikit_learn(normal):
    rows, others = unit(normal, 6, 4), unit(normal, 5, 4, seed=1)
    np.testing.assert_allclose(gaussian_kernel(rows, others, 0.7), rbf_kernel(rows, others, 1 / (2 * 0.49)), rtol=1e-5)


def test_fourier_features_approximate_the_kernel_at_the_promised_rate(normal):
    """Cosines and sines have the variance (1 − k²)² / F (Sutherland & Schneider, 2015)."""
    rows, count = unit(normal, 8, 5), 4000
    _, params = adapted(fourier(5, 2, features=count), rows[None])
    features = np.asarray(fourier_features(params, rows))
    assert features.shape == (8, count)
    kernel = np.asarray(gaussian_kernel(rows, rows, params["bandwidth"]))
    error = (features @ features.T - kernel)[np.triu_indices(8, 1)]
    promised = (1 - kernel[np.triu_indices(8, 1)] ** 2) / np.sqrt(count)
    assert np.abs(error / promised).max() < 4 and np.std(error / promised) > 0.2
    np.testing.assert_allclose(np.diagonal(features @ features.T), 1.0, rtol=1e-4)


def test_nystroem_with_every_row_as_a_landmark_is_the_kernel(normal):
    with jax.enable_x64(True):
        rows = unit(normal, 12, 5).astype(np.float64)
        _, params = adapted(nystroem(5, 2, features=12), rows[None])
        features = np.asarray(nystroem_features(params, rows))
        bandwidth = float(params["bandwidth"])
    np.testing.assert_allclose(bandwidth, np.median(pdist(rows)), rtol=1e-12)
    np.testing.assert_allclose(features @ features.T, rbf_kernel(rows, rows, 0.5 / bandwidth**2), atol=1e-10)


def test_nystroem_is_that_of_scikit_learn(normal):
    """On the landmarks that it drew, among captions of all languages."""
    rows, others = unit(normal, 2, 9, 5), unit(normal, 6, 5, seed=1)
    _, params = adapted(nystroem(5, 2, features=7), rows)
    landmarks, flat = np.asarray(params["landmarks"]), rows.reshape(-1, 5)
    assert all((flat == landmark).all(1).sum() == 1 for landmark in landmarks)
    assert len(np.unique(landmarks, axis=0)) == 7
    known = Nystroem(gamma=0.5 / float(params["bandwidth"]) ** 2, n_components=7).fit(landmarks).transform(others)
    features = np.asarray(nystroem_features(params, others))
    np.testing.assert_allclose(features @ features.T, known @ known.T, atol=1e-4)


@pytest.mark.parametrize("make", [fourier, nystroem])
def test_the_map_is_the_readout_of_the_features(make, normal, moved):
    aligner = make(5, 3, features=8)
    rows = unit(normal, 9, 5)
    _, params = adapted(aligner, rows[None])
    params["readout"] = normal(8, 3)
    features = (fourier_features if make is fourier else nystroem_features)(params, rows)
    np.testing.assert_allclose(aligner.text(params, rows, 0), rows[:, :3] + features @ params["readout"], atol=1e-4)


# what is read off data


def test_the_bandwidth_is_the_median_distance_of_real_rows(normal):
    for count in (7, 8):  # an odd and an even number of pairs: 21, 28
        rows, mask = np.concatenate([normal(count, 3), np.zeros((4, 3), np.float32)]), np.arange(count + 4) < count
        order = np.random.default_rng(0).permutation(len(rows))
        found = jax.jit(median_distance)(rows[order], mask[order])
        np.testing.assert_allclose(found, np.median(pdist(rows[:count])), rtol=1e-5)


def test_without_a_distance_the_bandwidth_is_one():
    bandwidth = jax.jit(median_distance)
    for rows, real in (([1.0, 2.0, 4.0], 0), ([1.0, 2.0, 4.0], 1), ([1.0, 1.0, 1.0], 3)):
        assert float(bandwidth(np.array(rows)[:, None], np.arange(3) < real)) == 1.0


@pytest.mark.parametrize("make", [fourier, nystroem])
def test_rows_outside_the_mask_never_matter(make, normal):
    aligner, rows = make(5, 3, features=6), unit(normal, 2, 8, 5)
    mask = np.random.default_rng(0).random((2, 8)) < 0.6
    start, once = adapted(aligner, rows, mask)
    _, again = adapted(aligner, np.where(mask[..., None], rows, 1e5).astype(np.float32), mask)
    for one, two in zip(jax.tree.leaves(once), jax.tree.leaves(again), strict=True):
        assert np.array_equal(one, two)
    assert float(once["bandwidth"]) != float(start["bandwidth"])
    assert np.array_equal(aligner.text(once, rows[0], 0), rows[0, :, :3])  # still the identity, to the last bit


def test_fewer_captions_than_landmarks_do_no_harm(normal):
    """Nor do equal ones: the features are those of the different captions there are."""
    rows, aligner = unit(normal, 1, 9, 5), nystroem(5, 2, features=12)
    rows[0, 1] = rows[0, 0]
    for real, different in ((0, 0), (1, 1), (4, 3)):
        _, params = adapted(aligner, rows, np.arange(9)[None] < real)
        features = np.asarray(nystroem_features(params, rows[0]))
        assert np.isfinite(features).all()
        kernel = np.asarray(gaussian_kernel(rows[0], rows[0], params["bandwidth"]))
        np.testing.assert_allclose((features @ features.T)[:real, :real], kernel[:real, :real], atol=1e-4)
        assert np.linalg.matrix_rank(features, tol=1e-3) == different


def test_each_language_and_each_side_adapts_to_its_own_rows(normal):
    text, image = unit(normal, 2, 9, 5), unit(normal, 8, 4, seed=1)
    aligner = dual(per_language(nystroem(5, 4, features=3), 2), nystroem(4, 4, features=3))
    _, params = adapted(aligner, text, image=image)

    def all_from(landmarks, rows):
        return all((rows == landmark).all(1).any() for landmark in np.asarray(landmarks))

    assert all_from(params["text"]["landmarks"][0], text[0]) and all_from(params["text"]["landmarks"][1], text[1])
    assert all_from(params["image"]["landmarks"], image)
    one_sided = dual(per_language(nystroem(5, 4, features=3), 2), fourier(4, 4, features=4))
    _, params = adapted(one_sided, text, image=image)
    np.testing.assert_allclose(params["image"]["bandwidth"], np.median(pdist(image)), rtol=1e-5)


def test_an_odd_number_of_fourier_features_is_refused():
    with pytest.raises(InputError, match="features=7: fourier takes an even number"):
        fourier(3, 3, features=7)
