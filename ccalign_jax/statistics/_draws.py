"""How many draws, how many of them at a time, and how sure is sure: the constants that this package shares."""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["ALPHA", "BLOCK_ENTRIES", "DRAWS", "FLIPS", "LEVEL", "MEDIAN_DRAWS", "blocks"]

LEVEL = 0.95
ALPHA = 0.05
DRAWS = 10_000
MEDIAN_DRAWS = 1_000  # a median costs a search in every draw, where a mean is one product
FLIPS = 10_000
BLOCK_ENTRIES = 1 << 20  # draws × clusters that are held in a wide number type at a time


def blocks(draws: int, clusters: int) -> Iterator[slice]:
    """Consecutive slices of the draws, each at least one draw and about `BLOCK_ENTRIES` of draws × clusters."""
    size = max(1, BLOCK_ENTRIES // max(1, clusters))
    return (slice(start, min(start + size, draws)) for start in range(0, draws, size))
