"""WebDataset shards as CLIP_benchmark and img2dataset write them; nothing in them is unpacked or run."""

import json
import tarfile

import pytest
from tar_files import write_tar

from ccalign_jax.extraction.sources import open_source


def found(path, **options):
    source = open_source(None, None, source=str(path), **options)
    return source, {item.key: item for item in source.items()}


def test_clip_benchmark(tmp_path):
    """Keys begin anew in every split."""
    for split in ("train", "test"):
        for shard in range(2):
            name, image = f"s000000{shard}", f"{split} {shard}".encode()
            write_tar(tmp_path / split / f"{shard}.tar", [(f"{name}.webp", image), (f"{name}.txt", b"a dog\nI sit\n")])
        (tmp_path / split / "nshards.txt").write_text("2\n")
    (tmp_path / "dataset_type.txt").write_text("retrieval")
    source, items = found(tmp_path, languages=["en"])
    assert list(items) == ["test/s0000000", "test/s0000001", "train/s0000000", "train/s0000001"]
    assert {item.split for item in items.values()} == {"train", "test"} and source.notes == ()
    assert items["test/s0000001"].image() == b"test 1" and items["test/s0000001"].captions == {"en": ["a dog", "I sit"]}
    assert list(found(tmp_path / "test", languages=["en"])[1]) == ["s0000000", "s0000001"]
    assert len(found(tmp_path, languages=["en"], splits=["test"])[1]) == 2


def test_img2dataset(tmp_path):
    """Its captions may have several lines, and their language in a field."""
    fields = {"url": "http://a", "key": "000000000", "status": "success", "width": 3, "exif": "{}", "LANGUAGE": "de"}
    caption = "ein Hund\nauf Gras"
    members = [
        ("000000000.jpg", b"0"),
        ("000000000.json", json.dumps({**fields, "caption": caption}).encode()),
        ("000000000.txt", caption.encode()),
        ("000000001.txt", b"kein Bild"),
        ("000000001.json", json.dumps({**fields, "caption": "kein Bild", "status": "failed"}).encode()),
    ]
    write_tar(tmp_path / "00000.tar", members)
    source, items = found(tmp_path)
    assert {key: item.captions for key, item in items.items()} == {
        "000000000": {"de": [caption]},
        "000000001": {"de": ["kein Bild"]},
    }
    assert source.notes == ("left out columns that are no language codes: url, key, status, width, exif",)
    with pytest.raises(ValueError, match="no image in the sample"):
        items["000000001"].image()


@pytest.mark.parametrize(
    "texts",
    [
        {"txt.en": b"one\nuno", "txt.de": b"eins"},
        {"en.txt": b"one\r\nuno\r\n", "de.txt": b"eins\r\n"},
        {"json": b'{"caption_en": ["one", "uno"], "caption_de": "eins", "score": [0.5]}'},
        {"json": b'{"captions": {"en": ["one", "uno"], "de": "eins"}}', "txt": b"other"},
        {"json": b'{"en": ["one", "uno"], "de": "eins"}'},
    ],
)
def test_languages_and_members_in_any_order(tmp_path, texts):
    members = [*((f"./b/a.{suffix}", content) for suffix, content in texts.items()), ("./b/a.PNG", b"0")]
    write_tar(tmp_path / "a.tar", members)
    _, items = found(tmp_path / "a.tar")
    assert {key: item.captions for key, item in items.items()} == {"b/a": {"en": ["one", "uno"], "de": ["eins"]}}
    assert items["b/a"].image() == b"0"


def test_keys_that_repeat(tmp_path):
    write_tar(tmp_path / "0.tar", [("a.jpg", b"0"), ("a.txt", b"one"), ("a.jpg", b"1"), ("a.txt", b"two")])
    (tmp_path / "._0.tar").write_bytes(b"what a Mac leaves beside a file")
    write_tar(tmp_path / "1.tar", [("a.jpg", b"2"), ("a.txt", b"two"), ("a.cls", b"0"), ("__meta.txt", b"")])
    source, items = found(tmp_path, languages=["en"])
    assert items["a"].captions == {"en": ["one", "two", "two"]} and items["a"].image() == b"0"
    assert source.notes == (
        "2 rows repeat an image: their captions add up, its first picture is used",
        "1 captions are there twice for one image and language, and used twice",
        "left out columns that are no language codes: .cls",
    )


def test_embedded(embed, photographs, tmp_path, records):
    """The same images and captions give the same folder as a table."""
    members = []
    for record in records:
        name = record["image"].removesuffix(".png")
        members.append((record["image"], (photographs / "images" / record["image"]).read_bytes()))
        members.append((f"{name}.json", json.dumps({"captions": record["captions"]}).encode()))
    write_tar(tmp_path / "set" / "0.tar", members)
    one = embed("table")
    two = embed("tar", images=None, captions="all", source=tmp_path / "set")
    assert two["images"] == one["images"] and two["captions"] == one["captions"]
    assert two["source"] == {"kind": "webdataset", "captions": "all", "splits": None, "facts": []}


def test_refusals(tmp_path, one_line):
    def refused(members, *parts):
        write_tar(tmp_path / "a.tar", members)
        one_line(lambda: found(tmp_path / "a.tar", languages=["en"]), *parts)

    refused([("../a.jpg", b"0")], "a.tar: ../a.jpg leads out of the folder")
    refused([("/etc/a.jpg", b"0")], "a.tar: /etc/a.jpg leads out of the folder")
    refused([("a.json", b"{"), ("a.jpg", b"0")], "a.tar: a.json is not JSON")
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE):
        with tarfile.open(tmp_path / "a.tar", "w") as archive:
            info = tarfile.TarInfo("a.jpg")
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
        one_line(lambda: found(tmp_path / "a.tar"), "a.tar: a.jpg is a link, a device or sparse; pack it as a plain")
    write_tar(tmp_path / "a.tar", [("a.jpg", bytes(2000)), ("a.txt", b"one")])
    one_line(lambda: found(tmp_path / "a.tar"), "sample a: txt does not say its language; give one, such as --lang")
    whole = (tmp_path / "a.tar").read_bytes()
    (tmp_path / "a.tar").write_bytes(whole[:1500])
    one_line(lambda: found(tmp_path / "a.tar"), "a.tar: not a whole, uncompressed tar file (unexpected end of data)")
    for total in ("2", "9" * 5000):
        (tmp_path / "nshards.txt").write_text(total)
        one_line(lambda: found(tmp_path), "nshards.txt: says", "shards, 1 are there; copy the rest")
    (tmp_path / "nshards.txt").write_bytes(b"\xff")  # of another program
    one_line(lambda: found(tmp_path), "not a whole, uncompressed tar file")
