"""Random files of every format that is read: strange arrays, hostile ones, and these with bytes changed."""

import contextlib
import csv
import gzip
import hashlib
import io
import json
import pickle
import shutil
import tarfile
import zipfile
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from PIL import Image

from ccalign_jax.checkpoints import _sha256, load_aligner, save_checkpoint
from ccalign_jax.data import EmbeddingSet, load, open_shards
from ccalign_jax.data.safetensors_files import write_safetensors
from ccalign_jax.encoders.images import open_image
from ccalign_jax.errors import InputError
from ccalign_jax.extraction.sources import open_source
from ccalign_jax.learned_map import LearnedMap
from ccalign_jax.seed_maps import load_seed_map
from ccalign_jax.study.grids import load_grid

Random = np.random.Generator
Read = Callable[[], None]
Make = Callable[[Path, Random], Read]

TEXTS = ("", "a", "en", "../../MARK", "/etc/passwd", "\x00", "ä" * 9, "\u2028", "\ud800", "1e999", "NaN", "null", "0")
TEXTS += ("-1", "x" * 3000, "%s", "{}", "a,b", '"', "\x1b[31m", "key", "٣", "9" * 5000)
VALUES: tuple[Any, ...] = (*TEXTS, None, True, 0, -1, 2**63, 1e400, float("nan"), 0.5, [], {}, [[]], [None], {"a": [1]})


class Payload:
    """Writes a file, if a pickle of it is loaded."""

    def __reduce__(self) -> tuple[Any, tuple[str, str]]:
        return open, ("MARK", "w")


def pick(random: Random, values: Sequence[Any]) -> Any:
    return values[random.integers(len(values))]


def change_bytes(content: bytes, random: Random) -> bytes:
    """Up to four pieces replaced, dropped, repeated or exchanged."""
    data = bytearray(content)
    for _ in range(random.integers(1, 5)):
        at, size = int(random.integers(len(data) + 1)), int(2 ** random.uniform(0, 6))
        kind = random.integers(5)
        if kind == 0:
            data[at : at + size] = random.bytes(size)
        elif kind == 1:
            del data[at : at + size]
        elif kind == 2:
            data[at:at] = data[at : at + size] * int(random.integers(1, 9))
        elif kind == 3:
            data[at : at + 1] = bytes([pick(random, (0, 1, 127, 128, 255, 10, 34, 44, 92))])
        else:
            del data[at:]
    return bytes(data)


def change_files(folder: Path, random: Random) -> None:
    """Change bytes of one file of the folder, in half of the cases."""
    files = sorted(file for file in folder.rglob("*") if file.is_file() and not file.is_symlink())
    if files and random.random() < 0.5:
        file = pick(random, files)
        file.write_bytes(change_bytes(file.read_bytes(), random))


def strange(value: Any, random: Random) -> Any:
    """A nest of JSON with one value replaced."""
    if isinstance(value, dict) and value and random.random() < 0.85:
        key = pick(random, sorted(value))
        if random.random() < 0.1:
            return {(pick(random, TEXTS) if name == key else name): each for name, each in value.items()}
        if random.random() < 0.1:
            return {name: each for name, each in value.items() if name != key}
        return {**value, key: strange(value[key], random)}
    if isinstance(value, list) and value and random.random() < 0.85:
        at = int(random.integers(len(value)))
        return [*value[:at], strange(value[at], random), *value[at + 1 :]]
    return pick(random, VALUES)


def maybe_strange(value: Any, random: Random) -> Any:
    return strange(value, random) if random.random() < 0.7 else value


def as_json(value: Any) -> bytes:
    return json.dumps(value).encode("utf-8", "surrogatepass")


# Embeddings


def set_arrays(random: Random) -> dict[str, Any]:
    """Arrays of a data set by name, of which some are strange."""
    keys = np.array([f"k{number}" for number in range(6)])
    arrays: dict[str, Any] = {"image": random.normal(size=(6, 3)).astype("f4"), "image_keys": keys}
    for language in ("de", "en"):
        arrays |= {f"text_{language}": random.normal(size=(6, 3)).astype("f4"), f"text_{language}_keys": keys.copy()}
    arrays["split"] = np.array(["train", "train", "train", "test", "test", "dev"])
    for _ in range(random.integers(3)):
        with contextlib.suppress(ValueError, IndexError):  # a change that the array does not have
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


# Captions and photographs


@cache
def picture(form: str = "PNG") -> bytes:
    out = io.BytesIO()
    Image.effect_noise((16, 12), 50).convert("RGB").save(out, form)
    return out.getvalue()


def read_source(*paths: str | None) -> None:
    source = open_source(*paths[:2], source=paths[2])
    for item in source.items():
        assert item.key and all(isinstance(one, str) for several in item.captions.values() for one in several)
        if callable(item.image):
            try:
                open_image(item.image)
            except ValueError as error:
                assert len(str(error).splitlines()) == 1
        elif isinstance(item.image, Path):
            assert item.image.resolve().is_relative_to(Path.cwd().resolve()), "outside of the folder"


