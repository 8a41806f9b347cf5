"""Tables of finished embeddings that are wrong, odd or damaged."""

import dataclasses
import json
import os
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from ccalign_jax.data import load, open_shards
from ccalign_jax.errors import InputError

ROWS = [[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]
IMAGES = {"key": ["a", "b", "c"], "image": ROWS}


def write(path, **columns):
    parquet.write_table(pa.table(columns), path)
    return path


def test_keys_may_be_numbers_and_rows_tensors(tmp_path):
    tensors = pa.FixedShapeTensorArray.from_numpy_ndarray(np.float32(ROWS))
    write(tmp_path / "i.parquet", id=pa.array([12, 7, 9]), image_id=pa.array([2, 0, 1], pa.int32()), image=tensors)
    write(
        tmp_path / "t.parquet", image_id=["0", "1", "2"], text_en=[[ROWS[0], ROWS[1]], None, [ROWS[2]]], url=["u"] * 3
    )
    data = load(tmp_path)
    assert data.keys.tolist() == ["0", "2"] and data.image_of["en"].tolist() == [0, 0, 1]
    assert data.image.tolist() == [ROWS[1], ROWS[0]] and data.image.dtype == np.float32
    assert data.notes[0] == "left out 2 columns without embeddings: id, url"


def test_groups_and_the_split_that_a_file_is_named_after(tmp_path):
    for split, low in (("train", 0), ("test", 3)):
        columns = {"key": pa.array(range(low, low + 3)), "image": ROWS, "text_en": ROWS}
        write(tmp_path / f"{split}-00000-of-00001.parquet", **columns, image_groups=[low, low, 1])
    data = load(tmp_path)
    assert data.split.tolist() == ["train"] * 3 + ["test"] * 3 and data.groups.tolist() == [0, 0, 1, 3, 3, 1]


def test_captions_without_a_language(tmp_path):
    write(tmp_path / "i.parquet", **IMAGES)
    write(tmp_path / "t.parquet", key=["c", "a", "b"], embedding=[ROWS[2], ROWS[0], ROWS[1]])
    data = load(tmp_path)
    assert data.languages == ("und",) and data.text["und"].tolist() == ROWS
    assert data.notes == ("captions state no language: they are called und; --languages=CODE names them",)
    assert load(tmp_path, languages=["de"]).languages == ("de",)
    assert open_shards(tmp_path, languages=["de"]).languages == ("de",)


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        ({"key": None}, ("t.parquet: no image keys (text_en list<", "image_key or image_id or key or")),
        ({"key": [0.0, 1.0, 2.0]}, ("t.parquet: no image keys (key double",)),
        ({"key": ["a", None, "c"]}, ("t.parquet: row 1 has no key (1 such); give each row one",)),
        ({"key": [b"a", b"\xff", b"c"]}, ("t.parquet: key is not UTF-8",)),
        ({"text_en": [[1], [2], [3]]}, ("t.parquet: no embeddings (key string, text_en list<",)),
        ({"text_en": ["a cat", "b", "c"]}, ("t.parquet: no embeddings (key string, text_en string)",)),
        (
            {"text_en": [[1.0, 0.0], [1.0], []]},
            ("t.parquet: text_en row 1 has 1 numbers, row 0 has 2; give all as many (2",),
        ),
        ({"text_en": pa.array([[], [], []], pa.list_(pa.float32()))}, ("t.parquet: text_en row 0 has 0 numbers",)),
        (
            {"text_en": [[1.0, 0.0], None, [0.0, 0.0]]},
            ("t.parquet: text_en row 2 (key c) is all zero; remove or re-encode",),
        ),
        ({"text_en": [[1.0, 0.0], None, [0.0, None]]}, ("t.parquet: text_en row 2 (key c) is NaN",)),
        ({"text_en": None, "embedding": ROWS, "language": ["de", None, "de"]}, ("row 1 has no language (1 such)",)),
    ],
)
def test_what_is_wrong_is_named_by_file_and_row(tmp_path, change, parts, one_line):
    write(tmp_path / "i.parquet", **IMAGES)
    columns = {"key": ["a", "b", "c"], "text_en": ROWS} | change
    write(tmp_path / "t.parquet", **{name: values for name, values in columns.items() if values is not None})
    one_line(lambda: load(tmp_path), *parts)


