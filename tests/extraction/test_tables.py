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
        ("a.csv", "image,en\na.jpg,one\n../b.jpg,two\n", ("line 3: ../b.jpg leads out of the folder",)),
        ("a.csv", "image,en\n/etc/a.jpg,one\n", ("line 2: /etc/a.jpg leads out of the folder; give a name below it",)),
        ("a.csv", "image,caption\na.jpg,one\n", ("line 2: caption does not say its language; give one, such as --l",)),
        ("a.jsonl", '{"image": "a.jpg", "language": 3, "caption": "a"}\n', ("line 1: language is 3; give its code",)),
        ("a.txt", "one", ("no known form; give captions in .jsonl, .csv or .tsv",)),
    ],
)
def test_mistakes_say_their_line(images, one_line, name, text, parts):
    one_line(lambda: opened(images, name, text), *parts)


@pytest.mark.parametrize(
    "record",
    [
        {"caption_en": ["one", "uno"], "txt.de": "eins"},
        {"captions": {"en": ["one", "uno"], "de": "eins"}},
        {"en": ["one", "uno"], "de": "eins", "caption": "another", "text_length": 3, "id": 17, "url": "a"},
    ],
)
def test_columns_named_by_their_language(images, record):
    source = opened(images, "a.jsonl", jsonl([{"image": "a.jpg", **record}]))
    assert [dict(item.captions) for item in source.items()] == [{"en": ["one", "uno"], "de": ["eins"]}]


@pytest.mark.parametrize(
    "record",
    [
        {"caption": ["one", "uno"]},
        {"captions": ["one", "uno"], "text": "no"},
        {"text": ["one", "uno"]},
        {"caption_1": "uno", "caption_0": "one", "width": 3},
        {"language": "en", "captions": ["one", "uno"]},
    ],
)
def test_captions_without_a_language_are_of_the_one_that_is_asked_for(images, record):
    source = opened(images, "a.jsonl", jsonl([{"image": "a.jpg", **record}]), ["en"])
    assert [dict(item.captions) for item in source.items()] == [{"en": ["one", "uno"]}]


def test_first_caption_and_repeated_ones(images):
    path = images.parent / "a.csv"
    path.write_text("image,split,en\na.jpg,test,one\na.jpg,test,one\nb.jpg,train,two\n")
    every, first = (
        open_source(str(images), policy, None, source=str(path), splits=["test"]) for policy in ("all", "first")
    )
    assert [dict(item.captions) for item in every.items()] == [{"en": ["one", "one"]}]
    assert "1 captions are there twice for one image and language, and used twice" in every.notes
    assert [dict(item.captions) for item in first.items()] == [{"en": ["one"]}]
    assert "the first caption of an image and language is used: 1 of 2" in first.notes
    assert dict(first.about) == {"kind": "table", "captions": "first", "splits": ["test"], "facts": []}
    assert first.sha256 != every.sha256


def test_paths_that_do_not_go_together(images, one_line):
    path = images.parent / "a.csv"
    path.write_text("image,split,en\na.jpg,test,one\n")
    one_line(lambda: open_source(str(images), "first"), "--captions=first: says how many captions are used")
    one_line(lambda: open_source(str(images), str(path), source=str(path)), "--source names captions already")
    one_line(lambda: open_source(None, str(path)), "a.csv line 2: image is the name a.jpg; give the folder")
    one_line(lambda: open_source(str(images), str(path), splits=["dev"]), "no split dev, but test; compare --splits")


def test_missing_files(images, one_line, tmp_path):
    one_line(lambda: open_source(str(images), str(tmp_path / "no.csv")), "no.csv: no such file")
    one_line(lambda: open_source(str(tmp_path / "none"), str(tmp_path / "no.csv")), "none: no such folder")
    one_line(lambda: open_source(str(images), str(tmp_path / "no")), "no: no such file or folder; KIND:PATH names a")
    one_line(lambda: open_source(str(images), None), "no captions: give --images and --captions, or --source")
    one_line(lambda: opened(images, "a.csv", FORMS["long.csv"], ["fr"]), "no captions in fr; compare --languages")
