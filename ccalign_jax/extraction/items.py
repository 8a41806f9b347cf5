"""What is to be embedded: images with their captions, one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from ccalign_jax.encoders.images import ImageReference

__all__ = ["Item", "LeftOut", "Source"]


class Item(NamedTuple):
    """An image and its captions.

    Attributes:
        key: of the image, unique, by which everything is joined.
        split: official one; None where there is none.
        image: a path, the bytes of a file, or a function that reads them.
        captions: language to captions, in order.
    """

    key: str
    split: str | None
    image: ImageReference
    captions: Mapping[str, Sequence[str]]


class Source(NamedTuple):
    """Where items come from.

    Attributes:
        name: in messages.
        items: all of them from the first on, in the same order every time; reads no image.
        sha256: of keys, splits and captions, or of what they follow from.
        size: how many items there are, where all can be gone through in no time; then progress has a total.
        notes: what was left out while reading, counted, one sentence each.
    """

    name: str
    items: Callable[[], Iterator[Item]]
    sha256: str
    size: int | None = None
    notes: tuple[str, ...] = ()


class LeftOut(NamedTuple):
    """An image, or one of its captions, that is in no array, and why.

    Attributes:
        image: key of the image.
        language: of the caption; empty for the image with all of its captions.
        caption: its number among those of the image and language, from 0; empty for the image.
        reason: in words that are the same every time.
    """

    image: str
    language: str
    caption: str
    reason: str
