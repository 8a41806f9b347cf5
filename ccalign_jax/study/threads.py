"""The same computation of several values, a few at a time."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from threadpoolctl import threadpool_limits

__all__ = ["in_threads"]

MOST_THREADS = 4
MOST_CLUSTERS = 40_000  # that all threads together hold draws of

Given = TypeVar("Given")
Found = TypeVar("Found")


def in_threads(call: Callable[[Given], Found], values: Iterable[Given], *, clusters: int = 1) -> list[Found]:
    """`call` of each value, in order, by as many threads as there are processors and memory for; NumPy lets them run.

    Each multiplies matrices by itself: threads of the BLAS, too, would wait for one another, and waste what they wait.

    Args:
        call: of one value; only reads what others read, too.
        values: what it is called with.
        clusters: what the memory of one call grows with.

    Example:
        >>> in_threads(abs, [-1, 2])
        [1, 2]
    """
    values = list(values)
    threads = min(os.cpu_count() or 1, MOST_THREADS, MOST_CLUSTERS // clusters, len(values))
    if threads < 2:
        return [call(value) for value in values]
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(threads) as pool:
        return list(pool.map(call, values))
