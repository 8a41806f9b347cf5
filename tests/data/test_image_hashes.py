"""Copies by hashes: near pairs are those of brute force, groups are transitive, and none becomes too large."""

import numpy as np
import pytest

from ccalign_jax.data.image_hashes import NEAR_BITS, find_copies


def digests_of(numbers):
    """Different digests for different numbers."""
    return np.array(numbers, np.uint64)


def flipped(value, *bits):
    for bit in bits:
        value ^= 1 << bit
    return value


def brute_force(numbers, hashes):
    """Who reaches whom, the first of each group."""
    numbers, hashes = np.array(numbers), np.array(hashes, np.uint64)
    near = np.bitwise_count(hashes[:, None] ^ hashes) <= NEAR_BITS
    links = (numbers[:, None] == numbers) | (near & (hashes[:, None] > 0) & (hashes > 0))
    for _ in numbers:
        links = links @ links
    return links.argmax(1)


def test_near_pairs_are_those_of_brute_force():
    random = np.random.default_rng(0)
    bases = random.integers(1, 2**63, 30)
    hashes = []
    for base in bases:
        hashes += [flipped(int(base), *random.choice(64, random.integers(0, 8), replace=False)) for _ in range(3)]
    hashes += [0, 0, 0]
    order = random.permutation(len(hashes))
    hashes, numbers = [hashes[at] for at in order], random.integers(0, 300, len(hashes))
    found = find_copies(digests_of(numbers), np.array(hashes, np.uint64), most_share=1)
    np.testing.assert_array_equal(found.groups, brute_force(numbers, hashes))
    copies = np.flatnonzero(found.of >= 0)
    assert (found.of[copies] < copies).all() and found.joined[copies].all() and not found.joined[found.of < 0].any()
    bits = np.bitwise_count(np.array(hashes, np.uint64)[copies] ^ np.array(hashes, np.uint64)[found.of[copies]])
    np.testing.assert_array_equal(np.where(found.exact[copies], 0, bits), found.distance[copies])


@pytest.mark.parametrize(("bits", "near"), [((3,), 1), ((0, 13, 26, 63), 1), ((0, 13, 26, 39, 63), 0)])
def test_hashes_that_differ_in_four_bits_are_near(bits, near):
    found = find_copies(digests_of([1, 2]), np.array([12345, flipped(12345, *bits)], np.uint64))
    assert found.counts() == {"same_pixels": 0, "near": near, "groups": near, "not_joined": 0}
    assert found.distance[1] == near * len(bits)


def test_the_same_pixels_come_before_nearer_looks():
    found = find_copies(digests_of([1, 2, 3, 2]), np.array([7, 6, 6, 6], np.uint64))
    assert found.of.tolist() == [-1, 0, 1, 1] and found.exact.tolist() == [False, False, False, True]
    assert found.distance.tolist() == [0, 1, 0, 0] and found.groups.tolist() == [0] * 4


def test_images_without_structure_are_compared_by_pixels_alone():
    found = find_copies(digests_of([1, 2, 1]), np.zeros(3, np.uint64))
    assert found.groups.tolist() == [0, 1, 0] and found.of.tolist() == [-1, -1, 0]


def test_a_chain_of_too_many_is_joined_through_the_same_pixels_alone():
    chain = [flipped(0, *range(number, number + 3)) for number in range(12)]
    found = find_copies(digests_of([*range(11), 10]), np.array(chain, np.uint64))
    assert found.most == 10 and found.groups.tolist() == [*range(11), 10]
    assert found.counts() == {"same_pixels": 1, "near": 10, "groups": 1, "not_joined": 10}
    (note,) = found.notes()
    assert "1 of 12 images have the pixels of another, 10 are near copies" in note
    assert "10 are not joined, as more than 10 images would be" in note


def test_no_copies_no_words():
    found = find_copies(digests_of([1, 2]), np.array([1, 2**40 - 1], np.uint64))
    assert found.notes() == () and found.groups.tolist() == [0, 1]
