"""Ranks against every order of the ties, against other libraries, and against themselves in disguise."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ccalign_jax.metrics import (
    SCORINGS,
    Banks,
    Ranks,
    all_tied,
    cosine_scores,
    expected_rank,
    rank,
    rank_pairs,
    rank_tasks,
    ranks_from_scores,
    recall_at,
    resolve_ties,
    retrieval_metrics,
    stream_ranks,
)
from ccalign_jax.metrics import ranks as ranks_module
from ccalign_jax.numerics import unit_rows

KS = (1, 2, 5)
jitted_pairs = jax.jit(rank_pairs, static_argnames="block_entries")
jitted_rank = jax.jit(rank, static_argnames="block_entries")
jitted_unit = jax.jit(unit_rows)


@jax.jit
def prepared(text, image):
    """The rows that are ranked under each scoring."""
    return [prepare(text, image, Banks(text, image)) for prepare in SCORINGS.values()]


def brute_force(scores, gold):
    """Recall at KS, reciprocal rank and average precision of one query, averaged over all orders of the ties."""
    levels = [np.flatnonzero(scores == level) for level in np.unique(scores)[::-1]]
    found = []
    for order in itertools.product(*(list(itertools.permutations(level)) for level in levels)):
        hits = np.isin(np.concatenate(order), gold)
        places = np.flatnonzero(hits) + 1
        precision = np.mean(np.arange(1, len(places) + 1) / places)
        found.append([*(places[0] <= k for k in KS), 1 / places[0], precision, places[0]])
    return np.mean(found, axis=0), np.min(found, axis=0), np.max(found, axis=0)


def metrics_of(ranks, row):
    one = Ranks(*(np.asarray(part)[row : row + 1] for part in ranks))
    means = one.reciprocal_rank[0], one.average_precision[0], expected_rank(one)[0]
    return np.array([*(float(recall_at(one, k)[0]) for k in KS), *means])


def same(left, right):
    for name, one, other in zip(Ranks._fields, left, right, strict=True):
        np.testing.assert_array_equal(np.asarray(one), np.asarray(other), err_msg=name)


def close(left, right):
    """Counts equal, expectations up to the rounding of another program."""
    for one, other in zip(left[:3], right[:3], strict=True):
        np.testing.assert_array_equal(np.asarray(one), np.asarray(other))
    for one, other in zip(left[3:], right[3:], strict=True):
        np.testing.assert_allclose(np.asarray(one), np.asarray(other), atol=2e-7)


@st.composite
def tied_queries(draw):
    """Two queries over a small gallery of few distinct scores, with 0 to 3 gold answers, and a mask."""
    size = 6  # the mask makes it smaller
    scores = [[draw(st.integers(0, 2)) for _ in range(size)] for _ in range(2)]
    mask = [draw(st.booleans()) for _ in range(size)]
    there = [place for place in range(size) if mask[place]]
    answers = [draw(st.lists(st.sampled_from(there), unique=True, max_size=3)) if there else [] for _ in range(2)]
    gold = [[*one, *[-1] * (3 - len(one))] for one in answers]
    return np.array(scores, np.float32), np.array(gold), np.array(mask)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(tied_queries())
def test_expectations_are_those_over_all_orders(case):
    scores, gold, mask = case
    ranks = ranks_from_scores(scores, gold, gallery_mask=mask)
    other = ranks_from_scores(scores.T, gold, gallery_mask=mask, query_axis=1)
    same(ranks, other)
    for row in range(2):
        answers = gold[row][gold[row] >= 0]
        if not len(answers):
            assert metrics_of(ranks, row)[:5].tolist() == [0.0] * 5
            assert int(ranks.tied[row]) == 0
            continue
        kept = np.flatnonzero(mask)
        mean, low, high = brute_force(scores[row, kept], np.searchsorted(kept, answers))
        np.testing.assert_allclose(metrics_of(ranks, row), mean, atol=1e-6)
        lost, won = (metrics_of(resolve_ties(ranks, how), row) for how in ("pessimistic", "optimistic"))
        np.testing.assert_allclose(lost[:4], low[:4], atol=1e-6)
        np.testing.assert_allclose(won[:4], high[:4], atol=1e-6)


@pytest.mark.parametrize("better", [0, 1, 4, 9])
@pytest.mark.parametrize("equal", [0, 1, 3, 20])
@pytest.mark.parametrize("k", [1, 5, 10])
def test_recall_of_one_gold_is_the_clipped_ratio(better, equal, k):
    lower = 32 - better - equal  # so that all have one shape
    scores = np.concatenate([[1.0], np.full(better, 2.0), np.full(equal, 1.0), np.zeros(lower)])[None]
    ranks = ranks_from_scores(scores.astype(np.float32), np.zeros((1, 1), int))
    assert (int(ranks.better[0]), int(ranks.equal[0]), int(ranks.tied[0])) == (better, equal, 1)
    assert float(recall_at(ranks, k)[0]) == pytest.approx(np.clip((k - better) / (equal + 1), 0, 1), abs=1e-6)
    np.testing.assert_allclose(ranks.reciprocal_rank, ranks.average_precision, atol=1e-6)


def duplicated(seed=0, images=13, captions=29, d=8):
    """Captions and images with repeated rows, ragged: image 0 has no caption, the last caption no image."""
    rng = np.random.default_rng(seed)
    image = rng.standard_normal((images, d)).astype(np.float32)
    image[3] = image[7]
    image_of = np.sort(rng.integers(1, images, captions))
    image_of[-1] = -1
    text = image[image_of] + 0.8 * rng.standard_normal((captions, d)).astype(np.float32)
    text[5], text[11] = text[2], text[2]
    captions_of = np.full((images, captions), -1)
    for place, owner in enumerate(image_of[:-1]):
        captions_of[owner, np.sum(captions_of[owner] >= 0)] = place
    width = max(1, int((captions_of >= 0).sum(1).max()))
    unit = [np.asarray(jitted_unit(rows)) for rows in (text, image)]
    return (*unit, image_of, captions_of[:, :width])


def padded(captions_of):
    return np.pad(captions_of, [(0, 0), (0, 12 - captions_of.shape[1])], constant_values=-1)


def test_an_answer_that_is_listed_twice_counts_once():
    found = jitted_rank(np.eye(3), np.eye(3), np.array([[0, 0], [1, 1], [2, -1]]))
    assert set(retrieval_metrics(found).values()) == {1.0}
    scores = np.random.default_rng(0).integers(0, 4, (30, 9)).astype(np.float32)
    once = np.tile([[2, 5, -1, -1, -1]], (30, 1))
    expected = ranks_from_scores(scores, once)
    same(ranks_from_scores(scores, np.tile([[5, 2, 5, 2, 2]], (30, 1))), expected)
    same(ranks_from_scores(scores.T, np.tile([[5, 2, 5, 2, 2]], (30, 1)), query_axis=1), expected)
    close(all_tied(np.array([[5, 2, 5, 2, 2]]), 9), all_tied(once[:1], 9))


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.integers(0, 2**31), st.integers(12, 30))
def test_average_precision_of_many_answers_is_that_over_random_orders(seed, answers):
    """Ties among answers and rivals, by NumPy: for each answer the mean over the places of its level."""
    rng = np.random.default_rng(seed)
    scores, gold = rng.integers(0, 6, 50), rng.choice(50, answers, replace=False)
    total = 0.0
    for answer in gold:
        above, level = scores > scores[answer], scores == scores[answer]
        ours_above, ours_level = above[gold].sum(), level[gold].sum()
        before = np.arange(level.sum())
        precision = ours_above + 1 + before * (ours_level - 1) / max(level.sum() - 1, 1)
        total += np.mean(precision / (above.sum() + 1 + before))
    padded = np.full((1, 32), -1)
    padded[0, :answers] = gold
    found = ranks_from_scores(scores[None].astype(np.float32), padded)
    np.testing.assert_allclose(found.average_precision[0], total / answers, rtol=1e-5)


@pytest.mark.optimised
@pytest.mark.parametrize("block_entries", [1, 58, 29 * 13 - 1])
def test_tiles_equal_the_whole(block_entries):
    text, image, image_of, captions_of = map(jnp.asarray, duplicated())
    mask = jnp.arange(13) != 12
    whole = jitted_pairs(text, image, image_of, captions_of, image_mask=mask)
    tiled = jitted_pairs(text, image, image_of, captions_of, image_mask=mask, block_entries=block_entries)
    for one, other in zip(whole, tiled, strict=True):
        same(one, other)
    assert whole[0].tied[-1] == 0 and whole[1].tied[0] == 0
    assert whole[0].equal.max() >= 1
    if block_entries == 58:  # each direction alone, which both in tiles consist of
        tiles = {"block_entries": block_entries}
        same(whole[0], jitted_rank(text, image, image_of[:, None], gallery_mask=mask, **tiles))
        same(whole[1], jitted_rank(image, text, captions_of, gallery_mask=image_of >= 0, **tiles))


@pytest.mark.parametrize("shape", [(3, 0), (3,), (2, 1), (3, 1, 1)])
def test_gold_answers_of_another_shape_are_refused(shape):
    with pytest.raises(ValueError, match=r"must be \[3, k\], k at least 1, gallery rows of each query"):
        rank(jnp.eye(3), jnp.eye(3), jnp.zeros(shape, int))


def test_gold_answers_beyond_the_gallery_are_refused():
    rows = jnp.eye(3)
    for gold in (np.array([[0], [1], [3]]), jnp.array([[0], [1], [3]])):
        with pytest.raises(ValueError, match="gold has row 3, the gallery 3 rows"):
            rank(rows, rows, gold)
        with pytest.raises(ValueError, match="gold has row 3, the gallery 3 rows"):
            rank_pairs(rows, rows, gold[:, 0], gold * 0)
        with pytest.raises(ValueError, match="gold has row 3, the gallery 3 rows"):
            rank_pairs(rows, rows, gold[:, 0] * 0, gold)


def test_the_filling_of_the_last_tile_is_no_query(monkeypatch):
    """Zero rows tie with the whole gallery: as queries they would cost a loop over all of it."""
    filled = []

    def zeros_only(function, rows, *, size):
        filled.append(function(jax.tree.map(jnp.zeros_like, rows)))

    monkeypatch.setattr(ranks_module, "map_row_tiles", zeros_only)
    rank(jnp.ones((5, 4)), jnp.ones((5, 4)), jnp.arange(5)[:, None], block_entries=10)
    assert not filled[0].tied.any() and not filled[0].equal.any()


@pytest.mark.optimised
@pytest.mark.parametrize("size", [2**15 - 1, 2**15, 2**15 + 1])
def test_the_largest_counts_survive_packing(size):
    scores = jnp.zeros((3, size)).at[1, 1:].set(1.0).at[2, 0].set(1.0)
    ranks = ranks_from_scores(scores, jnp.zeros((3, 1), int))
    assert ranks.better.tolist() == [0, size - 1, 0]
    assert ranks.equal.tolist() == [size - 1, 0, 0]
    assert float(ranks.reciprocal_rank[0]) == pytest.approx(np.mean(1 / np.arange(1, size + 1)), rel=1e-4)


# Every number of rows with every number of others, and each of both with a short row and a long one.
SHAPES = [
    (rows, others, (8, 513)[(place + number) % 2])
    for place, rows in enumerate((1, 5, 17, 277))
    for number, others in enumerate((1, 2, 8, 33))
]


@pytest.mark.optimised
@pytest.mark.parametrize(("rows", "others", "d"), SHAPES)
@pytest.mark.parametrize("scores", [cosine_scores, jax.jit(cosine_scores)], ids=["eager", "compiled"])
def test_equal_rows_tie_exactly(rows, others, d, scores):
    """The same row at another place must give the same score to the last bit, on both sides and in every shape."""
    rng = np.random.default_rng(rows * others * d)
    single, other = (rng.standard_normal((n, d)).astype(np.float32) for n in (rows, others))
    double = np.concatenate([single, single[::-1]])
    down = np.asarray(scores(double, other))
    np.testing.assert_array_equal(down[:rows], down[rows:][::-1])
    across = np.asarray(scores(other, double))
    np.testing.assert_array_equal(across[:, :rows], across[:, rows:][:, ::-1])


@pytest.mark.optimised
@pytest.mark.parametrize("queries", [1, 3, 8])
def test_an_exact_duplicate_ties_for_a_few_queries(queries):
    rng = np.random.default_rng(queries)
    gallery = rng.standard_normal((554, 512)).astype(np.float32)
    gallery[277:] = gallery[:277]
    gold = rng.integers(0, 554, (queries, 1))
    for ranks in (rank, jitted_rank):
        found = ranks(gallery[gold[:, 0]] + rng.standard_normal((queries, 512)).astype(np.float32), gallery, gold)
        assert found.equal.tolist() == [1] * queries
    pairs = rank_pairs(
        gallery[:queries], gallery, np.arange(queries), np.where(np.arange(554) < queries, np.arange(554), -1)[:, None]
    )
    assert pairs[0].equal.tolist() == [1] * queries


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_half_precision_rows_are_scored_in_float32(dtype):
    rng = np.random.default_rng(0)
    text, image = (jnp.asarray(rng.standard_normal((40, 64)), dtype) for _ in range(2))
    there = np.arange(40)
    wide = text.astype(jnp.float32), image.astype(jnp.float32)
    assert cosine_scores(text, image).dtype == jnp.float32
    for found, expected in zip(
        jitted_pairs(text, image, there, there[:, None]), jitted_pairs(*wide, there, there[:, None]), strict=True
    ):
        same(found, expected)


@pytest.mark.optimised
@settings(max_examples=15, deadline=None, derandomize=True)
@given(st.integers(0, 2**31), st.sampled_from([0.25, 4.0]))
def test_moving_everything_changes_nothing(seed, scale):
    """Permuted items, permuted queries and scaled rows keep every rank; a rotation does where scores do not tie."""
    rng = np.random.default_rng(seed)
    text, image, image_of, captions_of = duplicated(seed)
    forward, backward = jitted_pairs(text, image, image_of, padded(captions_of))
    of_text, of_image = rng.permutation(len(text)), rng.permutation(len(image))
    to_text, to_image = np.argsort(of_text), np.argsort(of_image)
    moved_of = np.where(image_of >= 0, to_image[image_of], -1)[of_text]
    moved_captions = np.where(captions_of >= 0, to_text[captions_of], -1)[of_image]
    moved = jitted_pairs(scale * text[of_text], scale * image[of_image], moved_of, padded(moved_captions))
    close(Ranks(*(part[of_text] for part in forward)), moved[0])
    close(Ranks(*(part[of_image] for part in backward)), moved[1])

    turn = np.linalg.qr(rng.standard_normal((8, 8)))[0].astype(np.float32)
    rows = rng.standard_normal((12, 8)).astype(np.float32)
    gold = jnp.asarray(rng.permutation(12)[:, None])
    near = jnp.asarray(rows + rng.standard_normal((12, 8)).astype(np.float32))
    close(jitted_rank(rows, near, gold), jitted_rank(rows @ turn, near @ turn, gold))


def test_sklearn_and_scipy_agree_without_ties():
    metrics, stats = pytest.importorskip("sklearn.metrics"), pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(0)
    scores = rng.permutation(20 * 30).reshape(20, 30).astype(np.float32)
    gold = np.stack([rng.choice(30, 3, replace=False) for _ in range(20)])
    ranks = ranks_from_scores(jnp.asarray(scores), jnp.asarray(gold))
    for row in range(20):
        relevant = np.isin(np.arange(30), gold[row])
        expected = metrics.average_precision_score(relevant, scores[row])
        assert float(ranks.average_precision[row]) == pytest.approx(expected, abs=1e-6)
        best = stats.rankdata(-scores[row])[gold[row]].min()
        assert float(ranks.better[row]) + 1 == best
        assert float(ranks.reciprocal_rank[row]) == pytest.approx(1 / best, abs=1e-6)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.integers(0, 2**31), st.integers(2, 24), st.integers(1, 14))
def test_sklearns_ndcg_agrees_under_ties(seed, size, answers):
    """Its `ignore_ties=False` averages over tied places, too."""
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(seed)
    scores = np.full((3, 24), -9.0, np.float32)
    scores[:, :size] = rng.integers(0, 5, (3, size))
    gold = np.full((3, 14), -1)
    count = min(answers, size)
    gold[:, :count] = [rng.choice(size, count, replace=False) for _ in range(3)]
    found = ranks_from_scores(scores, gold, gallery_mask=np.arange(24) < size).ndcg
    for row in range(3):
        relevant = np.isin(np.arange(size), gold[row])
        expected = metrics.ndcg_score(relevant[None].astype(float), scores[row : row + 1, :size], k=10)
        assert float(found[row]) == pytest.approx(expected, abs=1e-6)


def test_ndcg_by_hand():
    """Gold at places 2 and 11 of 12: the second gains nothing, and both would have gained at the top."""
    scores = jnp.arange(12.0, 0, -1)[None]
    found = ranks_from_scores(jnp.tile(scores, (4, 1)), jnp.array([[1, 10], [11, -1], [0, 1], [-1, -1]]))
    np.testing.assert_allclose(found.ndcg, [(1 / np.log2(3)) / (1 + 1 / np.log2(3)), 0, 1, 0], atol=1e-6)


def test_a_zero_row_ties_with_all():
    rows = jnp.asarray(np.random.default_rng(0).standard_normal((6, 4)), jnp.float32)
    ranks = rank(rows.at[2].set(0.0), rows, jnp.arange(6)[:, None])
    chance = all_tied(np.zeros((1, 1), int), 6)
    assert int(ranks.equal[2]) == 5
    assert float(ranks.reciprocal_rank[2]) == pytest.approx(float(chance.reciprocal_rank[0]), abs=1e-6)


def test_nan_scores_stand_below_everything():
    """A query whose scores are NaN has lost; it must not drop out of the mean, nor win."""
    nan = jnp.nan
    scores = jnp.array([[nan, nan, nan, nan], [nan, 0.1, 0.2, 9.0], [0.1, nan, 0.0, 9.0]])
    ranks = ranks_from_scores(scores, jnp.zeros((3, 1), int), gallery_mask=jnp.array([True, True, True, False]))
    assert ranks.better.tolist() == [0, 2, 0]
    assert ranks.equal.tolist() == [2, 0, 0]
    assert ranks.tied.tolist() == [1, 1, 1]


@pytest.mark.parametrize(("answers", "gallery"), [(1, 1), (1, 5), (2, 5), (3, 3), (3, 6)])
def test_all_tied_is_the_mean_over_orders(answers, gallery):
    chance = all_tied(np.arange(answers)[None], gallery)
    mean, _, _ = brute_force(np.zeros(gallery), np.arange(answers))
    np.testing.assert_allclose(metrics_of(chance, 0), mean, atol=1e-12)
    scored = ranks_from_scores(jnp.zeros((1, gallery)), jnp.arange(answers)[None])
    close(scored, chance)


def test_ranks_under_64_bit_types_are_those_without(monkeypatch):
    """Counts are 32-bit whole numbers everywhere, in loops too; rows keep their dtype."""
    monkeypatch.setattr(ranks_module, "CACHED_ROWS", 7)
    rng = np.random.default_rng(0)
    text, image = (rng.standard_normal((12, 8)).astype(np.float32) for _ in range(2))
    there = np.arange(12)
    gold = np.stack([there, there - 1], axis=1)
    calls = [
        lambda: jitted_rank(text, image, gold),
        lambda: jitted_pairs(text, image, there, gold, block_entries=30),
        lambda: stream_ranks(text, image, gold),
        lambda: rank_tasks([text, image], image, [there] * 2, [there[:, None]] * 2),
        lambda: prepared(text, image),
    ]
    for call in calls:
        expected = jax.tree.leaves(call())
        with jax.enable_x64(True):
            found = jax.tree.leaves(call())
        for one, other in zip(found, expected, strict=True):
            assert one.dtype == other.dtype
            np.testing.assert_allclose(one, other, atol=1e-6)


def test_tasks_of_half_precision_rows_are_scored_in_float32():
    rng = np.random.default_rng(0)
    text, image = (jnp.asarray(rng.standard_normal((12, 8)), jnp.bfloat16) for _ in range(2))
    there = jnp.arange(12)
    found = rank_tasks([text, text], image, [there] * 2, [there[:, None]] * 2, tasks=("t2t", "via_image"))
    wide = text.astype(jnp.float32), image.astype(jnp.float32)
    same(found.t2i[0], jitted_rank(*wide, there[:, None]))
    assert (found.via_image[0].tied == 1).all()


def test_tasks_of_lists_of_other_lengths_are_refused():
    rows, there = np.eye(3, dtype=np.float32), np.arange(3)
    with pytest.raises(ValueError, match="shorter"):
        rank_tasks([rows, rows], rows, [there], [there[:, None]])
