"""Scores against ten lines of NumPy, in both directions and in tiles, and with what must change nothing."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ccalign_jax.metrics import (
    SCORINGS,
    Banks,
    cosine_scores,
    csls,
    nearest_neighbour_normalization,
    rank_pairs,
    ranks_from_scores,
    transductive,
)

D, K, BETA, ALPHA = 7, 4, 12.0, 0.6
jitted_pairs = jax.jit(rank_pairs, static_argnames="block_entries")
jitted_ranks = jax.jit(ranks_from_scores)
SETTINGS = {"csls": {"k": K}, "inverted_softmax": {"inverse_temperature": BETA}, "nnn": {"k": K, "weight": ALPHA}}


def unit(rows):
    return rows / np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), 1e-12)


def sides(seed=0):
    """Queries, gallery, and a bank for each; rows repeat within a side, all are float32 unit rows."""
    rng = np.random.default_rng(seed)
    shift = rng.standard_normal(D)
    parts = [rng.standard_normal((rows, D)) + shift for rows in (11, 9, 30, 17)]
    parts[0][3], parts[1][5] = parts[0][1], parts[1][2]
    return [unit(part).astype(np.float32) for part in parts]


def reference(name, queries, gallery, query_bank, gallery_bank):
    """What a query's ranks hang on, query by item, as the papers write it; the query's own term left out."""
    plain = queries.astype(float) @ gallery.T
    bank = query_bank.astype(float) @ gallery.T
    if name == "centred_cosine":
        return unit(queries - query_bank.mean(0)) @ unit(gallery - gallery_bank.mean(0)).T
    if name == "csls":
        own = np.sort(queries.astype(float) @ gallery_bank.T, axis=1)[:, -K:].mean(1)
        return 2 * plain - own[:, None] - np.sort(bank, axis=0)[-K:].mean(0)
    if name == "inverted_softmax":
        return np.log(np.exp(BETA * plain) / np.exp(BETA * bank).sum(0))
    if name == "nnn":
        return plain - ALPHA * np.sort(bank, axis=0)[-K:].mean(0)
    return plain


@partial(jax.jit, static_argnames=("name", "block_entries"))
def prepared(name, queries, gallery, banks, **more):
    return SCORINGS[name](queries, gallery, banks, **SETTINGS.get(name, {}), **more)


def prepare(name, queries, gallery, *banks, **more):
    """By one program, where no test says otherwise."""
    return prepared(name, queries, gallery, Banks(*banks), **more)


def step_by_step(name, queries, gallery, *banks, **more):
    """Each operation by a program of its own."""
    banks = Banks(*map(jnp.asarray, banks))
    return SCORINGS[name](jnp.asarray(queries), jnp.asarray(gallery), banks, **SETTINGS.get(name, {}), **more)


def scores(done):
    return np.asarray(cosine_scores(*done))


def centred(found):
    """Scores without what is the same for all rivals of a query."""
    return found - found.mean(1, keepdims=True)


@pytest.mark.parametrize("name", SCORINGS)
def test_scores_are_the_references_in_both_directions(name):
    queries, gallery, query_bank, gallery_bank = sides()
    found = scores(prepare(name, queries, gallery, query_bank, gallery_bank))
    forward = reference(name, queries, gallery, query_bank, gallery_bank)
    backward = reference(name, gallery, queries, gallery_bank, query_bank)
    np.testing.assert_allclose(centred(found), centred(forward), atol=1e-5)
    np.testing.assert_allclose(centred(found.T), centred(backward), atol=1e-5)
    if name == "csls":  # which has both terms in the paper, too
        np.testing.assert_allclose(found, forward, atol=1e-5)


@pytest.mark.parametrize("name", SCORINGS)
@pytest.mark.parametrize("block_entries", [1, 40, 100])
def test_tiles_equal_the_whole(name, block_entries):
    parts = sides()
    whole = prepare(name, *parts)
    tiled = prepare(name, *parts, block_entries=block_entries)
    np.testing.assert_allclose(scores(tiled), scores(whole), atol=2e-6)


@pytest.mark.parametrize("name", SCORINGS)
def test_both_directions_come_from_one_score(name):
    """Pairs ranked in one block, in tiles, and from the reference's own matrix in each direction."""
    parts = sides()
    there, captions_of = np.array([0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 8]), np.full((9, 2), -1)
    for place, owner in enumerate(there):
        captions_of[owner, np.sum(captions_of[owner] >= 0)] = place
    done = prepare(name, *parts)
    forward, backward = jitted_pairs(*done, there, captions_of)
    tiled = jitted_pairs(*done, there, captions_of, block_entries=30)
    texts, images, text_bank, image_bank = parts
    wanted = (
        jitted_ranks(np.round(reference(name, *parts), 5).astype(np.float32), there[:, None]),
        jitted_ranks(
            np.round(reference(name, images, texts, image_bank, text_bank), 5).astype(np.float32), captions_of
        ),
    )
    for found, again, expected in zip((forward, backward), tiled, wanted, strict=True):
        for part in ("better", "equal", "tied"):
            np.testing.assert_array_equal(getattr(found, part), getattr(expected, part))
            np.testing.assert_array_equal(getattr(found, part), getattr(again, part))
    assert forward.equal.any()


