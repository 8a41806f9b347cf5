"""Rows that need not fit in memory, read and mapped block by block."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ccalign_jax.metrics.scored_rows import take_off
from ccalign_jax.numerics import AnyArray, unit_float32, unit_rows
from ccalign_jax.tiles import even_tiles

__all__ = ["RowMap", "Rows", "Source", "as_scaled", "make_sources"]

QUERY_TILE, GALLERY_TILE = 1024, 1024  # 4 MiB of scores: on a CPU they are counted before they leave the cache
ACCELERATOR_TILE = 8192  # on both sides: 256 MiB of scores
MAX_TILES = 64  # of a block of the gallery: the next one is read while it is at work
COPIES = 4  # of a block: as read, the next one being read, in float32, and mapped

RowMap = Callable[[Float[Array, "b d"]], Float[Array, "b w"]]


class Rows(Protocol):
    """Source of rows: a NumPy array, a memory map, an HDF5 data set, ..."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __getitem__(self, rows: Any) -> Any: ...


@dataclasses.dataclass(frozen=True)
class Source:
    """Rows read in blocks of one size, mapped and lengthened by one compiled function."""

    name: str
    rows: Rows
    tile: int
    block: int
    prepare: Callable[[AnyArray, AnyArray | None], tuple[Array, Array, Array]]
    penalty: Float[np.ndarray, " n"] | None

    def __len__(self) -> int:
        return self.rows.shape[0]

    @property
    def counted(self) -> int:
        """Rows of a block that can exist, and so are compared: fewer than a tile where the side is that small.

        The number of rows is rounded up to a power of two, so that small sides share a few compiled programs.
        """
        return min(self.block, 1 << (len(self) - 1).bit_length())

    def take(self, places: slice | np.ndarray) -> Float[Array, "block w"]:
        """These rows, at most a block of them; behind them zeros."""
        read, penalty = self.read(places)
        rows, sound, kept = self.prepare(read, penalty)
        numbers = np.arange(places.start, places.stop) if isinstance(places, slice) else places
        bad = np.flatnonzero(~np.asarray(sound)[: len(numbers)])
        if len(bad):
            what = "holds NaN or infinity" if np.any(read[bad[0]]) else "is all zero"
            raise ValueError(f"row {numbers[bad[0]]} of the {self.name} {what}; leave it out")
        lost = np.flatnonzero(~np.asarray(kept)[: len(numbers)])
        if len(lost):
            raise ValueError(
                f"row {numbers[lost[0]]} of the {self.name} is mapped to NaN, infinity or zero; train the map anew"
            )
        return rows

    def read(self, places: slice | np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        taken = np.asarray(self.rows[places])
        taken = taken.astype(taken.dtype.newbyteorder("="), copy=False)
        if taken.dtype.itemsize > 4:  # in float32, as the device holds them, they may overflow
            taken = unit_float32(taken)
        found = np.empty((self.block, *taken.shape[1:]), taken.dtype)
        found[: len(taken)], found[len(taken) :] = taken, 0
        if self.penalty is None:
            return found, None
        more = np.zeros(self.block, np.float32)
        more[: len(taken)] = self.penalty[places]
        return found, more

    def blocks(self) -> Iterator[tuple[slice, Array]]:
        """All rows, block by block; the next is read and prepared while one is at work."""
        places = [slice(start, min(start + self.block, len(self))) for start in range(0, len(self), self.block)]
        with ThreadPoolExecutor(max_workers=1) as pool:
            ahead = pool.submit(self.take, places[0])
            for here, later in zip(places, [*places[1:], None], strict=True):
                rows = ahead.result()
                if later is not None:
                    ahead = pool.submit(self.take, later)
                yield here, rows


def as_scaled(rows: Float[Array, "b d"]) -> Float[Array, "b d"]:
    """The identity map of scaled rows."""
    return rows


def make_sources(
    queries: Rows,
    gallery: Rows,
    map_queries: RowMap,
    map_gallery: RowMap,
    penalties: tuple[np.ndarray, np.ndarray] | None,
    memory: int,
) -> tuple[Source, Source]:
    """Both sides, in blocks that together take `memory` bytes, and are no smaller than a tile.

    Raises:
        ValueError: no rows, rows of two spaces, or penalties that are not one a row.
    """
    rows = queries, gallery
    if any(len(side.shape) != 2 or 0 in side.shape for side in rows):
        raise ValueError(
            f"queries {tuple(queries.shape)} and gallery {tuple(gallery.shape)} must be rows [n, d], n > 0"
        )
    maps = map_queries, map_gallery
    like = [jax.ShapeDtypeStruct((1, side.shape[1]), jnp.float32) for side in rows]
    widths = [jax.eval_shape(one, side).shape[1] for one, side in zip(maps, like, strict=True)]
    if widths[0] != widths[1]:
        raise ValueError(
            f"queries come out {widths[0]} wide and the gallery {widths[1]}; both maps must lead to one space"
        )
    if penalties is not None and [len(one) for one in penalties] != [side.shape[0] for side in rows]:
        raise ValueError(f"penalties {[len(one) for one in penalties]} must be one number a query, and one an item")
    row_bytes = COPIES * 4 * max(widths[0], *(side.shape[1] for side in rows))
    found: list[Source] = []
    left = memory
    tiles = (QUERY_TILE, GALLERY_TILE) if jax.default_backend() == "cpu" else (ACCELERATOR_TILE, ACCELERATOR_TILE)
    # Of the queries as many at once as half of the memory holds: for each block of them all of the gallery is read.
    for number, (name, share, most) in enumerate((("queries", 2, memory), ("gallery", 1, MAX_TILES))):
        tile = tiles[number]
        wanted = -(-rows[number].shape[0] // tile)
        _, together = even_tiles(wanted, max(1, min(left // share // (row_bytes * tile), most)))
        penalty = None if penalties is None else penalties[number]
        found.append(Source(name, rows[number], tile, together * tile, _prepare(maps[number], number), penalty))
        left -= found[-1].block * row_bytes
    return found[0], found[1]


@functools.lru_cache(maxsize=16)
def _prepare(row_map: RowMap, number: int) -> Callable[[AnyArray, AnyArray | None], tuple[Array, Array, Array]]:
    """Scale rows, map them and, with penalties, lengthen them: one program for all blocks of a side, gathered ones too.

    It also returns which rows are finite and not zero, which are those of length one after scaling, and which rows are
    so after the map.
    """

    def prepare(rows: Array, penalty: Array | None) -> tuple[Array, Array, Array]:
        unit = unit_rows(rows.astype(jnp.float32))
        sound = jnp.sum(jnp.square(unit), axis=1) > 0.5
        mapped = row_map(unit)
        kept = jnp.isfinite(mapped).all(axis=1) & (mapped != 0).any(axis=1)
        if penalty is None:
            return mapped, sound, kept
        return take_off(2.0 * mapped, penalty, mapped, penalty)[number], sound, kept

    return jax.jit(prepare)
