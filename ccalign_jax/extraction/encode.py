"""Batches through an encoder: similar lengths together, devices side by side, rows in the order of the items."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Any, TypeVar

import numpy as np

from ccalign_jax.data.checks import unsound_rows
from ccalign_jax.encoders import Encoder
from ccalign_jax.encoders.base import FINAL, Rows
from ccalign_jax.errors import InputError, reason
from ccalign_jax.numerics import unit_float32

__all__ = ["EncoderPool", "unit_rows"]

Value = TypeVar("Value")


class EncoderPool:
    """An encoder with one thread a device; used in a `with` statement.

    Args:
        encoder: any.
        batch: items a batch. What a batch holds depends on the items that are encoded together alone, so that a run
            that is resumed has the batches of one that was not.
    """

    def __init__(self, encoder: Encoder, *, batch: int):
        self.encoder, self.batch = encoder, batch
        self._pools = [ThreadPoolExecutor(1) for _ in encoder.replicas]

    def __enter__(self) -> EncoderPool:
        return self

    def __exit__(self, *raised: object) -> None:
        for pool in self._pools:
            pool.shutdown(wait=raised[0] is None, cancel_futures=True)

    def sorted_rows(self, items: Sequence[Any], progress: Callable[[int], None]) -> Rows:
        """Rows of prepared items, `[n, d]` a layer; items of similar length are encoded together, the longest first."""
        lengths = [self.encoder.length(item) for item in items]
        order = sorted(range(len(items)), key=lambda place: -lengths[place])
        found = self.rows((items[place] for place in order), progress)
        back = np.argsort(order)
        return {layer: rows[back] for layer, rows in found.items()}

    def rows(self, items: Iterable[Any], progress: Callable[[int], None]) -> Rows:
        """Rows of prepared items, `[n, d]` a layer; empty if there are none.

        Raises:
            InputError: the encoder fails, or returns something else than a row an item.
        """
        parts: list[Rows] = []
        waiting: deque[tuple[int, Future[Rows]]] = deque()

        def take() -> None:
            count, future = waiting.popleft()
            parts.append(self._checked(future.result(), count))
            progress(count)

        for number, batch in enumerate(_batches(items, self.batch)):
            if len(waiting) > len(self._pools):  # one more than run: its batch is ready when a device is
                take()
            place = number % len(self._pools)
            inputs = self._call(self.encoder.collate, batch)
            replica = self.encoder.replicas[place]
            waiting.append((len(batch), self._pools[place].submit(self._call, replica, inputs)))
        while waiting:
            take()
        return {layer: np.concatenate([part[layer] for part in parts]) for layer in (parts[0] if parts else {})}

    def _call(self, function: Callable[[Any], Value], argument: Any) -> Value:
        try:
            return function(argument)
        except InputError:
            raise
        except Exception as error:
            message = reason(error)
            fix = "give smaller batches" if "out of memory" in message.lower() else "see the encoder's documentation"
            raise InputError(f"encoder {self.encoder.name}: {type(error).__name__}: {message}; {fix}") from error

    def _checked(self, found: Rows, count: int) -> Rows:
        for rows in found.values():
            if rows.ndim != 2 or len(rows) != count or rows.dtype.kind != "f" or not rows.shape[1]:
                raise InputError(
                    f"encoder {self.encoder.name}: returns {rows.dtype}{list(rows.shape)} for {count} items; "
                    "it must be floats, one row an item"
                )
        if FINAL not in found:
            raise InputError(f"encoder {self.encoder.name}: returns no rows under the name ''; add them")
        return found


def _batches(items: Iterable[Value], size: int) -> Iterator[list[Value]]:
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


def unit_rows(rows: np.ndarray, dtype: np.dtype) -> tuple[np.ndarray, np.ndarray]:
    """Rows of length one in a dtype, and a mask of those that have a direction; the others are zero.

    Example:
        >>> found, good = unit_rows(np.array([[3.0, 4.0], [0.0, 0.0], [np.nan, 1.0]]), np.dtype("float32"))
        >>> found.round(1).tolist(), good.tolist()
        ([[0.6000000238418579, 0.800000011920929], [0.0, 0.0], [0.0, 0.0]], [True, False, False])
    """
    found = unit_float32(rows).astype(dtype)
    bad = unsound_rows(found)
    found[bad] = 0
    return found, ~bad
