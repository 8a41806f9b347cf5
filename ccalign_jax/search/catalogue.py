"""The texts of captions and the files of images behind a set of embeddings, by key."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any, NamedTuple

from ccalign_jax.data import EmbeddingSet
from ccalign_jax.data.extracted import DESCRIPTION, read_description
from ccalign_jax.encoders.images import ImageReference
from ccalign_jax.errors import InputError
from ccalign_jax.extraction.columns import parse_row
from ccalign_jax.extraction.folder import LEFT_OUT
from ccalign_jax.extraction.items import Item
from ccalign_jax.extraction.sources import open_source
from ccalign_jax.extraction.tables import read_table

__all__ = ["Catalogue", "find_record", "read_catalogue"]

Captions = Mapping[str, Sequence[str]]


class Catalogue(NamedTuple):
    """What is known of images beside their rows.

    Attributes:
        captions: of each key, language to texts, in the order of the caption rows.
        images: of each key, where its picture is.
        notes: what could not be found, one sentence each.
    """

    captions: Mapping[str, Captions] = {}
    images: Mapping[str, ImageReference] = {}
    notes: tuple[str, ...] = ()

    def texts(self, key: str) -> Captions:
        """The captions of an image by language; none where nothing is known."""
        return self.captions.get(key, {})

    def text(self, key: str, language: str, place: int, count: int) -> str | None:
        """The text of a caption row: the one at `place` of the `count` rows of an image and language.

        None where as many texts are not known, since none of them could be told to be it.
        """
        texts = self.texts(key).get(language, ())
        return texts[place] if len(texts) == count else None


def find_record(data: str | Path) -> Mapping[str, Any] | None:
    """What the extraction that wrote a folder recorded, of the first of its parts; None for other data."""
    folder = Path(data)
    if not folder.is_dir():
        return None
    folders = [folder, *(path.parent for path in sorted(folder.glob(f"*/{DESCRIPTION}")))]
    return next((found for each in folders if (found := read_description(each)) is not None), None)


def read_catalogue(
    data: EmbeddingSet, place: str | Path, *, images: str | None = None, captions: str | None = None
) -> Catalogue:
    """The catalogue of a data set.

    Args:
        data: whose keys are looked up, with or without the suffix of a file.
        place: its path; that of an extraction recorded where its images and captions were.
        images: a folder of images, in place of the recorded one.
        captions: a table of captions, likewise.

    Raises:
        InputError: given files that cannot be read, or in which no key of the data occurs.
    """
    record = find_record(place)
    config = {} if record is None else record["config"]
    given = images is not None or captions is not None
    notes: list[str] = []
    items: Sequence[Item] = ()
    if given or config:
        try:
            items = _items(
                images or config.get("images"),
                captions or config.get("captions"),
                config.get("languages"),
                source=None if given else config.get("source"),
                splits=config.get("splits"),
            )
        except InputError as error:
            if given:
                raise
            notes.append(f"no captions and images are shown: {error}; --captions=PATH and --images=PATH name them")
    lost = _left_out(Path(place))
    by_key = {item.key: item for item in items}
    by_stem = {_stem(item.key): item for item in items}
    found = {key: item for key in data.keys.tolist() if (item := by_key.get(key) or by_stem.get(_stem(key)))}
    if items and not found:
        notes.append(f"no captions and images are shown: they name none of the keys, such as {data.keys[0]}")
        if given:
            raise InputError(f"{captions or images}: names none of the keys of {data.name}, such as {data.keys[0]}")
    texts = {key: _kept(key, item.captions, lost) for key, item in found.items()}
    pictures = {key: item.image for key, item in found.items() if item.image != b""}
    return Catalogue(texts, pictures, tuple(notes))


def _items(
    images: str | None, captions: str | None, languages: Any, *, source: str | None, splits: Any
) -> Sequence[Item]:
    if source is None and captions is not None and (images is None or not Path(images).is_dir()):
        gathered: dict[str, dict[str, list[str]]] = {}
        for row in read_table(Path(captions)):  # the texts alone
            parsed = parse_row(row, languages)
            mine = gathered.setdefault(parsed.key, {})
            for language, several in parsed.captions.items():
                mine.setdefault(language, []).extend(several)
        return [Item(key, None, b"", found) for key, found in gathered.items()]
    if source is None and captions is None and images is not None:
        files = (path for path in sorted(Path(images).rglob("*")) if path.is_file())
        return [Item(path.relative_to(images).as_posix(), None, path, {}) for path in files]
    return list(open_source(images, captions, languages, source=source, splits=splits).items())


def _stem(key: str) -> str:
    return key.removesuffix(PurePath(key).suffix)


def _left_out(folder: Path) -> set[tuple[str, str, str]]:
    """Image, language and number of each caption that has no row."""
    files = [folder / LEFT_OUT, *sorted(folder.glob(f"*/{LEFT_OUT}"))] if folder.is_dir() else []
    found = set()
    for file in files:
        if file.is_file():
            with file.open(encoding="utf-8", newline="") as opened:
                found |= {(row["image"], row["language"], row["caption"]) for row in csv.DictReader(opened)}
    return found


def _kept(key: str, captions: Captions, lost: set[tuple[str, str, str]]) -> Captions:
    if not lost:
        return captions
    return {
        language: [text for number, text in enumerate(texts) if (key, language, str(number)) not in lost]
        for language, texts in captions.items()
    }
