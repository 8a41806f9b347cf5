"""Shards in every format: the rows that were written come back, and mistakes say where they are."""

import itertools
import zipfile

import ml_dtypes
import numpy as np
import pytest

from ccalign_jax.data import load, open_shards, write_shards
from ccalign_jax.data.checks import unsound_rows

FORMATS = ("npz", "safetensors", "pt")
LIBRARY = {"safetensors": "safetensors", "pt": "torch"}


@pytest.fixture(params=FORMATS)
def form(request) -> str:
    """Each format whose library is there."""
    if request.param in LIBRARY:
        pytest.importorskip(LIBRARY[request.param])
    return request.param


def pairs(count=20, *, dtype=np.float16, seed=0):
    """Images [count, 4]; en all, de in part; every third pair shows what its neighbour shows."""
    random = np.random.default_rng(seed)
    image, en, de = random.standard_normal((3, count, 4)).astype(dtype)
    there = np.arange(count) % 4 > 0
    de[~there] = np.nan
    return {
        "image": image,
        "text_en": en,
        "text_de": de,
        "mask_de": there,
        "image_groups": np.arange(count) // 3 + 2**40,
    }


def cut(arrays, *places):
    """The arrays in shards that begin at these places."""
    edges = [0, *places, len(arrays["image"])]
    return [{key: rows[a:b] for key, rows in arrays.items()} for a, b in itertools.pairwise(edges)]


def same(left, right):
    for one, other in zip(left, right, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, ml_dtypes.bfloat16])
def test_rows_come_back_in_every_format(tmp_path, one_line, form, dtype):
    arrays = pairs(dtype=dtype)
    if (form, dtype) == ("npz", ml_dtypes.bfloat16):
        one_line(lambda: write_shards(tmp_path, [arrays], form=form), "knows no bfloat16; write safetensors")
        return
    shards = write_shards(tmp_path, cut(arrays, 7, 8), form=form)
    assert len(shards) == 20 and shards.languages == ("de", "en") and (shards.d_text, shards.d_image) == (4, 4)
    assert shards.image_dtype == shards.text_dtype == dtype
    assert shards.row_bytes == 3 * 4 * np.dtype(dtype).itemsize
    rows = shards.read(0, 20)
    assert rows.text.dtype == rows.image.dtype == dtype
    np.testing.assert_array_equal(rows.image, arrays["image"])
    np.testing.assert_array_equal(rows.text[1], arrays["text_en"])
    np.testing.assert_array_equal(rows.text[0], np.where(arrays["mask_de"][:, None], arrays["text_de"], 0))
    np.testing.assert_array_equal(rows.mask, [arrays["mask_de"], np.ones(20, bool)])
    np.testing.assert_array_equal(rows.groups, arrays["image_groups"])
    assert not list(tmp_path.glob("*.draft"))


def test_any_range_is_that_part_of_the_whole(tmp_path, form):
    shards = write_shards(tmp_path, cut(pairs(), 7, 8), form=form)
    whole = shards.read(0, 20)
    for start, stop in [(0, 0), (0, 1), (6, 9), (7, 8), (3, 20), (19, 20)]:
        part = slice(start, stop)
        same(
            shards.read(start, stop),
            (whole.image[part], whole.text[:, part], whole.mask[:, part], whole.groups[part]),
        )
    several = shards.read_ranges([(15, 18), (2, 9)])
    np.testing.assert_array_equal(several.image, whole.image[[15, 16, 17, *range(2, 9)]])
    np.testing.assert_array_equal(several.text, whole.text[:, [15, 16, 17, *range(2, 9)]])
    with pytest.raises(ValueError, match="not within the 20"):
        shards.read(10, 21)


def test_how_rows_are_spread_over_shards_does_not_matter(tmp_path, form):
    one = write_shards(tmp_path / "one", cut(pairs()), form=form)
    many = write_shards(tmp_path / "many", cut(pairs(), 1, 2, 11), form="npz")
    same(one.read(0, 20), many.read(0, 20))
    assert one.sha256() != many.sha256()


