"""make_scenes.py as a person calls it."""

import json


def test_scenes_are_written_and_no_folder_twice(script, tmp_path, one_line_on_stderr):
    command = ["make_scenes.py", "--out=made", "--count=2", "--size=32", "--captions=2", "--languages=de,ja"]
    done = script(*command, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "2 images in made/images, their captions in 2 languages: made/captions.jsonl\n"
    first = json.loads((tmp_path / "made" / "captions.jsonl").read_text("utf-8").splitlines()[0])
    assert (tmp_path / "made" / "images" / first["image"]).is_file() and set(first["captions"]) == {"de", "ja"}
    one_line_on_stderr(script(*command, cwd=tmp_path), "made", "exists already")
