"""Files that are missing, foreign, damaged or wrong in what they hold: one line that names file, array and fix."""

import zipfile

import numpy as np
import pytest

from ccalign_jax.data import EmbeddingSet, load, save
from ccalign_jax.errors import InputError


def test_missing_and_unknown_files_say_what_is_looked_for(tmp_path, refusal):
    assert refusal(tmp_path / "none.npz").endswith("none.npz: no such file or folder; give a form of docs/data.md")
    assert refusal(tmp_path / "no" / "none.npz").endswith("; give a form of docs/data.md")
    (tmp_path / "data.csv").write_text("1,2")
    (tmp_path / "data.npz").mkdir()
    assert refusal(tmp_path / "date.npz").endswith(f"; did you mean {tmp_path / 'data.npz'}?")
    for path in (tmp_path / "data.csv", tmp_path / "data.npz", tmp_path):
        assert "cannot tell its format; give an .npz file or" in refusal(path)


def test_the_message_names_the_file_as_typed(tmp_path, monkeypatch, refusal, rows):
    monkeypatch.chdir(tmp_path)
    np.savez("bad.npz", image=rows(1, 2), text_en=np.zeros((2, 2)))
    assert refusal("bad.npz").startswith("bad.npz: text_en row 0 (key 0) is all zero")


@pytest.mark.parametrize("content", [b"", b"no zip at all", b"PK\x03\x04" + bytes(50), b"\x93NUMPY\x01\x00"])
def test_what_is_no_zip(tmp_path, content, refusal):
    (tmp_path / "bad.npz").write_bytes(content)
    assert "bad.npz: not a whole .npz file (File is not a zip file); copy" in refusal(tmp_path / "bad.npz")


def test_truncated_npz(tmp_path, refusal, small_set):
    save(tmp_path / "bad.npz", small_set)
    whole = (tmp_path / "bad.npz").read_bytes()
    for length in (len(whole) // 2, len(whole) - 1, len(whole) - 40):
        (tmp_path / "bad.npz").write_bytes(whole[:length])
        assert "not a whole .npz file" in refusal(tmp_path / "bad.npz")


def test_any_flipped_byte_is_noticed_or_harmless(tmp_path, reading, assert_same, rows):
    """Every third byte of a file: an error of one line that names it, a note of an unknown array, or no change."""
    data = EmbeddingSet.build("tiny", rows(1, 2), {"en": rows(3, 4)}, split=["test", "train"])
    path = tmp_path / "bad.npz"
    save(path, data)
    whole = path.read_bytes()
    noticed = 0
    for place in range(0, len(whole), 3):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ (1 << place % 8)]) + whole[place + 1 :])
        try:
            read = load(path)
        except InputError as error:
            noticed += 1
            assert str(error).startswith(str(path)) and "\n" not in str(error)
        else:
            if not read.notes:
                assert_same(read, data)
    assert noticed > len(whole) // 6


@pytest.mark.parametrize("member", ["image", "image_keys", "text_en", "text_en_keys", "split", "image_groups"])
def test_arrays_that_need_pickle_are_refused_by_name(tmp_path, member, refusal, gold_arrays):
    arrays = gold_arrays
    np.savez(tmp_path / "bad.npz", **arrays | {member: arrays[member].astype(object)})
    assert f"bad.npz: {member} holds Python objects, which need pickle" in refusal(tmp_path / "bad.npz")


def test_a_member_that_is_no_array(tmp_path, reading, refusal):
    with zipfile.ZipFile(tmp_path / "bad.npz", "w") as archive:
        archive.writestr("image.npy", b"text, not numbers")
        archive.writestr("text_en.npy", b"")
    assert "bad.npz: image is damaged (the magic string is not correct" in refusal(tmp_path / "bad.npz")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image": None}, "no array image (only image_groups, image_keys, split, text_en,"),
        ({"text_en": None}, "text_en_keys has no text_en; add the rows or remove the keys"),
        ({"text_en_keys": None}, "no text_en_keys, but other rows have keys; give all rows keys, or none"),
        ({"image_keys": None}, "no image_keys, but other rows have keys"),
        ({"image_keys": np.array(["a"])}, "image_keys has 1 entries for 5 rows of image"),
        ({"image_keys": np.array([["a"]] * 5)}, "image_keys is <U1[5, 1]; it must be one entry a row"),
        ({"image_keys": np.array(["\ud800"] * 5)}, r"image_keys is not UTF-8 ('\ud800"),
        ({"image_keys": np.array([b"\xff"] * 5)}, r"image_keys is not UTF-8 (b'\xff'); encode it as UTF-8"),
        ({"text_en_keys": np.array(["a"])}, "text_en_keys has 1 entries for 5 rows"),
        ({"text_en_keys": np.array("a")}, "text_en_keys is <U1[]; it must be one entry a row"),
        ({"split": np.array(["test"])}, "split has 1 entries for 5 rows of image"),
        ({"split": np.array("test")}, "split is <U4[]; it must be one entry a row"),
        ({"image_groups": np.array([1])}, "image_groups has 1 entries for 5 rows of image"),
        ({"image_groups": np.ones((5, 2))}, "image_groups is float64[5, 2]; it must be one entry a row"),
        ({"image": np.ones(5)}, "image is float64[5]; it must be floats [rows, dimensions]"),
        ({"image": np.ones((5, 2), int)}, "image is int64[5, 2]; it must be floats [rows, dimensions]"),
        ({"text_en": np.ones((0, 2))}, "text_en is float64[0, 2]; it must be floats [rows, dimensions]"),
        ({"text_en": np.ones((5, 3))}, "text_zh-Hans has 2 columns, text_en has 3; one encoder, one width"),
        (
            {"image": np.float16([[3, 1], [1, 1], [np.nan, 1], [9, 1], [4, 1]])},
            "image row 2 (key b) is NaN or infinite; remove or re-encode it",
        ),
        (
            {"image": np.float64([[3, 1], [1, 1], [-np.inf, 1], [9, 1], [4, 1]])},
            "image row 2 (key b) is NaN or infinite",
        ),
        ({"text_en": np.zeros((5, 2))}, "text_en row 0 (key c) is all zero; remove or re-encode it"),
    ],
)
def test_wrong_contents_name_the_array_and_the_fix(tmp_path, change, message, refusal, gold_arrays):
    arrays = {key: values for key, values in (gold_arrays | change).items() if values is not None}
    np.savez(tmp_path / "bad.npz", **arrays)
    assert f"bad.npz: {message}" in refusal(tmp_path / "bad.npz")


def test_no_captions_no_common_key_and_unequal_rows(tmp_path, refusal, rows):
    path = tmp_path / "bad.npz"
    np.savez(path, image=rows(1))
    assert "bad.npz: no captions; give one array text_<language> a language" in refusal(path)
    np.savez(path, image=rows(1), image_keys=["a"], text_en=rows(1), text_en_keys=["b"])
    assert "bad.npz: no caption has the key of an image" in refusal(path)
    np.savez(path, image=rows(1, 2), text_en=rows(1))
    assert "bad.npz: text_en has 1 rows for 2 images, but no keys; add text_en_keys" in refusal(path)
