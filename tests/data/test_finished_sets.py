"""One set in every form of finished embeddings: the same rows, keys, splits and languages, whole and streamed."""

import json

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from ccalign_jax.data import load, open_shards
from ccalign_jax.data.safetensors_files import write_safetensors
from ccalign_jax.data.shard_sets import bytes_of_strings

KEYS = ["ä.jpg", "b", "10", "9", "e e", "f"]
SPLIT = ["test", "train", "dev", "train", "test", "train"]
OWNERS = {"de": ["b", "9", "9", "ä.jpg", "f", "nobody"], "zh-Hans": ["10", "b", "10", "10", "ä.jpg", "9"]}


def arrays_of(seed=0, dtype=np.float16):
    """Images of which one has no caption, and captions of which one has no image."""
    random = np.random.default_rng(seed)
    arrays = {"image": random.standard_normal((6, 5)).astype(dtype), "image_keys": np.array(KEYS)}
    arrays["split"] = np.array(SPLIT)
    for language, keys in OWNERS.items():
        arrays[f"text_{language}"] = random.standard_normal((6, 4)).astype(dtype)
        arrays[f"text_{language}_keys"] = np.array(keys)
    return arrays


def shuffled(arrays, seed=1):
    """The rows in another order, but for that of the captions of an image."""
    random, found = np.random.default_rng(seed), {}
    for side in ("image", *(f"text_{language}" for language in OWNERS)):
        keys = arrays[f"{side}_keys"]
        place = {key: rank for rank, key in enumerate(random.permutation(np.unique(keys)).tolist())}
        order = np.argsort([place[key] for key in keys.tolist()], kind="stable")
        assert order.tolist() != list(range(6))
        for name in (side, f"{side}_keys", *(["split"] if side == "image" else [])):
            found[name] = arrays[name][order]
    return found


def write_bytes_as_keys(path, arrays):
    rows = {name: bytes_of_strings(array.tolist()) for name, array in arrays.items() if array.dtype.kind == "U"}
    write_safetensors(path := path / "data.safetensors", {**arrays, **rows})
    return path


def write_lists_as_keys(path, arrays):
    lists = {name: json.dumps(array.tolist()) for name, array in arrays.items() if array.dtype.kind == "U"}
    write_safetensors(
        path := path / "data.safetensors", {name: arrays[name] for name in arrays.keys() - lists.keys()}, lists
    )
    return path


def write_npy(path, arrays, *, ids=".ids.txt"):
    for name, array in arrays.items():
        if array.dtype.kind != "U" or (name != "split" and ids == "_keys.npy"):
            np.save(path / f"{name}.npy", array)
        elif name == "split":
            (path / "split.txt").write_text("\n".join(array.tolist()))
        else:
            lines = "\r\n".join([*array.tolist(), ""])
            (path / f"{name.removesuffix('_keys')}{ids}").write_bytes(lines.encode())
    return path


def list_column(rows, *, fixed):
    flat = pa.array(rows.reshape(-1))
    if fixed:
        return pa.FixedSizeListArray.from_arrays(flat, rows.shape[1])
    return pa.ListArray.from_arrays(np.arange(0, rows.size + 1, rows.shape[1], dtype=np.int32), flat)


def image_table(arrays, *, fixed=True):
    columns = {"key": arrays["image_keys"].tolist(), "image": list_column(arrays["image"], fixed=fixed)}
    return pa.table(columns | ({"split": arrays["split"].tolist()} if "split" in arrays else {}))


def caption_table(arrays, *, fixed=True):
    """All captions in one long table, those of languages mixed, in the order of each language."""
    parts = [(language, row) for row in range(6) for language in OWNERS]
    rows = np.stack([arrays[f"text_{language}"][row] for language, row in parts])
    return pa.table(
        {
            "image_id": [arrays[f"text_{language}_keys"][row].item() for language, row in parts],
            "language": pa.array([language for language, _ in parts]).dictionary_encode(),
            "embedding": list_column(rows, fixed=fixed),
        }
    )


