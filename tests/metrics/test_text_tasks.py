"""All tasks at once against the same tasks one by one, where captions and images tie, repeat and lack."""

import jax.numpy as jnp
import numpy as np
import pytest

from ccalign_jax.metrics import (
    PAIR_TASKS,
    Ranks,
    ordered_pairs,
    rank_pairs,
    rank_tasks,
    rank_text_pairs,
    rank_via_image,
)
from ccalign_jax.numerics import unit_rows

IMAGES, D = 11, 6
HOW = {"via_image": "hard", "via_image_soft": "soft", "via_image_oracle": "oracle"}


def scene(seed=0, *, counts=(12, 12, 9), unlike=False):
    """Images and captions of few values, so that scores tie exactly; the last two captions and the last image are
    padding. Images 4 and 6 are one picture; `unlike` adds captions that are equally near to images that differ."""
    rng = np.random.default_rng(seed)
    image = rng.integers(-2, 3, (IMAGES, D)) + 0.5
    image[4] = image[6]
    text, image_of, captions_of = [], [], []
    for count in counts:
        owner = np.sort(rng.integers(0, IMAGES - 1, count))
        rows = image[owner] + rng.integers(-1, 2, (count, D))
        rows[3] = rows[5]
        if unlike:
            rows[[0, 7]] = 0
        text.append(np.asarray(unit_rows(jnp.asarray(np.concatenate([rows, np.full((2, D), 9.0)]), jnp.float32))))
        image_of.append(np.concatenate([owner, [-1, -1]]))
        gold = np.full((IMAGES, 6), -1)
        for place, one in enumerate(owner):
            gold[one, np.sum(gold[one] >= 0)] = place
        captions_of.append(gold)
    mask = np.arange(IMAGES) < IMAGES - 1
    return text, np.asarray(unit_rows(jnp.asarray(image, jnp.float32))), image_of, captions_of, mask


def same(left, right, what):
    for name, one, other in zip(Ranks._fields, left, right, strict=True):
        np.testing.assert_allclose(np.asarray(one), np.asarray(other), atol=2e-7, err_msg=f"{what} {name}")


@pytest.mark.optimised
@pytest.mark.parametrize("block_entries", [2**25, 30])
@pytest.mark.parametrize("unlike", [False, True])
def test_every_task_is_what_it_is_alone(unlike, block_entries):
    text, image, image_of, captions_of, mask = scene(unlike=unlike)
    found = rank_tasks(text, image, image_of, captions_of, image_mask=mask, block_entries=block_entries)
    for place in range(len(text)):
        pair = rank_pairs(text[place], image, image_of[place], captions_of[place], image_mask=mask)
        same(found.t2i[place], pair[0], ("t2i", place))
        same(found.i2t[place], pair[1], ("i2t", place))
    for number, (a, b) in enumerate(ordered_pairs(len(text))):
        to = (text[b], image_of[a], image_of[b], captions_of[b])
        same(found.t2t[number], rank_text_pairs(text[a], *to), ("t2t", a, b))
        for task, how in HOW.items():
            alone = rank_via_image(text[a], text[b], image, *to[1:], how=how, image_mask=mask)
            same(getattr(found, task)[number], alone, (task, a, b))


def test_only_the_tasks_asked_for():
    text, image, image_of, captions_of, _ = scene(counts=(9, 9))
    everything = rank_tasks(text, image, image_of, captions_of)
    for task in PAIR_TASKS:
        found = rank_tasks(text, image, image_of, captions_of, tasks=[task])
        for name, ranks in found._asdict().items():
            if name in ("t2i", "i2t", task):
                for one, other in zip(ranks, getattr(everything, name), strict=True):
                    same(one, other, (task, name))
            else:
                assert ranks == ()
    with pytest.raises(ValueError, match="t2x"):
        rank_tasks(text, image, image_of, captions_of, tasks=["t2x"])


def test_one_language_has_no_pairs():
    text, image, image_of, captions_of, _ = scene(counts=(9,))
    found = rank_tasks(text, image, image_of, captions_of)
    assert len(found.t2i) == 1 and all(getattr(found, task) == () for task in PAIR_TASKS)


def test_turning_the_space_and_reordering_the_images_change_nothing():
    text, image, image_of, captions_of, mask = scene(seed=3)
    rng = np.random.default_rng(0)
    text = [rows + 0.01 * rng.normal(size=rows.shape).astype(np.float32) for rows in text]  # no exact ties
    turn = np.linalg.qr(rng.normal(size=(D, D)))[0].astype(np.float32)
    order = rng.permutation(IMAGES)
    place = np.argsort(order)
    moved_of = [np.where(owner >= 0, place[owner], -1) for owner in image_of]
    moved = rank_tasks(
        [rows @ turn for rows in text],
        image[order] @ turn,
        moved_of,
        [gold[order] for gold in captions_of],
        image_mask=mask[order],
    )
    plain = rank_tasks(text, image, image_of, captions_of, image_mask=mask)
    for name in plain._fields:
        for one, other in zip(getattr(plain, name), getattr(moved, name), strict=True):
            other = Ranks(*(np.asarray(leaf)[place] for leaf in other)) if name == "i2t" else other
            # images 4 and 6 are one picture: their captions tie exactly or not at all, by the last bit
            np.testing.assert_allclose(one.better + one.equal, other.better + other.equal, atol=1, err_msg=name)
            np.testing.assert_array_equal(one.tied > 0, other.tied > 0)