def test_files_that_differ(tmp_path, one_line):
    write(tmp_path / "1.parquet", **IMAGES, text_en=ROWS, split=["train", "test", "test"])
    write(tmp_path / "2.parquet", key=["a"], text_en=[[1.0]])
    one_line(lambda: load(tmp_path), "2.parquet: text_en has rows of 1 numbers, earlier files of 2; one encoder")
    write(tmp_path / "2.parquet", key=["d"], image=[ROWS[0]])
    one_line(lambda: load(tmp_path), "2.parquet: lacks split, unlike other files of images; add it")
    write(tmp_path / "2.parquet", key=["a"], image=[ROWS[0]], split=["test"])
    one_line(lambda: load(tmp_path), f"{tmp_path}: image a is in the splits train and test; keep it in one")
    write(tmp_path / "1.parquet", key=["a"], text_en=ROWS[:1])
    (tmp_path / "2.parquet").unlink()
    one_line(lambda: load(tmp_path), f"{tmp_path}: no rows of images; give a column image of lists of floats")


@pytest.mark.parametrize("part", [0, 4, 0.5, -1])
def test_a_damaged_parquet_file(tmp_path, part, one_line):
    path = write(tmp_path / "data.parquet", **IMAGES, text_en=ROWS)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(part * len(whole)) if isinstance(part, float) else part])
    one_line(lambda: load(path), f"{path}: not a whole Parquet file", "copy or write it again")


def test_a_page_that_differs_from_its_checksum(tmp_path, one_line):
    path = tmp_path / "data.parquet"
    options = {"write_page_checksum": True, "use_dictionary": False, "compression": "none"}
    parquet.write_table(pa.table({**IMAGES, "text_en": [[7.0, 7.0]] * 3}), path, **options)
    whole = path.read_bytes()
    assert load(path).text["en"].tolist() == [[7.0, 7.0]] * 3
    path.write_bytes(whole.replace(np.float64(7).tobytes(), np.float64(9).tobytes()))
    one_line(lambda: load(path), f"{path}: not a whole Parquet file")


def test_a_damaged_dataset(tmp_path, one_line):
    (tmp_path / "dataset_info.json").write_text("{}")
    (tmp_path / "state.json").write_text("{}")
    one_line(lambda: load(tmp_path), "state.json: not of a dataset that was saved to disk")
    (tmp_path / "state.json").write_text(json.dumps({"_data_files": [{"filename": "data.arrow"}]}))
    one_line(lambda: load(tmp_path), "data.arrow: not a whole Arrow file")
    (tmp_path / "data.arrow").write_bytes(b"ARROW1")
    one_line(lambda: load(tmp_path), "data.arrow: not a whole Arrow file")
    (tmp_path / "state.json").write_text(json.dumps({"_data_files": [{"filename": "../other/data.arrow"}]}))
    one_line(lambda: load(tmp_path), "state.json: ../other/data.arrow leads out of the folder")
    (tmp_path / "dataset_dict.json").write_text(json.dumps({"splits": ["../other"]}))
    one_line(lambda: load(tmp_path), "dataset_dict.json: ../other leads out of the folder")
    (tmp_path / "dataset_dict.json").write_text("[]")
    one_line(lambda: load(tmp_path), "dataset_dict.json: not of a dataset that was saved to disk")


