"""Rows of pairs, and ranges of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

__all__ = ["PairRows", "joined_ranges"]


class PairRows(NamedTuple):
    """Some rows of the shards, as stored.

    Attributes:
        image: `[n, d_image]`, finite, no zero row.
        text: `[languages, n, d_text]`, finite; zero where there is no caption.
        mask: `[languages, n]`, True where the caption exists.
        groups: `[n]` int64, equal numbers for images that show the same thing.
    """

    image: Float[np.ndarray, "n d_image"]
    text: Float[np.ndarray, "languages n d_text"]
    mask: Bool[np.ndarray, "languages n"]
    groups: Int[np.ndarray, " n"]


def joined_ranges(ranges: Sequence[tuple[int, int]] | Int[np.ndarray, "k 2"]) -> Iterator[tuple[int, int]]:
    """Ranges that follow each other as one: a long read is faster than many short ones."""
    begin = end = None
    for start, stop in ranges:
        if start != end:
            if begin is not None:
                yield begin, end
            begin = start
        end = stop
    if begin is not None:
        yield begin, end
