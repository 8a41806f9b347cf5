"""All retrieval tasks at once against NumPy, one caption at a time, where captions and images tie, repeat and lack."""

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ccalign_jax.metrics import PAIR_TASKS, Ranks, ordered_pairs, rank, rank_pairs, rank_tasks
from ccalign_jax.numerics import unit_rows

IMAGES, D = 11, 6
VIA_IMAGE = PAIR_TASKS[1:]
jitted_unit = jax.jit(unit_rows)


def unit(rows):
    return np.asarray(jitted_unit(np.asarray(rows, np.float32)))


def scene(seed=0, *, counts=(12, 12, 9), unlike=False):
    """Images and captions with repeats, which tie exactly; the last two captions and the last image are padding.
    Images 4 and 6 are equal; `unlike` adds captions that are equally near to images that differ."""
    rng = np.random.default_rng(seed)
    image = rng.standard_normal((IMAGES, D))
    image[4] = image[6]
    text, image_of, captions_of = [], [], []
    for count in counts:
        owner = np.sort(rng.integers(0, IMAGES - 1, count))
        rows = image[owner] + rng.standard_normal((count, D))
        rows[3] = rows[5]
        if unlike:
            rows[[0, 7]] = 0
        text.append(unit(np.concatenate([rows, np.full((2, D), 9.0)])))
        image_of.append(np.concatenate([owner, [-1, -1]]))
        captions_of.append(gold_of(image_of[-1], IMAGES))
    return text, unit(image), image_of, captions_of, np.arange(IMAGES) < IMAGES - 1


def gold_of(image_of, images):
    """The captions of each image, -1 for none."""
    gold = np.full((images, len(image_of)), -1)
    for place, owner in enumerate(image_of):
        if owner >= 0:
            gold[owner, np.sum(gold[owner] >= 0)] = place
    return gold


def same(left, right, atol=2e-7):
    for name, one, other in zip(Ranks._fields, left, right, strict=True):
        np.testing.assert_allclose(np.asarray(one), np.asarray(other), atol=atol, err_msg=name)


def counts_of(queries, gallery, image_of_query, image_of):
    """Counts of better, equal and tied, a caption at a time, scores in float64 rounded where they should tie."""
    counts = []
    for row, owner in zip(queries, image_of_query, strict=True):
        gold = np.flatnonzero((image_of == owner) & (owner >= 0))
        scores = np.round(gallery.astype(float) @ row, 6)
        best = max(scores[gold], default=np.inf)
        rivals = np.flatnonzero((image_of >= 0) & (image_of != owner))
        counts.append([np.sum(scores[rivals] > best), np.sum(scores[rivals] == best), np.sum(scores[gold] == best)])
    return np.array(counts).T


def rows_of(task, queries, image, mask, image_of_query, temperature):
    """The row that stands for each query in this task: its own, or an image row."""
    if task == "t2t":
        return queries
    scores = np.where(mask, np.round(queries.astype(float) @ image.T, 6), -np.inf)
    weights = {
        "via_image": scores == scores.max(1, keepdims=True),
        "via_image_soft": np.exp((scores - scores.max(1, keepdims=True)) / temperature),
        "via_image_oracle": np.arange(len(image)) == image_of_query[:, None],
    }[task]
    return weights @ image.astype(float) / np.maximum(weights.sum(1, keepdims=True), 1e-9)


@pytest.mark.parametrize(
    ("block_entries", "counts"), [(2**25, (12, 12, 9)), pytest.param(30, (12, 12), marks=pytest.mark.optimised)]
)
@pytest.mark.parametrize("unlike", [False, True])
def test_every_task_is_the_reference(unlike, block_entries, counts):
    text, image, image_of, captions_of, mask = scene(counts=counts, unlike=unlike)
    settings = {"image_mask": mask, "temperature": 0.05, "block_entries": block_entries}
    found = jax.tree.map(np.asarray, rank_tasks(text, image, image_of, captions_of, **settings))
    for number, (a, b) in enumerate(ordered_pairs(len(text))):
        for task in PAIR_TASKS:
            ranks = getattr(found, task)[number]
            rows = rows_of(task, text[a], image, mask, image_of[a], 0.05)
            wanted = counts_of(rows, text[b], image_of[a], image_of[b])
            np.testing.assert_array_equal(np.stack(ranks[:3]), wanted, err_msg=f"{task} {a} {b}")
            assert not ranks.tied[-2:].any() and not ranks.tied[~np.isin(image_of[a], image_of[b])].any()


def test_captions_and_images_are_ranked_as_pairs():
    text, image, image_of, captions_of, mask = scene()
    found = rank_tasks(text, image, image_of, captions_of, image_mask=mask, tasks=())
    for place in range(len(text)):
        pair = rank_pairs(text[place], image, image_of[place], captions_of[place], image_mask=mask)
        same(found.t2i[place], pair[0])
        same(found.i2t[place], pair[1])


