"""Shuffled, seeded and resumable batches, from shards larger than memory through Grain.

Shuffling rows one by one would read each from another place of the disk. So an epoch shuffles chunks of neighbouring
rows, and a window of many such chunks is held in memory and shuffled row by row.
"""

from __future__ import annotations

import threading
from typing import Any, Protocol

import numpy as np
from jaxtyping import Bool, Int

from ccalign_jax._libraries import import_library
from ccalign_jax.data.shards import PairRows, Shards
from ccalign_jax.errors import InputError
from ccalign_jax.pivots import Batch

__all__ = ["CHUNK_ROWS", "BatchIterator", "BatchStream", "split_chunks"]

CHUNK_ROWS = 256  # 256 KB of 512 float16 numbers: from here on reading is no faster for being longer
HELD_PLACES = 16  # held-out rows come from at least so many places
MEMORY = 2**29
MAX_AHEAD = 32  # batches


class BatchIterator(Protocol):
    """Batches one by one, and the place in their order: a small dict for JSON that `set_state` goes on from."""

    def __iter__(self) -> BatchIterator: ...
    def __next__(self) -> Batch: ...
    def get_state(self) -> dict[str, Any]: ...
    def set_state(self, state: dict[str, Any]) -> None: ...


def split_chunks(
    rows: int,
    *,
    held: int = 0,
    groups: Int[np.ndarray, " n"] | None = None,
    keep: Bool[np.ndarray, " n"] | None = None,
    chunk_rows: int = CHUNK_ROWS,
    seed: int = 0,
) -> tuple[Int[np.ndarray, "k 2"], Int[np.ndarray, "h 2"]]:
    """Training rows and a random few held-out rows, both in chunks `[start, stop)`.

    Args:
        rows: how many there are.
        held: how many to hold out, below `rows`.
        groups: `[rows]` group of each row, none of which is divided: random groups of at most `held` rows together
            are held out, at least one. By default each row is its own group.
        keep: `[rows]`, which of them there are to choose from; by default all.
        chunk_rows: of the longest chunk.
        seed: of the choice.

    Raises:
        InputError: nothing would be left to train on.

    Example:
        >>> chunks, held = split_chunks(10, held=2, chunk_rows=4, seed=0)
        >>> sorted(row for start, stop in [*chunks, *held] for row in range(start, stop)) == list(range(10))
        True
        >>> held.tolist()
        [[5, 6], [9, 10]]
    """
    count = rows if keep is None else int(keep.sum())
    if not 0 <= held < count:
        raise InputError(f"{held} of {count} pairs held out leave none to train on; hold out fewer")
    if keep is not None or (held and groups is not None):
        train, rest = _split_groups(rows, held, groups, keep, seed)
        return _cut(_ranges(train), chunk_rows), _cut(_ranges(rest), chunk_rows)
    size = min(chunk_rows, max(1, held // HELD_PLACES))
    count = -(-rows // size)
    # One more than needed, for one may be the short last one; what is too much is cut off.
    starts = size * np.random.default_rng(seed).choice(count, min(-(-held // size) + 1, count), replace=False)
    lengths = np.minimum(starts + size, rows) - starts
    lengths = np.clip(held - (np.cumsum(lengths) - lengths), 0, lengths)
    apart = np.stack([starts, starts + lengths], axis=1)[lengths > 0]
    apart = apart[np.argsort(apart[:, 0])]
    rest = np.concatenate([[0], apart.ravel(), [rows]]).reshape(-1, 2)
    return _cut(rest[rest[:, 0] < rest[:, 1]], chunk_rows), apart


def _split_groups(
    rows: int, held: int, groups: Int[np.ndarray, " n"] | None, keep: Bool[np.ndarray, " n"] | None, seed: int
) -> tuple[Bool[np.ndarray, " n"], Bool[np.ndarray, " n"]]:
    """Which of the rows to keep train, and which are held out: random whole groups."""
    train = np.ones(rows, bool) if keep is None else keep
    if not held:
        return train, np.zeros(rows, bool)
    groups = np.arange(rows) if groups is None else groups
    names, sizes = np.unique(groups[train], return_counts=True)
    order = np.random.default_rng(seed).permutation(len(sizes))
    count = max(1, int(np.searchsorted(np.cumsum(sizes[order]), held, side="right")))
    if count == len(sizes):
        raise InputError(f"all {sizes.sum()} pairs are of one group, none is left to train on; hold out none")
    chosen = np.isin(groups, names[order[:count]])
    return train & ~chosen, train & chosen


def _ranges(chosen: Bool[np.ndarray, " n"]) -> Int[np.ndarray, "k 2"]:
    """The maximal ranges of rows that are chosen."""
    edges = np.diff(chosen.astype(np.int8), prepend=0, append=0)
    return np.stack([np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)], axis=1)


def _cut(ranges: Int[np.ndarray, "k 2"], longest: int) -> Int[np.ndarray, "m 2"]:
    """The ranges in pieces, none longer than allowed."""
    starts = [np.arange(start, stop, longest) for start, stop in ranges]
    stops = [np.append(places[1:], stop) for places, (_, stop) in zip(starts, ranges, strict=True)]
    return np.stack([np.concatenate(starts), np.concatenate(stops)], axis=1)


class _InTurn:
    """The batches of a stream one by one; a place is written as Grain writes it."""

    def __init__(self, stream: BatchStream):
        self.stream, self.next = stream, 0

    def __iter__(self) -> _InTurn:
        return self

    def __next__(self) -> Batch:
        if self.next == len(self.stream):
            raise StopIteration
        self.next += 1
        return self.stream[self.next - 1]

    def get_state(self) -> dict[str, Any]:
        return {"next_index": self.next}

    def set_state(self, state: dict[str, Any]) -> None:
        self.next = state["next_index"]


class BatchStream:
    """Batches of all epochs of a run; `iter` begins at the first.

    Where an epoch has more rows than `memory` holds, a thread of Grain reads ahead.

    Batch i does not depend on the order of requests, nor on how rows are spread over shards, so that a stopped run
    continues to the same bits. In an epoch every row comes once, but for `left_out` ones, others each time, that fill
    no batch.

    Args:
        shards: the data.
        batch: pairs a batch, over all processes.
        epochs: passes over the data, each in another order.
        seed: of the order.
        chunks: from `split_chunks`; by default all rows.
        memory: bytes for the rows that are held: the window and the batches read ahead. More shuffle better.
        process_index, process_count: which share of every batch this process reads: `jax.process_index()` of
            `jax.process_count()`; no two read the same row.

    Attributes:
        steps_per_epoch: batches an epoch.
        left_out: rows that an epoch leaves out.
        window_rows: rows that are shuffled together.

    Raises:
        InputError: numbers that do not fit each other or the data, or Grain is needed and not installed.

    Example:
        >>> import tempfile
        >>> from ccalign_jax.data import write_shards
        >>> rows = np.random.default_rng(0).normal(size=(10, 4)).astype(np.float16)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     stream = BatchStream(write_shards(folder, [{"image": rows, "text_en": rows}]), batch=4, epochs=2)
        ...     first, last = stream[0], stream[3]  # `for batch in stream` takes them in turn
        >>> len(stream), stream.left_out, first.text.shape, str(last.image.dtype)
        (4, 2, (1, 4, 4), 'float16')
    """

    def __init__(
        self,
        shards: Shards,
        *,
        batch: int,
        epochs: int = 1,
        seed: int = 0,
        chunks: Int[np.ndarray, "k 2"] | None = None,
        memory: int = MEMORY,
        process_index: int = 0,
        process_count: int = 1,
    ):
        self.shards, self.epochs, self.seed = shards, epochs, seed
        self.chunks = split_chunks(len(shards))[0] if chunks is None else np.asarray(chunks)
        if not 0 <= process_index < process_count:
            raise InputError(f"process {process_index} of {process_count}: count them from 0")
        if batch < 1 or batch % process_count:
            raise InputError(f"a batch of {batch} pairs cannot be shared by {process_count} processes; take a multiple")
        rows = int(np.diff(self.chunks, axis=1).sum())
        self.steps_per_epoch, self.left_out = divmod(rows, batch)
        if not self.steps_per_epoch:
            raise InputError(f"{shards.name}: {rows} pairs to train on fill no batch of {batch}; take a smaller batch")
        self.batch = batch // process_count
        self.first = process_index * self.steps_per_epoch * self.batch
        batch_bytes = self.batch * shards.row_bytes
        self.ahead = min(max(memory // 4 // batch_bytes, 1), MAX_AHEAD, len(self))
        if memory < (self.ahead + 2) * batch_bytes:
            raise InputError(
                f"{memory} bytes cannot hold three batches of {batch_bytes}; give more memory or smaller batches"
            )
        self.window_batches = min(memory // batch_bytes - self.ahead - 1, self.steps_per_epoch)
        self.window_rows = self.window_batches * self.batch
        self._grain = (
            import_library(shards.name, "grain", "stream") if self.window_batches < self.steps_per_epoch else None
        )
        self._lock = threading.Lock()
        self._order: tuple[int, Int[np.ndarray, "k 2"], Int[np.ndarray, " k_and_one"]] | None = None
        self._held: tuple[tuple[int, int], PairRows, Int[np.ndarray, " n"]] | None = None

    def __len__(self) -> int:
        return self.epochs * self.steps_per_epoch

    def __getitem__(self, index: int) -> Batch:
        if not 0 <= index < len(self):
            raise IndexError(f"batch {index} of {len(self)}")
        epoch, step = divmod(index, self.steps_per_epoch)
        window, place = divmod(step, self.window_batches)
        rows, order = self._window(epoch, window)
        chosen = order[place * self.batch : (place + 1) * self.batch]
        parts: dict[str, Any] = {
            "text": rows.text[:, chosen],
            "mask": rows.mask[:, chosen],
            "image": rows.image[chosen],
            "image_mask": np.ones(len(chosen), bool),
            # As in the file, for other processes have others of the group; devices count in int32.
            "groups": (rows.groups[chosen] % np.int64(2**31 - 1)).astype(np.int32),
        }
        return Batch(**parts)

    def __iter__(self) -> BatchIterator:
        if self._grain is None:
            return _InTurn(self)
        options = self._grain.ReadOptions(num_threads=1, prefetch_buffer_size=self.ahead)
        return iter(self._grain.MapDataset.source(self).to_iter_dataset(options))

    def _window(self, epoch: int, number: int) -> tuple[PairRows, Int[np.ndarray, " n"]]:
        """The rows of a window, and the order in which they come."""
        with self._lock:
            if self._held is None or self._held[0] != (epoch, number):
                self._held = None  # before there is another
                begin = number * self.window_rows
                end = min(begin + self.window_rows, self.steps_per_epoch * self.batch)
                rows = self.shards.read_ranges(self._pieces(epoch, self.first + begin, self.first + end))
                order = np.random.default_rng([self.seed, epoch, self.first, number]).permutation(end - begin)
                self._held = ((epoch, number), rows, order)
            return self._held[1:]

    def _pieces(self, epoch: int, begin: int, end: int) -> Int[np.ndarray, "k 2"]:
        """Places `begin` to `end` of an epoch's order of chunks, as ranges of rows, in the order of the disk."""
        if self._order is None or self._order[0] != epoch:
            chunks = np.random.default_rng([self.seed, epoch]).permutation(self.chunks)
            self._order = (epoch, chunks, np.cumsum([0, *np.diff(chunks, axis=1).ravel()]))
        _, chunks, edges = self._order
        low, high = np.searchsorted(edges, begin, side="right") - 1, np.searchsorted(edges, end, side="left")
        pieces = chunks[low:high].copy()
        pieces[-1, 1] -= edges[high] - end
        pieces[0, 0] += begin - edges[low]
        return pieces[np.argsort(pieces[:, 0])]
