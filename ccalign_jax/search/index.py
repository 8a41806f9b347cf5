"""The nearest rows by cosine, exactly: in tiles, or through faiss where that is faster."""

from __future__ import annotations

import importlib.util
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ccalign_jax._libraries import import_library
from ccalign_jax.data.checks import unsound_rows
from ccalign_jax.errors import InputError
from ccalign_jax.metrics import cosine_scores
from ccalign_jax.metrics.sources import Rows
from ccalign_jax.numerics import AnyArray, unit_float32

__all__ = ["LARGE", "Nearest", "SearchIndex"]

TILE = 4096  # rows multiplied at once: some MiB, which stay in the cache while they are converted
LARGE = 200_000  # rows from which on faiss, where it is installed, holds the rows
SPARE = 100  # rows that faiss proposes beyond those asked for: its scores are of rows rounded to float16


class Nearest(NamedTuple):
    """The nearest rows of each query, the nearest first.

    Attributes:
        rows: numbers of rows; of equal scores the lower number first.
        scores: cosines.
    """

    rows: Int[np.ndarray, "q k"]
    scores: Float[np.ndarray, "q k"]


class SearchIndex:
    """Rows that are searched by cosine; results are exact.

    Args:
        rows: `[n, d]` of any float dtype and length, in memory or memory-mapped; they are not copied, unless faiss
            holds them.
        faiss: hold the rows in faiss, rounded to float16 (`2 n d` bytes of memory); what it finds is scored again from
            the rows themselves. None does so for `LARGE` sets where faiss is installed.

    Raises:
        InputError: no rows, a row with NaN, infinity or zero, or faiss asked for and not installed.

    Example:
        >>> index = SearchIndex(np.array([[1.0, 0.0], [0.0, 2.0], [3.0, 3.0]]))
        >>> found = index.search([[0.0, 1.0]], k=2)
        >>> found.rows.tolist(), found.scores.round(3).tolist()
        ([[1, 2]], [[1.0, 0.7070000171661377]])
    """

    def __init__(self, rows: Rows, *, faiss: bool | None = None):
        if len(rows.shape) != 2 or 0 in rows.shape:
            raise InputError(f"rows {list(rows.shape)}: an index is of rows [n, d], n > 0")
        self.rows = rows
        self._faiss: Any = None
        if faiss or (faiss is None and len(self) >= LARGE and importlib.util.find_spec("faiss") is not None):
            library = import_library("an index in faiss", "faiss", "export")
            kind = library.ScalarQuantizer.QT_fp16
            self._faiss = library.IndexScalarQuantizer(rows.shape[1], kind, library.METRIC_INNER_PRODUCT)
        self._inverse = np.empty(len(self), np.float32)
        for start in range(0, len(self), TILE):
            tile = self._tile(start)
            norm = np.linalg.norm(np.asarray(tile, np.float32), axis=1)
            unit = unit_float32(tile)
            if (bad := unsound_rows(unit)).any():
                raise InputError(f"row {start + int(bad.argmax())} holds NaN or infinity, or is all zero; leave it out")
            self._inverse[start : start + len(tile)] = 1 / norm
            if self._faiss is not None:
                self._faiss.add(unit)

    def __len__(self) -> int:
        return self.rows.shape[0]

    def search(self, queries: Float[AnyArray, "q d"], k: int) -> Nearest:
        """The k nearest rows of each query; all of a smaller index.

        Args:
            queries: `[q, d]` of any float dtype and length.
            k: at least 1.

        Raises:
            InputError: k < 1, or queries of another width.
        """
        unit = unit_float32(np.asarray(queries))
        if k < 1 or unit.ndim != 2 or unit.shape[1] != self.rows.shape[1]:
            raise InputError(f"queries {list(unit.shape)}, k {k}: give rows [q, {self.rows.shape[1]}], and k ≥ 1")
        k = min(k, len(self))
        return self._propose(unit, k) if self._faiss is not None else self._scan(unit, k)

    def scores(self, queries: Float[np.ndarray, "q d"], rows: Int[np.ndarray, "q p"]) -> Float[np.ndarray, "q p"]:
        """Cosines of unit queries with chosen rows of each."""
        found = np.empty(rows.shape, np.float32)
        for number, chosen in enumerate(rows):
            found[number] = unit_float32(np.asarray(self.rows[chosen])) @ queries[number]
        return found

    def _tile(self, start: int) -> np.ndarray:
        tile = np.asarray(self.rows[start : start + TILE])
        return tile.astype(tile.dtype.newbyteorder("="), copy=False)

    def _scan(self, queries: np.ndarray, k: int) -> Nearest:
        best = np.full((len(queries), 0), 0, np.int64), np.full((len(queries), 0), 0, np.float32)
        group = max(1, 2**26 // len(self))  # whose scores are held at once
        parts = [self._scan_some(queries[start : start + group], k) for start in range(0, len(queries), group)]
        return Nearest(*map(np.concatenate, zip(*parts, strict=True))) if parts else Nearest(*best)

    def _scan_some(self, queries: np.ndarray, k: int) -> Nearest:
        scores = np.empty((len(queries), len(self)), np.float32)
        for start in range(0, len(self), TILE):
            tile = self._tile(start)
            if tile.dtype.itemsize > 4:
                tile = tile.astype(np.float32)
            scores[:, start : start + len(tile)] = _tile_scores(queries, tile)
        scores *= self._inverse
        return _highest(scores, k)

    def _propose(self, queries: np.ndarray, k: int) -> Nearest:
        most = min(k + SPARE, len(self))
        _, rows = self._faiss.search(queries, most)
        scores = self.scores(queries, rows)
        order = np.lexsort((rows, -scores))[:, :k]
        return Nearest(np.take_along_axis(rows, order, 1), np.take_along_axis(scores, order, 1))


@partial(jax.jit)
def _tile_scores(queries: Float[Array, "q d"], tile: Float[Array, "t d"]) -> Float[Array, "q t"]:
    return cosine_scores(queries, tile.astype(jnp.float32))


def _highest(scores: Float[np.ndarray, "q n"], k: int) -> Nearest:
    """The k highest scores of each row, of equal ones the first."""
    rows = np.empty((len(scores), k), np.int64)
    for number, each in enumerate(scores):
        least = np.partition(each, len(each) - k)[len(each) - k]
        among = np.flatnonzero(each >= least)
        rows[number] = among[np.argsort(-each[among], kind="stable")][:k]
    return Nearest(rows, np.take_along_axis(scores, rows, 1))
