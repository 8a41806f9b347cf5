"""Fingerprints of images: copies in any dtype and length are recognised, other images are not."""

import ml_dtypes
import numpy as np
import pytest

from ccalign_jax.data import EmbeddingSet
from ccalign_jax.data.fingerprints import fingerprint, fingerprint_rows, recognise

ROWS = np.random.default_rng(0).normal(size=(300, 32)) + 0.5  # a common direction, as real rows have


def made(image, keys=None, groups=None):
    return EmbeddingSet.build("toy", image, {"en": np.ones((len(image), 3))}, image_keys=keys, groups=groups)


def named(letter, count=300):
    return [f"{letter}{number:03d}" for number in range(count)]


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, np.float32, np.float64])
@pytest.mark.parametrize("size", [1e-3, 1.0, 1e3])
def test_a_copy_is_recognised_in_any_dtype_and_length(dtype, size):
    known = fingerprint(made(ROWS, named("a")))
    stored = (size * ROWS[::3]).astype(dtype)
    stored = stored.astype(np.float32) if dtype is ml_dtypes.bfloat16 else stored
    found = recognise(made(stored, named("b", 100)), known)
    assert found.by_row.all() and found.images.all() and not found.by_key.any()


@pytest.mark.parametrize("size", [1e-24, 1e22, 1e60])
def test_rows_of_extreme_length_have_fingerprints(size):
    rows = size * ROWS if size == 1e60 else (size * ROWS).astype(np.float32)
    assert np.abs(fingerprint_rows(rows).astype(int) - fingerprint_rows(ROWS)).max() <= 1


def test_other_images_are_not_recognised():
    other = np.random.default_rng(1).normal(size=(300, 32)) + 0.5
    near = ROWS + 0.02 * np.linalg.norm(ROWS, axis=1, keepdims=True) * np.random.default_rng(2).normal(size=(300, 32))
    for rows in (other, near):  # near: cosine of about .995
        assert not recognise(made(rows, named("b")), fingerprint(made(ROWS, named("a")))).images.any()


def test_the_same_key_is_recognised_whatever_its_row_is_and_the_group_goes_with_it():
    known = fingerprint(made(ROWS[:10], named("a", 10)))
    found = recognise(made(ROWS[100:106], ["a000", "a009", "b", "c", "d", "e"], groups=[0, 3, 0, 1, 2, 1]), known)
    assert found.by_key.tolist() == [True, True, False, False, False, False] and not found.by_row.any()
    assert found.images.tolist() == [True, True, True, False, False, False]


def test_row_numbers_are_not_compared_as_keys():
    """Two data sets without keys number their rows alike."""
    known = fingerprint(made(ROWS[:10]))
    assert len(known.keys) == 0
    assert not recognise(made(ROWS[10:20]), known).images.any()
    assert (
        recognise(made(ROWS[10:20], [f"{n}" for n in range(10)]), fingerprint(made(ROWS, named("a")))).images.sum()
        == 10
    )
    part = made(ROWS).take(np.arange(5, 15))
    assert part.numbered and recognise(part, known).by_row.tolist() == [True] * 5 + [False] * 5


def test_many_training_images_are_searched_in_blocks(monkeypatch):
    known = fingerprint(made(ROWS))
    monkeypatch.setattr("ccalign_jax.data.fingerprints._TREE_ROWS", 7)
    assert recognise(made(ROWS[::50]), known).by_row.all()


def test_projection_directions_are_fixed():
    """Fingerprints outlive versions: these are the first row's of an earlier one."""
    assert fingerprint_rows(np.arange(1.0, 9.0)[None]).tolist() == [
        [-1829, -6511, -6003, 4053, -1147, -187, -3185, -2253]
    ]
