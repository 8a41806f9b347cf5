"""Pairs of ragged shards: every image with its first captions of all languages, with its second captions, and so on."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Int

from ccalign_jax.data.stored_array import HeldArray, StoredArray

__all__ = ["COUNT", "Pairs", "image_pairs", "read_counts"]

COUNT = "count_"  # prefix of the arrays that hold the numbers of captions
_KEPT = 64  # shards whose counts stay in memory


class Pairs(NamedTuple):
    """Rows of images and captions of the pairs of a shard.

    Attributes:
        image: `[r]`, the image row of each pair, ascending.
        first: `[n + 1]`, the first pair of each image, and the number of pairs.
        captions: language to `[n + 1]`, the first caption row of each image, and the number of captions.
    """

    image: Int[np.ndarray, " r"]
    first: Int[np.ndarray, " n_and_one"]
    captions: Mapping[str, Int[np.ndarray, " n_and_one"]]


def image_pairs(arrays: Mapping[str, StoredArray | HeldArray]) -> Pairs:
    """The pairs of a shard with arrays `count_<language>`: as many of an image as it has captions in one language.

    Example:
        >>> from pathlib import Path
        >>> counts = {f"count_{key}": np.array(each) for key, each in {"de": [1, 0, 0], "en": [2, 0, 1]}.items()}
        >>> pairs = image_pairs({key: HeldArray(Path("a"), key, values) for key, values in counts.items()})
        >>> pairs.image.tolist(), pairs.first.tolist(), pairs.captions["en"].tolist()
        ([0, 0, 2], [0, 2, 2, 3], [0, 2, 2, 3])
    """
    return _pairs(tuple(array for key, array in sorted(arrays.items()) if key.startswith(COUNT)))


@functools.lru_cache(maxsize=_KEPT)
def _pairs(arrays: tuple[StoredArray | HeldArray, ...]) -> Pairs:
    counts = {array.key.removeprefix(COUNT): read_counts(array) for array in arrays}
    most = np.max(list(counts.values()), axis=0)
    edges = {language: np.concatenate([[0], np.cumsum(count)]) for language, count in counts.items()}
    return Pairs(np.repeat(np.arange(len(most)), most), np.concatenate([[0], np.cumsum(most)]), edges)


def read_counts(array: StoredArray | HeldArray) -> Int[np.ndarray, " n"]:
    """The captions of each image, as int64."""
    return array.read().astype(np.int64)
