"""The same computation of several values by a few threads."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from threadpoolctl import threadpool_limits

__all__ = ["ahead", "in_threads"]

MAX_THREADS = 4
MAX_CLUSTERS = 40_000  # that all threads together hold bootstrap replicates of

Given = TypeVar("Given")
Found = TypeVar("Found")


def in_threads(call: Callable[[Given], Found], values: Iterable[Given], *, clusters: int = 1) -> Iterator[Found]:
    """`call` of each value, in order, by as many threads as there are processors and memory for.

    NumPy and jax let threads run side by side. Each multiplies NumPy's matrices by itself: threads of the BLAS, too,
    would wait for one another.

    Args:
        call: of one value; only reads what others read, too.
        values: what it is called with.
        clusters: what the memory of one call grows with.

    Example:
        >>> list(in_threads(abs, [-1, 2]))
        [1, 2]
    """
    values = list(values)
    threads = min(os.cpu_count() or 1, MAX_THREADS, MAX_CLUSTERS // clusters, len(values))
    if threads < 2:
        yield from map(call, values)
        return
    with threadpool_limits(1, "blas"):
        yield from ahead(call, values, count=threads)


def ahead(call: Callable[[Given], Found], values: Iterable[Given], *, count: int = 1) -> Iterator[Found]:
    """`call` of each value, in order; while the caller uses one result, up to `count` more are computed.

    Args:
        call: of one value, in another thread.
        values: what it is called with.
        count: of results that are computed ahead; 0 computes each when it is asked for.

    Example:
        >>> list(ahead(abs, [-1, 2, -3]))
        [1, 2, 3]
    """
    if not count:
        yield from map(call, values)
        return
    with ThreadPoolExecutor(count) as pool:
        waiting: deque[Future[Found]] = deque()
        try:
            for value in values:
                waiting.append(pool.submit(call, value))
                if len(waiting) > count:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
