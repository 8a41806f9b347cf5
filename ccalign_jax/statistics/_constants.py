"""Constants of this package: numbers of replicates, and levels."""

from __future__ import annotations

__all__ = ["ALPHA", "FLIPS", "LEVEL", "MEDIAN_REPLICATES", "REPLICATES"]

LEVEL = 0.95
ALPHA = 0.05
REPLICATES = 10_000
MEDIAN_REPLICATES = 1_000  # a median takes a search in every replicate, a mean one product
FLIPS = 10_000
