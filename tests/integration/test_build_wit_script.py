"""build_wit.py as a person calls it."""

import json

import pytest

COLUMNS = (
    "language page_url image_url caption_reference_description caption_attribution_description "
    "caption_alt_text_description mime_type attribution_passes_lang_id"
)
ROWS = [
    ("de", "p", "a", "eins", "two", "", "image/jpeg", "true"),
    ("en", "q", "a", "", "", "one", "image/jpeg", "false"),
    ("de", "p", "b", "zwei", "", "", "image/svg+xml", "true"),
]


def test_captions_then_images_then_nothing_twice(script, tmp_path, one_line_on_stderr):
    pytest.importorskip("polars")
    rows = [[language, page, f"http://127.0.0.1/{image}", *rest] for language, page, image, *rest in ROWS]
    lines = ["\t".join(cells) + "\n" for cells in (COLUMNS.split(), *rows, ["cut off"])]
    (tmp_path / "wit.tsv").write_text("".join(lines))
    command = ["build_wit.py", "--tsv=wit.tsv", "--languages=de,en", "--out=wit", "--downloader=own"]
    one_line_on_stderr(script(*command, cwd=tmp_path), "--contact must be given")
    assert not (tmp_path / "wit").exists()
    done = script(*command, "--noimages", "--contact=me@example.org", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "1 image with captions in 2 languages at least: de 1, en 1\n" in done.stdout
    assert "note: left out 1 line: not as many cells as the header has\n" in done.stdout
    record = json.loads((tmp_path / "wit" / "captions.jsonl").read_text("utf-8"))
    assert record["captions"] == {"de": ["eins"], "en": ["one"]} and record["split"] == "train"
    one_line_on_stderr(script(*command, "--contact=me@example.org", cwd=tmp_path), "--resume goes on with it")
    done = script("build_wit.py", "--out=wit", "--resume", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "wit/images has 0 of 1 image, 0 of them new" in done.stdout
    assert "note: not downloaded 1: 127.0.0.1 is at no public address\n" in done.stdout
    assert "127.0.0.1 is at no public address,yes" in (tmp_path / "wit" / "failures.csv").read_text()
