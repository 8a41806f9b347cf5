"""Retrieval between languages against ten lines of NumPy, with ties on the way, and against itself in disguise."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ccalign_jax.metrics import Banks, Ranks, csls, rank, rank_pairs, rank_text_pairs, rank_via_image
from ccalign_jax.numerics import unit_rows

IMAGES, D = 9, 6
TASKS = ["hard", "soft", "oracle"]
STATIC = ("how", "block_entries")
jitted_rank, jitted_both = jax.jit(rank), jax.jit(rank_pairs)
jitted_pairs = jax.jit(rank_text_pairs, static_argnames="block_entries")
jitted_via = jax.jit(rank_via_image, static_argnames=STATIC)


def unit(rows):
    return np.asarray(unit_rows(jnp.asarray(rows, jnp.float32)))


def scene(seed=0):
    """Images, and two languages' captions with repeats; images 0 and 1 lack a language, the last rows are padding."""
    rng = np.random.default_rng(seed)
    image = rng.integers(-2, 3, (IMAGES, D)) + 0.5  # few values, so that scores tie exactly
    image[4] = image[6]
    owners = (np.repeat(np.arange(1, IMAGES), 2), np.array([0, 2, 2, 2, 3, 4, 5, 6, 7, 8, 8, 3]))
    text = []
    for owner in owners:
        rows = image[owner] + rng.integers(-1, 2, (len(owner), D))
        rows[3], rows[1] = rows[5], rows[2]
        text.append(np.concatenate([rows, np.full((2, D), 9.0)]))
    owners = [np.concatenate([owner, [-1, -1]]) for owner in owners]
    captions_of = np.full((IMAGES, 4), -1)
    for place, owner in enumerate(owners[1][:-2]):
        captions_of[owner, np.sum(captions_of[owner] >= 0)] = place
    return unit(text[0]), unit(text[1]), unit(image), owners[0], owners[1], captions_of


def same(left, right, atol=2e-7):
    for name, one, other in zip(Ranks._fields, left, right, strict=True):
        np.testing.assert_allclose(np.asarray(one), np.asarray(other), atol=atol, err_msg=name)


def reference(queries, gallery, image_of_query, image_of, captions_of):
    """Counts of better, equal and tied, a caption at a time, scores in float64 rounded where they should tie."""
    counts = []
    for row, owner in zip(queries, image_of_query, strict=True):
        gold = [place for place in captions_of[owner] if place >= 0] if owner >= 0 else []
        scores = np.round(gallery.astype(float) @ row, 6)
        best = max((scores[place] for place in gold), default=np.inf)
        rivals = [place for place in range(len(gallery)) if image_of[place] >= 0 and place not in gold]
        counts.append([np.sum(scores[rivals] > best), np.sum(scores[rivals] == best), np.sum(scores[gold] == best)])
    return np.array(counts).T


