"""Folders of clip-retrieval: files by number, languages by metadata, keys by path."""

import shutil

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from ccalign_jax.data import load, open_shards

NUMBERS = (0, 2, 10)  # in the order of names 10 comes before 2
SPOKEN = np.array(["de", "en", "en", "fr", "de", "en", "de", "de", "en", "de", "en", "en"])
PATHS = np.array([f"{place:02d}.jpg" for place in (7, 3, 11, 0, 5, 1, 9, 2, 10, 4, 8, 6)])


@pytest.fixture
def rows():
    return np.random.default_rng(0).standard_normal((2, 12, 4)).astype(np.float16)


@pytest.fixture
def folder(tmp_path, rows):
    """Twelve rows in three parts."""
    for number, part in zip(NUMBERS, np.split(np.arange(12), [5, 9]), strict=True):
        write_part(tmp_path / "clip", number, *rows[:, part], image_path=PATHS[part], language=SPOKEN[part])
    return tmp_path / "clip"


def write_part(folder, number, image, text, **metadata):
    for name, values in (("img_emb", image), ("text_emb", text)):
        (folder / name).mkdir(parents=True, exist_ok=True)
        np.save(folder / name / f"{name}_{number}.npy", values)
    (folder / "metadata").mkdir(exist_ok=True)
    table = pa.table({name: values.tolist() for name, values in metadata.items()} | {"caption": ["?"] * len(image)})
    parquet.write_table(table, folder / f"metadata/metadata_{number}.parquet")


def test_it_is_the_set_of_an_npz(folder, tmp_path, rows, assert_same, pairs_of):
    arrays = {"image": rows[0], "image_keys": PATHS}
    for language in ("de", "en", "fr"):
        there = language == SPOKEN
        arrays |= {f"text_{language}": rows[1, there], f"text_{language}_keys": PATHS[there]}
    np.savez(tmp_path / "data.npz", **arrays)
    found, shards = load(folder), open_shards(folder)
    assert_same(found, load(tmp_path / "data.npz"))
    assert found.notes == () and not found.numbered
    assert len(shards) == 12 and shards.starts.tolist() == [0, 5, 9, 12]
    assert pairs_of(shards) == pairs_of(open_shards(tmp_path / "data.npz"))
    assert_same(load(folder, languages=["fr"]), load(tmp_path / "data.npz", languages=["fr"]))
    assert pairs_of(open_shards(folder, languages=["fr"])) == pairs_of(
        open_shards(tmp_path / "data.npz", languages=["fr"])
    )
    assert shards.digests() == open_shards(folder).digests()
    np.testing.assert_array_equal(shards.read(3, 11).image, rows[0, 3:11])


def test_captions_without_metadata_are_of_the_language_that_is_asked_for(folder, rows):
    shutil.rmtree(folder / "metadata")
    data = load(folder)
    assert data.languages == ("und",) and data.numbered and len(data.notes) == 1
    np.testing.assert_array_equal(data.text["und"], rows[1])
    np.testing.assert_array_equal(data.image, rows[0])
    assert load(folder, languages=["ja"]).languages == open_shards(folder, languages=["ja"]).languages == ("ja",)


def test_paths_that_repeat_do_not_join_rows(folder, rows):
    write_part(folder, 10, *rows[:, 9:], image_path=PATHS[[0, 1, 11]], language=SPOKEN[9:])
    data = load(folder)
    assert len(data) == 12 and data.numbered and len(np.unique(data.groups)) == 10
    assert data.groups[0] == data.groups[9] and data.groups[1] == data.groups[10]
    np.testing.assert_array_equal(data.image, rows[0])
    assert data.notes[0].startswith("2 of 12 rows repeat an image_path")


def test_rows_without_a_language_are_counted(folder, rows, pairs_of):
    write_part(folder, 10, *rows[:, 9:], image_path=PATHS[9:], language=np.array(["de", None, None]))
    data = load(folder)
    assert data.notes[0] == "left out 2 of 12 captions: their metadata name no language"
    assert len(data) == 10 and len(pairs_of(open_shards(folder))) == 10


