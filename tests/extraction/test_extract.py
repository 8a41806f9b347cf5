"""From photographs and captions to a folder: every row belongs to its key, and a killed run loses nothing."""

import csv
import json
import shutil

import numpy as np
import pytest

from ccalign_jax.data import load, open_shards
from ccalign_jax.data.extracted import read_description
from ccalign_jax.data.originals import caption_text, image_file

COUNT = 11


class Killed(Exception):
    """The end of a process, in the midst of its work."""


def kill_after(rows):
    def progress(what, done, total):
        if done >= rows:
            raise Killed

    return progress


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.mark.parametrize(("dtype", "precise"), [("float16", 1e-3), ("float32", 1e-6)])
def test_rows_are_those_of_the_encoders_by_key(embed, tmp_path, dtype, precise, spell, records):
    found = embed("out", dtype=dtype)
    data = load(tmp_path / "out")
    assert (data.name, data.d_text, data.d_image, data.image.dtype) == ("out", 13, 6, np.dtype(dtype))
    assert data.keys.tolist() == [record["image"] for record in records]
    assert data.split.tolist() == [record["split"] for record in records]
    for language in ("de", "en"):
        captions = [record["captions"].get(language, []) for record in records]
        captions = [[one] if isinstance(one, str) else one for one in captions]
        owners = np.repeat(np.arange(COUNT), [len(several) for several in captions])
        np.testing.assert_array_equal(data.image_of[language], owners)
        np.testing.assert_allclose(
            data.text[language], unit(spell([one for several in captions for one in several])), atol=precise
        )
        assert found["captions"][language] == len(owners)
        texts = [caption_text(data, language, row) for row in range(len(owners))]
        assert texts == [one for several in captions for one in several]
    np.testing.assert_allclose(np.linalg.norm(data.image.astype(float), axis=1), 1, atol=precise)
    assert found["images"] == COUNT and found["shards"] == 4 and found["left_out"] == {}


def test_images_are_those_of_their_key(embed, photographs, tmp_path, colour):
    from PIL import Image

    embed("out", dtype="float32")
    data = load(tmp_path / "out")
    pixels = [np.asarray(Image.open(photographs / "images" / key)) for key in data.keys]
    np.testing.assert_allclose(data.image, unit(colour(pixels)), atol=1e-6)
    assert image_file(data, 1) == photographs / "images" / data.keys[1]


def test_whoever_reads_the_rows_learns_which_captions_they_are_of(embed, tmp_path):
    embed("out")
    assert load(tmp_path / "out").notes == open_shards(tmp_path / "out").notes
    assert load(tmp_path / "out").notes[0] == "embedded: all captions of each image and language"
    path = tmp_path / "out" / "embeddings.json"
    about = json.loads(path.read_text())
    del about["sha256"]  # as older versions wrote it
    about["source"] |= {"captions": "first", "splits": ["dev", "test"], "facts": ["half of COCO"]}
    path.write_text(json.dumps(about))
    expected = ("embedded: the first caption of each image and language, splits dev, test", "half of COCO")
    assert load(tmp_path / "out").notes[:2] == expected


def test_the_same_folder_can_be_streamed(embed, tmp_path):
    """An image makes as many pairs as it has captions in one language."""
    embed("out")
    data, shards = load(tmp_path / "out"), open_shards(tmp_path / "out")
    counts = data.caption_counts()
    assert len(shards) == counts.max(0).sum() and shards.languages == ("de", "en") and len(shards.files) == 4
    rows = shards.read(0, len(shards))
    np.testing.assert_array_equal(rows.groups, np.repeat(np.arange(COUNT), counts.max(0)))
    np.testing.assert_array_equal(rows.image, data.image[rows.groups])
    for text, mask, language in zip(rows.text, rows.mask, shards.languages, strict=True):
        np.testing.assert_array_equal(text[mask], data.text[language])
        np.testing.assert_array_equal(rows.groups[mask], data.image_of[language])


def test_the_order_of_the_table_does_not_matter(embed, photographs, tmp_path, records, write_table, content):
    embed("one")
    write_table(photographs / "captions.jsonl", records[::-1])
    embed("two")
    assert content(tmp_path / "one") == content(tmp_path / "two")


@pytest.mark.parametrize("devices", [1, 3])
def test_devices_and_threads_do_not_matter(embed, tmp_path, devices, content):
    embed("one", threads=1)
    embed("many", devices=devices, threads=4)
    assert content(tmp_path / "one") == content(tmp_path / "many")


@pytest.mark.parametrize("rows", [1, 9, 25])
def test_a_killed_run_goes_on_to_the_same_bytes(embed, tmp_path, rows, content):
    embed("whole")
    with pytest.raises(Killed):
        embed("killed", progress=kill_after(rows))
    before = content(tmp_path / "killed")
    (tmp_path / "killed" / "shard-00003.safetensors.draft").write_bytes(b"half a shard")
    seen = []
    embed("killed", resume=True, progress=lambda what, done, total: seen.append((done, total)))
    (tmp_path / "killed" / "shard-00003.safetensors.draft").unlink(missing_ok=True)
    after = content(tmp_path / "killed")
    assert after == content(tmp_path / "whole")
    assert all(after[name] == kept for name, kept in before.items() if name.startswith("shard"))
    assert seen[-1][0] == seen[-1][1] and seen[-1][1] == (16 if rows == 25 else 37)


