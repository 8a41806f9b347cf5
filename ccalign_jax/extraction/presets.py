"""Data sets that others use, with what to know of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ccalign_jax.extraction.columns import CAPTIONS, IMAGE, LANGUAGE, SPLIT, is_code
from ccalign_jax.extraction.items import Row
from ccalign_jax.extraction.line_files import (
    is_multi30k,
    is_xflickrco,
    is_xtd10,
    read_multi30k,
    read_xflickrco,
    read_xtd10,
)

__all__ = ["PRESETS", "Layout", "Preset"]

TEST = "test"
REFERENCE = "caption_reference_description"


class Layout(NamedTuple):
    """Files as the authors of a data set publish them.

    Attributes:
        fits: whether a folder has them.
        read: its rows.
    """

    fits: Callable[[Path], bool]
    read: Callable[[Path], Iterable[Row]]


class Preset(NamedTuple):
    """A data set.

    Attributes:
        summary: what it is, in one line.
        facts: what a figure on it depends on, and which encoders may know its images.
        convert: a row of any form of it to one of known columns.
        layout: its own files; None where these are of a form that any data set may have.
        hub: where the hub has it with images; empty for nowhere.
    """

    summary: str
    facts: tuple[str, ...]
    convert: Callable[[Row], Row] = lambda row: row
    layout: Layout | None = None
    hub: str = ""


def _language_split(row: Row) -> Row:
    """A row of a set whose splits are languages, with `captions` or `sentences`."""
    record, split = row.record, row.record.get(SPLIT)
    column = next((name for name in (CAPTIONS, "sentences") if name in record), None)
    if column is None or not isinstance(split, str) or not is_code(split):
        return row
    return row._replace(record={IMAGE: record[IMAGE], SPLIT: TEST, LANGUAGE: split, CAPTIONS: record[column]})


def _xm3600(row: Row) -> Row:
    """`captions.jsonl` has `image/key`, and `caption` in a column for each language."""
    if "image/key" not in row.record:
        return _language_split(row)
    captions = {
        name: value["caption"]
        for name, value in row.record.items()
        if isinstance(value, Mapping) and "caption" in value
    }
    return row._replace(record={IMAGE: row.record["image/key"], SPLIT: TEST, CAPTIONS: captions})


def _wit(row: Row) -> Row:
    """Wikimedia's rows have the pages that show an image in `wit_features`, as records or as columns."""
    pages = row.record.get("wit_features")
    if pages is None:
        return _language_split(row)
    if isinstance(pages, Mapping):
        pages = [{"language": one, REFERENCE: other} for one, other in zip(*_columns(pages), strict=True)]
    captions: dict[str, list[str]] = {}
    for page in pages:
        if isinstance(text := page.get(REFERENCE), str):
            mine = captions.setdefault({"iw": "he"}.get(page["language"], page["language"]), [])
            mine += [text] * (text not in mine)
    return row._replace(record={IMAGE: row.record[IMAGE], SPLIT: row.record.get(SPLIT), CAPTIONS: captions})


def _columns(pages: Mapping[str, Any]) -> tuple[list[str], list[Any]]:
    return pages["language"], pages[REFERENCE]


PRESETS = {
    "xm3600": Preset(
        "Crossmodal-3600: 3,600 photographs, about two captions in each of 36 languages",
        (
            "XM3600 is a test set; captions were written anew in each language, so they are no translations",
            "CLIP_benchmark uses the first caption of an image, MTEB all: their figures differ by that alone",
            "its photographs are of Open Images: encoders trained on these may have seen them",
        ),
        _xm3600,
        hub="floschne/xm3600",
    ),
    "xtd10": Preset(
        "XTD10: 1,000 photographs of COCO, one caption in each of up to 11 languages",
        (
            "800 of the 1,000 images of XTD10 are of COCO's training part: encoders trained on COCO have seen them",
            "its captions are translations of the English ones, but for the Japanese, of STAIR",
        ),
        layout=Layout(is_xtd10, read_xtd10),
    ),
    "multi30k": Preset(
        "Multi30k: 31,014 photographs of Flickr30k, captions in en, de, fr and cs; 1,000 for the test",
        (
            "Multi30k's captions in German, French and Czech (task 1) are translations of the English ones",
            "its images are those of Flickr30k: encoders trained on Flickr30k have seen them",
        ),
        layout=Layout(is_multi30k, read_multi30k),
        hub="romrawinjp/multi30k",
    ),
    "flickr30k_multilingual": Preset(
        "xFlickr&CO of IGLUE: 2,000 photographs, one caption in each of 8 languages",
        (
            "half of the images are of Flickr30k, half of COCO: encoders trained on either may have seen them",
            "xFlickr&CO is a test set: its few training images are not read",
        ),
        _language_split,
        Layout(is_xflickrco, read_xflickrco),
        hub="floschne/xflickrco",
    ),
    "wit": Preset(
        "Wikipedia image text: reference descriptions of images in over 100 languages",
        (
            "WIT's captions name what Wikipedia tells of an image, and often say more than it shows",
            "WIT is training data of many multilingual encoders, and the web that others are trained on holds it",
        ),
        _wit,
        hub="mteb/wit",
    ),
}
