"""A verdict needs a small p-value and a direction."""

import numpy as np
import pytest

from ccalign_jax.statistics import ALPHA, verdict


@pytest.mark.parametrize(
    ("change", "p", "expected"),
    [
        (0.01, 0.0, "gain"),
        (0.01, 0.049, "gain"),
        (-0.01, 0.049, "loss"),
        (0.01, ALPHA, "no evidence"),
        (-0.5, 0.3, "no evidence"),
        (0.0, 0.001, "no evidence"),
        (0.01, None, "no evidence"),
        (0.01, np.nan, "no evidence"),
        (np.nan, 0.001, "no evidence"),
        (np.float32(0.01), np.float64(0.001), "gain"),
    ],
)
def test_verdicts(change, p, expected):
    assert verdict(change, p) == expected


@pytest.mark.parametrize(("change", "p", "expected"), [
    (0.01, 0.0, "claimed gain"), (-0.01, 0.0, "loss"), (0.01, 0.3, "no evidence")
])  # fmt: skip
def test_a_gain_of_a_map_chosen_on_the_reported_images_is_claimed(change, p, expected):
    assert verdict(change, p, optimistic=True) == expected


def test_alpha_is_the_line():
    assert verdict(0.01, 0.02, alpha=0.01) == "no evidence"
    assert verdict(-0.01, 0.2, alpha=0.3) == "loss"
