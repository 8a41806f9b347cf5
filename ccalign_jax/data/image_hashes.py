"""Images that show the same, found by the hashes of their pixels, and joined into groups that stay in one split."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, pairwise
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int, UInt64

from ccalign_jax.data.duplicates import group_limit, merge_components

__all__ = ["DIGEST", "HASH", "NEAR_BITS", "Copies", "find_copies"]

DIGEST, HASH = "image_digest", "image_hash"  # arrays of shards, [n] uint64

# Of 64. Of 1,000 photographs, copies in JPEG quality 20, in grey, or a sixth or twice as large differ in 4 at most, as
# do 98 % of those brightened by 15 % (86 % by 30 %) and 93 % of those without a rim of 1 %; no two photographs differ
# in fewer than 14, and of 300 drawn scenes no two in fewer than 6.
NEAR_BITS = 4


class Copies(NamedTuple):
    """Images that show what an earlier one shows.

    Attributes:
        groups: `[n]`, the number of the first image of each one's group; its own for those without copies.
        of: `[n]`, the nearest earlier image with the same pixels or a near hash; -1 for none.
        distance: `[n]`, bits in which the hashes of both differ.
        exact: `[n]`, whether an earlier image has the same pixels; that is then `of`.
        most: images that near hashes may join into one group.
    """

    groups: Int[np.ndarray, " n"]
    of: Int[np.ndarray, " n"]
    distance: Int[np.ndarray, " n"]
    exact: Bool[np.ndarray, " n"]
    most: int

    @property
    def joined(self) -> Bool[np.ndarray, " n"]:
        """`[n]`, whether a copy is in the group of what it is a copy of."""
        return (self.of >= 0) & (self.groups == self.groups[self.of])

    def join(self, groups: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
        """Groups in which images are together that are so in these groups or among copies."""
        _, components = np.unique(groups, return_inverse=True)
        return merge_components(components, components, components[self.groups])

    def counts(self) -> dict[str, int]:
        """Copies with the same pixels, near copies, groups of several images, and copies that are in none."""
        copies, sizes = self.of >= 0, np.unique(self.groups, return_counts=True)[1]
        return {
            "same_pixels": int(self.exact.sum()),
            "near": int((copies & ~self.exact).sum()),
            "groups": int((sizes > 1).sum()),
            "not_joined": int((copies & ~self.joined).sum()),
        }

    def notes(self) -> tuple[str, ...]:
        """A sentence on the copies that there are."""
        found = self.counts()
        if not found["same_pixels"] + found["near"]:
            return ()
        note = (
            f"{found['same_pixels']} of {len(self.of)} images have the pixels of another, {found['near']} are near "
            f"copies: all are kept, in {found['groups']} groups that stay in one split"
        )
        if found["not_joined"]:
            note += f"; {found['not_joined']} are not joined, as more than {self.most} images would be"
        return (note,)


def find_copies(
    digests: UInt64[np.ndarray, " n"], hashes: UInt64[np.ndarray, " n"], *, most_share: float = 0.05
) -> Copies:
    """Find images with the same pixels, or with hashes that differ in `NEAR_BITS` at most, and join them.

    As in `audit_duplicates`, links are transitive, and a component of more than max(10, `most_share` · n) images is
    joined through the same pixels alone.

    Args:
        digests: of all pixels.
        hashes: of what is seen; 0 is near to none.
        most_share: in (0, 1], of the images in one group.

    Example:
        >>> digests, hashes = np.array([1, 2, 1, 3], np.uint64), np.array([7, 7 << 8, 7, 15], np.uint64)
        >>> find_copies(digests, hashes)[:3]
        (array([0, 1, 0, 0]), array([-1, -1,  0,  0]), array([0, 0, 0, 1]))
    """
    n = len(hashes)
    same = _first_places(digests)
    exact = same < np.arange(n)
    distinct, first, place = np.unique(hashes, return_index=True, return_inverse=True)
    looks_like = np.where(hashes > 0, first[place], same)  # the first with this very hash
    nearest = np.where(looks_like < np.arange(n), looks_like, n * (NEAR_BITS + 1))  # bits · n + the earlier image
    components = merge_components(np.arange(n), np.arange(n), same)
    components = merge_components(components, components, components[looks_like])
    for one, other in _near_pairs(distinct[distinct > 0]):
        some, others = (first[distinct > 0][rows] for rows in (one, other))
        bits = np.bitwise_count(hashes[some] ^ hashes[others]).astype(np.int64)
        np.minimum.at(nearest, np.maximum(some, others), bits * n + np.minimum(some, others))
        components = merge_components(components, components[some], components[others])
    most = group_limit(n, most_share)
    crowded = np.bincount(components, minlength=n)[components] > most
    groups = np.where(crowded, same, _first_places(components))
    near = nearest < n * (NEAR_BITS + 1)
    of = np.where(exact, same, np.where(near, nearest % n, -1))
    return Copies(groups, of, np.where(near & ~exact, nearest // n, 0), exact, most)


def _first_places(values: np.ndarray) -> Int[np.ndarray, " n"]:
    """For each value the place of the first equal one."""
    _, first, place = np.unique(values, return_index=True, return_inverse=True)
    return first[place]


def _near_pairs(hashes: UInt64[np.ndarray, " n"]) -> Iterator[tuple[Int[np.ndarray, " p"], Int[np.ndarray, " p"]]]:
    """Places of distinct hashes that differ in `NEAR_BITS` at most; some pairs come several times.

    Two such hashes have one of `NEAR_BITS` + 1 parts in common: those with an equal part are compared, which for random
    hashes is one pair in thousands.
    """
    edges = np.linspace(0, 64, NEAR_BITS + 2).astype(np.uint64)
    for low, high in pairwise(edges):
        part = (hashes >> low) & ((np.uint64(1) << (high - low)) - np.uint64(1))
        order = np.argsort(part, kind="stable")
        part, sorted_hashes, place = part[order], hashes[order], np.arange(len(hashes))
        for step in count(1):
            place = place[place + step < len(hashes)]
            place = place[part[place] == part[place + step]]
            if not len(place):
                break
            near = place[np.bitwise_count(sorted_hashes[place] ^ sorted_hashes[place + step]) <= NEAR_BITS]
            if len(near):
                yield order[near], order[near + step]
