"""Whatever can be loaded can be streamed, and the other way round."""

import numpy as np
import pytest

from ccalign_jax.data import EmbeddingSet, load, open_shards, save, write_shards
from ccalign_jax.data.shard_sets import bytes_of_strings, shards_of

COUNTS = {"de": [0, 2, 1, 0, 0, 1], "en": [1, 1, 3, 0, 2, 1]}
KEYS = ["a", "b", "ccc", "d", "é", "f"]


def ragged(low=0, high=6, *, seed=0):
    """Images `low` to `high` of six, with as many captions as `COUNTS` says."""
    random = np.random.default_rng(seed)
    arrays = {"image": random.standard_normal((6, 5)).astype(np.float16)[low:high]}
    arrays["image_keys"] = bytes_of_strings(KEYS[low:high])
    arrays["split"] = bytes_of_strings(["test", "train"] * 3)[low:high]
    for language, counts in COUNTS.items():
        edges = np.cumsum([0, *counts])
        rows = random.standard_normal((edges[-1], 4)).astype(np.float16)
        arrays[f"text_{language}"] = rows[edges[low] : edges[high]]
        arrays[f"count_{language}"] = np.array(counts, np.uint16)[low:high]
    return arrays


@pytest.fixture
def folder(tmp_path):
    """Three shards, of which the first has no German."""
    parts = [ragged(0, 1), ragged(1, 4), ragged(4, 6)]
    parts[0] = {key: rows for key, rows in parts[0].items() if not key.endswith("_de")}
    write_shards(tmp_path / "shards", parts, form="safetensors")
    return tmp_path / "shards"


def test_a_ragged_folder_is_a_data_set(folder):
    data, arrays = load(folder), ragged()
    kept = [0, 1, 2, 5, 4]  # sorted by key; d has no caption
    assert data.keys.tolist() == [KEYS[place] for place in kept] and data.split.tolist()[:2] == ["test", "train"]
    np.testing.assert_array_equal(data.image, arrays["image"][kept])
    np.testing.assert_array_equal(data.caption_counts(), np.array([COUNTS["de"], COUNTS["en"]])[:, kept])
    np.testing.assert_array_equal(data.text["en"][:5], arrays["text_en"][:5])
    assert load(folder, languages=["de"]).keys.tolist() == ["b", "ccc", "f"]
    assert data.notes == ("left out 1 of 6 images: they have no caption",)


def test_one_set_is_streamed_alike_from_every_form(folder, tmp_path, pairs_of):
    shards, data = open_shards(folder), load(folder)
    save(tmp_path / "keyed.npz", data)
    keyed = open_shards(tmp_path / "keyed.npz")
    assert len(shards) == len(keyed) == 9 and pairs_of(shards) == pairs_of(keyed)
    assert pairs_of(shards_of(folder, data)) == pairs_of(keyed)
    assert sorted(np.bincount(shards.groups())) == [0, 1, 1, 2, 2, 3]
    np.testing.assert_array_equal(shards.groups(), shards.read(0, 9).groups)
    assert len(open_shards(folder, languages=["de"])) == 4
    assert shards.digests() == open_shards(folder).digests() and keyed.digests() == keyed.digests()
    keyed.verify()
    keyed.check()


def test_any_range_of_a_ragged_folder_is_that_part_of_the_whole(folder):
    shards = open_shards(folder)
    whole = shards.read(0, len(shards))
    for start in range(len(shards)):
        for stop in range(start, len(shards) + 1):
            part = shards.read(start, stop)
            np.testing.assert_array_equal(part.image, whole.image[start:stop])
            np.testing.assert_array_equal(part.text, whole.text[:, start:stop])
            np.testing.assert_array_equal(part.mask, whole.mask[:, start:stop])
            np.testing.assert_array_equal(part.groups, whole.groups[start:stop])


def test_row_aligned_shards_are_a_data_set(tmp_path):
    random = np.random.default_rng(0)
    image, en, de = random.standard_normal((3, 12, 4)).astype(np.float32)
    there = np.arange(12) % 3 > 0
    arrays = {"image": image, "text_en": en, "text_de": de, "mask_de": there, "image_groups": np.arange(12) // 2}
    write_shards(
        tmp_path / "s", [{key: rows[part] for key, rows in arrays.items()} for part in np.split(np.r_[:12], 2)]
    )
    data = load(tmp_path / "s")
    np.testing.assert_array_equal(data.image, image)
    np.testing.assert_array_equal(data.text["de"], de[there])
    np.testing.assert_array_equal(data.image_of["de"], np.flatnonzero(there))
    assert data.numbered and data.groups.tolist() == (np.arange(12) // 2).tolist()


def test_a_folder_of_files_with_keys_is_joined_by_keys(tmp_path):
    for name, keys in {"one": ["b", "a"], "two": ["d", "c"]}.items():
        rows = np.eye(4)[["abcd".index(key) for key in keys]]
        np.savez(tmp_path / f"{name}.npz", image=rows, image_keys=keys, text_en=rows[::-1], text_en_keys=keys[::-1])
    data, shards = load(tmp_path), open_shards(tmp_path)
    assert data.keys.tolist() == list("abcd")
    np.testing.assert_array_equal(data.image, np.eye(4))
    np.testing.assert_array_equal(data.text["en"], np.eye(4))
    np.testing.assert_array_equal(shards.read(0, 4).image, shards.read(0, 4).text[0])
    assert shards.image_dtype == np.float32


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        ({"text_en": np.ones((9, 4), np.float16)}, ("text_en is float16[9, 4], but count_en says 8 rows",)),
        ({"count_en": np.ones(6)}, ("count_en is float64[6]; it must be one number a row, beside text_en",)),
        ({"count_en": None}, ("text_en has no count_en; add the number of captions of each image",)),
        ({"text_en": None}, ("count_en", "beside text_en")),
        ({"image_keys": np.ones(6, np.uint8)}, ("image_keys is uint8[6]; it must be uint8, UTF-8 in rows",)),
        ({"mask_en": np.ones(6, bool)}, ("mask_en is bool[6]",)),
        ({"image": np.ones((5, 5), np.float16)}, ("but image has 5 rows",)),
    ],
)
def test_wrong_counts_are_refused(tmp_path, one_line, change, parts):
    arrays = {key: rows for key, rows in (ragged() | change).items() if rows is not None}
    one_line(lambda: write_shards(tmp_path, [arrays]), "shard-00000.npz", *parts)


def test_keys_that_are_not_utf8(tmp_path, one_line):
    write_shards(tmp_path, [ragged() | {"image_keys": np.full((6, 2), 255, np.uint8)}])
    one_line(lambda: load(tmp_path), "image_keys is not UTF-8")


def test_bad_rows_are_refused_where_they_are_read(tmp_path, one_line):
    arrays = ragged()
    arrays["text_en"][5] = np.nan
    shards = write_shards(tmp_path, [arrays])
    one_line(lambda: shards.read(0, 9), "text_en row 5 is NaN or infinite")
    one_line(lambda: load(tmp_path), "text_en row 5 (key é) is NaN or infinite")


def test_sets_of_several_dtypes_are_streamed_in_the_widest(tmp_path):
    rows = np.eye(3)
    data = EmbeddingSet.build("toy", rows, {"en": rows.astype(np.float16), "de": rows.astype(np.float32)})
    shards = shards_of(tmp_path, data)
    assert shards.text_dtype == np.float32 == shards.image_dtype and shards.read(0, 3).text.dtype == np.float32
