"""Small photographs, their captions, and encoders of NumPy alone."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("PIL", reason="Pillow opens photographs")
COUNT = 11  # images
LETTERS = "abcdeghinorst"


def _spell(captions: list[str]) -> np.ndarray:
    """A row of letters for each caption, whatever the batch."""
    return np.array([[1 + caption.count(letter) for letter in LETTERS] for caption in captions], np.float32)


def _colour(images: list[np.ndarray]) -> np.ndarray:
    """Mean colours and their squares."""
    means = np.array([image.mean((0, 1)) for image in images])
    return np.concatenate([means + 1, means**2], axis=1)


def _records() -> list[dict[str, Any]]:
    """Images with up to three captions in two languages, some without German."""
    found = []
    for number in range(COUNT):
        english = [f"the dog number {number} and {'cats' * (number % 4)} {place}" for place in range(1 + number % 3)]
        captions: dict[str, Any] = {"en": english}
        if number % 2:
            captions["de"] = f"Hund {number}"
        found.append({"image": f"{number:02d}.png", "split": "test" if number < 3 else "train", "captions": captions})
    return found


@pytest.fixture
def photographs(tmp_path) -> Path:
    """A folder of photographs `images` and a table `captions.jsonl`."""
    from PIL import Image

    folder = tmp_path / "given"
    (folder / "images").mkdir(parents=True)
    random = np.random.default_rng(0)
    for record in _records():
        pixels = random.integers(0, 255, (6, 5, 3), np.uint8)
        Image.fromarray(pixels).save(folder / "images" / record["image"])
    _write_table(folder / "captions.jsonl", _records())
    return folder


def _write_table(path: Path, lines: list[Mapping[str, Any]]) -> None:
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")


def _content(folder: Path) -> dict[str, bytes]:
    """The bytes of every file of a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def embed(photographs, tmp_path) -> Callable[..., dict[str, Any]]:
    """`embed("out", **options)` embeds the photographs into a folder of that name, in shards of three images."""
    from ccalign_jax import extract

    def run(out: str, **options: Any) -> dict[str, Any]:
        given = {"images": photographs / "images", "captions": photographs / "captions.jsonl", "shard_images": 3}
        encoders = {"text_encoder": _spell, "image_encoder": _colour, "batch_images": 2, "batch_captions": 4}
        return extract(**{**given, **encoders, **options}, out=tmp_path / out)

    return run


@pytest.fixture
def spell() -> Callable[[list[str]], np.ndarray]:
    """The text encoder."""
    return _spell


@pytest.fixture
def colour() -> Callable[[list[np.ndarray]], np.ndarray]:
    """The image encoder."""
    return _colour


@pytest.fixture
def records() -> list[dict[str, Any]]:
    """The records of the table of captions."""
    return _records()


@pytest.fixture
def write_table() -> Callable[[Path, list[Mapping[str, Any]]], None]:
    """`write_table(path, records)` writes JSON lines."""
    return _write_table


@pytest.fixture
def content() -> Callable[[Path], dict[str, bytes]]:
    """`content(folder)` is the bytes of every file below a folder."""
    return _content
