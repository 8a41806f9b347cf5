"""Ranks from streams of rows: those of the whole block, whatever is read at a time; ties, many gold answers, CSLS."""

from functools import partial

import jax
import numpy as np
import pytest

from ccalign_jax.metrics import Banks, Ranks, csls, rank, sources, stream_neighbours, stream_ranks, streaming
from ccalign_jax.numerics import unit_float32, unit_rows

jitted_unit, jitted_rank = jax.jit(unit_rows), jax.jit(rank)


@pytest.fixture(autouse=True)
def small_tiles(monkeypatch):
    """Tiles of a few rows, so that small data have many."""
    monkeypatch.setattr(sources, "QUERY_TILE", 16)
    monkeypatch.setattr(sources, "GALLERY_TILE", 32)


def problem(queries: int, gallery: int, width: int = 12, golds: int = 3):
    """Every other row of a side occurs twice; some queries have no gold answer, some several, which tie."""
    rng = np.random.default_rng(0)
    rows = [unit_float32(rng.normal(size=(n, width))) for n in (queries, gallery)]
    for side in rows:
        side[1::2] = side[: len(side) - 1 : 2][: len(side[1::2])]
    gold = np.full((queries, golds), -1)
    for row in range(queries):
        count = rng.integers(0, min(golds, gallery) + 1)
        gold[row, :count] = rng.choice(gallery, count, replace=False)
    return rows[0], rows[1], gold


def turned(gold: np.ndarray, items: int) -> np.ndarray:
    owners = [[query for query, answers in enumerate(gold) if item in answers] for item in range(items)]
    width = max(map(len, owners))
    return np.array([each + [-1] * (width - len(each)) for each in owners])


def assert_same(found: Ranks, expected: Ranks):
    for name, one, other in zip(Ranks._fields, found, expected, strict=True):
        if name in ("better", "equal", "tied"):
            np.testing.assert_array_equal(one, other, err_msg=name)
        else:
            np.testing.assert_allclose(one, other, atol=1e-6, err_msg=name)


@pytest.mark.parametrize(
    ("queries", "gallery", "memory"),
    [pytest.param(70, 150, 1, marks=pytest.mark.optimised), (150, 70, 2**17), (3, 2, 1)],
)
def test_both_directions_equal_the_whole_block(queries, gallery, memory):
    text, image, gold = problem(queries, gallery)
    t2i, i2t = stream_ranks(text, image, gold, memory=memory)
    text, image = jitted_unit(text), jitted_unit(image)  # once more, as the stream does
    assert_same(t2i, jitted_rank(text, image, gold))
    assert_same(i2t, jitted_rank(image, text, turned(gold, gallery)))
    assert (t2i.equal > 0).any() or queries < 10


@pytest.mark.parametrize(("queries", "gallery"), [(100, 5), (5, 100), pytest.param(70, 1, marks=pytest.mark.optimised)])
def test_few_rows_with_many_answers_equal_the_whole_block(queries, gallery):
    text, image, _ = problem(queries, gallery)
    gold = np.where(np.arange(gallery) % min(queries, 4) == np.arange(queries)[:, None] % 4, np.arange(gallery), -1)
    t2i, i2t = stream_ranks(text, image, gold)
    text, image = jitted_unit(text), jitted_unit(image)  # once more, as the stream does
    assert_same(t2i, jitted_rank(text, image, gold))
    assert_same(i2t, jitted_rank(image, text, turned(gold, gallery)))


@pytest.mark.parametrize(("queries", "gallery"), [(100, 5), (5, 100)])
def test_only_rows_that_can_exist_are_compared(queries, gallery, monkeypatch):
    text, image, gold = problem(queries, gallery, width=13)  # a width of its own: shapes are seen while tracing
    shapes = []
    count = streaming.count_around
    monkeypatch.setattr(streaming, "count_around", lambda *given: shapes.append(given[0].shape) or count(*given))
    stream_ranks(text, image, gold)
    assert set(shapes) == {(min(16, 2 ** (queries - 1).bit_length()), min(32, 2 ** (gallery - 1).bit_length()))}


def test_rows_come_from_disk_in_half_precision(tmp_path):
    text, image, gold = problem(60, 90)
    np.save(tmp_path / "image.npy", (3 * image).astype(np.float16))
    stored = np.load(tmp_path / "image.npy", mmap_mode="r")
    found = stream_ranks(text, stored, gold, memory=1)[0]
    assert_same(found, stream_ranks(text, np.asarray(stored, np.float32), gold)[0])


def test_an_answer_that_is_listed_twice_counts_once():
    text, image, gold = problem(60, 90)
    for twice, once in zip(
        stream_ranks(text, image, np.concatenate([gold, gold[:, :2]], axis=1)),
        stream_ranks(text, image, gold),
        strict=True,
    ):
        assert_same(twice, once)


