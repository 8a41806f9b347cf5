"""The registry of sources: forms in which images and captions lie on disk or on a hub."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from ccalign_jax.errors import InputError, check_path
from ccalign_jax.extraction.arrow_rows import read_parquet
from ccalign_jax.extraction.gather import METADATA, Selection, gather
from ccalign_jax.extraction.hugging_face import is_saved, read_hub, read_imagefolder, read_saved
from ccalign_jax.extraction.items import Item, Row, Source
from ccalign_jax.extraction.presets import PRESETS
from ccalign_jax.extraction.tables import TABLES, read_table
from ccalign_jax.extraction.tars import read_tars

__all__ = ["PRESETS", "SOURCES", "Item", "Source", "SourceKind", "open_source"]

FIRST, ALL = "first", "all"  # what --captions may be beside --source


class SourceKind(NamedTuple):
    """One form of images and captions.

    Attributes:
        summary: what it looks like, in one line.
        read: the rows of a path, or of a name.
        fits: whether a path is of this form; None if it must be named.
        in_files: the names of images are those of files below the path.
    """

    summary: str
    read: Callable[[str], Iterable[Row]]
    fits: Callable[[Path], bool] | None = None
    in_files: bool = False


SOURCES: dict[str, SourceKind] = {
    "table": SourceKind(
        "captions in .jsonl, .csv or .tsv, of the files in the folder --images",
        lambda path: read_table(Path(path)),
        lambda path: path.suffix.lower() in TABLES,
    ),
    "parquet": SourceKind(
        "a .parquet file, or a folder of them, with images as bytes or as names of the files in --images",
        lambda path: read_parquet(Path(path)),
        lambda path: path.suffix.lower() == ".parquet" or _holds(path, "*.parquet"),
    ),
    "webdataset": SourceKind(
        "a .tar file, or a folder of them, of images with .txt or .json of the same name",
        lambda path: read_tars(Path(path)),
        lambda path: path.suffix.lower() == ".tar" or _holds(path, "*.tar"),
    ),
    "saved": SourceKind(
        "a folder that save_to_disk of Hugging Face datasets wrote", lambda path: read_saved(Path(path)), is_saved
    ),
    "imagefolder": SourceKind(
        "a folder of images with metadata.jsonl, .csv or .parquet, in which file_name names them",
        lambda path: read_imagefolder(Path(path)),
        lambda path: _holds(path, *METADATA),
        in_files=True,
    ),
    "hub": SourceKind("NAME, NAME:CONFIG or NAME@REVISION of a data set on the Hugging Face hub", read_hub),
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
        source: a path that holds captions and perhaps images, `KIND:PATH`, or the name of a preset and either.

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
    preset, source = _preset(source)
    name, kind, path = _kind(flag, source, preset)
    if kind.in_files and images is not None:
        raise InputError(f"--images={images}: {path} is a folder of images itself; leave --images out")
    folder = path if kind.in_files else images
    rows = kind.read(path)
    facts: tuple[str, ...] = ()
    if preset is not None:
        name, facts = preset, PRESETS[preset].facts
        rows = map(PRESETS[preset].convert, rows)
    return gather(
        path,
        rows,
        Selection(languages, splits, "first" if policy == FIRST else "all"),
        images=None if folder is None else Path(folder),
        kind=name,
        facts=facts,
    )


def _preset(source: str) -> tuple[str | None, str]:
    """The preset that a source names, and the source without it; by itself it is that of the hub."""
    name, _, rest = source.partition(":")
    if name not in PRESETS or (name == source and Path(source).exists()):
        return None, source
    if not rest and not PRESETS[name].hub:
        raise InputError(f"--source={name}: no copy on a hub is known; give {name}:PATH")
    return name, rest or f"hub:{PRESETS[name].hub}"


def _kind(flag: str, source: str, preset: str | None) -> tuple[str, SourceKind, str]:
    """The kind of a source, and its path without it."""
    kind, colon, path = source.partition(":")
    if colon and kind in SOURCES:
        return kind, SOURCES[kind], path
    layout = PRESETS[preset].layout if preset is not None else None
    if preset is not None and layout is not None and layout.fits(Path(source)):
        read = layout.read
        return preset, SourceKind(PRESETS[preset].summary, lambda path: read(Path(path))), source
    for name, each in SOURCES.items():
        if each.fits is not None and each.fits(Path(source)):
            return name, each, source
    if not Path(source).exists():
        raise InputError(f"{flag}={source}: no such file or folder; KIND:PATH names a form (--source=list)")
    forms = " or ".join(each.summary for each in SOURCES.values())
    raise InputError(f"{flag}={source}: no known form; give {forms}")


def _holds(path: Path, *patterns: str) -> bool:
    """Whether a folder, or a folder in it, has such files."""
    return any(next(path.glob(f"{deep}{pattern}"), None) for pattern in patterns for deep in ("", "*/"))
