"""The registry of sources: forms in which images and captions lie on disk or on a hub."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from ccalign_jax.errors import InputError, check_path
from ccalign_jax.extraction.arrow_rows import read_parquet
from ccalign_jax.extraction.gather import Selection, gather
from ccalign_jax.extraction.items import Item, Row, Source
from ccalign_jax.extraction.tables import TABLES, read_table
from ccalign_jax.extraction.tars import read_tars

__all__ = ["SOURCES", "Item", "Source", "SourceKind", "open_source"]

FIRST, ALL = "first", "all"  # what --captions may be beside --source


class SourceKind(NamedTuple):
    """One form of images and captions.

    Attributes:
        summary: what it looks like, in one line.
        read: the rows of a path, of some languages and splits or more.
        fits: whether a path is of this form; None if it must be named.
    """

    summary: str
    read: Callable[[str, Selection], Iterable[Row]]
    fits: Callable[[Path], bool] | None = None


SOURCES: dict[str, SourceKind] = {
    "table": SourceKind(
        "captions in .jsonl, .csv or .tsv, of the files in the folder --images",
        lambda path, selection: read_table(Path(path)),
        lambda path: path.suffix.lower() in TABLES,
    ),
    "parquet": SourceKind(
        "a .parquet file, or a folder of them, with images as bytes or as names of the files in --images",
        lambda path, selection: read_parquet(Path(path)),
        lambda path: path.suffix.lower() == ".parquet" or _holds(path, "*.parquet"),
    ),
    "webdataset": SourceKind(
        "a .tar file, or a folder of them, of images with .txt or .json of the same name",
        lambda path, selection: read_tars(Path(path)),
        lambda path: path.suffix.lower() == ".tar" or _holds(path, "*.tar"),
    ),
}


def open_source(
    images: str | None,
    captions: str | None,
    languages: Sequence[str] | None = None,
    *,
    source: str | None = None,
    splits: Sequence[str] | None = None,
) -> Source:
    """The source that is given by two paths, or by one.

    Args:
        images: a folder of files that captions name.
        captions: the path of captions, which `source` may be as well; or with a source, `first` or `all`.
        languages, splits: those to use; None for all.
        source: a path that holds captions and perhaps images, or `KIND:PATH`.

    Raises:
        InputError: they are of no known form, or of one that cannot be read.
    """
    for flag, path in (("--images=", images), ("--captions=", captions), ("--source=", source)):
        if path is not None:
            check_path(flag, path)
    flag, policy = "--source", captions
    if source is None:
        if captions in (FIRST, ALL):
            raise InputError(f"--captions={captions}: says how many captions are used; give --source, too")
        flag, source, policy = "--captions", captions, None
    elif captions not in (None, FIRST, ALL):
        raise InputError(f"--captions={captions}: --source names captions already; give {FIRST} or {ALL}, or one path")
    if source is None:
        raise InputError("no captions: give --images and --captions, or --source (--source=list prints its forms)")
    kind, path = _kind(flag, source)
    selection = Selection(languages, splits, "first" if policy == FIRST else "all")
    rows = SOURCES[kind].read(path, selection)
    return gather(path, rows, selection, images=Path(images) if images is not None else None, about={"kind": kind})


def _kind(flag: str, source: str) -> tuple[str, str]:
    """The kind of a source and its path."""
    kind, colon, path = source.partition(":")
    if colon and kind in SOURCES:
        return kind, path
    fits = (name for name, each in SOURCES.items() if each.fits is not None and each.fits(Path(source)))
    if found := next(fits, None):
        return found, source
    if not Path(source).exists():
        raise InputError(f"{flag}={source}: no such file or folder; KIND:PATH names a form (--source=list)")
    raise InputError(f"{flag}={source}: no known form; give " + " or ".join(each.summary for each in SOURCES.values()))


def _holds(path: Path, *patterns: str) -> bool:
    """Whether a folder, or a folder in it, has such files."""
    return any(next(path.glob(f"{deep}{pattern}"), None) for pattern in patterns for deep in ("", "*/"))