@pytest.mark.parametrize("name", SCORINGS)
def test_masked_bank_rows_are_not_there(name):
    queries, gallery, query_bank, gallery_bank = sides()
    masks = [jnp.arange(33) < 30, jnp.arange(19) < 17]
    longer = [
        np.concatenate([bank, np.tile(gallery[:1], (rows, 1))]) for bank, rows in ((query_bank, 3), (gallery_bank, 2))
    ]
    masked = jax.jit(lambda *parts: scores_of(name, *parts, *masks))(queries, gallery, *longer)
    np.testing.assert_allclose(masked, scores(prepare(name, queries, gallery, query_bank, gallery_bank)), atol=2e-6)
    nothing = map(jnp.zeros_like, masks)
    assert np.isfinite(scores(prepare(name, queries, gallery, *longer, *nothing))).all()


def scores_of(name, *parts):
    return cosine_scores(*prepare(name, *parts))


@settings(max_examples=10, deadline=None, derandomize=True)
@given(st.integers(0, 2**31), st.sampled_from(sorted(SCORINGS)))
def test_moving_everything_changes_nothing(seed, name):
    """Permuted rows permute the scores, permuted banks keep them, and so does a rotation of everything."""
    rng = np.random.default_rng(seed)
    parts = sides(seed % 1000)
    before = scores(prepare(name, *parts))
    orders = [rng.permutation(len(part)) for part in parts]
    after = scores(prepare(name, *(part[order] for part, order in zip(parts, orders, strict=True))))
    np.testing.assert_allclose(after, before[orders[0]][:, orders[1]], atol=5e-6)
    turn = np.linalg.qr(rng.standard_normal((D, D)))[0].astype(np.float32)
    np.testing.assert_allclose(scores(prepare(name, *(part @ turn for part in parts))), before, atol=2e-5)


@pytest.mark.optimised
@pytest.mark.parametrize("name", SCORINGS)
@pytest.mark.parametrize("block_entries", [40, 2**20])
def test_equal_rows_tie_to_the_last_bit(name, block_entries):
    found = scores(step_by_step(name, *sides(), block_entries=block_entries))
    np.testing.assert_array_equal(found[3], found[1])
    np.testing.assert_array_equal(found[:, 5], found[:, 2])


