"""Replicates in blocks that memory holds, and equal columns once."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float, Integer

__all__ = ["BLOCK_ENTRIES", "blocks", "unlike_rows"]

BLOCK_ENTRIES = 1 << 20  # replicates × clusters that are held in a wide number type at a time


def blocks(replicates: int, clusters: int) -> Iterator[slice]:
    """Consecutive slices of the replicates, each about `BLOCK_ENTRIES` of replicates × clusters."""
    size = max(1, BLOCK_ENTRIES // max(1, clusters))
    return (slice(start, min(start + size, replicates)) for start in range(0, replicates, size))


def unlike_rows(
    rows: Float[np.ndarray, "rows n"],
) -> tuple[Float[np.ndarray, "fewer n"], Integer[np.ndarray, " rows"]]:
    """The rows that differ, and which of them each row is: with one answer a query, mAP and MRR are the same.

    Example:
        >>> [found.tolist() for found in unlike_rows(np.array([[1.0], [2.0], [1.0]]))]
        [[[1.0], [2.0]], [0, 1, 0]]
    """
    known: dict[bytes, int] = {}
    place = np.array([known.setdefault(row.tobytes(), len(known)) for row in rows], np.intp)
    return rows[np.unique(place, return_index=True)[1]], place