RECORDS = [
    {"image": f"{number}.png", "split": "test", "de": "ein Hund", "en": ["a dog", "dogs"], "width": 3, "group": number}
    for number in range(3)
]


def make_jsonl(folder: Path, random: Random) -> Read:
    lines = [as_json(maybe_strange(record, random) if random.random() < 0.4 else record) for record in RECORDS]
    (folder / "captions.jsonl").write_bytes(b"\n".join(lines))
    return _table(folder, "captions.jsonl", random)


def make_csv(folder: Path, random: Random) -> Read:
    suffix = pick(random, ("csv", "tsv"))
    out = io.StringIO()
    writer = csv.writer(out, delimiter="," if suffix == "csv" else "\t")
    rows = [["image", "split", "de", "caption_en"], *([f"{n}.png", "test", "ein, Hund", 'a "dog"'] for n in range(3))]
    for _ in range(random.integers(3)):
        row = pick(random, rows)
        row[int(random.integers(len(row)))] = pick(random, TEXTS)
    writer.writerows(rows)
    (folder / f"captions.{suffix}").write_bytes(out.getvalue().encode("utf-8", "surrogatepass"))
    return _table(folder, f"captions.{suffix}", random)


def _table(folder: Path, name: str, random: Random) -> Read:
    change_files(folder, random)
    (folder / "photos").mkdir()
    (folder / "photos" / "0.png").write_bytes(picture())
    return partial(read_source, str(folder / "photos"), str(folder / name), None)


def make_tar(folder: Path, random: Random) -> Read:
    with tarfile.open(folder / "0.tar", "w") as archive:
        for number in range(3):
            for suffix, content in (("png", picture()), ("txt", b"a dog\ndogs"), ("json", as_json(RECORDS[number]))):
                member = tarfile.TarInfo(f"s{number}.{suffix}")
                if random.random() < 0.1:
                    member.name = pick(random, ("../MARK.png", "/tmp/MARK.png", "a/../../MARK.txt", "a/b.txt", "__x"))
                if random.random() < 0.05:
                    member.type, member.linkname = (
                        pick(random, (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE)),
                        "/etc/passwd",
                    )
                if suffix == "json":
                    content = as_json(maybe_strange(RECORDS[number], random))
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    if random.random() < 0.2:
        (folder / "nshards.txt").write_bytes(pick(random, (b"1", b"2", b"\xff", b"9" * 5000, b"-1", "\u0663".encode())))
    change_files(folder, random)
    if random.random() < 0.1:
        content = (folder / "0.tar").read_bytes()
        (folder / "0.tar").write_bytes(gzip.compress(content))
    return partial(read_source, None, "all", str(folder))


def make_image_parquet(folder: Path, random: Random) -> Read:
    import pyarrow as pa
    import pyarrow.parquet as pq

    images = [
        {"bytes": picture(), "path": "0.png"},
        {"bytes": None, "path": "/etc/passwd"},
        {"bytes": b"x", "path": ""},
    ]
    pq.write_table(
        pa.table({"image": images, "image_id": ["0", "1", "2"], "en": ["a", "b", None]}), folder / "0.parquet"
    )
    change_files(folder, random)
    return partial(read_source, None, "all", str(folder))


def make_imagefolder(folder: Path, random: Random) -> Read:
    lines = [as_json(maybe_strange({"file_name": f"{n}.png", "en": "a dog"}, random)) for n in range(3)]
    (folder / "metadata.jsonl").write_bytes(b"\n".join(lines))
    change_files(folder, random)
    for number in range(2):
        (folder / f"{number}.png").write_bytes(picture())
    return partial(read_source, None, "all", str(folder))


