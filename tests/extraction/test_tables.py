"""Captions in every form of table say the same; mistakes say their line."""

import json

import pytest

from ccalign_jax.extraction.sources import open_source

LINES = [("b.jpg", "en", "two"), ("a.jpg", "en", "one"), ("a.jpg", "de", "eins"), ("a.jpg", "en", "uno")]
ITEMS = {"a.jpg": {"en": ["one", "uno"], "de": ["eins"]}, "b.jpg": {"en": ["two"]}}


@pytest.fixture
def images(tmp_path):
    (tmp_path / "images").mkdir()
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        (tmp_path / "images" / name).write_bytes(b"")
    return tmp_path / "images"


def opened(images, name, text, languages=None):
    path = images.parent / name
    path.write_text(text, encoding="utf-8")
    return open_source(str(images), str(path), languages)


def jsonl(records):
    return "".join(json.dumps(record) + "\n" for record in records)


FORMS = {
    "long.csv": "image,language,caption\n" + "".join(",".join(line) + "\n" for line in LINES),
    "long.tsv": "\ufeffimage\tlanguage\tcaption\n" + "".join("\t".join(line) + "\n" for line in LINES),
    "wide.csv": "image,en,de\nb.jpg,two,\na.jpg,one,eins\na.jpg,uno,\n",
    "long.jsonl": jsonl({"image": image, "language": language, "caption": text} for image, language, text in LINES),
    "wide.jsonl": jsonl({"image": image, **texts} for image, texts in ITEMS.items()),
    "nested.jsonl": jsonl({"image": image, "captions": texts} for image, texts in ITEMS.items()),
    "bare.jsonl": jsonl({"image": image[0], "captions": texts} for image, texts in ITEMS.items()),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_says_the_same(images, form):
    source = opened(images, form, FORMS[form])
    items = list(source.items())
    assert [dict(item.captions) for item in items] == list(ITEMS.values()) and source.size == 2
    assert [item.image.name for item in items] == ["a.jpg", "b.jpg"] and all(item.image.is_file() for item in items)
    assert source.notes == (f"1 files of {images} are left out: {form} does not name them",)
    if form != "bare.jsonl":
        assert [item.key for item in items] == list(ITEMS)
        assert source.sha256 == opened(images, "again.jsonl", FORMS["nested.jsonl"]).sha256


def test_splits_other_columns_and_languages(images):
    text = "image,split,en,de,width,中文\na.jpg,test,one,eins,100,一\nb.jpg,train,two,zwei,200,二\n"
    source = opened(images, "wide.csv", text)
    assert [item.split for item in source.items()] == ["test", "train"]
    assert [sorted(item.captions) for item in source.items()] == [["de", "en"]] * 2
    assert source.notes[1] == "left out columns that are no language codes: width, 中文"
    chosen = opened(images, "wide.csv", text, ["en", "中文"])
    assert [sorted(item.captions) for item in chosen.items()] == [["en", "中文"]] * 2


def test_an_empty_cell_is_no_caption_but_an_empty_line_is_one(images):
    wide = opened(images, "wide.csv", 'image,en,de\na.jpg,one,\nb.jpg," ",zwei\n')
    assert [dict(item.captions) for item in wide.items()] == [{"en": ["one"]}, {"en": [" "], "de": ["zwei"]}]
    long = opened(images, "long.csv", "image,language,caption\na.jpg,en,one\na.jpg,de,\n")
    assert [dict(item.captions) for item in long.items()] == [{"en": ["one"], "de": [""]}]


@pytest.mark.parametrize(
    ("name", "text", "parts"),
    [
        ("a.jsonl", '{"image": "a.jpg", "en": "one"}\n{"image": ', ("a.jsonl line 2: not JSON",)),
        ("a.jsonl", "[1]\n", ("line 1: list, not an object",)),
        ("a.jsonl", '{"en": "one"}\n', ("line 1: image is None; give the name of its file",)),
        ("a.jsonl", '{"image": "\\ud800", "en": "one"}\n', ("line 1: image is '\\ud800'",)),
        ("a.jsonl", '{"image": "a.jpg", "en": 3}\n', ("line 1: en is 3; give a caption, or a list",)),
        ("a.jsonl", '{"image": "a.jpg", "split": 3, "en": "a"}\n', ("line 1: split is 3; give its name",)),
        ("a.jsonl", "", ("a.jsonl: no captions; give columns image and a language",)),
        ("a.csv", "image,split,en\na,x,one\na,y,two\n", ("line 3: image a is in split y, before in x",)),
        ("a.csv", "image,en\na,one,two\n", ("line 2: not as many cells as the header has",)),
        ("a.csv", 'image,en\na,"one\n', ("a.csv: cannot be read (unexpected end of data)",)),
        ("a.csv", "image,language,caption\na,mean,one\n", ("language 'mean': the name is reserved in results",)),
        ("a.txt", "one", ("no known form; give a folder of images, and .jsonl, .csv or .tsv",)),
    ],
)
def test_mistakes_say_their_line(images, one_line, name, text, parts):
    one_line(lambda: opened(images, name, text), *parts)


def test_missing_files(images, one_line, tmp_path):
    one_line(lambda: open_source(str(images), str(tmp_path / "no.csv")), "no.csv: no such file")
    one_line(lambda: open_source(str(tmp_path / "none"), str(tmp_path / "no.csv")), "none: no such folder")
    one_line(lambda: open_source(None, None), "neither --images nor --captions: no known form")
    one_line(lambda: opened(images, "a.csv", FORMS["long.csv"], ["fr"]), "no captions in fr; compare --languages")
