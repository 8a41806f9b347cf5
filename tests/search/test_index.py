import sys

import numpy as np
import pytest

from ccalign_jax.errors import InputError
from ccalign_jax.search import SearchIndex
from ccalign_jax.search import index as module


def sorted_rows(rows, queries, k):
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    scores = queries / np.linalg.norm(queries, axis=1, keepdims=True) @ unit.T
    return np.argsort(-scores, axis=1, kind="stable")[:, :k]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, ">f4"])
@pytest.mark.parametrize("faiss", [False, True])
def test_the_nearest_are_those_of_a_sort(dtype, faiss, monkeypatch):
    if faiss:
        pytest.importorskip("faiss")
    monkeypatch.setattr(module, "TILE", 16)  # the last one is not full
    random = np.random.default_rng(0)
    rows = (3 * random.standard_normal((70, 12))).astype(dtype)
    queries = random.standard_normal((5, 12))
    found = SearchIndex(rows, faiss=faiss).search(queries, 9)
    assert np.array_equal(found.rows, sorted_rows(rows.astype(np.float64), queries, 9))
    assert (np.diff(found.scores, axis=1) <= 0).all() and abs(found.scores).max() <= 1.001


def test_of_equal_scores_the_lower_row_comes_first_and_a_small_index_gives_all():
    index = SearchIndex(np.array([[1.0, 0.0], [0.0, 1.0], [2.0, 0.0], [3.0, 0.0]]))
    assert index.search([[1.0, 0.0]], 2).rows.tolist() == [[0, 2]]
    assert index.search([[1.0, 0.0]], 99).rows.tolist() == [[0, 2, 3, 1]]


def test_rows_on_disk_are_searched(tmp_path):
    rows = np.random.default_rng(0).standard_normal((50, 4)).astype(np.float16)
    np.save(tmp_path / "rows.npy", rows)
    found = SearchIndex(np.load(tmp_path / "rows.npy", mmap_mode="r")).search(rows[:3], 1)
    assert found.rows[:, 0].tolist() == [0, 1, 2] and np.allclose(found.scores, 1, atol=1e-6)


@pytest.mark.parametrize("value", [0.0, np.nan])
def test_a_row_without_a_direction_is_refused_by_number(value):
    rows = np.ones((5, 3), np.float32)
    rows[3] = value
    with pytest.raises(InputError, match="row 3 holds NaN or infinity, or is all zero"):
        SearchIndex(rows)


def test_queries_of_another_width_are_refused():
    with pytest.raises(InputError, match=r"give rows \[q, 2\], and k ≥ 1"):
        SearchIndex(np.eye(2)).search(np.eye(3), 1)


def test_faiss_that_is_missing_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(InputError, match="an index in faiss needs faiss: pip install"):
        SearchIndex(np.eye(2), faiss=True)