def test_a_list_of_files_one_file_and_some_languages(tmp_path):
    whole = write_shards(tmp_path, cut(pairs(), 7))
    files = sorted(tmp_path.iterdir())
    assert len(open_shards(files)) == 20 and len(open_shards(files[1])) == 13
    np.testing.assert_array_equal(open_shards(files[::-1]).read(0, 13).image, whole.read(7, 20).image)
    english = open_shards(tmp_path, languages=["en"])
    np.testing.assert_array_equal(english.read(0, 20).text[0], whole.read(0, 20).text[1])
    assert english.name == tmp_path.name and english.sha256() != whole.sha256()


def test_without_groups_every_pair_is_its_own(tmp_path):
    rows = {key: pairs()[key] for key in ("image", "text_en")}
    shards = write_shards(tmp_path, cut(rows, 7))
    assert shards.read(5, 9).groups.tolist() == [5, 6, 7, 8]


def test_other_arrays_are_left_out_and_said(tmp_path):
    shards = write_shards(tmp_path, [pairs() | {"captions": np.array(["a"] * 20)}])
    assert shards.notes == ("left out arrays of unknown names: captions",)
    assert len(shards.read(0, 20).image) == 20


def test_hidden_files_are_not_shards_and_suffixes_may_be_upper_case(tmp_path):
    """macOS leaves `._0.npz` beside `0.npz` on foreign disks."""
    (tmp_path / "._0.npz").write_bytes(b"Mac OS X")
    (tmp_path / ".DS_Store").write_bytes(b"Mac OS X")
    write_shards(tmp_path, cut(pairs(), 7))
    (tmp_path / "shard-00001.npz").rename(tmp_path / "shard-00001.NPZ")
    assert len(open_shards(tmp_path)) == 20


@pytest.mark.parametrize("order", [">", "<"])
def test_rows_of_either_byte_order(tmp_path, order):
    arrays = pairs(dtype=np.float32)
    stored = {key: rows.astype(rows.dtype.newbyteorder(order)) for key, rows in arrays.items()}
    np.savez(tmp_path / "a.npz", **stored)
    rows = open_shards(tmp_path).read(3, 20)
    assert rows.image.dtype.isnative and rows.text.dtype.isnative
    same((rows.image, rows.text[1], rows.groups), (arrays[key][3:] for key in ("image", "text_en", "image_groups")))


def test_a_shard_is_a_data_set_too(tmp_path):
    rows = {key: pairs()[key] for key in ("image", "text_en")}
    write_shards(tmp_path, [rows])
    np.testing.assert_array_equal(load(tmp_path / "shard-00000.npz").text["en"], rows["text_en"])


def test_files_of_the_libraries_themselves(tmp_path):
    """A second opinion on where arrays lie: each library's own reader, and a view of a larger tensor."""
    torch, safetensors = pytest.importorskip("torch"), pytest.importorskip("safetensors.numpy")
    arrays = pairs()
    shards = write_shards(tmp_path / "s", [arrays], form="safetensors")
    same([safetensors.load_file(tmp_path / "s" / "shard-00000.safetensors")["image"]], [shards.read(0, 20).image])
    large = torch.from_numpy(np.concatenate([arrays["text_en"], arrays["image"]]))
    torch.save({"image": large[20:], "text_en": large[:20]}, tmp_path / "views.pt")
    rows = open_shards(tmp_path / "views.pt").read(3, 20)
    same([rows.image, rows.text[0]], [arrays["image"][3:], arrays["text_en"][3:]])


