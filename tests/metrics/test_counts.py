"""Counts around bars against plain comparisons, in galleries that strips divide and that they do not."""

import jax
import numpy as np
import pytest

from ccalign_jax.metrics import counts
from ccalign_jax.metrics.counts import count_around


@pytest.mark.parametrize("gallery", [1, counts.STRIPS - 1, counts.STRIPS, counts.STRIPS + 1, 261])
@pytest.mark.parametrize("bars", [1, 3])
@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("packed", [True, False])
def test_counts_are_those_of_plain_comparisons(monkeypatch, gallery, bars, axis, packed):
    monkeypatch.setattr(counts, "PACKED", 2**15 if packed else 0)
    rng = np.random.default_rng(gallery)
    scores = rng.integers(0, 4, (6, gallery)).astype(np.float32)  # few values: most of them tie
    scores[0, rng.integers(gallery)] = -np.inf
    places = rng.integers(0, gallery, (6, bars))
    bar = np.take_along_axis(scores, places, axis=1)
    given = scores if axis == 1 else scores.T
    above, level = jax.jit(lambda scores, bar: count_around(scores, bar, axis))(given, bar)
    rivals = scores[:, None, :]
    np.testing.assert_array_equal(above, (rivals > bar[:, :, None]).sum(axis=2))
    np.testing.assert_array_equal(level, (rivals == bar[:, :, None]).sum(axis=2))
