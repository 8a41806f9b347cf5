"""Groups of images that share pages, and splits that keep each group whole."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int, UInt64
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

__all__ = ["SPLITS", "page_groups", "split_groups"]

SPLITS = ("train", "dev", "test")


def page_groups(
    image: Int[np.ndarray, " n"], page: UInt64[np.ndarray, " n"], images: int
) -> Int[np.ndarray, " images"]:
    """Connected components of images, where an edge is a page that shows both.

    Args:
        image: whose place is below `images`, of each use of an image.
        page: that it is used on, any number for each page.
        images: how many there are.

    Returns:
        The group of each image; groups are numbered by their first image.

    Example:
        >>> page_groups(np.array([0, 1, 1, 3]), np.array([7, 7, 9, 5], np.uint64), 4)
        array([0, 0, 1, 2])
    """
    pages, at = np.unique(page, return_inverse=True)
    size = images + len(pages)
    edges = coo_array((np.ones(len(image), bool), (image, at + images)), shape=(size, size))
    label = connected_components(edges, directed=False)[1][:images]
    _, first, inverse = np.unique(label, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse]


def split_groups(
    group: Int[np.ndarray, " n"], draw: UInt64[np.ndarray, " n"], *, dev: float, test: float
) -> Int[np.ndarray, " n"]:
    """Distribute groups over splits: in random order, each to test, dev or train, where it first has room.

    Args:
        group: of each image.
        draw: a random number for each image, such as a hash of its key; the least orders its group.
        dev, test: shares of the images, at most; what is left is train.

    Returns:
        The place in `SPLITS` of the split of each image.

    Example:
        >>> split_groups(np.array([0, 0, 1, 2]), np.array([5, 1, 2, 3], np.uint64), dev=0, test=0.3)
        array([0, 0, 2, 0])
    """
    size = np.bincount(group)
    order = np.full(len(size), np.iinfo(np.uint64).max, np.uint64)
    np.minimum.at(order, group, draw)
    room = {2: int(test * len(group)), 1: int(dev * len(group))}
    split = np.zeros(len(size), np.int64)
    for number in np.argsort(order, kind="stable"):
        for place in room:
            if size[number] <= room[place]:
                room[place] -= size[number]
                split[number] = place
                break
        if not any(room.values()):
            break
    return split[group]
