"""Captions in text files, one a line, beside a list of images: line i of each belongs together."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from pathlib import Path

from ccalign_jax.data.damage import reading
from ccalign_jax.errors import InputError
from ccalign_jax.extraction.columns import CAPTIONS, IMAGE, LANGUAGE, SPLIT
from ccalign_jax.extraction.items import Row
from ccalign_jax.extraction.tables import read_table

__all__ = ["is_multi30k", "is_xflickrco", "is_xtd10", "read_multi30k", "read_xflickrco", "read_xtd10"]

XTD10_CAPTIONS, XTD10_IMAGES = "test_1kcaptions_*.txt", "test_image_names.txt"
MULTI30K_NAME = re.compile(r"(?P<split>\w+?)(?:\.(?P<number>[1-5]))?\.(?P<language>[a-z]{2})(?:\.gz)?")
TEST = "test"


def is_xtd10(path: Path) -> bool:
    """Whether a folder has XTD10's files, as its repository or as a folder of it."""
    return path.is_dir() and next(path.rglob(XTD10_CAPTIONS), None) is not None


def read_xtd10(path: Path) -> Iterator[Row]:
    """Captions of `test_1kcaptions_LANGUAGE.txt`; `test_image_names.txt` of its folder, or of `XTD10`, names images.

    Raises:
        InputError: no list of images, or not as many captions as images.
    """
    for file in sorted(path.rglob(XTD10_CAPTIONS)):
        places = [place / XTD10_IMAGES for place in (file.parent, path, path / "XTD10", path.parent / "XTD10")]
        names = next((place for place in places if place.is_file()), places[0])
        language = file.stem.rpartition("_")[2]
        yield from _beside(names, file, {"jp": "ja"}.get(language, language), TEST)


def _multi30k(path: Path) -> Path | None:
    """The folder of a task of Multi30k, with captions in `raw` and lists of images in `image_splits`."""
    places = (path, path / "task1", path / "data" / "task1")
    return next((place for place in places if (place / "raw").is_dir() and (place / "image_splits").is_dir()), None)


def is_multi30k(path: Path) -> bool:
    """Whether a folder is Multi30k's repository, or a task of it."""
    return _multi30k(path) is not None


def read_multi30k(path: Path) -> Iterator[Row]:
    """Captions of `raw/SPLIT.LANGUAGE.gz`, or `raw/SPLIT.NUMBER.LANGUAGE.gz`; the test part of 2016 is the test split.

    Raises:
        InputError: no list of images, or not as many captions as images.
    """
    folder = _multi30k(path)
    assert folder is not None
    for file in sorted((folder / "raw").iterdir()):
        if (match := MULTI30K_NAME.fullmatch(file.name)) is None:
            continue
        lists = (folder / "image_splits" / f"{match['split']}{end}.txt" for end in ("", "_images"))
        names = next((each for each in lists if each.is_file()), folder / "image_splits" / f"{match['split']}.txt")
        split = TEST if match["split"] in ("test_2016_flickr", "test_2016") else match["split"]
        yield from _beside(names, file, match["language"], split)


def is_xflickrco(path: Path) -> bool:
    """Whether a folder is xFlickr&CO's of IGLUE: `LANGUAGE/test.jsonl`, perhaps in `annotations`."""
    return any(next(path.glob(f"{deep}*/test.jsonl"), None) for deep in ("", "annotations/"))


def read_xflickrco(path: Path) -> Iterator[Row]:
    """The test part of every language: `img_path` and `sentences`."""
    for file in sorted(path.rglob("*/test.jsonl")):
        for row in read_table(file):
            image, sentences = row.record.get("img_path", row.record.get("id")), row.record.get("sentences")
            yield Row(row.place, {IMAGE: image, SPLIT: TEST, LANGUAGE: file.parent.name, CAPTIONS: sentences})


def _beside(names: Path, file: Path, language: str, split: str) -> Iterator[Row]:
    images, captions = _lines(names), _lines(file)
    if len(images) != len(captions):
        raise InputError(f"{file}: {len(captions)} captions, but {names} has {len(images)} images; copy both again")
    for line, (image, caption) in enumerate(zip(images, captions, strict=True), start=1):
        key = image.strip().partition("#")[0]  # Multi30k adds the number of the caption that was translated
        yield Row(f"{file} line {line}", {IMAGE: key, SPLIT: split, LANGUAGE: language, CAPTIONS: [caption]})


def _lines(path: Path) -> list[str]:
    """Lines, which end at a line feed alone; so they are counted by what wrote them."""
    if not path.is_file():
        raise InputError(f"{path}: no such file; it belongs to the captions beside it")
    with reading(f"{path}: cannot be read"):
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        return content.decode("utf-8-sig").replace("\r\n", "\n").removesuffix("\n").split("\n")
