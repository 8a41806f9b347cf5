"""Shorter rows: what a rotation must keep, PCA against scikit-learn, and codes by hand."""

import numpy as np
import pytest

from ccalign_jax.compression import CODES, REDUCTIONS, Int8Code, fit_reduction
from ccalign_jax.evaluation.shorten import row_bytes
from ccalign_jax.numerics import unit_float32


@pytest.fixture(scope="module")
def sides():
    """Captions of two languages and images with little in most of 8 directions, and means that differ."""
    random = np.random.default_rng(0)
    turn = np.linalg.qr(random.normal(size=(8, 8)))[0]
    scale = np.array([3.0, 2.0, 1.0, 0.3, 0.1, 0.1, 0.1, 0.1])
    text, other, image = ((random.normal(size=(n, 8)) * scale) @ turn for n in (200, 150, 100))
    return [unit_float32(text + turn[0]), unit_float32(other + turn[0])], unit_float32(image - turn[1])


def test_a_rotation_keeps_cosines_and_holds_the_energy_in_front(sides):
    text, image = sides
    found = fit_reduction("rotation", text, image)
    np.testing.assert_allclose(found.rotation.T @ found.rotation, np.eye(8), atol=1e-5)
    turned = found.shorten(text[0], 8, "text") @ found.shorten(image, 8, "image").T
    np.testing.assert_allclose(turned, text[0] @ image.T, atol=1e-5)
    energy = [np.square(rows @ found.rotation).mean(axis=0) for rows in (*text, image)]
    shared = np.mean([np.mean(energy[:2], axis=0), energy[2]], axis=0)
    assert (np.diff(shared) <= 1e-6).all() and shared[:3].sum() > 0.95
    assert fit_reduction("truncation", text, image).shorten(image, 3, "image") == pytest.approx(
        unit_float32(image[:, :3]), abs=1e-6
    )


def test_pca_is_scikit_learns_of_sides_that_are_centred(sides):
    decomposition = pytest.importorskip("sklearn.decomposition")
    (text, _), image = sides
    found = fit_reduction("pca", [text[:100]], image)
    centred = np.concatenate([text[:100] - text[:100].mean(0), image - image.mean(0)])
    known = decomposition.PCA(4).fit(centred).components_
    assert abs(np.sum(found.rotation[:, :4].T * known, axis=1)) == pytest.approx(1, abs=1e-4)
    assert found.shorten(text, 4, "text").mean(axis=0) == pytest.approx(0, abs=0.2)


@pytest.mark.parametrize("code", CODES)
def test_codes_have_their_bytes_and_keep_what_they_can(sides, code):
    text, _ = sides
    coder = CODES[code].fit(text[0])
    stored = coder.encode(text[1])
    decoded = coder.decode(stored)
    assert stored.nbytes == len(text[1]) * row_bytes(code, 8) and decoded.shape == text[1].shape
    if code == "binary":
        assert (decoded > 0).tolist() == (text[1] > text[0].mean(axis=0)).tolist()
    else:
        inside = (text[1] >= text[0].min(0)) & (text[1] <= text[0].max(0))
        assert abs(decoded - text[1])[inside].max() <= {"float32": 0, "int8": 1 / 254 + 1e-6}[code]


def test_a_dimension_without_a_range_is_coded_as_its_value():
    rows = np.full((3, 2), 0.25, np.float32)
    code = Int8Code.fit(rows)
    assert code.decode(code.encode(rows)).tolist() == rows.tolist()


def test_rows_without_anything_in_front_are_zero_not_nan(sides):
    text, image = sides
    found = fit_reduction("truncation", text, image)
    assert found.shorten(np.eye(8)[7:], 2, "text").tolist() == [[0, 0]] and len(REDUCTIONS) == 3
