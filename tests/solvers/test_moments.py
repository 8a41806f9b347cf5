"""Moments gathered in any chunks, order and precision are those of all rows at once."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from ccalign_jax import solvers
from ccalign_jax.solvers.moments import BLOCK_ROWS


def rows(seed, count, width):
    return (np.random.default_rng(seed).normal(size=(count, width)) + 1).astype(np.float32)


TEXT, TARGET = rows(0, 101, 5), rows(1, 101, 3)


def gathered(text=TEXT, target=TARGET, **weights):
    return solvers.add_rows(solvers.empty_moments(text.shape[1], target.shape[1]), text, target, **weights)


def assert_same(found, wanted, rtol=1e-12):
    for name, one, other in zip(found._fields, found, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=rtol, atol=1e-12, err_msg=name)


def test_sums_of_the_rows():
    x, y = TEXT.astype(np.float64), TARGET.astype(np.float64)
    assert_same(gathered(), (101, x.sum(0), y.sum(0), x.T @ x, y.T @ y, x.T @ y))
    assert all(np.asarray(part).dtype == np.float64 for part in gathered())


def test_captions_of_one_image_take_its_row_once():
    random = np.random.default_rng(2)
    image_of, weights = random.integers(0, 40, 101), random.random(101)
    images = rows(3, 41, 3)
    images[np.setdiff1d(np.arange(41), image_of)] = np.nan  # of no caption
    before = gathered()
    found = solvers.add_captions(before, TEXT, image_of, images, weights=weights)
    assert_same(found, solvers.add_rows(before, TEXT, images[image_of], weights=weights))
    images[image_of[0]] = np.inf
    with pytest.raises(ValueError, match="NaN or infinite"):
        solvers.add_captions(before, TEXT, image_of, images, weights=weights)


@pytest.mark.parametrize("size", [1, 7, 100])
def test_chunked_is_whole(size):
    chunked = solvers.empty_moments(5, 3)
    for start in range(0, 101, size):
        chunked = solvers.add_rows(chunked, TEXT[start : start + size], TARGET[start : start + size])
    assert_same(chunked, gathered())
    halves = [gathered(TEXT[half], TARGET[half]) for half in (slice(0, 40), slice(40, None))]
    assert_same(solvers.merge(*halves), gathered())
    assert_same(solvers.merge(halves[1], solvers.empty_moments(5, 3), halves[0]), gathered())


def test_more_rows_than_a_block():
    count = 2 * BLOCK_ROWS + 3
    text, target = rows(2, count, 4), rows(3, count, 2)
    found = gathered(text, target)
    np.testing.assert_allclose(found.text_target, text.astype(np.float64).T @ target.astype(np.float64), rtol=1e-12)
    assert found.weight == count


def test_files_larger_than_memory_are_read_once_in_chunks(tmp_path):
    """Float16 rows on disk, as data sets have them; a few thousand stand for more than memory holds."""
    count, chunk = BLOCK_ROWS + 700, 1000
    stored = []
    for name, rows_in_memory in (("text", rows(7, count, 6)), ("image", rows(8, count, 4))):
        file = np.memmap(tmp_path / name, np.float16, "w+", shape=rows_in_memory.shape)
        file[:] = rows_in_memory
        file.flush()
        stored.append(np.memmap(tmp_path / name, np.float16, "r", shape=file.shape))
    streamed = solvers.empty_moments(6, 4)
    for start in range(0, count, chunk):
        streamed = solvers.add_rows(streamed, *(file[start : start + chunk] for file in stored))
    whole = gathered(*(np.asarray(file, np.float64) for file in stored))
    mapped = gathered(*stored)
    for found in (streamed, mapped):
        assert_same(found, whole, rtol=1e-10)
        for penalty in (1e-3, 1.0):
            paths = [solvers.ridge_path(one) for one in (found, whole)]
            delta, wanted = (solvers.ridge_map(path, penalty * path.mean_eigenvalue).delta for path in paths)
            np.testing.assert_allclose(delta, wanted, atol=1e-10)


def test_permuted_rows():
    order = np.random.default_rng(4).permutation(101)
    assert_same(gathered(TEXT[order], TARGET[order]), gathered())


def test_weights_are_repeats():
    counts = np.random.default_rng(5).integers(0, 4, size=101)
    repeated = gathered(np.repeat(TEXT, counts, axis=0), np.repeat(TARGET, counts, axis=0))
    assert_same(gathered(weights=counts), repeated)
    assert_same(gathered(weights=np.ones(101)), gathered())


def test_masked_rows_may_hold_anything():
    mask = np.arange(101) % 3 > 0
    text, target = TEXT.copy(), TARGET.copy()
    text[~mask], target[0] = np.nan, np.inf
    assert_same(gathered(text, target, weights=mask), gathered(TEXT[mask], TARGET[mask]))
    assert gathered(text, target, weights=np.zeros(101, bool)).weight == 0


def test_any_array_of_floats():
    half = TEXT.astype(np.float16)
    assert_same(gathered(half, TARGET), gathered(half.astype(np.float64), TARGET.astype(np.float64)))
    assert_same(gathered(jnp.asarray(TEXT), jnp.asarray(TARGET), weights=jnp.ones(101)), gathered())


def test_nothing_that_is_given_changes():
    before = solvers.empty_moments(5, 3)
    text = TEXT.copy()
    solvers.add_rows(before, text, TARGET, weights=np.full(101, 2.0))
    assert before.weight == 0 and not before.text_text.any() and np.array_equal(text, TEXT)


def test_centring():
    weights = np.random.default_rng(6).uniform(size=101)
    text_mean, target_mean = (np.average(rows, axis=0, weights=weights) for rows in (TEXT, TARGET))
    moved = solvers.centred(gathered(weights=weights))
    wanted = gathered(TEXT - text_mean, TARGET - target_mean, weights=weights)
    np.testing.assert_allclose(moved.text_target, wanted.text_target, atol=1e-4)
    np.testing.assert_allclose(
        np.block([[moved.text_text, moved.text_target], [moved.text_target.T, moved.target_target]]) / moved.weight,
        np.cov(np.hstack([TEXT, TARGET]).T, aweights=weights, ddof=0),
        rtol=1e-6,
        atol=1e-8,
    )
    assert not moved.text_sum.any() and moved.weight == pytest.approx(weights.sum())


def test_centring_far_from_the_origin():
    """A common direction a hundred times the spread costs digits that float64 has."""
    text = TEXT.astype(np.float64) + 100
    found = solvers.centred(gathered(text, text))
    np.testing.assert_allclose(found.text_text / 100, np.cov(text.T), rtol=1e-9)
    correlation = stats.pearsonr(text[:, 0], text[:, 1]).statistic
    moment = found.text_text
    assert moment[0, 1] / np.sqrt(moment[0, 0] * moment[1, 1]) == pytest.approx(correlation, abs=1e-9)


def test_refusals():
    empty = solvers.empty_moments(5, 3)
    with pytest.raises(ValueError, match=r"text is \(101, 5\), target \(100, 3\)"):
        solvers.add_rows(empty, TEXT, TARGET[1:])
    with pytest.raises(ValueError, match=r"the moments take \[n, 5\] and \[n, 3\]"):
        solvers.add_rows(empty, TARGET, TEXT)
    with pytest.raises(ValueError, match="give one a row"):
        solvers.add_rows(empty, TEXT, TARGET, weights=np.ones(3))
    with pytest.raises(ValueError, match="at least 0"):
        solvers.add_rows(empty, TEXT, TARGET, weights=-np.ones(101))
    broken = TARGET.copy()
    broken[3, 1] = np.nan
    with pytest.raises(ValueError, match="NaN or infinite"):
        solvers.add_rows(empty, TEXT, broken)
    with pytest.raises(ValueError, match="add rows first"):
        solvers.centred(empty)