@pytest.mark.optimised
@pytest.mark.parametrize(
    ("name", "captions", "images"),
    # Every score is an inner product of what it prepares, so that two of them stand for all in other shapes.
    [
        *((name, 300, 150) for name in SCORINGS),
        *(("csls", *shape) for shape in ((20, 10), (7, 1))),
    ],
)
def test_a_gold_answer_ties_with_itself_when_all_is_one_program(name, captions, images):
    """Preparing and ranking under one `jit`: a compiler must not make two values of one score."""
    rng = np.random.default_rng(0)
    rows, items = (unit(rng.standard_normal((count, D))).astype(np.float32) for count in (captions, images))
    owner = np.arange(captions) % images
    captions_of = np.full((images, -(-captions // images)), -1)
    captions_of[owner, np.arange(captions) // images] = np.arange(captions)

    @jax.jit
    def together(rows, items):
        both = rank_pairs(*SCORINGS[name](rows, items, Banks(rows, items)), owner, captions_of)
        return [(ranks.equal, ranks.tied) for ranks in both]  # what else follows from counts takes long to compile

    for equal, tied in together(rows, items):
        assert (np.asarray(tied) == 1).all() or images == 1
        # no two rows are alike: every item but the gold ones is either better or worse
        assert (np.asarray(equal) == 0).all()


@pytest.mark.parametrize("name", SCORINGS)
def test_a_zero_row_is_finite(name):
    queries, gallery, *banks = sides()
    queries[4], gallery[0], banks[0][7] = 0.0, 0.0, 0.0
    found = scores(prepare(name, queries, gallery, *banks))
    assert np.isfinite(found).all()


def test_centring_undoes_a_shift_of_a_side():
    queries, gallery, query_bank, gallery_bank = sides()
    before = scores(prepare("centred_cosine", queries, gallery, query_bank, gallery_bank))
    shift = np.full(D, 3.0, np.float32)
    after = scores(prepare("centred_cosine", queries + shift, gallery, query_bank + shift, gallery_bank))
    np.testing.assert_allclose(after, before, atol=1e-5)


def test_local_scaling_takes_a_hub_down():
    """An item that is fairly near to every query is first for none once its neighbourhood counts."""
    rng = np.random.default_rng(3)
    shared, own = np.zeros((80, 41)), np.zeros((80, 41))
    shared[:, 0], own[:, 1:] = 1.0, unit(rng.standard_normal((80, 40)))
    rows = unit(shared + own).astype(np.float32)
    queries, bank = rows[:40], rows[40:]
    gallery = unit(own[:40] + 0.4 * rng.standard_normal((40, 41)) / np.sqrt(41)).astype(np.float32)
    gallery[0] = shared[0]  # .71 from every query; the others are about .66 from their own
    plain = scores(prepare("cosine", queries, gallery, bank, bank)).argmax(1)
    for name in ("csls", "inverted_softmax", "nnn"):
        scaled = scores(prepare(name, queries, gallery, bank, bank)).argmax(1)
        assert np.sum(plain == 0) > 30 and np.sum(scaled == 0) <= 1, name


@pytest.mark.parametrize("name", SCORINGS)
def test_transductive_banks_are_the_test_itself(name):
    queries, gallery, *_ = sides()
    found = scores(transductive(name)(jnp.asarray(queries), jnp.asarray(gallery), **SETTINGS.get(name, {})))
    np.testing.assert_array_equal(found, scores(step_by_step(name, queries, gallery, queries, gallery)))


def test_a_small_bank_gives_all_it_has():
    queries, gallery, query_bank, gallery_bank = sides()
    banks = Banks(query_bank[:3], gallery_bank[:2])
    found = csls(*jax.tree.map(jnp.asarray, (queries, gallery, banks)), k=10)
    np.testing.assert_allclose(-found.gallery[:, -1], (gallery @ query_bank[:3].T).mean(1), atol=1e-6)


def test_what_does_not_fit_is_said():
    rows = jnp.eye(3)
    with pytest.raises(ValueError, match=r"\[3, 3\], \[3, 3\], \[3, 2\]"):
        csls(rows, rows, Banks(rows[:, :2], rows))
    with pytest.raises(ValueError, match="no empty bank"):
        csls(rows, rows, Banks(rows, rows[:0]))
    with pytest.raises(ValueError, match="k is 0"):
        nearest_neighbour_normalization(rows, rows, Banks(rows, rows), k=0)
    with pytest.raises(ValueError, match="unknown scoring 'tsne'"):
        transductive("tsne")
