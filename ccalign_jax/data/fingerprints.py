"""Compact fingerprints of images, by which training images are recognised in other data."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int16, UInt64

from ccalign_jax.data.embedding_set import EmbeddingSet
from ccalign_jax.numerics import unit_float32

__all__ = ["Fingerprints", "Recognised", "fingerprint", "fingerprint_rows", "recognise", "recognise_rows"]

PROJECTIONS = 8
STEPS = 4096  # per standard deviation of a projection, which is 1 for every width
# Two unit rows differ in a projection by about their distance: bfloat16 moves a row by some .002, 8 steps; images of
# cosine .999 are .045 apart, 183 steps.
TOLERANCE = 40
LIMITS = (-32768, 32767)
_BLOCK_ROWS = 1024  # fits in the processor's cache
_TREE_ROWS = 1_000_000


class Fingerprints(NamedTuple):
    """Fingerprints of a set of images: 16 bytes for each row, 8 for each key.

    Attributes:
        rows: `[n, 8]`, the unit row of each image, projected on eight fixed Gaussian directions.
        keys: `[k]`, a 64-bit digest of each key; none where the images have no keys of their own.
    """

    rows: Int16[np.ndarray, "n 8"]
    keys: UInt64[np.ndarray, " k"]


class Recognised(NamedTuple):
    """Images of a data set that are among fingerprinted ones.

    Attributes:
        by_key: `[n]`, the same key.
        by_row: `[n]`, the same row, up to its length and the rounding of its dtype.
        images: `[n]`, either, or another image of the group is recognised.
    """

    by_key: Bool[np.ndarray, " n"]
    by_row: Bool[np.ndarray, " n"]
    images: Bool[np.ndarray, " n"]


def fingerprint(data: EmbeddingSet) -> Fingerprints:
    """Fingerprints of all images of a data set; row numbers in place of keys are left out.

    Example:
        >>> data = EmbeddingSet.build("toy", np.eye(3), {"en": np.eye(3)}, image_keys=["a", "b", "c"])
        >>> [array.shape for array in fingerprint(data)]
        [(3, 8), (3,)]
    """
    return Fingerprints(fingerprint_rows(data.image), _digests([] if data.numbered else data.keys.tolist()))


def fingerprint_rows(rows: Float[np.ndarray, "n d"]) -> Int16[np.ndarray, "n 8"]:
    """Rows scaled to length one and projected on eight Gaussian directions that depend on their width alone.

    Args:
        rows: of any float dtype and any length but zero.

    Example:
        >>> rows = np.random.default_rng(0).normal(size=(5, 64))
        >>> found = fingerprint_rows(rows).astype(int) - fingerprint_rows((3 * rows).astype(np.float16))
        >>> bool(np.abs(found).max() <= TOLERANCE)
        True
    """
    # The legacy generator's stream is frozen: every version of NumPy draws the same directions.
    directions = np.random.RandomState(0).standard_normal((rows.shape[1], PROJECTIONS)).astype(np.float32)
    found = np.empty((len(rows), PROJECTIONS), np.int16)
    for start in range(0, len(rows), _BLOCK_ROWS):
        projected = unit_float32(rows[start : start + _BLOCK_ROWS]) @ directions
        found[start : start + _BLOCK_ROWS] = np.clip(np.rint(STEPS * projected), *LIMITS)
    return found


def recognise(data: EmbeddingSet, known: Fingerprints) -> Recognised:
    """Images that are among the fingerprinted ones, by key, by row, or by their group.

    A copy of an image under another key is recognised where its row is the same; another crop or encoding of the
    picture is not.

    Example:
        >>> image, text = np.eye(4), {"en": np.eye(4)}
        >>> data = EmbeddingSet.build("toy", image, text, groups=[0, 0, 1, 2])
        >>> recognise(data, fingerprint(data.take(np.array([1, 3])))).images.tolist()
        [True, True, False, True]
    """
    keys = np.zeros(len(data), bool) if data.numbered else np.isin(_digests(data.keys.tolist()), known.keys)
    rows = recognise_rows(data.image, known)
    return Recognised(keys, rows, np.isin(data.groups, data.groups[keys | rows]))


def recognise_rows(rows: Float[np.ndarray, "n d"], known: Fingerprints) -> Bool[np.ndarray, " n"]:
    """Mask of the image rows that are among the fingerprinted ones, up to their length and the rounding of their dtype.

    Example:
        >>> known = Fingerprints(fingerprint_rows(np.eye(3)[:2]), np.zeros(0, np.uint64))
        >>> recognise_rows(5 * np.eye(3), known).tolist()
        [True, True, False]
    """
    from scipy.spatial import cKDTree

    prints = fingerprint_rows(rows)
    found = np.zeros(len(rows), bool)
    for start in range(0, len(known.rows), _TREE_ROWS):
        tree = cKDTree(known.rows[start : start + _TREE_ROWS])
        distance, _ = tree.query(prints, p=np.inf, distance_upper_bound=TOLERANCE + 0.5)
        found |= np.isfinite(distance)
    return found


def _digests(keys: Sequence[str]) -> UInt64[np.ndarray, " k"]:
    whole = b"".join(hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).digest() for key in keys)
    return np.frombuffer(whole, "<u8").astype(np.uint64)