def lead(how, queries, image, image_of_query, temperature):
    """The row that each query leads to."""
    scores = np.round(queries.astype(float) @ image.T, 6)
    weights = {
        "hard": scores == scores.max(1, keepdims=True),
        "soft": np.exp((scores - scores.max(1, keepdims=True)) / temperature),
        "oracle": np.arange(len(image)) == image_of_query[:, None],
    }[how]
    return weights @ image.astype(float) / np.maximum(weights.sum(1, keepdims=True), 1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_direct_is_the_reference(seed):
    text, other, _, *where = scene(seed)
    found = jitted_pairs(text, other, *where)
    np.testing.assert_array_equal(np.stack(found[:3]), reference(text, other, *where))
    assert (found.tied[:2] == 0).all() and (found.tied[-2:] == 0).all()  # image 1 has none in the other; padding
    assert np.asarray(found.equal).any() and (found.tied > 1).any()


@pytest.mark.parametrize("how", TASKS)
@pytest.mark.parametrize("seed", range(3))
def test_the_way_through_the_images_is_the_reference(how, seed):
    text, other, image, *where = scene(seed)
    found = jitted_via(text, other, image, *where, how=how, temperature=0.05)
    rows = lead(how, text, image, where[0], 0.05)
    np.testing.assert_array_equal(np.stack(found[:3]), reference(rows, other, *where))


@pytest.mark.optimised
@pytest.mark.parametrize("block_entries", [1, 40, 14 * IMAGES])
@pytest.mark.parametrize("how", [None, *TASKS])
def test_tiles_equal_the_whole(how, block_entries):
    text, other, image, *where = scene()
    if how is None:
        function = partial(jitted_pairs, text, other, *where)
    else:
        function = partial(jitted_via, text, other, image, *where, how=how)
    same(function(), function(block_entries=block_entries))


def test_one_caption_an_image_is_plain_rank():
    rng = np.random.default_rng(0)
    text, other = unit(rng.standard_normal((7, D))), unit(rng.standard_normal((7, D)))
    there = np.arange(7)
    same(jitted_pairs(text, other, there, there, there[:, None]), jitted_rank(text, other, there[:, None]))


@pytest.mark.optimised
def test_hard_through_distinct_images_is_the_row_of_the_nearest():
    rng = np.random.default_rng(1)
    text, other, image = (unit(rng.standard_normal((30, D))) for _ in range(3))
    there = np.arange(30)
    found = jitted_via(text, other, image, there, there, there[:, None])
    same(found, jitted_rank(image[np.argmax(text @ image.T, axis=1)], other, there[:, None]))


def test_oracle_is_the_image_to_text_direction():
    text, other, image, of_query, image_of, captions_of = scene()
    found = jitted_via(text, other, image, of_query, image_of, captions_of, how="oracle")
    backward = jitted_both(other, image, image_of, captions_of)[1]
    same(Ranks(*(part[:-2] for part in found)), Ranks(*(part[of_query[:-2]] for part in backward)))


def test_soft_falls_to_hard_and_rises_to_the_centre():
    text, other, image, *where = scene()
    hard = jitted_via(text, other, image, *where)
    same(hard, jitted_via(text, other, image, *where, how="soft", temperature=1e-6))
    centre = np.tile(image.mean(0), (len(text), 1))
    np.testing.assert_array_equal(
        np.stack(jitted_via(text, other, image, *where, how="soft", temperature=1e5)[:3]),
        reference(centre, other, *where),
    )


@pytest.mark.optimised
def test_images_that_tie_for_nearest_lead_to_their_mean_in_any_order():
    text = unit([[1, 1, 0], [0, 0, 0]])
    image = unit([[1, 0, 0], [0, 1, 0], [0, 0, 1]])
    other = unit([[1, 0, 0], [1, 1, 0], [1, 1, 1]])
    there = np.arange(3)
    for order in ([0, 1, 2], [2, 1, 0], [1, 2, 0]):
        of_query = np.argsort(order)[[1, 2]]
        found = jitted_via(text, other, image[order], of_query, np.argsort(order), there[order][:, None])
        # image 0 alone would put the caption [1, 0, 0] first; a zero row leads to the centre of all
        assert np.asarray(found.better).tolist() == [0, 0]
        assert np.asarray(found.equal).tolist() == [0, 0]


@pytest.mark.optimised
def test_doubled_images_are_one():
    text, other, image, of_query, image_of, captions_of = scene()
    once = jitted_via(text, other, image, of_query, image_of, captions_of)
    twice = jitted_via(
        text,
        other,
        np.concatenate([image, image]),
        of_query,
        image_of,
        np.concatenate([captions_of, captions_of * 0 - 1]),
    )
    same(once, twice)


def test_masked_images_are_not_there():
    text, other, image, *where = scene()
    more = np.concatenate([image, 5 * text[:3]])
    longer = np.concatenate([where[2], np.full((3, 4), -1)])
    for how in ("hard", "soft"):
        whole = jitted_via(text, other, image, *where, how=how)
        masked = jitted_via(text, other, more, *where[:2], longer, how=how, image_mask=np.arange(IMAGES + 3) < IMAGES)
        same(whole, masked)


@pytest.mark.optimised
@settings(max_examples=12, deadline=None, derandomize=True)
@given(st.integers(0, 2**31), st.sampled_from(TASKS), st.sampled_from([0.25, 4.0]))
def test_moving_everything_changes_nothing(seed, how, scale):
    """Permuted captions and images keep every rank; so does scale, and a rotation of all where scores do not tie."""
    rng = np.random.default_rng(seed)
    text, other, image, of_query, image_of, captions_of = scene(seed)
    before = jitted_via(text, other, image, of_query, image_of, captions_of, how=how)
    of_text, of_other, of_image = (rng.permutation(len(rows)) for rows in (text, other, image))
    to_other, to_image = np.argsort(of_other), np.argsort(of_image)
    moved = (
        np.where(of_query >= 0, to_image[of_query], -1)[of_text],
        np.where(image_of >= 0, to_image[image_of], -1)[of_other],
        np.where(captions_of >= 0, to_other[captions_of], -1)[of_image],
    )
    after = jitted_via(text[of_text], other[of_other], image[of_image], *moved, how=how)
    same(Ranks(*(part[of_text] for part in before)), after)
    if how != "soft":  # where the scale is a temperature
        same(before, jitted_via(scale * text, scale * other, scale * image, of_query, image_of, captions_of, how=how))

    turn = np.linalg.qr(rng.standard_normal((D, D)))[0].astype(np.float32)
    text, other, image = (rng.standard_normal(rows.shape).astype(np.float32) for rows in (text, other, image))
    where = (of_query, image_of, captions_of)
    same(
        jitted_via(text, other, image, *where, how=how, temperature=0.5),
        jitted_via(text @ turn, other @ turn, image @ turn, *where, how=how, temperature=0.5),
        atol=1e-6,
    )


def test_scores_fit_both_steps():
    """CSLS between the languages; and on the way to the images and back, each step with its own rows of an image."""
    text, other, image, *where = scene()
    bank = unit(np.random.default_rng(5).standard_normal((20, D)))
    banks = Banks(bank, bank)
    done = csls(text, other, banks)
    found = jitted_pairs(*done, *where)
    scores = np.asarray(done.queries @ done.gallery.T)
    np.testing.assert_array_equal(np.stack(found[:3]), reference(np.eye(len(text)), scores.T, *where))
    near, far = csls(text, image, banks), csls(image, other, banks)
    through = partial(
        rank_via_image,
        image_score=lambda rows, images: rows @ images["near"].T,
        score=lambda images, rows: images["far"] @ rows.T,
    )
    found = jax.jit(through)(near.queries, far.gallery, {"near": near.gallery, "far": far.queries}, *where)
    nearest = np.asarray(near.queries @ near.gallery.T).argmax(1)
    scores = np.asarray(far.queries @ far.gallery.T)[nearest]
    np.testing.assert_array_equal(
        np.asarray(found.better)[where[0] > 0], reference(np.eye(len(text)), scores.T, *where)[0][where[0] > 0]
    )


def test_what_does_not_fit_is_said():
    text, other, image, *where = scene()
    with pytest.raises(ValueError, match="how is 'harder'"):
        rank_via_image(text, other, image, *where, how="harder")
    with pytest.raises(ValueError, match="image has 8 rows"):
        rank_via_image(text, other, image[1:], *where)
    with pytest.raises(ValueError, match="queries has 17 rows, but 18 images"):
        rank_text_pairs(text[1:], other, *where)