def test_parts_into_one_folder_or_several(embed, tmp_path, one_line, content):
    embed("whole")
    embed("one", part="2/3")
    one_line(lambda: load(tmp_path / "one"), "unfinished, 1 of 4 shards are there; go on with ccalign extract --resume")
    embed("one", part="1/3")
    embed("one", part="3/3")
    assert content(tmp_path / "one") == content(tmp_path / "whole")
    for place in (1, 2, 3):
        embed(f"parts/{place}", part=f"{place}/3")
    whole, parts = load(tmp_path / "whole"), load(tmp_path / "parts")
    assert whole.sha256() == parts.sha256()
    np.testing.assert_array_equal(
        open_shards(tmp_path / "parts").read(3, 20).text, open_shards(tmp_path / "whole").read(3, 20).text
    )
    shutil.copytree(tmp_path / "parts" / "1", tmp_path / "parts" / "4")
    one_line(lambda: load(tmp_path / "parts"), "shard-00000.safetensors is there twice")


def test_one_process_has_a_share_at_a_time(embed, tmp_path, one_line, content):
    embed("whole")
    busy, seen = "another process is writing there", []

    def meanwhile(what, done, total):
        if not seen:
            seen.append(done)
            one_line(lambda: embed("out", part="1/2"), busy)
            one_line(lambda: embed("out", part="1/3"), busy)  # its share overlaps
            one_line(lambda: embed("out"), busy)
            embed("out", part="2/2")
            (tmp_path / "out" / ".part-3-of-9.lock").touch()  # of a process that was killed

    embed("out", part="1/2", progress=meanwhile)
    assert content(tmp_path / "out").keys() == {*content(tmp_path / "whole"), ".part-3-of-9.lock"}
    embed("out", resume=True)
    assert content(tmp_path / "out") == content(tmp_path / "whole")


def test_parts_of_different_encoders_do_not_mix(embed, tmp_path, one_line):
    embed("parts/1", part="1/2")
    embed("parts/2", part="2/2", prompt="query: ")
    one_line(lambda: load(tmp_path / "parts"), "2: not of the text encoder of 1, prompt is 'query: ', not ''")


def test_what_is_broken_is_listed_and_stops_nothing(embed, photographs, tmp_path, spell, records):
    images = photographs / "images"
    (images / "01.png").write_bytes(b"no image")
    (images / "02.png").write_bytes((images / "03.png").read_bytes()[:60])
    (images / "04.png").unlink()
    (images / "05.png").write_bytes(b"")
    lines = records
    lines[6]["captions"] = {"en": ["a dog", "  ", "a cat"], "de": ""}
    lines[7]["captions"] = {"en": ["\ud800"], "de": [""]}
    lines[8]["captions"] = {"en": []}
    (photographs / "captions.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    found = embed("out")
    data = load(tmp_path / "out")
    assert data.keys.tolist() == ["00.png", "03.png", "06.png", "09.png", "10.png"]
    np.testing.assert_allclose(data.text["en"][data.image_of["en"] == 2], unit(spell(["a dog", "a cat"])), atol=1e-3)
    with open(tmp_path / "out" / "left_out.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["image", "language", "caption", "reason"]
    assert [row[:3] for row in rows[1:]] == [
        ["01.png", "", ""],
        ["02.png", "", ""],
        ["04.png", "", ""],
        ["05.png", "", ""],
        ["06.png", "de", "0"],
        ["06.png", "en", "1"],
        ["07.png", "", ""],
        ["07.png", "de", "0"],
        ["07.png", "en", "0"],
        ["08.png", "", ""],
    ]
    assert found["left_out"]["image: not an image that Pillow can read"] == 1
    assert found["left_out"]["image: no such file or directory"] == 1
    assert found["left_out"]["image: the file is empty"] == 1
    assert found["left_out"]["image: no caption is left"] == 2
    assert found["left_out"]["caption: empty caption"] == 3


def test_a_shard_of_broken_images_alone(embed, photographs, tmp_path):
    for number in range(3, 6):
        (photographs / "images" / f"{number:02d}.png").write_bytes(b"")
    assert embed("out")["images"] == COUNT - 3
    assert len(load(tmp_path / "out")) == COUNT - 3 == len(np.unique(open_shards(tmp_path / "out").groups()))


def test_rows_without_a_direction_are_left_out(embed, tmp_path, spell):
    def poor(captions):
        rows = spell(captions)
        rows[[("dog number 4" in caption) for caption in captions]] = np.nan
        rows[[caption == "Hund 5" for caption in captions]] = 0
        return rows

    found = embed("out", text_encoder=poor)
    assert found["left_out"] == {
        "caption: the encoder returns NaN, infinity or zero": 3,
        "image: no caption is left": 1,
    }
    assert "04.png" not in load(tmp_path / "out").keys


@pytest.mark.parametrize(
    ("encoder", "parts"),
    [
        (lambda captions: np.ones((3, 2)), ("returns float64[3, 2] for 4 items; it must be floats, one row an item",)),
        (lambda captions: np.ones((4, 2), int), ("returns int64[4, 2]",)),
        (lambda captions: {}["a"], ("KeyError: 'a'; see the encoder's documentation",)),
        (lambda captions: {"layer1": np.ones((len(captions), 2))}, ("returns no rows under the name ''",)),
    ],
)
def test_an_encoder_that_fails_is_named(embed, one_line, encoder, parts):
    one_line(lambda: embed("out", text_encoder=encoder), "test_extract:<lambda>: ", *parts)


def test_layers_have_folders_of_their_own(embed, tmp_path, spell):
    def layered(captions):
        return {"": spell(captions), "layer2": spell(captions)[:, :5]}

    embed("out", text_encoder=layered)
    final, layer = load(tmp_path / "out"), load(tmp_path / "out" / "layer2")
    assert (final.d_text, layer.d_text, layer.d_image) == (13, 5, 6) and layer.keys.tolist() == final.keys.tolist()
    assert read_description(tmp_path / "out" / "layer2")["layer"] == "layer2"
