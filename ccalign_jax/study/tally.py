"""What every image adds to every figure: the ranks of its captions and its own, summed by image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from ccalign_jax.metrics import METRICS, Ranks, expected_rank, mean_metrics, ordered_pairs
from ccalign_jax.training import LanguageRanks, Part

__all__ = ["MEDIAN", "Column", "Tally", "tally_directions", "tally_pairs", "within"]

MEDIAN = "median_rank"


class Column(NamedTuple):
    """The queries of one language, or pair of languages, on one route.

    Attributes:
        sums: `[n, means]`, for each image the sum over its queries of each of `mean_metrics()`.
        counts: `[n]`, queries of each image.
        rank: `[q]`, the expected rank of each query, for medians.
        owner: `[q]`, the image of each query.
    """

    sums: Float[np.ndarray, "n means"]
    counts: Float[np.ndarray, " n"]
    rank: Float[np.ndarray, " q"]
    owner: Int[np.ndarray, " q"]


Tally = dict[str, dict[str, Column]]  # by route, then by language or pair; only those that have queries


def tally_directions(ranks: LanguageRanks, part: Part, languages: Sequence[str]) -> Tally:
    """The tally of both directions between captions and images.

    Args:
        ranks: of each language on `part`.
        part: whose images the tally is of, one row for each place in `part.images`.
        languages: their names.
    """
    images = len(part.images)
    found: Tally = {"t2i": {}, "i2t": {}}
    for name, owner, (t2i, i2t) in zip(languages, part.image_of, ranks, strict=True):
        for route, one, owners in (("t2i", t2i, np.asarray(owner)), ("i2t", i2t, np.arange(images))):
            column = _column(one, owners, images)
            if len(column.rank):
                found[route][name] = column
    return found


def tally_pairs(routes: Mapping[str, Sequence[Ranks]], part: Part, languages: Sequence[str]) -> Tally:
    """The tally of routes between languages; a caption of the first language of a pair is its image's query.

    Args:
        routes: for each route the ranks of all `ordered_pairs`.
        part, languages: as in `tally_directions`.
    """
    found: Tally = {}
    for route, ranks in routes.items():
        columns = {
            f"{languages[a]}->{languages[b]}": _column(one, np.asarray(part.image_of[a]), len(part.images))
            for one, (a, b) in zip(ranks, ordered_pairs(len(languages)), strict=True)
        }
        columns = {name: column for name, column in columns.items() if len(column.rank)}
        if columns:
            found[route] = columns
    return found


def within(tally: Tally, images: Bool[np.ndarray, " n"]) -> Tally:
    """The tally of some of the images alone, a row for each of them."""
    place = np.cumsum(images) - 1
    found: Tally = {}
    for route, columns in tally.items():
        found[route] = {}
        for name, column in columns.items():
            kept = images[column.owner]
            if kept.any():
                rows = column.sums[images], column.counts[images]
                found[route][name] = Column(*rows, column.rank[kept], place[column.owner[kept]])
    return found


def _column(ranks: Ranks, owner: Int[np.ndarray, " q"], images: int) -> Column:
    known = np.asarray(ranks.tied)[: len(owner)] > 0  # the rest is padding
    ranks = Ranks(*(np.asarray(leaf)[: len(owner)][known] for leaf in ranks))
    owner = owner[known]
    values = [METRICS[name].per_query(ranks) for name in mean_metrics()]
    sums = np.stack([np.bincount(owner, each, minlength=images) for each in values], axis=1)
    return Column(sums, np.bincount(owner, minlength=images).astype(float), expected_rank(ranks), owner)
