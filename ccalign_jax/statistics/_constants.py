"""Constants of this package: numbers of replicates, block size and levels."""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["ALPHA", "BLOCK_ENTRIES", "FLIPS", "LEVEL", "MEDIAN_REPLICATES", "REPLICATES", "blocks"]

LEVEL = 0.95
ALPHA = 0.05
REPLICATES = 10_000
MEDIAN_REPLICATES = 1_000  # a median takes a search in every replicate, a mean one product
FLIPS = 10_000
BLOCK_ENTRIES = 1 << 20  # replicates × clusters that are held in a wide number type at a time


def blocks(replicates: int, clusters: int) -> Iterator[slice]:
    """Consecutive slices of the replicates, each about `BLOCK_ENTRIES` of replicates × clusters."""
    size = max(1, BLOCK_ENTRIES // max(1, clusters))
    return (slice(start, min(start + size, replicates)) for start in range(0, replicates, size))
