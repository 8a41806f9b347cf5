"""WIT's TSV files, line by line, as rows with one caption, distributed over files by image."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import Any

from ccalign_jax._libraries import import_library
from ccalign_jax.errors import InputError
from ccalign_jax.files import full_disk, whole_path
from ccalign_jax.wit.options import CAPTION_COLUMNS, WitConfig

__all__ = ["PARTS", "import_polars", "write_parts"]

PARTS = 64  # of which one at a time is in memory
ROW_GROUP = 8192  # rows of a part that are kept in memory while it is written
LEFT_OUT = -1  # the part of lines that are left out
OWN_LANGUAGE = "attribution_passes_lang_id"
# Those that Pillow reads, and the suffix of the file.
TYPES = {
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "image/webp": ".webp",
    "image/gif": ".gif",
    "image/tiff": ".tif",
    "image/bmp": ".bmp",
}
LONGEST_HEADER = 1 << 16
MALFORMED = "not as many cells as the header has"
ADDRESS = "no http or https address of an image"
TYPE = "no type of photograph, such as SVG"
LANGUAGE = "in other languages"
CAPTION = "without a caption"


def import_polars() -> Any:
    """The polars module.

    Raises:
        InputError: it is not installed.
    """
    return import_library("build_wit", "polars", "wit")


def write_parts(path: Path, to: Path, config: WitConfig) -> None:
    """Write the rows of one TSV file as Parquet files `to/PART-NUMBER.parquet`; all rows of an image are in one part.

    Rows have `language`, `page_url`, `image_url`, `caption` and `kind`, the place of the caption among those that are
    preferred. What is left out is in part -1, with its `reason` alone. Memory does not grow with the file.

    Args:
        path: the file, plain or gzip.
        to: a folder, which appears when all is written.
        config: languages and kinds of captions.

    Raises:
        InputError: a file that is cut off, is no UTF-8 or lacks columns.
    """
    pl = import_polars()
    header, columns = _header(path)
    line = pl.col("line")
    wanted = ["language", "page_url", "image_url", "mime_type", *(CAPTION_COLUMNS[kind] for kind in config.prefer)]
    wanted += [OWN_LANGUAGE] * ("attribution" in config.prefer)
    if missing := [name for name in wanted if name not in columns]:
        raise InputError(f"{path}: no column {missing[0]}; give WIT's files, each with its header")
    last = max(map(columns.index, wanted)) + 1
    cells = line.str.splitn("\t", last + 1).struct.rename_fields([*columns[:last], "rest"])
    captions = [_caption(pl, kind) for kind in config.prefer]
    tests = {
        MALFORMED: pl.col("tabs") != len(columns) - 1,
        LANGUAGE: ~pl.col("language").is_in(config.languages),
        ADDRESS: ~(pl.col("image_url").str.starts_with("https://") | pl.col("image_url").str.starts_with("http://")),
        TYPE: ~pl.col("mime_type").is_in(list(TYPES)),
        CAPTION: pl.all_horizontal(caption.is_null() for caption in captions),
    }
    reason = pl.lit(None, pl.String)
    for words, test in reversed(tests.items()):
        reason = pl.when(test.fill_null(True)).then(pl.lit(words)).otherwise(reason)
    kind = pl.lit(None, pl.Int8)
    for place in reversed(range(len(captions))):
        kind = pl.when(captions[place].is_not_null()).then(pl.lit(place, pl.Int8)).otherwise(kind)
    kept = pl.col("reason").is_null()
    rows = (
        pl.scan_lines(path, glob=False)
        .filter((line != header) & (line != ""))
        .select(line.str.count_matches("\t", literal=True).alias("tabs"), cells.alias("cells"))
        .unnest("cells")
        .select(
            *(pl.col(name) for name in ("language", "page_url", "image_url")),
            pl.coalesce(captions).alias("caption"),
            kind.alias("kind"),
            reason.alias("reason"),
        )
        .select(pl.when(kept).then(pl.all().exclude("reason")).name.keep(), "reason")
        .with_columns(
            pl.when(kept)
            .then((pl.col("image_url").hash(seed=0) % PARTS).cast(pl.Int32))
            .otherwise(LEFT_OUT)
            .alias("part")
        )
    )
    with whole_path(to, resumable=True) as draft:
        draft.mkdir()
        parts = pl.PartitionBy(draft, key="part", include_key=False, file_path_provider=_part_name)
        try:
            with full_disk(to, resumable=True):
                rows.sink_parquet(
                    parts, statistics=False, compression_level=1, maintain_order=False, row_group_size=ROW_GROUP
                )
        except (OSError, pl.exceptions.PolarsError) as error:
            reason_given = " ".join(str(error).split())
            raise InputError(
                f"{path}: not read to its end ({reason_given}); download it again, and compare the room in {to.parent}"
            ) from error


def _part_name(file: Any) -> str:
    return f"{file.partition_keys.item()}-{file.index_in_partition}.parquet"


def _header(path: Path) -> tuple[str, list[str]]:
    """The first line, and the names in it."""
    try:
        with path.open("rb") as file:
            is_gzip = file.read(2) == b"\x1f\x8b"
        with gzip.open(path) if is_gzip else path.open("rb") as file:
            header = file.readline(LONGEST_HEADER).decode("utf-8-sig").rstrip("\r\n")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error}); download it again") from error
    return header, header.split("\t")


def _caption(pl: Any, kind: str) -> Any:
    """The caption of a kind, or null; an attribution counts if it is in the language of the page."""
    text = pl.col(CAPTION_COLUMNS[kind])
    there = text.str.strip_chars() != ""
    if kind == "attribution":
        there &= pl.col(OWN_LANGUAGE).str.to_lowercase() == "true"
    return pl.when(there).then(text)
