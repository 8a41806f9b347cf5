"""Counts around thresholds against plain comparisons, in galleries that strips divide and that they do not."""

import jax
import numpy as np
import pytest

from ccalign_jax.metrics import counts
from ccalign_jax.metrics.counts import count_around, each_answer_once, ranks_from_counts


@pytest.mark.optimised
@pytest.mark.parametrize("gallery", [1, counts.STRIPS - 1, counts.STRIPS, counts.STRIPS + 1, 261])
@pytest.mark.parametrize("thresholds", [1, 3])
@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("packed", [True, False])
def test_counts_are_those_of_plain_comparisons(monkeypatch, gallery, thresholds, axis, packed):
    monkeypatch.setattr(counts, "PACKED", 2**15 if packed else 0)
    rng = np.random.default_rng(gallery)
    scores = rng.integers(0, 4, (6, gallery)).astype(np.float32)  # few values: most of them tie
    scores[0, rng.integers(gallery)] = -np.inf
    places = rng.integers(0, gallery, (6, thresholds))
    threshold = np.take_along_axis(scores, places, axis=1)
    given = scores if axis == 1 else scores.T
    above, level = jax.jit(lambda scores, threshold: count_around(scores, threshold, axis))(given, threshold)
    rivals = scores[:, None, :]
    np.testing.assert_array_equal(above, (rivals > threshold[:, :, None]).sum(axis=2))
    np.testing.assert_array_equal(level, (rivals == threshold[:, :, None]).sum(axis=2))


def test_each_answer_once_keeps_one_of_equal_answers():
    gold = np.array([[3, 3, 1], [2, -1, -1], [0, 5, 0], [-1, -1, -1], [4, 4, 4]])
    for given in (gold, jax.numpy.asarray(gold)):
        found = each_answer_once(given)
        assert isinstance(found, np.ndarray) == isinstance(given, np.ndarray)
        assert [sorted(set(row) - {-1}) for row in np.asarray(found).tolist()] == [[1, 3], [2], [0, 5], [], [4]]
        assert [(row >= 0).sum() for row in found] == [2, 1, 2, 0, 1]


@pytest.mark.optimised
def test_ranks_of_many_answers_form_no_comparisons_of_all_answers_with_all():
    shape = jax.ShapeDtypeStruct((20, 4000), np.float32)
    whole = jax.ShapeDtypeStruct(shape.shape, np.int32)
    exists = jax.ShapeDtypeStruct(shape.shape, bool)
    needed = jax.jit(ranks_from_counts).lower(shape, exists, whole, whole).compile().memory_analysis()
    # jax 0.10 takes 36.3 bytes an answer, jax 0.12 40.3; [20, 4000, 4000] of bools alone would be 4,000.
    assert needed.temp_size_in_bytes < 48 * 20 * 4000
