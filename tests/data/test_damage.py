"""Files with one flipped bit or without their end, in every format: one line that names the file, or the same data."""

import json
import re
import struct
import warnings
import zipfile

import numpy as np
import pytest

from ccalign_jax.data import load, npz, open_shards, write_shards
from ccalign_jax.data.npy import load_npy
from ccalign_jax.data.npz import read_npz
from ccalign_jax.errors import InputError

LIBRARY = {"safetensors": "safetensors", "pt": "torch"}
SAMPLE = 200  # places a file


def pairs(count=12):
    random = np.random.default_rng(0)
    image, en, de = random.standard_normal((3, count, 4)).astype(np.float16)
    there = np.arange(count) % 4 > 0
    return {"image": image, "text_de": de, "text_en": en, "mask_de": there, "image_groups": np.arange(count) // 2}


def damaged(whole, places):
    """The bytes with one bit of each of the places flipped, and cut off there."""
    for place in places:
        yield whole[:place] + bytes([whole[place] ^ (1 << place % 8)]) + whole[place + 1 :]
        yield whole[:place]


def sample(whole, count=SAMPLE):
    """Random places, more of them near the end: zip files have their directory there."""
    places = np.random.default_rng(1).integers([0, len(whole) * 3 // 4], len(whole), size=(count // 2, 2))
    return set(places.ravel().tolist())


def assert_noticed(path, read, places=None):
    """Reading any damaged copy fails with one line that names the file, or returns what the whole file returns."""
    whole, expected = path.read_bytes(), read()
    noticed = 0
    for content in damaged(whole, sample(whole) if places is None else places):
        path.write_bytes(content)
        try:
            found = read()
        except InputError as error:
            noticed += 1
            assert str(error).startswith(str(path)) and "\n" not in str(error)
        else:
            assert found.keys() == expected.keys()
            for key, values in expected.items():
                assert found[key].dtype == values.dtype, key
                np.testing.assert_array_equal(found[key], values, err_msg=key)
    path.write_bytes(whole)
    return noticed


def rows_of(path):
    shards = open_shards(path)
    shards.verify()
    rows = shards.read(0, len(shards))
    return rows._asdict() | dict(zip(shards.languages, rows.text, strict=True))


@pytest.mark.parametrize("form", ["npz", "safetensors", "pt"])
def test_shards(tmp_path, form):
    pytest.importorskip(LIBRARY.get(form, "numpy"))
    write_shards(tmp_path, [pairs()], form=form)
    path = tmp_path / f"shard-00000.{form}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own, of a damaged pickle
        places = sample(path.read_bytes(), 40 if form == "pt" else SAMPLE)
        assert assert_noticed(path, lambda: rows_of(path), places) > len(places)


@pytest.mark.parametrize("write", [np.savez, np.savez_compressed])
def test_npz(tmp_path, write):
    path = tmp_path / "a.npz"
    write(path, **pairs())
    assert assert_noticed(path, lambda: read_npz(path)) > SAMPLE


def test_npz_as_a_data_set(tmp_path, reading):
    path = tmp_path / "a.npz"
    np.savez(path, **{key: pairs()[key] for key in ("image", "text_en", "image_groups")})

    def read():
        data = load(path)
        return {"image": data.image, "groups": data.groups, "notes": np.array(data.notes), **data.text}

    assert assert_noticed(path, read) > SAMPLE


def test_npy_headers(tmp_path):
    """Neither the numbers nor their byte order has a checksum."""
    path = tmp_path / "a.npy"
    np.save(path, pairs()["image"])
    places = set(range(128)) - {path.read_bytes().index(b"<")}
    for mapped in (False, True):
        assert assert_noticed(path, lambda mapped=mapped: {"rows": load_npy(path, mapped=mapped)}, places) > 150


def test_folder_of_pt_shards(tmp_path):
    torch = pytest.importorskip("torch")
    for kind, rows, keys in (("image", torch.ones(2, 3), ["a", "b"]), ("text", {"en": torch.ones(1, 3)}, {"en": "a"})):
        (tmp_path / f"embeddings_{kind}/full").mkdir(parents=True)
        keys = {"en": ["a"]} if kind == "text" else keys
        torch.save({"embeddings": rows, "keys": keys}, tmp_path / f"embeddings_{kind}/full/0.pt")
    path = tmp_path / "embeddings_image/full/0.pt"
    whole = path.read_bytes()
    place = whole.index(np.ones(6, np.float32).tobytes())
    path.write_bytes(whole[:place] + b"\1" + whole[place + 1 :])
    with pytest.raises(InputError, match=re.escape(f"{path}: damaged, or more than tensors")):
        load(tmp_path)


# valid and invalid headers


def write_safetensors(path, header, size):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + np.ones(size, np.uint8).tobytes())


def entry(start, stop, shape=(2, 2), dtype="F16"):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [start, stop]}


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ({"image": entry(-8, 0), "text_en": entry(0, 8)}, "not whole numbers from 0 on"),
        ({"image": entry(0, 8), "text_en": entry(4, 12)}, "text_en is not where the tensor before it ends"),
        ({"image": entry(0, 8), "text_en": entry(0, 8)}, "text_en is not where"),
        ({"image": entry(0, 8), "text_en": entry(9, 17)}, "text_en is not where"),
        ({"image": entry(0, 8)}, "its tensors end at byte"),
        ({"image": entry(0, 8), "text_en": entry(8, 24, (2, 4))}, "its tensors end at byte"),
        ({"image": entry(0, 8), "text_en": entry(8, 16, (2, 3))}, "text_en is F16[2, 3] in 8 bytes"),
        ({"image": entry(0, 8), "text_en": entry(8, 16, (2, 2), "F32")}, "text_en is F32[2, 2] in 8 bytes"),
        ({"image": entry(0, 8), "text_en": entry(8, 16, (-2, -2))}, "not whole numbers from 0 on"),
        ({"image": entry(0, 8), "text_en": entry(8.0, 16)}, "not whole numbers from 0 on"),
        ({"image": entry(0, 8), "text_en": {"dtype": "F16"}}, "data_offsets"),
        ({"image": entry(0, 8), "text_en": [1]}, ""),
        ([entry(0, 8)], ""),
        (b'{"image": ' + json.dumps(entry(0, 8)).encode() + b', "image": ' + json.dumps(entry(8, 16)).encode() + b"}",
         "a name occurs twice"),
        (b'{"image": ' + b"[" * 100_000, "recursion"),
        ({"__metadata__": {"crc32:image": "0", "crc32:text_xx": "0"}, "image": entry(0, 8), "text_en": entry(8, 16)},
         "checksums are of image, text_xx, tensors image, text_en"),
    ],
)  # fmt: skip
def test_safetensors_against_their_specification(tmp_path, one_line, header, reason):
    write_safetensors(tmp_path / "a.safetensors", header, 16)
    one_line(lambda: open_shards(tmp_path), "a.safetensors: not a whole .safetensors file (", reason, "copy or write")


