"""Captions and images in Parquet say the same as in other tables; images are read by row, in any order."""

import sys

import numpy as np
import pytest

from ccalign_jax.extraction.arrow_images import BATCH, KEPT, ImageColumn
from ccalign_jax.extraction.sources import open_source

pa = pytest.importorskip("pyarrow", reason="pip install pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

ITEMS = {"a.jpg": {"en": ["one", "uno"], "de": ["eins"]}, "b.jpg": {"en": ["two"]}}
STORED = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
FORMS = {
    "long": {
        "image": ["b.jpg", "a.jpg", "a.jpg", "a.jpg"],
        "language": pa.array(["en", "en", "de", "en"]).dictionary_encode(),
        "caption": ["two", "one", "eins", "uno"],
        "width": [1.5] * 4,
    },
    "wide": {
        "file_name": ["b.jpg", "a.jpg"],
        "en": [["two"], ["one", "uno"]],
        "de": [[], ["eins"]],
        "width": [[1.5], [2.5]],
    },
    "large": {
        "image": pa.array(["b.jpg", "a.jpg"], pa.large_string()),
        "caption_en": pa.array([["two"], ["one", "uno"]], pa.large_list(pa.large_string())),
        "caption_de": [None, "eins"],
        "width": [b"1", b"2"],
    },
    "nested": {
        "image": ["b.jpg", "a.jpg"],
        "group": [1, 2],
        "captions": [{"en": ["two"], "de": None}, {"en": ["one", "uno"], "de": ["eins"]}],
        "width": [{"of": 1}, {"of": 2}],
    },
}


@pytest.mark.parametrize("form", FORMS)
def test_names_of_files(tmp_path, form):
    (tmp_path / "images").mkdir()
    for name in ITEMS:
        (tmp_path / "images" / name).write_bytes(b"")
    pq.write_table(pa.table(FORMS[form]), tmp_path / "captions.parquet")
    source = open_source(str(tmp_path / "images"), str(tmp_path / "captions.parquet"))
    assert {item.key: item.captions for item in source.items()} == ITEMS
    assert [item.group for item in source.items()] == ([2, 1] if form == "nested" else [None, None])
    assert [item.image for item in source.items()] == [tmp_path / "images" / name for name in ITEMS]
    assert source.notes == ("left out columns that are no language codes: width",)


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary(), STORED])
def test_images_as_bytes_come_in_the_order_of_rows(tmp_path, kind):
    content = [b"picture 0", None, b"picture 2"]
    images = [{"bytes": one, "path": f"{n}.jpg"} for n, one in enumerate(content)] if kind == STORED else content
    table = pa.table({"image": pa.array(images, kind), "id": [7, 8, 7], "en": ["one", "two", "three"]})
    (tmp_path / "set" / "data").mkdir(parents=True)
    pq.write_table(table, tmp_path / "set" / "data" / "test-00000-of-00001.parquet")
    source = open_source(None, None, source=str(tmp_path / "set"))
    items = list(source.items())
    assert [(item.key, item.split, item.captions["en"]) for item in items] == [
        ("7", "test", ["one", "three"]),
        ("8", "test", ["two"]),
    ]
    assert items[0].image() == b"picture 0"
    with pytest.raises(ValueError, match="the row holds no image"):
        items[1].image()
    assert source.notes == ("1 rows repeat an image: their captions add up, its first picture is used",)


def test_paths_beside_images_are_keys_where_no_column_is(tmp_path):
    images = [{"bytes": b"0", "path": "a.jpg"}, {"bytes": b"1", "path": "a.jpg"}, {"bytes": b"2", "path": None}]
    table = pa.table({"image": pa.array(images, STORED), "en": ["a", "b", "c"], "id": ["satu", "dua", "tiga"]})
    pq.write_table(table, tmp_path / "a.parquet")
    items = list(open_source(None, str(tmp_path / "a.parquet")).items())
    assert [item.key for item in items] == ["a.jpg", "0/00000001", "0/00000002"]
    assert [item.image() for item in items] == [b"0", b"1", b"2"] and items[1].captions["id"] == ["dua"]


@pytest.mark.parametrize("groups", [1, 7])
def test_images_by_row_in_any_order(tmp_path, groups):
    count = BATCH * KEPT * 2 + 5
    images = [{"bytes": str(number).encode(), "path": None} for number in range(count)]
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"image": pa.array(images, STORED)}), path, row_group_size=count // groups)
    column = ImageColumn()
    order = [*range(0, count, 9), 0, count - 1, *np.random.default_rng(0).permutation(count)[:5].tolist()]
    assert [column.read(path, "image", row) for row in order] == [str(row).encode() for row in order]


def test_a_missing_library_is_named(tmp_path, one_line, monkeypatch):
    pq.write_table(pa.table({"image": ["a.jpg"], "en": ["one"]}), tmp_path / "a.parquet")
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    one_line(lambda: open_source(None, str(tmp_path / "a.parquet")), 'needs pyarrow: pip install "ccalign_jax[frames]"')


def test_mistakes(tmp_path, one_line):
    (tmp_path / "a.parquet").write_bytes(b"PAR1 damaged")
    one_line(lambda: open_source(None, str(tmp_path / "a.parquet")), "a.parquet: cannot be read (")
    one_line(lambda: open_source(None, str(tmp_path / "no.parquet")), "no.parquet: no such file")
    pq.write_table(pa.table({"image": pa.array([b"0"]), "en": ["one"]}), tmp_path / "b.parquet")
    one_line(lambda: open_source(str(tmp_path), str(tmp_path / "b.parquet")), "b.parquet row 0 holds its image itself")
    pq.write_table(pa.table({"image": ["a.jpg", "../b.jpg"], "en": ["one", "two"]}), tmp_path / "c.parquet")
    one_line(lambda: open_source(str(tmp_path), str(tmp_path / "c.parquet")), "c.parquet row 1: ../b.jpg leads out")