def wide_table(arrays, *, fixed=True):
    """Images and captions of each image in one table, `text_<language>` a list of rows or null."""
    table = image_table(arrays, fixed=fixed)
    keys = table["key"].to_pylist()
    strays = sorted({key for language in OWNERS for key in arrays[f"text_{language}_keys"].tolist()} - set(keys))
    kind = pa.list_(pa.from_numpy_dtype(arrays["image"].dtype))
    empty = {
        "key": strays,
        "image": pa.array([None] * len(strays), table["image"].type),
        "split": ["test"] * len(strays),
    }
    table = pa.concat_tables([table, pa.table(empty)])
    for language in OWNERS:
        texts = {key: [] for key in keys + strays}
        for key, row in zip(arrays[f"text_{language}_keys"].tolist(), arrays[f"text_{language}"], strict=True):
            texts[key].append(list(row))
        given = [(texts.pop(key, None) or None) for key in table["key"].to_pylist()]
        table = table.append_column(f"text_{language}", pa.array(given, pa.list_(kind)))
    return table


def write_long(path, arrays, *, fixed):
    parquet.write_table(image_table(arrays, fixed=fixed), path / "x.parquet")
    captions = caption_table(arrays, fixed=fixed)
    for part, rows in enumerate(np.split(np.arange(12), [5])):
        parquet.write_table(captions.take(rows), path / f"captions-{part}.parquet", row_group_size=3)
    return path


def write_wide(path, arrays, *, fixed):
    parquet.write_table(wide_table(arrays, fixed=fixed), path := path / "data.parquet")
    return path


def write_dataset(path, tables, *, name="data"):
    """What `save_to_disk` writes of a dataset, as far as it is read."""
    path.mkdir(exist_ok=True)
    files = [f"{name}-{number:05d}-of-{len(tables):05d}.arrow" for number in range(len(tables))]
    for file, table in zip(files, tables, strict=True):
        with pa.OSFile(str(path / file), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table, max_chunksize=4)
    (path / "state.json").write_text(json.dumps({"_data_files": [{"filename": file} for file in files]}))
    (path / "dataset_info.json").write_text("{}")
    return path


def write_splits(path, arrays):
    """A `DatasetDict`: a folder for each split, and one of captions alone."""
    images = image_table({name: array for name, array in arrays.items() if name != "split"})
    for split in sorted(set(SPLIT)):
        write_dataset(path / split, [images.take(np.flatnonzero(arrays["split"] == split))])
    write_dataset(path / "captions", [caption_table(arrays)])
    (path / "dataset_dict.json").write_text(json.dumps({"splits": [*sorted(set(SPLIT)), "captions"]}))
    return path


FORMS = {
    **{
        f"parquet, {'fixed' if fixed else 'variable'} {form}": lambda path, arrays, fixed=fixed, write=write: write(
            path, arrays, fixed=fixed
        )
        for fixed in (True, False)
        for form, write in {"long": write_long, "wide": write_wide}.items()
    },
    "a dataset": lambda path, arrays: write_dataset(
        path, [wide_table(arrays).slice(0, 3), wide_table(arrays).slice(3)]
    ),
    "a dataset of splits": write_splits,
    "safetensors, keys as bytes": write_bytes_as_keys,
    "safetensors, keys in the metadata": write_lists_as_keys,
    **{f"npy, {ids}": lambda path, arrays, ids=ids: write_npy(path, arrays, ids=ids) for ids in (".ids.txt", ".txt")},
    "npy, _keys.npy": lambda path, arrays: write_npy(path, arrays, ids="_keys.npy"),
}


@pytest.fixture(params=FORMS)
def write(request):
    return FORMS[request.param]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "finished").mkdir()
    return tmp_path / "finished"


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_every_form_is_the_set_of_an_npz(tmp_path, folder, write, dtype, assert_same, pairs_of):
    arrays = arrays_of(dtype=dtype)
    np.savez(tmp_path / "data.npz", **arrays)
    wanted, path = load(tmp_path / "data.npz"), write(folder, shuffled(arrays))
    found = load(path)
    assert_same(found, wanted)
    assert found.notes[-2:] == wanted.notes and len(wanted.notes) == 2 and not found.numbered
    assert_same(load(path, languages=["de"]), load(tmp_path / "data.npz", languages=["de"]))
    assert pairs_of(open_shards(path)) == pairs_of(open_shards(tmp_path / "data.npz"))
    assert open_shards(path, languages=["de"]).languages == ("de",)


