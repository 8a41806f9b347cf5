"""Each preset on a small copy of its schema, as its authors and as the hub have it."""

import gzip
import json

import pytest

from ccalign_jax.extraction.presets import PRESETS
from ccalign_jax.extraction.sources import open_source

pa = pytest.importorskip("pyarrow", reason="pip install pyarrow")
pq = pytest.importorskip("pyarrow.parquet")
STORED = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def found(source, images=None, captions=None, **options):
    opened = open_source(None if images is None else str(images), captions, source=source, **options)
    return opened, {item.key: (item.split, item.captions) for item in opened.items()}


def write_lines(path, lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(f"{line}\n" for line in lines).encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)


def write_hub(folder, split, columns):
    """A split as the hub's Parquet files have it."""
    folder.mkdir(exist_ok=True)
    count = len(next(iter(columns.values())))
    images = pa.array([{"bytes": str(number).encode(), "path": None} for number in range(count)], STORED)
    pq.write_table(pa.table({"image": images, **columns}), folder / f"{split}-00000-of-00001.parquet")


@pytest.fixture
def images(tmp_path):
    (tmp_path / "images").mkdir()
    for name in ("a", "b", "c"):
        (tmp_path / "images" / f"{name}.jpg").write_bytes(b"0")
    return tmp_path / "images"


def test_xm3600(tmp_path, images):
    def one(*captions):
        return {"caption": captions, "caption/tokenized": captions, "caption/tokenized/lowercase": captions}

    lines = [
        {"image/key": "b", "image/locale": "de", "de": one("zwei"), "id": one("dua", "anjing")},
        {"image/key": "a", "image/locale": "de", "de": one("eins", "ein Hund"), "id": one("satu")},
    ]
    write_lines(tmp_path / "captions.jsonl", map(json.dumps, lines))
    source, every = found(f"xm3600:{tmp_path / 'captions.jsonl'}", images)
    assert every == {
        "a": ("test", {"de": ["eins", "ein Hund"], "id": ["satu"]}),
        "b": ("test", {"de": ["zwei"], "id": ["dua", "anjing"]}),
    }
    assert source.about["kind"] == "xm3600" and source.about["captions"] == "all"
    _, first = found(f"xm3600:{tmp_path / 'captions.jsonl'}", images, "first", languages=["de"])
    assert first == {"a": ("test", {"de": ["eins"]}), "b": ("test", {"de": ["zwei"]})}


def test_xm3600_of_the_hub(tmp_path):
    """A split a language, whose images are the same in another order."""
    write_hub(tmp_path / "hub", "de", {"image_id": ["a", "b"], "captions": [["eins"], ["zwei", "ein Hund"]]})
    write_hub(tmp_path / "hub", "fil", {"image_id": ["b", "a"], "captions": [["dalawa"], ["isa"]]})
    source, items = found(f"xm3600:{tmp_path / 'hub'}")
    assert items == {
        "a": ("test", {"de": ["eins"], "fil": ["isa"]}),
        "b": ("test", {"de": ["zwei", "ein Hund"], "fil": ["dalawa"]}),
    }
    assert [item.image() for item in source.items()] == [b"0", b"1"] and source.notes == PRESETS["xm3600"].facts


def test_xtd10(tmp_path, images, one_line):
    write_lines(tmp_path / "set" / "XTD10" / "test_image_names.txt", ["b.jpg", "a.jpg"])
    write_lines(tmp_path / "set" / "XTD10" / "test_1kcaptions_ko.txt", ["둘\u2028이", "하나"])
    write_lines(tmp_path / "set" / "MIC" / "test_1kcaptions_de.txt", ["zwei", "eins"])
    write_lines(tmp_path / "set" / "STAIR" / "test_image_names.txt", ["a.jpg", "b.jpg"])
    write_lines(tmp_path / "set" / "STAIR" / "test_1kcaptions_jp.txt", ["一", "二"])
    source, items = found(f"xtd10:{tmp_path / 'set'}", images)
    assert items == {
        "a.jpg": ("test", {"de": ["eins"], "ja": ["一"], "ko": ["하나"]}),
        "b.jpg": ("test", {"de": ["zwei"], "ja": ["二"], "ko": ["둘\u2028이"]}),
    }
    assert "800 of the 1,000 images of XTD10 are of COCO's training part" in source.notes[0]
    assert source.about["facts"] == list(PRESETS["xtd10"].facts)
    write_lines(tmp_path / "set" / "MIC" / "test_1kcaptions_de.txt", ["zwei"])
    one_line(lambda: found(f"xtd10:{tmp_path / 'set'}", images), "_de.txt: 1 captions, but", "names.txt has 2 images")
    one_line(lambda: found("xtd10"), "--source=xtd10: no copy on a hub is known; give xtd10:PATH")