def make_image(folder: Path, random: Random) -> Read:
    """A picture; its errors are ValueErrors, which an extraction counts by image."""
    content = picture(pick(random, ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")))
    if random.random() < 0.2:  # 30000 x 30000 points of one colour, or so it says
        side = pick(random, (30000, 2**31 - 1)).to_bytes(4, "big")
        content = picture("PNG")[:16] + side + side + picture("PNG")[24:]
    content = change_bytes(content, random)

    def read() -> None:
        try:
            assert open_image(content).mode == "RGB"
        except ValueError as error:
            raise InputError(f"{folder}: {error}") from None

    return read


def make_wit(folder: Path, random: Random) -> Read:
    from commands import write_wit

    from ccalign_jax.wit import WitConfig, WitFolder

    write_wit(folder, images=3)
    for file in folder.glob("*"):
        if random.random() < 0.3:
            lines = file.read_bytes().split(b"\n")
            at = int(random.integers(len(lines)))
            cells = lines[at].split(b"\t")
            cells[int(random.integers(len(cells)))] = pick(random, TEXTS).encode("utf-8", "surrogatepass")
            file.write_bytes(b"\n".join([*lines[:at], b"\t".join(cells), *lines[at + 1 :]]))
        if random.random() < 0.2:
            file.write_bytes(gzip.compress(file.read_bytes()))
    change_files(folder, random)

    def read() -> None:
        try:
            with WitFolder(folder / "out", WitConfig(tsv=(f"{folder}/*.tsv*",), languages=("de", "en"))) as made:
                made.make_captions()
        finally:
            shutil.rmtree(folder / "out", ignore_errors=True)

    return read


# Maps and grids


def make_seed_map(folder: Path, random: Random) -> Read:
    weight = torch.eye(3)
    layers = {"fc1.weight": torch.ones(4, 3), "fc1.bias": torch.ones(4), "fc2.weight": torch.ones(3, 4)}
    content: dict[str, Any] = {"kind": "linear", "W": weight, "langs": ["de", "en"]}
    if random.random() < 0.5:
        state = {**layers, "fc2.bias": torch.ones(3), "eye_rect": torch.eye(3)}
        content = {"kind": "mlp", "head": "mlp_residual", "state_dict": state, "langs": ["en"]}
    for holder in (content, content.get("state_dict", content)):
        if random.random() < 0.4:
            values = (
                *VALUES,
                Payload(),
                torch.zeros(0),
                torch.full((3, 3), torch.nan),
                torch.ones(3, dtype=torch.complex64),
            )
            holder[pick(random, [*holder, "other"])] = pick(random, values)
    torch.save(content, folder / "W.pt")
    if random.random() < 0.1:
        (folder / "W.pt").write_bytes(pickle.dumps(Payload()))
    change_files(folder, random)
    return partial(use_map, load_seed_map, folder / "W.pt")


def use_map(read: Callable[[Path], LearnedMap], path: Path) -> None:
    found = read(path)
    assert np.isfinite(
        np.asarray(next(iter(found.params.values()), 0) if not isinstance(found.params, dict) else 0)
    ).all()


@cache
def checkpoint() -> Path:
    """A checkpoint that is written once."""
    import atexit
    import tempfile

    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    torch.save({"kind": "linear", "W": torch.eye(3), "langs": ["de", "en"]}, folder / "W.pt")
    save_checkpoint(folder / "best", load_seed_map(folder / "W.pt"))
    return folder / "best"


def make_checkpoint(folder: Path, random: Random) -> Read:
    """Of one whose bytes were changed, or whose description was, and signed again."""
    shutil.copytree(checkpoint(), folder / "best")
    about = json.loads((folder / "best" / "checkpoint.json").read_text())
    if random.random() < 0.5:
        about = strange(about, random)
        if isinstance(about, dict):
            try:
                about["sha256"] = _sha256(folder / "best", about)
            except ValueError:
                about["sha256"] = hashlib.sha256(b"").hexdigest()
        (folder / "best" / "checkpoint.json").write_bytes(as_json(about))
    change_files(folder, random)
    return partial(use_map, load_aligner, folder / "best")


YAMLS = (
    b"- &a {temperature: [0.03, 0.07], aligners: [residual]}\n- <<: *a\n  learning_rate: 1e-3\n",
    b"- &a\n  <<: *a\n  l2: 0\n",
    b"- temperature: !!python/object/apply:os.system ['touch MARK']\n",
    b"- {l2: !!timestamp x, prox: !!bool x, clip: !!binary '%', warmup: !!int '', epochs: !!set {a}}\n",
    b"- {l2: !!float x}\n- {prox: !!int 0o}\n- {clip: !!null x}\n- {warmup: 2026-99-99}\n",
    b"- {criterion: !!binary aGk=, start_counts: [on, yes, true], learning_rate: .inf, precision: ~}\n",
    b"&a [&b [*a, *b], *a]",
    b"- " + b"[" * 500 + b"]" * 500,
)
TAGS = (
    "timestamp",
    "bool",
    "binary",
    "int",
    "float",
    "null",
    "str",
    "omap",
    "pairs",
    "set",
    "seq",
    "map",
    "merge",
    "value",
)


def make_grid(folder: Path, random: Random) -> Read:
    content = pick(random, YAMLS)
    if random.random() < 0.3:
        block = {"temperature": [0.03, 0.07], "aligners": ["residual"], "epochs": 3, "criterion": "mean"}
        content = yaml.safe_dump(maybe_strange([block, block], random), allow_unicode=True).encode("utf-8", "replace")
    if random.random() < 0.3:
        value = pick(random, TEXTS).replace("'", "").encode("utf-8", "replace")
        content = b"- {l2: !!" + pick(random, TAGS).encode() + b" '" + value + b"'}\n"
    (folder / "grid.yaml").write_bytes(content)
    change_files(folder, random)

    def read() -> None:
        for block in load_grid(folder / "grid.yaml"):
            assert all(isinstance(values, list) and values for values in block.values())

    return read


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
    "jsonl": make_jsonl,
    "csv_tsv": make_csv,
    "webdataset": make_tar,
    "image_parquet": make_image_parquet,
    "imagefolder": make_imagefolder,
    "image": make_image,
    "wit": make_wit,
    "seed_map": make_seed_map,
    "checkpoint": make_checkpoint,
    "grid": make_grid,
}
