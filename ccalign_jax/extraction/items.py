"""What is to be embedded: images with their captions, one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from ccalign_jax.encoders.images import ImageReference

__all__ = ["Item", "LeftOut", "Row", "Source"]


class Item(NamedTuple):
    """An image and its captions.

    Attributes:
        key: of the image, unique, by which everything is joined.
        split: official one; None where there is none.
        image: a path, the bytes of a file, or a function that reads them.
        captions: language to captions, in order.
        group: a number that images have in common which no split may part; None for all images where there is none.
    """

    key: str
    split: str | None
    image: ImageReference
    captions: Mapping[str, Sequence[str]]
    group: int | None = None


class Source(NamedTuple):
    """Where items come from.

    Attributes:
        name: in messages.
        items: all of them from the first on, in the same order every time; reads no image.
        sha256: of keys, splits and captions, or of what they follow from.
        size: how many items there are, where all can be gone through in no time; then progress has a total.
        notes: what was left out while reading, counted, one sentence each.
        about: the kind of source, how many captions of an image are used, and what to know of the data set; it is
            written beside the embeddings.
    """

    name: str
    items: Callable[[], Iterator[Item]]
    sha256: str
    size: int | None = None
    notes: tuple[str, ...] = ()
    about: Mapping[str, Any] = MappingProxyType({})


class Row(NamedTuple):
    """One record of a source: an image and some of its captions.

    Attributes:
        place: where it stands, for messages, such as "captions.csv line 3".
        record: values by column; `image` is the key of the image, or the name of its file.
        image: the image itself; None where it is a file that the record names.
    """

    place: str
    record: Mapping[str, Any]
    image: ImageReference | None = None


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
