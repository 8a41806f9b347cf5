"""Folders that hold something else are refused by name, and nothing in them changes."""

import shutil

import numpy as np
import pytest

from ccalign_jax.data import load
from ccalign_jax.options import ExtractConfig


class Killed(Exception):
    """The end of a process, in the midst of its work."""


def kill_at_25(what, done, total):
    if done >= 25:
        raise Killed


def test_a_folder_of_another_encoder_is_refused_by_name(embed, tmp_path, one_line, spell, colour, content):
    embed("out")
    before = content(tmp_path / "out")
    again = "holds an extraction; --resume goes on with it, --overwrite replaces it"
    one_line(lambda: embed("out"), again)
    one_line(
        lambda: embed("out", text_encoder=colour, resume=True), "made with the text encoder", "spell, not", "colour"
    )
    one_line(lambda: embed("out", resume=True, dtype="float32"), "made with dtype float16, not float32")
    one_line(lambda: embed("out", resume=True, prompt="a "), "made with the text encoder", "prompt is 'a ', not ''")
    one_line(lambda: embed("out", resume=True, languages=["en"]), "made of other captions, keys or splits")
    one_line(lambda: embed("new", resume=True), "holds no extraction to resume")
    one_line(lambda: embed("out", resume=True, overwrite=True), "give one of them")
    one_line(lambda: embed("out", part="1/2", overwrite=True), "would delete what other parts write")
    assert content(tmp_path / "out") == before
    embed("out", overwrite=True, languages=["en"])
    assert load(tmp_path / "out").languages == ("en",)


def test_folders_of_other_things(embed, tmp_path, one_line, colour):
    (tmp_path / "out").mkdir()
    np.savez(tmp_path / "out" / "a.npz", image=np.eye(2))
    one_line(lambda: embed("out"), "holds a.npz of something else")
    one_line(lambda: embed("new", part="3/2"), "--part=3/2: give 1/4, 2/4, ... for one of four")
    one_line(lambda: embed("new", colour="red"), "colour: no such option")


def test_an_extraction_without_any_image_is_refused(embed, photographs, tmp_path, one_line):
    where = (
        f"--images={photographs}: none of 11 images is there, such as 00.png; give --images={photographs / 'images'}"
    )
    one_line(lambda: embed("out", images=photographs), where)
    (tmp_path / "empty").mkdir()
    one_line(lambda: embed("out", images=tmp_path / "empty"), "none of 11 images", "give the folder that holds them")
    assert not (tmp_path / "out").exists()
    for path in (photographs / "images").iterdir():
        path.write_bytes(b"")
    listed = f"see {tmp_path / 'out' / 'left_out.csv'}: image: the file is empty (11)"
    for resume in (False, True):
        one_line(lambda resume=resume: embed("out", resume=resume), "all images are left out", listed)


def test_a_shard_that_came_from_elsewhere_is_refused(embed, tmp_path, one_line):
    embed("one")
    with pytest.raises(Killed):
        embed("two", prompt="a ", progress=kill_at_25)
    shutil.copy(tmp_path / "one" / "shard-00003.safetensors", tmp_path / "two")
    one_line(lambda: embed("two", prompt="a ", resume=True), "shard-00003.safetensors: of other encoders, options or")
    one_line(lambda: load(tmp_path / "two"), "the extraction is unfinished")


def test_what_was_exchanged_or_changed_is_refused_by_name(embed, tmp_path, one_line):
    embed("out")
    one, other = (tmp_path / "out" / f"shard-0000{number}.safetensors" for number in (1, 2))
    before, after = one.read_bytes(), other.read_bytes()
    one.write_bytes(after)
    other.write_bytes(before)
    for read in (lambda: load(tmp_path / "out"), lambda: embed("out", resume=True)):
        one_line(read, str(one), "holds shard-00002.safetensors", "exchanged or renamed")
    other.write_bytes(after)
    one.write_bytes(before.replace(b"left_out", b"left_ouT"))  # of the header, which no array's checksum is of
    for read in (lambda: load(tmp_path / "out"), lambda: embed("out", resume=True)):
        one_line(read, str(one), "not a whole shard", "not as it was written")
    one.write_bytes(before)
    path = tmp_path / "out" / "embeddings.json"
    path.write_text(path.read_text().replace('"images": 11', '"images": 17'))
    one_line(lambda: load(tmp_path / "out"), str(path), "damaged")


def test_a_source_is_kept_absolute(photographs, monkeypatch):
    monkeypatch.chdir(photographs)
    for source, kept in {
        "captions.jsonl": str(photographs / "captions.jsonl"),
        "xm3600:table:captions.jsonl": f"xm3600:table:{photographs / 'captions.jsonl'}",
        "hub:captions.jsonl": "hub:captions.jsonl",
        "table:none.csv": "table:none.csv",
    }.items():
        assert ExtractConfig(source=source, captions="first").absolute().source == kept