@pytest.mark.parametrize(
    ("name", "shape", "parts"),
    [
        ("text_emb", (3, 4), ("text_emb_2.npy: 3 rows, but img_emb_2.npy has 4; row i of each must be one image",)),
        ("img_emb", (4, 3), ("img_emb_2.npy: image is float16[4, 3], in img_emb_0.npy float16[5, 4]",)),
        ("text_emb", (4, 3), ("img_emb_2.npy: text_de is float16[4, 3], in",)),
        ("text_emb", None, ("text_emb: no file of number 2, which img_emb has; copy it, or embed again",)),
        ("img_emb", None, ("img_emb: no file of number 2, which text_emb has",)),
    ],
)
def test_files_that_do_not_belong_together(folder, one_line, name, shape, parts):
    path = folder / name / f"{name}_2.npy"
    if shape is None:
        path.unlink()
    else:
        np.save(path, np.ones(shape, np.float16))
    one_line(lambda: open_shards(folder), *parts)
    one_line(lambda: load(folder), *parts)


def test_metadata_that_do_not_belong(folder, rows, one_line):
    write_part(folder, 2, *rows[:, 5:9], image_path=PATHS[5:9])
    one_line(lambda: load(folder), "metadata_2.parquet: no column of languages, unlike other metadata")
    metadata = pa.table({"image_path": ["a"], "language": ["en"]})
    parquet.write_table(metadata, folder / "metadata/metadata_2.parquet")
    one_line(lambda: load(folder), "metadata_2.parquet: 1 rows, but img_emb_2.npy has 4")
    (folder / "metadata/metadata_2.parquet").write_bytes(b"PAR1")
    one_line(lambda: open_shards(folder), "metadata_2.parquet: not a whole Parquet file")
    (folder / "metadata/metadata_2.parquet").unlink()
    one_line(lambda: load(folder), "metadata: no file of number 2, which img_emb has")


def test_folders_that_are_no_more_than_half(folder, one_line):
    shutil.copy(folder / "img_emb/img_emb_2.npy", folder / "img_emb/img_emb_02.npy")
    one_line(lambda: load(folder), "img_emb_2.npy: has the number of img_emb_02.npy; remove one of them")
    shutil.rmtree(folder / "text_emb")
    (folder / "img_emb/img_emb_02.npy").unlink()
    one_line(lambda: load(folder), "text_emb: no files text_emb_N.npy; embed images and captions both")
    shutil.rmtree(folder / "img_emb")
    (folder / "img_emb").mkdir()
    one_line(lambda: open_shards(folder), "img_emb: no files img_emb_N.npy")


@pytest.mark.parametrize("name", ["img_emb", "text_emb"])
def test_a_bad_row_is_named_by_its_own_file(folder, rows, name, one_line):
    rows[0 if name == "img_emb" else 1, 6] = np.nan
    np.save(folder / name / f"{name}_2.npy", rows[0 if name == "img_emb" else 1, 5:9])
    shards = open_shards(folder)
    one_line(lambda: shards.read(0, 12), f"{name}_2.npy", "row 1 is NaN or infinite")
    one_line(lambda: load(folder), str(folder), "is NaN or infinite", f"(key {PATHS[6]})")


def test_arrays_that_cannot_be_read_by_rows(folder, one_line):
    path = folder / "text_emb/text_emb_2.npy"
    for values, problem in (
        (np.ones((4, 4), object), "holds Python objects, which need pickle"),
        (np.asfortranarray(np.eye(4, dtype=np.float16)), "is in Fortran order"),
        (np.float16(1), "is float16[]; it must be [rows, dimensions]"),
        (np.ones(4, np.float16), "is float16[4]; it must be [rows, dimensions]"),
    ):
        np.save(path, values)
        one_line(lambda: open_shards(folder), f"{path}: {problem}")
    np.save(folder / "img_emb/img_emb_2.npy", np.float16(1))
    one_line(lambda: load(folder), "img_emb_2.npy: is float16[]; it must be [rows, dimensions]")
    path.write_bytes(path.read_bytes()[:-1])
    one_line(lambda: open_shards(folder), f"{path}: not an .npy file that can be read")
