"""The duplicate audit: what is found, what is joined, what is cut, and that no fold tears a group apart."""

import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ccalign_jax.data import EmbeddingSet, load, nested_folds
from ccalign_jax.data import duplicates as module
from ccalign_jax.data.duplicates import EXACT, audit_duplicates, audit_notes, group_duplicates


def circle(*degrees: float, dtype=np.float64) -> np.ndarray:
    """Unit rows `[n, 2]` at these angles: the cosine of two is that of their difference."""
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], 1).astype(dtype)


def images(rows: np.ndarray, *, groups=None) -> EmbeddingSet:
    """An image a row, each with a caption of its own."""
    return EmbeddingSet.build("toy", rows, {"en": np.eye(len(rows))}, groups=groups)


def captions(rows, image_of, *, groups) -> EmbeddingSet:
    """Captions of two languages, the same rows in both, under images that have nothing in common but `groups`."""
    keys = np.arange(len(groups)).astype(str)
    owners = keys[list(image_of)]
    text = {"en": np.asarray(rows), "de": np.asarray(rows)[:-1]}
    text_keys = {"en": owners, "de": owners[:-1]}
    return EmbeddingSet.build("toy", np.eye(len(groups)), text, image_keys=keys, text_keys=text_keys, groups=groups)


def parts(groups: np.ndarray) -> set[frozenset[int]]:
    return {frozenset(np.flatnonzero(groups == group).tolist()) for group in groups}


def brute_force(image: np.ndarray, groups: np.ndarray, cosine: float, most: int) -> np.ndarray:
    """Who reaches whom by matrix powers; who reaches too many, again through exact duplicates alone."""

    def reached(links: np.ndarray) -> np.ndarray:
        links = links | (groups[:, None] == groups)
        for _ in groups:
            links = links @ links
        return links

    rows = image.astype(np.float64)
    cosines = rows @ rows.T / np.outer(*[np.sqrt(np.square(rows).sum(1))] * 2)
    reach, exact = reached(cosines > min(cosine, EXACT)), reached(cosines > EXACT)
    crowded = reach.sum(1) > most
    reach[crowded] = exact[crowded]
    return np.where(reach, groups, groups.max()).min(1)


@pytest.fixture
def random_rows() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((60, 16))


# What is found