def test_safetensors_without_checksums_are_read(tmp_path):
    write_safetensors(tmp_path / "a.safetensors", {"image": entry(0, 8), "text_en": entry(8, 16)}, 16)
    shards = open_shards(tmp_path)
    shards.verify()
    assert shards.read(0, 2).image.view(np.uint8).tolist() == [[1] * 4] * 2


def test_a_renamed_language_is_noticed(tmp_path, one_line, refusal):
    """In the directory of the archive alone, which is where names are read."""
    path = tmp_path / "a.npz"
    np.savez(path, **pairs())
    whole = path.read_bytes()
    place = whole.rindex(b"text_de") + 6
    path.write_bytes(whole[:place] + b"a" + whole[place + 1 :])
    one_line(lambda: open_shards(path), f"{path}: not a whole .npz file ('text_da.npy' has another name")
    assert "'text_da.npy' has another name" in refusal(path)


def test_repeated_names_are_refused(tmp_path, one_line):
    path = tmp_path / "a.npz"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for names in (["image.npy", "image.npy"], ["image", "image.npy"]):
            with zipfile.ZipFile(path, "w") as archive:
                for name in names:
                    archive.writestr(name, b"")
            one_line(lambda: load(path), f"{path}: not a whole .npz file (", "occurs")


@pytest.mark.parametrize(
    "shape", ["(-2, -2)", "(2, 2", "(" * 200, "-" * 9000 + "1", "(2, True)", "('a',)", "(99999999999, 2)"]
)
def test_npy_headers_with_a_negative_shape_are_refused(tmp_path, one_line, shape):
    text = f"{{'descr': '<f2', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    content = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + bytes(8)
    (tmp_path / "a.npy").write_bytes(content)
    one_line(lambda: load_npy(tmp_path / "a.npy"), "a.npy: not an .npy file that can be read (", "copy or write it")
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("image.npy", content)
    for read in (open_shards, load):
        one_line(lambda read=read: read(tmp_path / "a.npz"), "a.npz: image is damaged (")


def test_an_archive_that_unpacks_beyond_memory(tmp_path, monkeypatch, refusal):
    np.savez_compressed(tmp_path / "a.npz", image=np.zeros((500, 1000)), text_en=np.zeros((500, 1000)))
    monkeypatch.setattr(npz, "_memory", lambda: 7 * 10**6)
    assert "a.npz: unpacks to 0.0 GiB, this machine has 0.0 GiB of memory" in refusal(tmp_path / "a.npz")
    monkeypatch.setattr(npz, "_memory", lambda: 9 * 10**6)
    assert "image row 0 (key 000) is all zero" in refusal(tmp_path / "a.npz")


def test_an_archive_with_a_wrong_size_is_refused(tmp_path, refusal):
    """A header of petabytes with a directory that agrees: refused before memory is taken."""
    path = tmp_path / "a.npz"
    np.savez_compressed(path, image=np.zeros((2, 4), np.float16))
    whole = path.read_bytes()
    size = whole.rindex(b"PK\1\2") + 24
    path.write_bytes(whole[:size] + struct.pack("<I", 2**32 - 2) + whole[size + 4 :])
    assert "a.npz: image is damaged (float16[2, 4] takes 16 bytes, there are 42949" in refusal(path)
