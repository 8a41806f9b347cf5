"""Images decoded in threads, ahead of their encoding and beyond the end of a shard."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

from ccalign_jax.errors import InputError, reason
from ccalign_jax.extraction.items import Item

__all__ = ["ImagesAhead", "ShardItems"]


class ShardItems(NamedTuple):
    """The items of a shard, by its number."""

    number: int
    items: list[Item]


class ImagesAhead:
    """Shards in turn, and the prepared images of all their items in the same order; used in a `with` statement.

    Args:
        shards: in the order of their numbers.
        prepare: reads and decodes an image; an exception leaves it out.
        threads: that prepare.
        most: images that are prepared, or being prepared, at once.
    """

    def __init__(self, shards: Iterator[ShardItems], prepare: Callable[[Any], Any], *, threads: int, most: int):
        self._shards, self._prepare, self._most = shards, prepare, most
        self._pool = ThreadPoolExecutor(threads)
        self._known: deque[ShardItems] = deque()  # read from the source, not yet asked for
        self._left: deque[Item] = deque()  # not yet being prepared
        self._images: deque[Future[Any]] = deque()

    def __enter__(self) -> ImagesAhead:
        return self

    def __exit__(self, *raised: object) -> None:
        self._pool.shutdown(wait=raised[0] is None, cancel_futures=True)

    def shards(self) -> Iterator[ShardItems]:
        """The shards; all images of one must be taken before the next."""
        self._fill()
        while self._known:
            yield self._known.popleft()
            self._fill()

    def image(self) -> tuple[Any, str | None]:
        """The next image, prepared, or None and why it is left out."""
        self._fill()
        future = self._images.popleft()
        self._fill()
        try:
            return future.result(), None
        except InputError:  # of the program, not of the image: a missing library
            raise
        except Exception as error:
            return None, reason(error)

    def _fill(self) -> None:
        while len(self._images) < self._most:
            if not self._left:
                shard = next(self._shards, None)
                if shard is None:
                    return
                self._known.append(shard)
                self._left.extend(shard.items)
                continue
            self._images.append(self._pool.submit(self._prepare, self._left.popleft().image))
