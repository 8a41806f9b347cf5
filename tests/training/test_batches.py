"""Batches: which images come when, and that each row is a caption of the right image in the right language."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ccalign_jax.training import Embeddings, draw_batch, image_order

IMAGES = jnp.array([3, 5, 7, 11, 13, 17, 19, 23, 29, 31, -1, -1])  # ten real, two padding


def order(key, *, count=10, steps=12, size=3, replacement=False, min_train_size=8):
    return np.asarray(
        image_order(
            jax.random.key(key),
            IMAGES,
            count,
            steps=steps,
            size=size,
            replacement=replacement,
            min_train_size=min_train_size,
        )
    )


@pytest.mark.parametrize(("count", "size", "least"), [(10, 3, 10), (10, 3, 8), (10, 5, 5), (9, 4, 4), (8, 8, 8)])
def test_without_replacement_a_pass_draws_each_image_once(count, size, least):
    found = order(0, count=count, size=size, min_train_size=least)
    assert found.shape == (12, size)
    a_pass = count // size  # batches
    leftovers = set()
    for start in range(0, 12, a_pass):
        drawn = found[start : start + a_pass].ravel()
        assert len(set(drawn)) == len(drawn)
        assert set(drawn) <= set(np.asarray(IMAGES[:count]).tolist())
        leftovers.add(frozenset(np.asarray(IMAGES[:count]).tolist()) - set(drawn.tolist()))
    if count % size and 3 * a_pass <= 12:
        assert len(leftovers) > 1  # another remainder sits out each time
    assert len({tuple(batch) for batch in found.tolist()}) > 1


@pytest.mark.parametrize("replacement", [False, True])
def test_padding_is_never_drawn_and_the_key_decides(replacement):
    one, again, other = (order(key, replacement=replacement, steps=60) for key in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)
    assert one.min() > 0


@pytest.mark.parametrize("replacement", [False, True])
def test_every_image_comes_equally_often(replacement):
    drawn = order(0, steps=3000, replacement=replacement).ravel()
    counts = np.array([(drawn == image).sum() for image in np.asarray(IMAGES[:10])])
    assert counts.sum() == 9000
    np.testing.assert_allclose(counts / 9000, 0.1, atol=0.012)
    # with replacement a batch may hold an image twice: 1 - .9 * .8
    twice = np.mean([len(set(batch)) < 3 for batch in drawn.reshape(-1, 3)])
    assert twice == pytest.approx(0.28 if replacement else 0.0, abs=0.03)


def test_the_count_may_be_traced():
    def draw(count):
        return image_order(jax.random.key(1), IMAGES, count, steps=12, size=3, replacement=False, min_train_size=8)

    for count in (8, 10):
        np.testing.assert_array_equal(jax.jit(draw)(count), order(1, count=count))


def test_a_batch_larger_than_the_data_is_refused():
    with pytest.raises(ValueError, match="a batch of 9 images cannot be drawn from 8"):
        order(0, size=9)


def ragged():
    """Four images; en has 3, 1, 0, 2 captions, ja 1, 0, 2, 0. A text row holds its language, image and number."""
    rows, table = [], np.zeros((2, 4, 3), np.int32)
    counts = np.array([[3, 1, 0, 2], [1, 0, 2, 0]], np.int32)
    for language in range(2):
        for image in range(4):
            for number in range(counts[language, image]):
                table[language, image, number] = len(rows)
                rows.append([language, image, number])
    image = 10.0 * np.arange(4)[:, None]
    text, groups = np.array(rows, np.float32), np.array([5, 5, 6, 7])
    return jax.tree.map(jnp.asarray, Embeddings(text, image, table, counts, groups))


def test_rows_belong_to_their_image_and_language():
    data = ragged()
    images = jnp.array([2, 0, 3, 0, 1])
    batch = jax.jit(draw_batch)(jax.random.key(0), data, images)
    np.testing.assert_array_equal(batch.mask, np.asarray(data.caption_counts)[:, images] > 0)
    np.testing.assert_array_equal(batch.image[:, 0], 10.0 * images)
    np.testing.assert_array_equal(batch.groups, [6, 5, 7, 5, 5])
    assert batch.image_mask.all()
    for language in range(2):
        for place, image in enumerate(images.tolist()):
            if batch.mask[language, place]:
                assert batch.text[language, place, :2].tolist() == [language, image]
            assert np.isfinite(batch.text[language, place]).all()


def test_captions_are_drawn_evenly():
    data, images = ragged(), jnp.zeros(2, int)
    keys = jax.random.split(jax.random.key(0), 3000)
    text = np.asarray(jax.vmap(lambda key: draw_batch(key, data, images).text)(keys))
    numbers = text[:, 0, :, 2]  # [draws, two copies of image 0]
    for copy in (0, 1):
        np.testing.assert_allclose(np.bincount(numbers[:, copy].astype(int)) / 3000, 1 / 3, atol=0.03)
    # two copies of an image draw apart
    assert np.mean(numbers[:, 0] == numbers[:, 1]) == pytest.approx(1 / 3, abs=0.03)
    assert (text[:, 1, :, 2] == 0).all()
