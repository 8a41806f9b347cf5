"""Random embeddings in every form that `load` and `open_shards` read."""

import contextlib
import io
import json
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from fuzz_changes import TEXTS, Make, Payload, Random, Read, as_json, change_files, maybe_strange, pick

from ccalign_jax.data import EmbeddingSet, load, open_shards
from ccalign_jax.data.safetensors_files import write_safetensors
from ccalign_jax.errors import InputError


def set_arrays(random: Random) -> dict[str, Any]:
    """Arrays of a data set by name, of which some are strange."""
    keys = np.array([f"k{number}" for number in range(6)])
    arrays: dict[str, Any] = {"image": random.normal(size=(6, 3)).astype("f4"), "image_keys": keys}
    for language in ("de", "en"):
        arrays |= {f"text_{language}": random.normal(size=(6, 3)).astype("f4"), f"text_{language}_keys": keys.copy()}
    arrays["split"] = np.array(["train", "train", "train", "test", "test", "dev"])
    for _ in range(random.integers(3)):
        with contextlib.suppress(ValueError, IndexError, TypeError):  # a change that the array does not have
            change_array(arrays, random)
    return arrays


def change_array(arrays: dict[str, Any], random: Random) -> None:
    """One array cut, reshaped, cast, renamed, left out, or with another value."""
    name = pick(random, sorted(arrays))
    array, kind = arrays[name], random.integers(9)
    if kind == 0:
        del arrays[name]
    elif kind == 1:
        arrays[name] = array[: random.integers(7)]
    elif kind == 2:
        arrays[name] = array.reshape(pick(random, ((-1,), (1, -1), (2, 3, -1))))
    elif kind == 3 and array.dtype.kind == "f":
        at = tuple(int(random.integers(size)) for size in array.shape)
        if array.size:
            array[at] = pick(random, (np.nan, np.inf, 1e38, 0.0, 1e-45))
    elif kind == 4:
        dtype = pick(random, ("f2", "f8", ">f4", "i4", "u1", "c8", "?", "U1", "S2", "M8[s]"))
        with np.errstate(all="ignore"):
            arrays[name] = array.astype(dtype)
    elif kind == 5 and array.dtype.kind == "U":
        arrays[name] = np.array([pick(random, TEXTS) for _ in array])
    elif kind == 6:
        arrays[pick(random, ("text_", "text_../MARK", "captions_en", "image_groups", "text_a/b", "mask_en"))] = array
    elif kind == 7:
        arrays[name] = np.asfortranarray(array)
    else:
        arrays[name] = np.zeros(pick(random, ((0,), (0, 3), (6, 0), ())), array.dtype)


def check_set(data: EmbeddingSet, arrays: dict[str, Any] | None) -> None:
    """Whether a set is in order, and has the image rows that were written, each under its key."""
    assert np.isfinite(data.image).all() and len(np.unique(data.keys)) == len(data.keys) == len(data.image)
    for language in data.languages:
        rows = data.text[language]
        assert len(rows) == len(data.image_of[language]) and np.isfinite(rows).all()
    if arrays is not None:
        found = np.asarray(arrays["image"])[np.asarray(data.image_row)]
        assert np.allclose(np.asarray(data.image, "f8"), found.astype("f8"), rtol=1e-2, atol=1e-4), "other numbers"


def read_set(path: Path, arrays: dict[str, Any] | None) -> None:
    check_set(load(path), arrays)
    shards = open_shards(path)
    if len(shards):
        assert np.isfinite(np.asarray(shards.read(0, 1).image, "f4")).all()


def set_reader(write: Callable[[Path, dict[str, Any], Random], Path], *, sums: bool = False) -> Make:
    """Writes arrays in a format; with `sums`, changed bytes must be seen."""

    def make(folder: Path, random: Random) -> Read:
        arrays = set_arrays(random)
        with contextlib.suppress(ValueError, TypeError, KeyError):
            path = write(folder, arrays, random)
            before = {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}
            change_files(folder, random)
            same = all(file.is_file() and file.read_bytes() == content for file, content in before.items())
            return partial(read_set, path, arrays if (same or sums) and "image" in arrays else None)
        return partial(refuse, folder)

    return make


def refuse(folder: Path) -> None:
    """For arrays that the format does not have."""
    raise InputError(f"{folder}: not written")


def write_npz(folder: Path, arrays: dict[str, Any], random: Random) -> Path:
    path = folder / "data.npz"
    kind = random.integers(8)
    if kind == 0:
        arrays[pick(random, sorted(arrays) or ["image"])] = np.array([Payload()] * 6, dtype=object)
    pick(random, (np.savez, np.savez_compressed))(path, **{name.replace("/", "_"): a for name, a in arrays.items()})
    if kind == 1:  # a header that promises far more
        head = io.BytesIO()
        np.lib.format.write_array_header_1_0(
            head, {"descr": "<f4", "fortran_order": False, "shape": (pick(random, (2**33, 2**62, -1, 2**70)), 256)}
        )
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("image.npy", head.getvalue() + bytes(1 << 10))
    return path


def write_npy(folder: Path, arrays: dict[str, Any], random: Random) -> Path:
    for name, array in arrays.items():
        if name.endswith("_keys") and random.random() < 0.5:
            text = "\n".join(map(str, np.ravel(array))) + "\n"
            (folder / f"{name.removesuffix('_keys')}.ids.txt").write_bytes(text.encode("utf-8", "surrogatepass"))
        else:
            np.save(folder / f"{name.replace('/', '_')}.npy", array)
    return folder


