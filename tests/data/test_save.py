"""Written data sets: they come back as they were, always in the same bytes, and never half."""

import zipfile

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ccalign_jax.data import EmbeddingSet, load, save
from ccalign_jax.data.originals import caption_text
from ccalign_jax.errors import InputError


def test_save_is_read_back_equal(tmp_path, reading, assert_same, small_set):
    data = small_set
    save(tmp_path / "copy.npz", data)
    read = load(tmp_path / "copy.npz")
    assert_same(read, data)
    assert (read.name, read.notes) == ("copy", ())
    assert read.groups.tolist() == [4, 2]
    with zipfile.ZipFile(tmp_path / "copy.npz") as archive:
        assert {member.compress_type for member in archive.infolist()} == {zipfile.ZIP_STORED}


def test_texts_of_captions_follow_their_rows(tmp_path):
    """In another order than the images, through a selection, a file and back."""
    rows, keys = np.eye(3), np.array(["a", "b", "c"])
    given = {"image": rows, "image_keys": keys, "text_en": rows[::-1], "text_en_keys": keys[::-1]}
    np.savez(tmp_path / "data.npz", **given, captions_en=["a cat", "ein Hund", "一只鸟"])
    data = load(tmp_path / "data.npz").take([0, 2])
    assert [caption_text(data, "en", row) for row in (0, 1)] == ["一只鸟", "a cat"]
    save(tmp_path / "part.npz", data)
    part = load(tmp_path / "part.npz")
    assert [caption_text(part, "en", row) for row in (0, 1)] == ["一只鸟", "a cat"]
    assert part.sha256() == data.sha256()
    np.savez(tmp_path / "bare.npz", **given)
    assert caption_text(load(tmp_path / "bare.npz"), "en", 0) is None
    np.savez(tmp_path / "short.npz", **given, captions_en=["a cat"])
    with pytest.raises(InputError, match=r"short\.npz: captions_en has 1 texts, text_en has 3 rows; give a text a row"):
        load(tmp_path / "short.npz")


def test_save_writes_the_same_bytes_each_time(tmp_path, small_set):
    for name in ("first.npz", "second.npz"):
        save(tmp_path / name, small_set)
    assert (tmp_path / "first.npz").read_bytes() == (tmp_path / "second.npz").read_bytes()


def test_save_of_a_part_keeps_its_groups(tmp_path, assert_same, gold_arrays):
    np.savez(tmp_path / "gold.npz", **gold_arrays)
    part = load(tmp_path / "gold.npz").take([1, 2])
    save(tmp_path / "part.npz", part)
    assert_same(load(tmp_path / "part.npz"), part)


def test_save_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, small_set):
    save(tmp_path / "data.npz", small_set)
    before = (tmp_path / "data.npz").read_bytes()

    def full(file, **arrays):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(InputError, match=r"data\.npz: not written, no space left on device"):
        save(tmp_path / "data.npz", small_set)
    assert [file.name for file in tmp_path.iterdir()] == ["data.npz"]
    assert (tmp_path / "data.npz").read_bytes() == before


def test_save_refuses_what_load_would_not_read(tmp_path, small_set):
    with pytest.raises(InputError, match=r"data\.pt: .*must end in \.npz"):
        save(tmp_path / "data.pt", small_set)
    with pytest.raises(InputError, match=r"nowhere/data\.npz: not written \(No such file or directory\)"):
        save(tmp_path / "nowhere" / "data.npz", small_set)


@st.composite
def ragged_sets(draw) -> EmbeddingSet:
    """Any small data set: shuffled, repeated and missing keys, any float type, with groups and split or without."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    word = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=4)
    pool = draw(st.lists(word, min_size=1, max_size=6, unique=True))

    def matrix(count: int, width: int) -> np.ndarray:
        return (
            random.normal(size=(count, width)).astype(draw(st.sampled_from([np.float16, np.float32, np.float64]))) + 9
        )

    image_keys = draw(st.lists(st.sampled_from(pool), min_size=1, max_size=8))
    languages = draw(st.lists(st.sampled_from(["ar", "en", "pt_BR", "zh-Hans"]), min_size=1, unique=True))
    text_keys = {language: draw(st.lists(st.sampled_from(pool), min_size=1, max_size=8)) for language in languages}
    width = draw(st.integers(1, 3))
    size = len(image_keys)
    numbers = st.one_of(st.integers(-3, 3), st.integers(2**40, 2**40 + 2))
    groups = draw(st.none() | st.lists(numbers, min_size=size, max_size=size) | st.just([str(size)] * size))
    split = draw(st.none() | st.lists(st.sampled_from(["train", "test"]), min_size=size, max_size=size))
    text = {language: matrix(len(keys), width) for language, keys in text_keys.items()}
    try:
        return EmbeddingSet.build(
            "any",
            matrix(size, draw(st.integers(1, 3))),
            text,
            image_keys=image_keys,
            text_keys=text_keys,
            groups=groups,
            split=split,
        )
    except InputError as error:
        assume("no caption has the key of an image" not in str(error))
        raise


@settings(max_examples=150, deadline=None)
@given(data=ragged_sets())
def test_round_trip_of_any_set(tmp_path_factory, data, assert_same):
    path = tmp_path_factory.mktemp("round") / "trip.npz"
    save(path, data)
    assert_same(load(path), data)