@pytest.mark.parametrize(
    ("dtype", "scale"),
    [(np.float32, 1e22), (np.float32, 1e-24), (np.float32, 1e-30), (np.float64, 1e60), (np.float64, 1e-60)],
)
def test_rows_of_any_size_have_the_ranks_of_unit_rows(dtype, scale):
    text, image, gold = problem(60, 90)
    found = stream_ranks((scale * np.float64(text)).astype(dtype), image, gold, memory=1)
    for side, expected in zip(found, stream_ranks(text, image, gold), strict=True):
        assert np.mean(side.better == expected.better) > 0.99


def test_rows_are_scaled_before_they_are_mapped():
    text, image, gold = problem(60, 90)
    seen = []

    def shift(rows):
        jax.debug.callback(lambda rows: seen.append(np.linalg.norm(rows[:2], axis=1)), rows)
        return unit_rows(rows + 1.0)

    found = stream_ranks(8 * text, image, gold, map_queries=shift, memory=1)[0]
    np.testing.assert_allclose(seen[0], 1.0, rtol=1e-6)
    alone = jitted_rank(jitted_unit(jitted_unit(text) + 1.0), image, gold)
    assert np.mean(found.better == alone.better) > 0.95


def test_rows_are_mapped_as_they_come():
    text, image, gold = problem(60, 90)
    matrix = np.random.default_rng(1).normal(size=(12, 5)).astype(np.float32)

    def onto(rows):
        return unit_rows(rows @ matrix)

    found = stream_ranks(text, image, gold, map_queries=onto, map_gallery=onto, memory=1)[0]
    alone = jitted_rank(onto(text), onto(image), gold)
    # Another shape of product, another last bit: what is not level to the bit may change places.
    assert np.mean(found.better == alone.better) > 0.95 and (found.tied > 0).sum() == (alone.tied > 0).sum()


def test_neighbourhoods_and_csls_equal_the_whole(queries=70, gallery=150):
    text, image, gold = problem(queries, gallery)
    found = stream_neighbours(text, image, k=4, memory=1)
    scores = text @ image.T
    for side, axis in zip(found, (1, 0), strict=True):
        highest = np.sort(scores, axis=axis).take(range(-4, 0), axis=axis)
        np.testing.assert_allclose(side, highest.mean(axis=axis), atol=1e-6)
    prepared = jax.jit(partial(csls, k=4))(text, image, Banks(text, image))
    whole = jitted_rank(*prepared, gold)
    streamed = stream_ranks(text, image, gold, penalties=found, memory=1)[0]
    assert np.mean(streamed.better == whole.better) > 0.98
    few = stream_neighbours(text[:3], image[:2], k=10)
    np.testing.assert_allclose(few[0], scores[:3, :2].mean(axis=1), atol=1e-6)


def test_what_does_not_fit_is_said():
    text, image, gold = problem(5, 6)
    bad = np.arange(6)[:, None] == 4
    for call, said in (
        (lambda: stream_ranks(text, image, gold[:4]), "gold"),
        (lambda: stream_ranks(text, image, gold + 3), "gallery"),
        (lambda: stream_ranks(text, image[:, :4], gold), "space"),
        (lambda: stream_ranks(text, image, gold, penalties=(np.ones(4), np.ones(6))), "penalties"),
        (lambda: stream_ranks(text[:0], image, gold[:0]), "gold"),
        (lambda: stream_neighbours(text, image, k=0), "k is 0"),
        (lambda: stream_ranks(text, np.where(bad, np.nan, image), gold), "row 4 of the gallery holds NaN"),
        (lambda: stream_ranks(text, np.where(bad, np.inf, image), gold), "row 4 of the gallery holds NaN"),
        (lambda: stream_ranks(text, np.where(bad, 0.0, image), gold), "row 4 of the gallery is all zero"),
        (lambda: stream_ranks(text, np.where(bad, 0.0, np.float64(image)), gold), "row 4 of the gallery is all zero"),
    ):
        with pytest.raises(ValueError, match=said):
            call()


def test_a_gold_answer_that_scores_otherwise_a_second_time_is_noticed(monkeypatch):
    text, image, gold = problem(20, 30)
    right = streaming.pair_scores
    monkeypatch.setattr(streaming, "pair_scores", lambda *given: np.nextafter(right(*given), np.float32(9)))
    with pytest.raises(FloatingPointError, match="second time"):
        stream_ranks(text, image, gold)


def test_progress_counts_blocks():
    text, image, gold = problem(70, 150)
    seen = []
    stream_ranks(text, image, gold, memory=1, progress=lambda done, total: seen.append((done, total)))
    assert seen[0] == (1, 25) and seen[-1] == (25, 25) and len(seen) == 25
