"""A folder of scenes: pictures, and a table of captions beside them."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

from ccalign_jax.errors import InputError, check_path
from ccalign_jax.files import whole_file
from ccalign_jax.scenes.captions import describe, list_objects
from ccalign_jax.scenes.drawing import draw
from ccalign_jax.scenes.lexicons import LANGUAGES
from ccalign_jax.scenes.scene import sample_scenes

__all__ = ["make_scenes"]

SPLITS = ("train", "test", "train", "dev", "train")  # in turn
TABLE = "captions.jsonl"


def make_scenes(
    out: str | os.PathLike[str],
    *,
    count: int = 300,
    seed: int = 0,
    size: int = 256,
    captions: int = 1,
    languages: Sequence[str] = LANGUAGES,
    overwrite: bool = False,
) -> Path:
    """Draw scenes into `out/images` and write their captions to `out/captions.jsonl`.

    A line is `{"image": "0000.png", "split": "train", "captions": {"ar": "…", "de": "…", …}}`; of several captions in
    a language it has a list. Three fifths of the images are in `train`, one in `dev` and one in `test`. All captions of
    a language differ, between images too.

    Args:
        out: a new or empty folder.
        count: of images.
        seed: of the sample; a larger sample begins with the smaller one.
        size: of the sides of the images, in pixels.
        captions: of each image in each language: 1, or 2 for one without relation and setting, too.
        languages: of `LANGUAGES`.
        overwrite: replace the scenes that are there.

    Returns:
        the table of captions.

    Raises:
        InputError: a value out of range, a folder that holds something (other than scenes to replace), or Pillow is not
            installed.
    """
    check_path("--out=", out)
    folder = Path(out)
    if captions not in (1, 2):
        raise InputError(f"scenes: captions is {captions}; give 1 or 2 of each image and language")
    if not languages or len(set(languages) & set(LANGUAGES)) < len(languages):
        raise InputError(f"scenes: languages is {languages!r}; give some of {', '.join(LANGUAGES)}, each once")
    scenes = sample_scenes(count, seed=seed)
    picture = draw(scenes[0], size)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        if not overwrite:
            raise InputError(f"{folder}: exists already; give --overwrite, or another --out")
        for file in _scenes_in(folder):
            file.unlink()
    (folder / "images").mkdir(parents=True, exist_ok=True)
    digits = max(4, len(str(count - 1)))
    lines = []
    for number, scene in enumerate(scenes):
        name = f"{number:0{digits}}.png"
        picture = draw(scene, size) if number else picture
        with whole_file(folder / "images" / name) as opened:
            picture.save(opened, format="PNG")
        texts: dict[str, str | list[str]] = {language: describe(scene, language) for language in languages}
        if captions == 2:
            texts = {language: [describe(scene, language), list_objects(scene, language)] for language in languages}
        record = {"image": name, "split": SPLITS[number % len(SPLITS)], "captions": texts}
        lines.append(json.dumps(record, ensure_ascii=False) + "\n")
    table = folder / TABLE
    with whole_file(table) as opened:
        opened.write("".join(lines).encode())
    return table


def _scenes_in(folder: Path) -> list[Path]:
    """The files of an earlier set of scenes.

    Raises:
        InputError: the folder holds anything else.
    """
    try:
        lines = (folder / TABLE).read_text("utf-8").splitlines()
        known = [folder / TABLE, *(folder / "images" / json.loads(line)["image"] for line in lines)]
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(f"{folder}: holds no scenes, and is not replaced; give another --out") from None
    files = [path for path in folder.rglob("*") if not path.is_dir()]
    if others := sorted({*files} - {*known}):
        raise InputError(f"{others[0]}: is no file of these scenes; move it, or give another --out")
    return files