@pytest.mark.parametrize("side", ["image", "text_de"])
def test_every_form_names_a_bad_row(folder, write, side, one_line):
    arrays = arrays_of()
    arrays[side][4, 1] = np.nan
    path, key = write(folder, arrays), arrays[f"{side}_keys"][4]
    one_line(lambda: load(path), str(folder), f" (key {key}) is NaN or infinite")


def test_every_form_names_its_languages(folder, write, one_line):
    path = write(folder, arrays_of())
    one_line(lambda: load(path, languages=["fr"]), "no captions in fr; it has de, zh-Hans")


def test_every_form_counts_images_whose_keys_repeat(tmp_path, folder, write, assert_same):
    arrays = arrays_of()
    arrays["image_keys"][4] = "b"
    arrays["split"][4] = "train"
    np.savez(tmp_path / "data.npz", **arrays)
    found = load(write(folder, arrays))
    assert_same(found, load(tmp_path / "data.npz"))
    assert "left out 1 of 6 images: their keys repeat, the first row of each is kept" in found.notes


@pytest.mark.parametrize("keys", [np.arange(6), np.arange(6, dtype=np.uint8)])
def test_keys_of_safetensors_may_be_numbers(folder, keys):
    rows = np.eye(6, dtype=np.float16)
    arrays = {"image": rows, "image_keys": keys, "text_en": rows[::-1].copy(), "text_en_keys": keys}
    write_safetensors(folder / "a.safetensors", arrays)
    data = load(folder)
    assert data.keys.tolist() == list("012345")
    np.testing.assert_array_equal(data.text["en"], rows[::-1])


@pytest.mark.parametrize(
    ("text", "problem"),
    [("[", "metadata text_de_keys is not JSON"), ("[1.5]", "text_de_keys is not a list of strings or whole numbers")],
)
def test_lists_of_keys_that_are_none(folder, text, problem, one_line):
    rows = {"image": np.eye(2), "text_de": np.eye(2)}
    write_safetensors(folder / "a.safetensors", rows, {"image_keys": '["a", "b"]', "text_de_keys": text})
    one_line(lambda: load(folder), "a.safetensors", problem)


def test_npy_ids_are_as_many_as_rows(folder, one_line):
    write_npy(folder, arrays_of())
    (folder / "text_de.ids.txt").write_text("a\nb\n")
    one_line(lambda: load(folder), "text_de.ids.txt: 2 entries for the 6 rows of text_de.npy; give one a row")
    (folder / "text_de.ids.txt").write_text("a\n\nb")
    one_line(lambda: load(folder), "text_de.ids.txt: line 2 is empty")
    (folder / "text_de.ids.txt").write_bytes(b"\xff")
    one_line(lambda: load(folder), "text_de.ids.txt: not UTF-8 text")
    (folder / "text_de.ids.txt").unlink()
    one_line(lambda: load(folder), "text_de.npy: no ids beside it; add text_de.ids.txt")
    assert load(folder, languages=["zh-Hans"]).languages == ("zh-Hans",)
    np.save(folder / "text_de_keys.npy", np.array(OWNERS["de"], object))
    one_line(lambda: load(folder), "text_de_keys.npy: holds Python objects, which need pickle")


def test_npy_rows_stay_on_disk_where_they_are_in_order(folder):
    arrays = arrays_of()
    order = np.argsort(KEYS)
    for name in ("image", "image_keys", "split"):
        arrays[name] = arrays[name][order]
    arrays = {name: arrays[name] for name in ("image", "image_keys", "split")}
    write_npy(folder, arrays | {"text_en": arrays["image"], "text_en_keys": arrays["image_keys"]})
    np.save(folder / "scores.npy", np.ones(3))
    data = load(folder)
    assert isinstance(data.image.base.base, np.memmap) or isinstance(data.image.base, np.memmap)
    assert data.notes == ("left out 1 arrays of unknown names: scores",)