@pytest.mark.parametrize("form", ["parquet", "dataset"])
def test_a_flipped_byte_is_an_error_of_one_line_or_another_value(tmp_path, form):
    """Neither states checksums unless asked to; but no damage may crash the process, or raise anything else."""
    texts = pa.array([[[5.0, 6.0], [7.0, 8.0]], None, [[9.0, 9.5]]], pa.list_(pa.list_(pa.float32())))
    table = pa.table({"key": pa.array(["ä", "b", "c"]).dictionary_encode(), "image": ROWS, "text_en": texts})
    path = tmp_path / ("data.parquet" if form == "parquet" else "data.arrow")
    if form == "parquet":
        parquet.write_table(table, path)
    else:
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        (tmp_path / "state.json").write_text('{"_data_files": [{"filename": "data.arrow"}]}')
        (tmp_path / "dataset_info.json").write_text("{}")
    whole, refused = path.read_bytes(), 0
    for place in range(0, len(whole), 7):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ (1 << place % 8)]) + whole[place + 1 :])
        try:
            load(tmp_path)
        except InputError as error:
            refused += 1
            assert str(error).startswith(str(tmp_path)) and "\n" not in str(error)
    assert refused > len(whole) // 21


def test_tables_of_a_clone_from_the_hub_are_in_a_folder(tmp_path):
    (tmp_path / "data").mkdir()
    for split, row in (("validation", 0), ("test", 1)):
        columns = {"id": [split], "image": ROWS[row : row + 1], "text_en": ROWS[row : row + 1]}
        write(tmp_path / f"data/{split}-00000-of-00001-0123abc.parquet", **columns)
    assert load(tmp_path).split.tolist() == ["test", "validation"]


SAVE = """
import sys
from datasets import Dataset, DatasetDict, Features, List, Value

features = {"image_id": Value("string"), "image": List(Value("float16"), length=2), "text_en": List(Value("float32"))}
rows = [{"image_id": key, "image": [row, 1], "text_en": [row, 2]} for row, key in enumerate("dcba", start=1)]
whole = Dataset.from_list(rows, features=Features(features))
whole.save_to_disk(sys.argv[1], num_shards=2)
DatasetDict({"train": whole.shuffle(seed=1).select(range(3)), "test": whole.shuffle(seed=1).select([3])}).save_to_disk(
    sys.argv[2]
)
"""


def test_what_the_library_datasets_saves(tmp_path, assert_same):
    pytest.importorskip("datasets", reason='pip install -e ".[datasets]" adds datasets')
    paths = [str(tmp_path / name) for name in ("one", "split")]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "cache")}
    done = subprocess.run([sys.executable, "-c", SAVE, *paths], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    one, split = map(load, paths)
    assert one.keys.tolist() == list("abcd") and one.image.tolist() == [[row, 1] for row in (4, 3, 2, 1)]
    assert one.image.dtype == np.float16 and one.text["en"].tolist() == [[row, 2] for row in (4, 3, 2, 1)]
    assert sorted(split.split.tolist()) == ["test", "train", "train", "train"]
    assert_same(dataclasses.replace(split, split=None), one)


def test_without_pyarrow_its_install_line_is_named(tmp_path, monkeypatch, one_line):
    path = write(tmp_path / "data.parquet", **IMAGES, text_en=ROWS)
    monkeypatch.setitem(sys.modules, "pyarrow.compute", None)
    one_line(lambda: load(path), 'data.parquet needs pyarrow: pip install "ccalign_jax[frames]"')


def test_shards_in_subfolders_do_not_hide_tables(tmp_path):
    (tmp_path / "other").mkdir()
    np.savez(tmp_path / "other/a.npz", image=np.eye(2, dtype="f4"), text_en=np.eye(2, dtype="f4"))
    assert len(load(tmp_path)) == 2
    write(tmp_path / "data.parquet", **IMAGES, text_en=ROWS)
    (tmp_path / "._data.parquet").write_bytes(b"Mac OS X")
    assert len(load(tmp_path)) == 3
    np.savez(tmp_path / "a.npz", image=np.eye(4, dtype="f4"), text_en=np.eye(4, dtype="f4"))
    assert len(load(tmp_path)) == 4