def test_only_the_tasks_asked_for():
    text, image, image_of, captions_of, _ = scene(counts=(9, 9))
    everything = rank_tasks(text, image, image_of, captions_of)
    for task in PAIR_TASKS:
        found = rank_tasks(text, image, image_of, captions_of, tasks=[task])
        for name, ranks in found._asdict().items():
            if name in ("t2i", "i2t", task):
                for one, other in zip(ranks, getattr(everything, name), strict=True):
                    same(one, other)
            else:
                assert ranks == ()
    with pytest.raises(ValueError, match="t2x"):
        rank_tasks(text, image, image_of, captions_of, tasks=["t2x"])


def test_one_language_has_no_pairs():
    text, image, image_of, captions_of, _ = scene(counts=(9,))
    found = rank_tasks(text, image, image_of, captions_of)
    assert len(found.t2i) == 1 and all(getattr(found, task) == () for task in PAIR_TASKS)


def test_distinct_images_with_one_caption_each_are_plain_ranks():
    rng = np.random.default_rng(1)
    text, other, image = (unit(rng.standard_normal((30, D))) for _ in range(3))
    there = np.arange(30)
    found = rank_tasks([text, other], image, [there] * 2, [there[:, None]] * 2)
    same(found.t2t[0], rank(text, other, there[:, None]))
    same(found.via_image[0], rank(image[np.argmax(text @ image.T, axis=1)], other, there[:, None]))
    same(found.via_image_oracle[0], found.i2t[1])


def test_soft_falls_to_hard_and_rises_to_the_centre():
    text, image, image_of, captions_of, _ = scene(counts=(12, 12))
    cold = rank_tasks(text, image, image_of, captions_of, temperature=1e-6)
    same(cold.via_image[0], cold.via_image_soft[0])
    warm = rank_tasks(text, image, image_of, captions_of, temperature=1e5)
    wanted = counts_of(np.tile(image.mean(0), (len(text[0]), 1)), text[1], *image_of)
    np.testing.assert_array_equal(np.stack(warm.via_image_soft[0][:3]), wanted)


@pytest.mark.optimised
def test_images_that_tie_for_nearest_stand_at_their_mean_in_any_order():
    text, image = unit([[1, 1, 0], [0, 0, 0], [0, 0, 1]]), unit([[1, 0, 0], [0, 1, 0], [0, 0, 1]])
    other = unit([[1, 0, 0], [1, 1, 0], [1, 1, 1]])
    for order in ([0, 1, 2], [2, 1, 0], [1, 2, 0]):
        place = np.argsort(order)
        owners = [place[[1, 2, 0]], place]
        found = rank_tasks([text, other], image[order], owners, [gold_of(owner, 3) for owner in owners]).via_image[0]
        # image 0 alone would put the caption [1, 0, 0] first; a zero row is equally near to all images
        assert found.better[:2].tolist() == found.equal[:2].tolist() == [0, 0]


def test_doubled_images_are_one():
    text, image, image_of, captions_of, _ = scene(counts=(12, 12))
    more = [np.concatenate([gold, gold * 0 - 1]) for gold in captions_of]
    once, twice = rank_tasks(text, image, image_of, captions_of), rank_tasks(text, [*image, *image], image_of, more)
    same(once.via_image[0], twice.via_image[0])


@settings(max_examples=8, deadline=None, derandomize=True)
@given(st.integers(0, 2**31), st.sampled_from([0.25, 4.0]))
def test_order_scale_and_rotation_change_nothing(seed, scale):
    """Permuted captions and images keep every rank; so do scale, and a rotation of all where scores do not tie."""
    rng = np.random.default_rng(seed)
    text, image, image_of, captions_of, mask = scene(seed % 1000, counts=(12, 12))
    before = rank_tasks(text, image, image_of, captions_of, image_mask=mask)
    orders, order = [rng.permutation(len(rows)) for rows in text], rng.permutation(IMAGES)
    place = np.argsort(order)
    moved_of = [np.where(of >= 0, place[of], -1)[rows] for of, rows in zip(image_of, orders, strict=True)]
    gold = [gold_of(of, IMAGES) for of in moved_of]
    moved = [rows[order] for rows, order in zip(text, orders, strict=True)]
    after = rank_tasks(moved, image[order], moved_of, gold, image_mask=mask[order])
    larger = rank_tasks([scale * rows for rows in text], scale * image, image_of, captions_of, image_mask=mask)
    for task in PAIR_TASKS:
        same(Ranks(*(part[orders[0]] for part in getattr(before, task)[0])), getattr(after, task)[0])
        if task != "via_image_soft":  # where the scale is a temperature
            same(getattr(before, task)[0], getattr(larger, task)[0])

    turn = np.linalg.qr(rng.standard_normal((D, D)))[0].astype(np.float32)
    text = [rng.standard_normal(rows.shape).astype(np.float32) for rows in text]
    image = rng.standard_normal(image.shape).astype(np.float32)
    plain = rank_tasks(text, image, image_of, captions_of, temperature=0.5)
    turned = rank_tasks([rows @ turn for rows in text], image @ turn, image_of, captions_of, temperature=0.5)
    for one, other in zip(plain, turned, strict=True):
        for ranks, others in zip(one, other, strict=True):
            same(ranks, others, atol=1e-6)