# mistakes


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        ({"image": None}, ("no array image (only image_groups, mask_de, text_de, text_en)",)),
        ({"image": np.ones((20, 4), np.longdouble)}, ("image is ", "[20, 4]; it must be float16, bfloat16 or float32")),
        ({"image": np.ones((20, 4), int)}, ("image is int64[20, 4]; it must be float16, bfloat16 or float32",)),
        ({"image": np.ones(20, np.float32)}, ("image is float32[20]; it must be",)),
        ({"text_en": np.ones((20, 5), np.float16)}, ("text_", "[20, 5]", "one encoder, one width and dtype")),
        ({"text_en": np.ones((20, 4), np.float32)}, ("one encoder, one width and dtype",)),
        ({"text_en": np.ones((19, 4), np.float16)}, ("text_en is float16[19, 4], but image has 20 rows",)),
        ({"mask_de": np.ones(20)}, ("mask_de is float64[20]; it must be one bool a row, beside text_de",)),
        ({"mask_fr": np.ones(20, bool)}, ("mask_fr", "beside text_fr")),
        ({"mask_de": np.ones(19, bool)}, ("mask_de is bool[19], but image has 20 rows",)),
        ({"image_groups": np.ones(20)}, ("image_groups is float64[20]; it must be one number a row",)),
        ({"text_en": None, "text_de": None, "mask_de": None}, ("no captions; give one array text_<language>",)),
        ({"text_fr": np.ones((20, 4), np.float16)}, ("lacks text_fr, unlike shard-00000.npz; give all",)),
    ],
)
def test_wrong_contents_name_the_file_and_the_array(tmp_path, one_line, change, parts):
    arrays = {key: rows for key, rows in (pairs() | change).items() if rows is not None}
    shards = [arrays, pairs()] if "text_fr" in change else [arrays]
    message = one_line(lambda: write_shards(tmp_path, shards), *parts)
    assert message.startswith(str(tmp_path / "shard-0000"))


@pytest.mark.parametrize("form", ["npz", "safetensors"])
@pytest.mark.parametrize(
    ("key", "rows", "parts"),
    [
        ("image", np.ones((20, 6), np.float16), ("image is float16[20, 6], in shard-00000", "one width and dtype")),
        ("image", np.ones((20, 4), np.float32), ("image is float32[20, 4], in shard-00000",)),
        ("mask_en", np.ones(20, bool), ("has mask_en, unlike shard-00000",)),
    ],
)
def test_shards_that_differ(tmp_path, one_line, form, key, rows, parts):
    pytest.importorskip(LIBRARY.get(form, "numpy"))
    one_line(lambda: write_shards(tmp_path, [pairs(), pairs() | {key: rows}], form=form), "shard-00001", *parts)


@pytest.mark.parametrize(
    ("key", "value", "what"),
    [("image", np.nan, "NaN"), ("text_en", -np.inf, "NaN or infinite"), ("image", 0.0, "zero")],
)
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_bad_rows_are_refused_where_they_are_read(tmp_path, one_line, key, value, what, dtype):
    arrays = pairs(dtype=dtype)
    arrays[key][9] = value
    arrays[key][12] = value
    shards = write_shards(tmp_path, cut(arrays, 7))
    assert len(shards.read(0, 9).image) == 9
    place = str(tmp_path / "shard-00001.npz")
    one_line(lambda: shards.read(4, 20), place, f"{key} row 2 is", what, "remove or re-encode it (2 such in rows 0 to")
    one_line(lambda: shards.read(9, 10), place, f"{key} row 2 is", "(1 such in rows 2 to 2)")
    one_line(shards.check, place, f"{key} row 2 is", "2 such among 20 rows")


def test_check_passes_and_tells_how_far_it_is(tmp_path):
    seen = []
    write_shards(tmp_path, cut(pairs(), 7)).check(lambda what, done, total: seen.append((done, total)))
    assert seen[-1] == (20, 20)


def test_folders_and_files_that_are_no_shards(tmp_path, one_line):
    one_line(lambda: open_shards(tmp_path), f"{tmp_path}: cannot tell its format; give an .npz file or")
    one_line(lambda: open_shards([]), "no shards here")
    one_line(lambda: open_shards(tmp_path / "none.npz"), "none.npz: no such file or folder; give")
    (tmp_path / "rows.csv").write_text("1")
    one_line(lambda: open_shards(tmp_path / "rows.csv"), "rows.csv: cannot tell its format")
    np.savez(tmp_path / "a.npz", **pairs())
    one_line(lambda: open_shards(tmp_path, languages=["fr"]), "no captions in fr; it has de, en")
    one_line(lambda: write_shards(tmp_path, [pairs()]), "holds shards already")
    one_line(lambda: write_shards(tmp_path / "new", [pairs()], form="csv"), "unknown format 'csv'")