def test_nothing_found_changes_nothing(random_rows):
    data = dataclasses.replace(images(random_rows, groups=np.arange(60) // 2 + 7), notes=("before",))
    audit = audit_duplicates(data)
    assert audit[2:6] == (0, 0, 0, 0) and audit.cut == 0 and audit.repeated_captions == {"en": 0}
    assert audit_notes(audit, data) == ()
    grouped = group_duplicates(data)
    assert grouped.sha256() == data.sha256() and grouped.notes == ("before",)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("length", [1, 0.3, 17])
@pytest.mark.parametrize("cosine", [0.999, 1])
def test_exact_and_scaled_duplicates_in_every_precision(random_rows, dtype, length, cosine):
    random_rows[[50, 41, 7]] = random_rows[[3, 3, 20]] * length
    audit = audit_duplicates(images(random_rows.astype(dtype)), cosine=cosine)
    expected = np.arange(60)
    expected[[50, 41, 20]] = 3, 3, 7
    np.testing.assert_array_equal(audit.groups, expected)
    assert audit.groups.dtype == np.int32
    assert (audit.near_pairs, audit.duplicate_images, audit.components, audit.largest) == (4, 5, 2, 3)


def test_exact_is_decided_more_finely_than_float32_could():
    above, below = np.degrees(np.arccos([EXACT + 1e-8, EXACT - 1e-8]))
    degrees = np.arange(40) * 9
    data = images(circle(*degrees, *degrees[:20] + above, *degrees[20:] + below))
    assert audit_duplicates(data, cosine=1).groups.tolist() == [*range(40), *range(20), *range(60, 80)]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_threshold_parts_pairs_just_above_and_just_below(dtype):
    apart = np.degrees(np.arccos(0.999))
    data = images(circle(0, apart - 1e-3, 90, 90 + apart + 1e-3, dtype=dtype))
    assert audit_duplicates(data, cosine=0.999).groups.tolist() == [0, 0, 2, 3]
    assert audit_duplicates(data, cosine=0.9991).groups.tolist() == [0, 1, 2, 3]
    assert audit_duplicates(data, cosine=0.9989).groups.tolist() == [0, 0, 2, 2]


def test_one_asks_for_exact_duplicates_alone():
    data = images(circle(0, 0.05, 0.5, 0))
    found = audit_duplicates(data, cosine=1)
    assert found.groups.tolist() == [0, 0, 2, 0] and np.cos(np.radians(0.05)) > EXACT
    assert audit_duplicates(data, cosine=EXACT).groups.tolist() == found.groups.tolist()
    assert audit_duplicates(data, cosine=0.9999).groups.tolist() == [0, 0, 0, 0]


def test_opposite_rows_are_no_duplicates():
    assert audit_duplicates(images(circle(0, 180)), cosine=0.5).duplicate_images == 0


@pytest.mark.parametrize("name", ["cosine", "most_share"])
@pytest.mark.parametrize("value", [0, -0.5, 1.01, float("nan"), float("inf")])
def test_numbers_out_of_range_are_refused(one_line, name, value):
    data = images(np.eye(3))
    one_line(lambda: audit_duplicates(data, **{name: value}), "toy", f"{name}={value}", "above 0")
    one_line(lambda: group_duplicates(data, **{name: value}), name)


# What is joined


def test_a_chain_is_one_component():
    audit = audit_duplicates(images(circle(0, 10, 20, 60)), cosine=np.cos(np.radians(11)))
    assert audit.groups.tolist() == [0, 0, 0, 3]
    assert (audit.near_pairs, audit.duplicate_images, audit.components, audit.largest) == (2, 3, 1, 3)


def test_groups_are_joined_through_a_duplicate_and_keep_the_smallest_number():
    data = images(circle(0, 40, 80, 40, 120, 160), groups=[9, 9, 4, 4, 2, 5])
    audit = audit_duplicates(data)
    assert audit.groups.tolist() == [4, 4, 4, 4, 2, 5]
    assert (audit.duplicate_images, audit.components, audit.largest) == (2, 1, 4)


def test_duplicates_that_were_one_group_already_are_still_counted():
    audit = audit_duplicates(images(circle(0, 0, 40), groups=[3, 3, 1]))
    assert audit.groups.tolist() == [3, 3, 1]
    assert (audit.near_pairs, audit.components, audit.largest) == (1, 1, 2)


def test_the_order_of_the_images_does_not_matter(random_rows):
    random_rows[30:50] = random_rows[:20] + 0.02 * random_rows[20:40]
    groups = np.arange(60) % 55
    order = np.random.default_rng(2).permutation(60)
    here = audit_duplicates(images(random_rows, groups=groups), cosine=0.99)
    there = audit_duplicates(images(random_rows[order], groups=groups[order]), cosine=0.99)
    np.testing.assert_array_equal(here.groups[order], there.groups)
    assert here[1:] == there[1:] and here.duplicate_images == 40 and here.cut == 0


@pytest.mark.parametrize("cosine", [0.7, 0.9, 1])
@pytest.mark.parametrize("size", [1, 7, 59, 60])
def test_tiles_find_what_the_whole_does(random_rows, monkeypatch, cosine, size):
    random_rows[30:60] = random_rows[:30] + np.linspace(0, 1, 30)[:, None] * random_rows[30:60]
    data = images(random_rows.astype(np.float16))
    whole = audit_duplicates(data, cosine=cosine, most_share=0.2)
    monkeypatch.setattr(module, "_TILE_ROWS", size)
    tiled = audit_duplicates(data, cosine=cosine, most_share=0.2)
    np.testing.assert_array_equal(tiled.groups, whole.groups)
    assert tiled[1:] == whole[1:] and whole.near_pairs > 0


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.data())
def test_brute_force_agrees(draw):
    count = draw.draw(st.integers(1, 26))
    numbers = st.lists(st.integers(-3, 3), min_size=3, max_size=3).filter(any)
    rows = np.array(draw.draw(st.lists(numbers, min_size=count, max_size=count)), np.float16)
    groups = np.array(draw.draw(st.lists(st.integers(0, 40), min_size=count, max_size=count)))
    cosine = draw.draw(st.sampled_from([0.7331, 0.9137, 0.9811, 1]))
    share = draw.draw(st.sampled_from([0.05, 0.45, 1]))
    audit = audit_duplicates(images(rows, groups=groups), cosine=cosine, most_share=share)
    np.testing.assert_array_equal(audit.groups, brute_force(rows, groups, cosine, max(10, int(share * count))))


# What is cut


def test_a_long_chain_is_joined_through_exact_duplicates_and_given_groups_alone():
    degrees = [*range(12), 5, 90, 90.2]  # a chain of twelve, a copy of its sixth, and a pair apart
    groups = [0, 1, 1, *range(3, 15)]
    data = images(circle(*degrees), groups=groups)
    audit = audit_duplicates(data, cosine=np.cos(np.radians(1.1)))
    assert audit.groups.tolist() == [0, 1, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 5, 13, 13]
    assert (audit.most, audit.cut) == (10, 13)
    assert (audit.duplicate_images, audit.components, audit.largest) == (15, 2, 2)
    first, second = audit_notes(audit, data)
    assert "15 of 15 images" in first and "2 groups, the largest of 2" in first
    assert "13 of 15 images" in second and "more than 10" in second


@pytest.mark.parametrize(("count", "share", "cut"), [(10, 0.01, 0), (11, 0.01, 11), (40, 0.999, 40), (40, 1, 0)])
def test_how_many_images_are_too_many(count, share, cut):
    audit = audit_duplicates(images(circle(*range(count))), cosine=np.cos(np.radians(1.1)), most_share=share)
    assert audit.cut == cut and len(parts(audit.groups)) == (count if cut else 1)
    assert (audit.components, audit.largest) == ((0, 0) if cut else (1, count))


def test_given_groups_and_exact_duplicates_are_never_cut():
    rows = np.concatenate([np.eye(20), np.ones((20, 20))])
    audit = audit_duplicates(images(rows, groups=[0] * 20 + [*range(1, 21)]))
    assert audit.groups.tolist() == [0] * 20 + [1] * 20
    assert (audit.cut, audit.components, audit.largest) == (0, 1, 20)


def test_a_large_given_group_that_holds_its_own_near_duplicates_is_not_cut():
    audit = audit_duplicates(images(circle(*range(12), 90), groups=[0] * 12 + [1]), cosine=np.cos(np.radians(1.1)))
    assert (audit.cut, audit.near_pairs, audit.components, audit.largest) == (0, 11, 1, 12)


# Captions


@pytest.mark.parametrize(
    ("image_of", "groups", "expected"),
    [
        ([0, 1, 1, 2], [0, 1, 2], 3),  # the rows are a, a, b, a
        ([0, 0, 1, 0], [0, 1, 2], 0),  # repeated within an image
        ([0, 1, 2, 1], [5, 5, 7], 0),  # repeated within a group
        ([0, 2, 2, 1], [5, 5, 7], 3),  # one of the repeats stands in another group: it is one for all three
    ],
)
def test_captions_count_where_they_repeat_in_another_group(image_of, groups, expected):
    # Minus zero is zero: rows with equal inner products are equal.
    rows = np.array([[1, 0], [1, -0.0], [1, 0.001], [1, 0]])
    order = np.argsort(image_of, kind="stable")
    data = captions([*rows[order], [0, 1]], [*np.array(image_of)[order], 2], groups=groups)
    audit = audit_duplicates(data)
    assert audit.repeated_captions == {"de": expected, "en": expected}
    assert len(parts(audit.groups)) == len(set(groups))
    notes = audit_notes(audit, data)
    assert len(notes) == bool(expected)
    assert not expected or f": de {expected} of 4, en {expected} of 5;" in notes[0]


@pytest.mark.parametrize("scale", [1e200, 1e-200])
def test_duplicates_are_found_among_rows_of_any_size(random_rows, scale):
    rows = random_rows.copy()
    rows[7] = rows[3]
    assert frozenset([3, 7]) in parts(audit_duplicates(images(scale * rows)).groups)


def test_captions_of_duplicate_images_are_of_one_group():
    rows = np.array([[1, 0], [1, 0], [0, 1.0]])
    assert audit_duplicates(EmbeddingSet.build("toy", circle(0, 0, 90), {"en": rows})).repeated_captions["en"] == 0
    assert audit_duplicates(EmbeddingSet.build("toy", circle(0, 45, 90), {"en": rows})).repeated_captions["en"] == 2


# What is said


def test_notes_say_what_was_found(random_rows):
    random_rows[[50, 51]] = random_rows[[3, 4]]
    grouped = group_duplicates(dataclasses.replace(images(random_rows), notes=("before",)), cosine=0.99)
    before, note = grouped.notes
    assert before == "before"
    assert note.startswith("4 of 60 images have an exact or near duplicate (cosine above 0.99): joined into 2 groups,")
    exact = group_duplicates(images(random_rows[:51]), cosine=1).notes
    assert exact[0].startswith("2 of 51 images have an exact duplicate: joined into 1 group of 2,")


def test_no_fold_tears_a_component_apart(random_rows):
    random_rows[30:] = random_rows[:30]
    data = images(random_rows, groups=[0, *range(60)][:60])
    grouped = group_duplicates(data)
    assert parts(grouped.groups) == {frozenset([0, 1, 30, 31])} | {frozenset([i, i + 30]) for i in range(2, 30)}
    torn = 0
    for fold in nested_folds(grouped, folds=4):
        sides = [[fold.train, fold.test], *([inner.train, inner.validation, fold.test] for inner in fold.inner)]
        for one, other in itertools.chain.from_iterable(itertools.combinations(side, 2) for side in sides):
            assert not set(one % 30) & set(other % 30)
    for fold in nested_folds(data, folds=4):
        torn += len(set(fold.train % 30) & set(fold.test % 30))
    assert torn > 0  # without the audit they would be


@pytest.mark.parametrize(("name", "repeated"), [("flickr8k5.npz", 7075), ("coco500_clip.npz", 0)])
def test_real_images_have_no_near_duplicates(real_data, name, repeated):
    data = load(real_data(name))
    audit = audit_duplicates(data)
    assert audit.duplicate_images == audit.cut == 0
    np.testing.assert_array_equal(audit.groups, data.groups)
    assert max(audit.repeated_captions.values()) == repeated