def test_multi30k(tmp_path, images):
    task = tmp_path / "set" / "data" / "task1"
    for split, names in {"train": ["c.jpg"], "test_2016_flickr": ["b.jpg#1", "a.jpg#4"]}.items():
        write_lines(task / "image_splits" / f"{split}.txt", names)
        for language in ("en", "de"):
            write_lines(task / "raw" / f"{split}.{language}.gz", [f"{language} {name[0]}" for name in names])
    (task / "raw" / "README").write_text("")
    source, items = found(f"multi30k:{tmp_path / 'set'}", images)
    assert items == {
        "a.jpg": ("test", {"de": ["de a"], "en": ["en a"]}),
        "b.jpg": ("test", {"de": ["de b"], "en": ["en b"]}),
        "c.jpg": ("train", {"de": ["de c"], "en": ["en c"]}),
    }
    assert "Flickr30k" in source.about["facts"][1]
    _, test = found(f"multi30k:{task}", images, splits=["test"])
    assert list(test) == ["a.jpg", "b.jpg"]


def test_multi30k_of_five_captions(tmp_path, images):
    task = tmp_path / "task2"
    write_lines(task / "image_splits" / "test_2016_images.txt", ["b.jpg", "a.jpg"])
    for number in (1, 2):
        write_lines(task / "raw" / f"test_2016.{number}.de", [f"{number} b", f"{number} a"])
    _, items = found(f"multi30k:{task}", images)
    assert items == {"a.jpg": ("test", {"de": ["1 a", "2 a"]}), "b.jpg": ("test", {"de": ["1 b", "2 b"]})}
    assert found(f"multi30k:{task}", images, "first")[1]["a.jpg"] == ("test", {"de": ["1 a"]})


def test_multi30k_of_the_hub(tmp_path):
    for split in ("train", "test"):
        write_hub(tmp_path / "hub", split, {"en": ["one", "two"], "de": ["eins", "zwei"]})
    _, items = found(f"multi30k:{tmp_path / 'hub'}")
    assert items["test/00000001"] == ("test", {"en": ["two"], "de": ["zwei"]}) and len(items) == 4


def test_flickr30k_multilingual(tmp_path, images):
    for language in ("de", "id"):
        lines = [
            {"id": name, "img_path": f"{name}.jpg", "sentences": [f"{language} {name}"], "caption_ids": [0]}
            for name in ("b", "a")
        ]
        write_lines(tmp_path / "set" / "annotations" / language / "test.jsonl", map(json.dumps, lines))
        write_lines(tmp_path / "set" / "annotations" / language / "train_100.jsonl", ["{}"])
    expected = {f"{name}.jpg": ("test", {"de": [f"de {name}"], "id": [f"id {name}"]}) for name in ("a", "b")}
    source, items = found(f"flickr30k_multilingual:{tmp_path / 'set'}", images)
    assert items == expected and "half of COCO" in source.notes[0]
    for language in ("de", "id"):
        sentences = [f"{language} a", f"{language} b", None]
        write_hub(tmp_path / "hub", language, {"id": ["a.jpg", "b.jpg", "c.jpg"], "sentences": sentences})
    assert found(f"flickr30k_multilingual:{tmp_path / 'hub'}")[1] == {**expected, "c.jpg": ("test", {})}


@pytest.mark.parametrize("as_columns", [True, False])
def test_wit(tmp_path, as_columns):
    pages = [
        {"language": "en", "caption_reference_description": "A dog", "page_title": "Dog"},
        {"language": "iw", "caption_reference_description": "כלב", "page_title": None},
        {"language": "de", "caption_reference_description": None, "page_title": "Hund"},
        {"language": "en", "caption_reference_description": "A dog", "page_title": "Dogs"},
    ]
    features = {name: [page[name] for page in pages] for name in pages[0]} if as_columns else pages
    columns = {"image_url": ["https://a/dog.jpg"], "wit_features": [features], "embedding": [[0.5, 0.5]]}
    write_hub(tmp_path / "hub", "train", columns)
    source, items = found(f"wit:{tmp_path / 'hub'}")
    assert items == {"https://a/dog.jpg": ("train", {"en": ["A dog"], "he": ["כלב"]})}
    assert source.notes == PRESETS["wit"].facts


def test_wit_of_the_benchmark(tmp_path):
    write_hub(tmp_path / "hub", "da", {"image_id": ["a"], "captions": [["en hund"]]})
    assert found(f"wit:{tmp_path / 'hub'}")[1] == {"a": ("test", {"da": ["en hund"]})}