@pytest.mark.parametrize("content", [b"", b"nothing of the kind", b"PK\x03\x04" + bytes(40), bytes(8), b"\xff" * 30])
def test_damaged_files(tmp_path, one_line, form, content):
    (tmp_path / f"bad.{form}").write_bytes(content)
    one_line(lambda: open_shards(tmp_path), str(tmp_path / f"bad.{form}"), "write it again")


def test_files_that_are_cut_off(tmp_path, one_line, form):
    shards = write_shards(tmp_path, [pairs(dtype=np.float32)], form=form)
    path = next(tmp_path.iterdir())
    path.write_bytes(path.read_bytes()[:-200])
    one_line(lambda: open_shards(tmp_path), str(path), "write it again")
    path.write_bytes(path.read_bytes()[:300])
    one_line(lambda: shards.read(0, 20), str(path), "ends before its 20 rows; copy or write it again")
    path.unlink()
    one_line(lambda: shards.read(0, 20), str(path), "cannot be read (No such file or directory)")


def test_what_cannot_be_read_row_by_row(tmp_path, one_line):
    np.savez_compressed(tmp_path / "a.npz", **pairs())
    one_line(lambda: open_shards(tmp_path), "a.npz: image is compressed", "save with np.savez, not")
    np.savez(tmp_path / "a.npz", image=np.asfortranarray(pairs()["image"]))
    one_line(lambda: open_shards(tmp_path), "image is in Fortran order; save np.ascontiguousarray(image)")
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("image.npy", b"no array")
    one_line(lambda: open_shards(tmp_path), "a.npz: image is damaged (the magic string is not correct")


def test_pt_files_of_other_content(tmp_path, one_line, caplog):
    torch = pytest.importorskip("torch")
    path = tmp_path / "a.pt"
    torch.save([torch.ones(2)], path)
    one_line(lambda: open_shards(path), "a.pt: not a dict of tensors; torch.save a dict")
    torch.save({"image": torch.ones(4, 20).T}, path)
    one_line(lambda: open_shards(path), "a.pt: image is a view of other order; torch.save image.contiguous()")
    torch.save({"image": torch.ones(2, 2).to_sparse()}, path)
    one_line(lambda: open_shards(path), "a.pt: image is sparse; torch.save image.to_dense()")
    with pytest.warns(UserWarning, match="beta"):
        torch.save({"image": torch.ones(2, 2).to_sparse_csr()}, path)
    one_line(lambda: open_shards(path), "a.pt: damaged, or more than a dict of dense tensors")
    assert not caplog.records
    torch.save({"image": torch.ones(2, 2), "epoch": len}, path)
    one_line(lambda: open_shards(path), "a.pt: damaged, or more than a dict of dense tensors")


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_rows_are_distinguished_by_their_bits_as_by_their_numbers(dtype):
    """Every number there is, alone and beside a one."""
    numbers = np.arange(2**16, dtype=np.uint16).view(dtype)[:, None]
    with np.errstate(invalid="ignore"):  # signalling NaNs are among them
        known = numbers.astype(np.float32)
    np.testing.assert_array_equal(unsound_rows(numbers), ~np.isfinite(known[:, 0]) | (known[:, 0] == 0))
    beside = np.concatenate([np.ones_like(numbers), -np.abs(numbers)], 1)
    np.testing.assert_array_equal(unsound_rows(beside), ~np.isfinite(known[:, 0]))


@pytest.mark.parametrize("form", ["npz", "safetensors", "pt"])
def test_a_digest_depends_on_every_value(form, tmp_path):
    if form != "npz":
        pytest.importorskip({"pt": "torch"}.get(form, form))
    rows = np.random.default_rng(0).standard_normal((50, 4)).astype(np.float16)
    changed = rows.copy()
    changed[30, 2] += 1
    found = {}
    for name, text in {"one": rows, "same": rows, "other": changed}.items():
        parts = [{"image": rows[part], "text_en": text[part]} for part in (slice(20), slice(20, 50))]
        found[name] = write_shards(tmp_path / name, parts, form=form).digests()
    assert found["one"] == found["same"]
    assert found["one"]["data_sha256"] == found["other"]["data_sha256"]
    assert found["one"]["content_sha256"] != found["other"]["content_sha256"]
