"""Shared by the tests of training: what the scores of a part are."""

from collections.abc import Callable

import numpy as np
import pytest

from ccalign_jax.training import LanguageRanks


@pytest.fixture(scope="session")
def mean_scores() -> Callable[[LanguageRanks], np.ndarray]:
    """`mean_scores(ranks)` is t2i R@1, i2t R@1 and MRR, each the mean over the languages that have queries."""

    def make(ranks: LanguageRanks) -> np.ndarray:
        found = []
        for direction in (0, 1):
            means = []
            for language in ranks:
                one = [
                    np.asarray(leaf, float)[np.asarray(language[direction].tied) > 0] for leaf in language[direction]
                ]
                better, equal, tied, reciprocal = one[:4]
                first = np.where(better > 0, 0, tied / (equal + tied))
                means += [(first.mean(), reciprocal.mean())] if len(first) else []
            found.append(np.mean(means, axis=0))
        return np.array([found[0][0], found[1][0], (found[0][1] + found[1][1]) / 2])

    return make
