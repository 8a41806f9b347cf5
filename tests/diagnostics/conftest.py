"""What the tests of diagnostics share."""

from collections.abc import Callable

import pytest

from ccalign_jax import diagnostics as d


def paired_metrics(a, b, k=5):
    """Every paired diagnostic of two sets."""
    grams = d.gram_matrices([a, b])
    near = [d.nearest_rows(gram, k) for gram in grams]
    sums = d.moments(grams)
    return {
        "gram_correlation": d.gram_correlation(sums)[0, 1],
        "gram_rank_correlation": d.gram_correlation(d.moments([d.gram_ranks(gram) for gram in grams]))[0, 1],
        "biased_cka": d.biased_cka(sums)[0, 1],
        "unbiased_cka": d.unbiased_cka(sums)[0, 1],
        "neighbour_jaccard": d.neighbour_jaccard(*near),
        "mutual_neighbours": d.mutual_neighbours(*near),
        "cknna": d.cknna(grams, near)[0, 1],
    }


@pytest.fixture(scope="session")
def diagnostics_of() -> Callable[..., dict[str, float]]:
    """Every paired diagnostic of two sets: `diagnostics_of(a, b, k=5)`."""
    return paired_metrics