def write_tensors(folder: Path, arrays: dict[str, Any], random: Random) -> Path:
    numbers = {name: a for name, a in arrays.items() if a.dtype.kind == "f" and a.dtype.isnative}
    lists = {name: json.dumps(a.tolist()) for name, a in arrays.items() if a.dtype.kind in "Ui"}
    write_safetensors(folder / "data.safetensors", {n: np.ascontiguousarray(a) for n, a in numbers.items()}, lists)
    return folder


def write_torch(folder: Path, arrays: dict[str, Any], random: Random) -> Path:
    found: dict[str, Any] = {n: torch.from_numpy(a.copy()) for n, a in arrays.items() if a.dtype.kind in "fiu?c"}
    if random.random() < 0.2:
        found[pick(random, ("image", "text_en"))] = pick(random, (Payload(), torch.zeros(3).to_sparse(), None, 1))
    torch.save(found, folder / "data.pt")
    return folder


def write_seed(folder: Path, arrays: dict[str, Any], random: Random) -> Path:
    tensors = {n: torch.from_numpy(a.copy()) for n, a in arrays.items() if a.dtype.kind in "fiu?c"}
    names = arrays.get("image_keys", np.array([])).tolist()
    content: dict[str, Any] = {
        "image": {"embeddings": tensors.get("image"), "keys": names},
        "text": {"embeddings": {"en": tensors.get("text_en")}, "keys": {"en": names}},
    }
    for side, each in content.items():
        (folder / f"embeddings_{side}" / "train").mkdir(parents=True)
        each = pick(random, (each, each, each, [], Payload(), {"embeddings": {1: 2}, "keys": {1: 2}}))
        torch.save(each, folder / f"embeddings_{side}" / "train" / "0.pt")
    return folder


def write_parquet(folder: Path, arrays: dict[str, Any], random: Random) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {"image_id": arrays.get("image_keys"), "image_embedding": arrays.get("image")}
    columns |= {
        "text_en": arrays.get("text_en"),
        "caption_embedding": arrays.get("text_de"),
        "split": arrays.get("split"),
    }
    listed = {name: each.tolist() for name, each in columns.items() if each is not None and each.ndim}
    size = min((len(each) for each in listed.values()), default=0)
    for name in listed:
        if random.random() < 0.1 and size:
            listed[name][random.integers(size)] = None
    if "image_embedding" in listed:  # rows without an image are none of the set
        arrays["image"] = arrays["image"][[row is not None for row in listed["image_embedding"]]]
    try:
        table = pa.table({name: each[:size] for name, each in listed.items()})
        pq.write_table(table, folder / "data.parquet", write_page_checksum=True)
    except (pa.ArrowException, OverflowError, UnicodeError) as error:
        raise ValueError(error) from None
    return folder


def write_clip(folder: Path, arrays: dict[str, Any], random: Random) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as pq

    for side, name in (("img", "image"), ("text", "text_en")):
        (folder / f"{side}_emb").mkdir()
        if name in arrays:
            np.save(folder / f"{side}_emb" / f"{side}_emb_{pick(random, ('0', '0', '0', '1', '00'))}.npy", arrays[name])
    (folder / "metadata").mkdir()
    keys = [f"p{number}" for number in range(6)]
    pq.write_table(pa.table({"image_path": keys, "language": ["en"] * 6}), folder / "metadata" / "metadata_0.parquet")
    return folder


def write_extracted(folder: Path, arrays: dict[str, Any], random: Random) -> Path:
    encoder = {"name": "toy", "revision": None, "weights_sha256": "0" * 64}
    about = {"encoders": {"text": encoder, "image": encoder}, "shards": 1, "config": {"images": "photos"}}
    about["source"] = {"captions": "all", "splits": ["test"], "facts": ["one"]}
    (folder / "embeddings.json").write_bytes(as_json(maybe_strange(about, random)))
    rows = {name: array for name, array in arrays.items() if name in ("image", "text_en", "split")}
    np.savez(folder / "00000.npz", **rows)
    return folder


def write_saved(folder: Path, arrays: dict[str, Any], random: Random) -> Path:
    import pyarrow as pa

    rows = {"image_id": [f"k{n}" for n in range(6)], "image_embedding": random.normal(size=(6, 3)).tolist()}
    table = pa.table({**rows, "text_en": random.normal(size=(6, 3)).tolist()})
    with pa.ipc.new_stream(folder / "data.arrow", table.schema) as stream:
        stream.write_table(table)
    state = maybe_strange({"_data_files": [{"filename": "data.arrow"}]}, random)
    (folder / "state.json").write_bytes(as_json(state))
    (folder / "dataset_info.json").write_text("{}")
    if random.random() < 0.3:
        (folder / "dataset_dict.json").write_bytes(as_json(maybe_strange({"splits": ["."]}, random)))
    arrays.pop("image", None)  # others were written
    return folder


READERS: dict[str, Make] = {
    "npz": set_reader(write_npz, sums=True),
    "npy": set_reader(write_npy),
    "safetensors": set_reader(write_tensors, sums=True),
    "pt": set_reader(write_torch, sums=True),
    "seed_folder": set_reader(write_seed, sums=True),
    "parquet": set_reader(write_parquet),
    "clip_retrieval": set_reader(write_clip),
    "extracted": set_reader(write_extracted, sums=True),
    "saved_dataset": set_reader(write_saved),
}
