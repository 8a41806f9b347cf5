"""Data sets of Hugging Face: image folders, what `save_to_disk` writes, and what `load_dataset` has."""

import json
import os
import subprocess
import sys

import pytest

from ccalign_jax.extraction.sources import open_source

pa = pytest.importorskip("pyarrow", reason="pip install pyarrow")
STORED = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def found(source, **options):
    opened = open_source(None, None, source=str(source), **options)
    return opened, {item.key: item for item in opened.items()}


def save(folder, split, rows, shards=1):
    """What `Dataset.save_to_disk` writes, as far as it is read."""
    folder.mkdir(parents=True)
    files = [f"data-{shard:05d}-of-{shards:05d}.arrow" for shard in range(shards)]
    for shard, file in enumerate(files):
        mine = rows[shard::shards]
        images = pa.array([{"bytes": content, "path": path} for content, path, _ in mine], STORED)
        table = pa.table({"score": [0.5] * len(mine), "image": images, "de": [caption for *_, caption in mine]})
        with pa.OSFile(str(folder / file), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
    state = {"_data_files": [{"filename": file} for file in files], "_split": split}
    (folder / "state.json").write_text(json.dumps(state))


ROWS = [(f"{number}".encode(), f"{number}.jpg", f"Hund {number}") for number in range(5)]


def test_saved(tmp_path):
    save(tmp_path / "one", "train[:50%]", ROWS, shards=2)
    source, items = found(tmp_path / "one")
    assert list(items) == ["0.jpg", "2.jpg", "4.jpg", "1.jpg", "3.jpg"] and {each.split for each in items.values()} == {
        "train"
    }
    assert all(item.image() == key[:1].encode() for key, item in items.items())
    assert items["3.jpg"].captions == {"de": ["Hund 3"]}
    assert source.notes == ("left out columns that are no language codes: score",)


def test_saved_splits(tmp_path):
    save(tmp_path / "all" / "train", "train", ROWS[:3])
    save(tmp_path / "all" / "test", "test", [*ROWS[3:], (b"5", None, "Hund")])
    (tmp_path / "all" / "dataset_dict.json").write_text('{"splits": ["train", "test"]}')
    items = found(tmp_path / "all", splits=["test"])[1]
    assert {key: item.image() for key, item in items.items()} == {"3.jpg": b"3", "4.jpg": b"4", "test/00000002": b"5"}
    assert len(found(f"saved:{tmp_path / 'all'}")[1]) == 6


def test_saved_by_others(tmp_path, one_line):
    save(tmp_path / "a", "train", ROWS)
    (tmp_path / "secret.jpg").write_bytes(b"0")
    save(tmp_path / "b", "train", [(None, str(tmp_path / "secret.jpg"), "ein Geheimnis")])
    with pytest.raises(ValueError, match="the row holds no image"):
        next(iter(found(tmp_path / "b")[1].values())).image()
    (tmp_path / "a" / "state.json").write_text('{"_data_files": [{"filename": "../../etc/a.arrow"}]}')
    one_line(lambda: found(tmp_path / "a"), "state.json: ../../etc/a.arrow leads out of the folder")
    (tmp_path / "a" / "state.json").write_text("[]")
    one_line(lambda: found(tmp_path / "a"), "a: not what save_to_disk writes (")
    one_line(lambda: found(f"saved:{tmp_path}"), "no state.json and no dataset_dict.json")


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
def test_imagefolder(tmp_path, kind):
    for split in ("train", "test"):
        (tmp_path / split).mkdir()
        for number in range(3):
            (tmp_path / split / f"{number}.png").write_bytes(b"0")
        rows = [{"file_name": f"{number}.png", "text": f"{split} {number}"} for number in range(2)]
        path = tmp_path / split / f"metadata.{kind}"
        if kind == "parquet":
            import pyarrow.parquet

            pyarrow.parquet.write_table(pa.Table.from_pylist(rows), path)
        elif kind == "csv":
            path.write_text("file_name,text\n" + "".join(",".join(row.values()) + "\n" for row in rows))
        else:
            path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    source, items = found(f"imagefolder:{tmp_path}" if kind == "parquet" else tmp_path, languages=["en"])
    assert list(items) == ["test/0.png", "test/1.png", "train/0.png", "train/1.png"]
    assert items["test/1.png"].captions == {"en": ["test 1"]} and items["test/1.png"].split == "test"
    assert items["test/1.png"].image == tmp_path / "test" / "1.png"
    assert source.notes == (f"2 files of {tmp_path} are left out: {tmp_path.name} does not name them",)


def test_imagefolder_mistakes(tmp_path, one_line):
    (tmp_path / "metadata.jsonl").write_text('{"file_name": "../a.png", "en": "one"}\n')
    one_line(lambda: found(tmp_path), "metadata.jsonl line 1: ../a.png leads out of the folder")
    (tmp_path / "metadata.jsonl").write_text('{"en": "one"}\n')
    one_line(lambda: found(tmp_path), "metadata.jsonl line 1: file_name is None; give the name of the image's file")
    one_line(lambda: open_source(str(tmp_path), None, source=str(tmp_path)), "is a folder of images itself; leave")


def test_a_missing_library_is_named(monkeypatch, one_line):
    monkeypatch.setitem(sys.modules, "datasets", None)
    one_line(lambda: found("hub:a/b"), 'hub:a/b needs datasets: pip install "ccalign_jax[datasets]"')


HUB = """
import sys, json
from ccalign_jax.errors import InputError
from ccalign_jax.extraction.sources import open_source
import datasets
images = datasets.load_dataset("imagefolder", data_dir=sys.argv[1])
images.save_to_disk(sys.argv[2])
for source in (f"hub:{sys.argv[1]}", sys.argv[2]):
    items = open_source(None, None, ["en"], source=source).items()
    print(json.dumps([[item.key, item.split, item.captions["en"], item.image().decode()] for item in items]))
try:
    open_source(None, None, source="hub:nobody/nothing")
except InputError as error:
    print(error)
"""


def test_with_the_library_itself(tmp_path):
    """A data set as `load_dataset` caches it, here of a folder, and as `save_to_disk` writes it."""
    pytest.importorskip("datasets", reason='pip install -e ".[datasets]" adds datasets')
    (tmp_path / "images" / "test").mkdir(parents=True)
    for number in range(2):
        (tmp_path / "images" / "test" / f"{number}.png").write_text(f"picture {number}")
    lines = [{"file_name": f"{number}.png", "text": f"dog {number}"} for number in range(2)]
    (tmp_path / "images" / "test" / "metadata.jsonl").write_text("\n".join(map(json.dumps, lines)))
    given = [sys.executable, "-c", HUB, str(tmp_path / "images"), str(tmp_path / "saved")]
    offline = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "cache")}
    done = subprocess.run(given, env=offline, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    cached, saved, refused = done.stdout.splitlines()
    expected = [["test", [f"dog {number}"], f"picture {number}"] for number in range(2)]
    assert [each[1:] for each in json.loads(cached)] == expected == [each[1:] for each in json.loads(saved)]
    assert [each[0] for each in json.loads(saved)] == ["0.png", "1.png"]
    assert refused.startswith("hub:nobody/nothing: cannot be loaded (")
