"""The registry of sources: forms in which images and captions lie on disk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from ccalign_jax.errors import InputError, check_path
from ccalign_jax.extraction.items import Item, Source
from ccalign_jax.extraction.tables import open_table

__all__ = ["SOURCES", "Item", "Source", "SourceKind", "open_source"]


class SourceKind(NamedTuple):
    """One form of images and captions.

    Attributes:
        summary: what it looks like, in one line.
        fits: whether `--images` and `--captions`, either of which may be None, are of this form.
        open: the source, of some languages or all.
    """

    summary: str
    fits: Callable[[str | None, str | None], bool]
    open: Callable[[str | None, str | None, Sequence[str] | None], Source]


def _is_table(images: str | None, captions: str | None) -> bool:
    return images is not None and captions is not None and Path(captions).suffix.lower() in (".jsonl", ".csv", ".tsv")


SOURCES: dict[str, SourceKind] = {
    "table": SourceKind("a folder of images, and .jsonl, .csv or .tsv captions", _is_table, open_table),
}


def open_source(images: str | None, captions: str | None, languages: Sequence[str] | None = None) -> Source:
    """The source that two paths name.

    Raises:
        InputError: they are of no known form, or of one that cannot be read.
    """
    for flag, path in (("--images=", images), ("--captions=", captions)):
        if path is not None:
            check_path(flag, path)
    kind = next((kind for kind in SOURCES.values() if kind.fits(images, captions)), None)
    if kind is None:
        given = " ".join(f"--{name}={path}" for name, path in (("images", images), ("captions", captions)) if path)
        raise InputError(
            f"{given or 'neither --images nor --captions'}: no known form; give "
            + " or ".join(each.summary for each in SOURCES.values())
        )
    return kind.open(images, captions, languages)
