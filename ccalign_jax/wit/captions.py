"""Captions of one image in several languages, from rows of WIT, as the table that an extraction reads."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ccalign_jax.errors import InputError
from ccalign_jax.files import full_disk, whole_file
from ccalign_jax.wit.groups import SPLITS, page_groups, split_groups
from ccalign_jax.wit.options import WitConfig
from ccalign_jax.wit.rows import LEFT_OUT, PARTS, import_polars

__all__ = ["CAPTIONS", "URLS", "image_key", "write_captions"]

CAPTIONS, URLS = "captions.jsonl", "urls.tsv"
FEW = "of images with captions in too few languages"
REPEATED = "with a caption that the image has already in this language"
OTHERS = "with further captions of an image and language (--captions=all keeps them)"

Progress = Callable[[str, int, int], None]


class _Kept(NamedTuple):
    """Images of all parts: hashes of their keys, and of the pages that show them."""

    draws: list[np.ndarray]
    images: list[np.ndarray]
    pages: list[np.ndarray]


def image_key(url: str) -> str:
    """The key of an image, by its address: the name of its file, without suffix.

    Example:
        >>> image_key("https://upload.wikimedia.org/wikipedia/commons/a/a9/Example.jpg")
        '14/14085c62dab88d1c8a4e'
    """
    digest = hashlib.sha256(url.encode()).hexdigest()[:20]
    return f"{digest[:2]}/{digest}"


def write_captions(
    folders: Sequence[Path], out: Path, config: WitConfig, progress: Progress = lambda what, done, total: None
) -> dict[str, Any]:
    """Join rows by image, and write `captions.jsonl` and `urls.tsv`, one image a line.

    A record has `image`, `split`, `group` and `captions`, language to captions. Images that share a page, in any
    language, are of one group, and a group is in one split. Captions are in the order of preference, then of pages.

    Args:
        folders: written by `write_parts`, one of each TSV file.
        out: the folder of both files.
        config: which images and captions to keep.
        progress: called with what goes on, parts done and parts in all.

    Returns:
        Counts: `images`, `captions` by language, `splits`, `groups`, `largest_group`, and lines `left_out` by reason.

    Raises:
        InputError: no image has captions in enough languages.
    """
    pl = import_polars()
    left_out = _reasons(pl, folders)
    kept, total = _Kept([], [], []), 0
    for part in range(PARTS):
        images = _join(pl, _scan(pl, folders, part), config, left_out)
        with full_disk(_joined(out, part), resumable=True):
            images.write_parquet(_joined(out, part))
        urls = images["image_url"].to_list()
        kept.draws.append(np.array([int(image_key(url)[3:19], 16) for url in urls], np.uint64))
        uses = images.select("pages").with_row_index("image").explode("pages", empty_as_null=False)
        kept.images.append(uses["image"].to_numpy().astype(np.int64) + total)
        kept.pages.append(uses["pages"].to_numpy())
        total += len(urls)
        progress("joining captions", part + 1, 2 * PARTS)
    if not total:
        raise InputError(
            f"{out}: no image has captions in {config.needed} of {', '.join(config.languages)}; "
            "give more files, or less --min_languages"
        )
    group = page_groups(np.concatenate(kept.images), np.concatenate(kept.pages), total)
    split = split_groups(group, np.concatenate(kept.draws), dev=config.dev, test=config.test)
    captions: Counter[str] = Counter()
    start = 0
    with whole_file(out / URLS) as urls_file, whole_file(out / CAPTIONS) as captions_file:
        table = io.TextIOWrapper(urls_file, encoding="utf-8", newline="")
        writer = csv.writer(table, delimiter="\t", lineterminator="\n")
        writer.writerow(("url", "image"))
        for part in range(PARTS):
            path = _joined(out, part)
            for place, (url, texts) in enumerate(_records(pl.read_parquet(path)), start):
                captions.update({language: len(several) for language, several in texts.items()})
                writer.writerow((url, image_key(url)))
                record = {"image": image_key(url), "split": SPLITS[split[place]], "group": int(group[place])}
                line = json.dumps({**record, "captions": texts}, ensure_ascii=False)
                captions_file.write(line.encode() + b"\n")
                start += 1
            progress("writing captions", PARTS + part + 1, 2 * PARTS)
        table.detach()
    for part in range(PARTS):
        _joined(out, part).unlink()
    sizes = np.bincount(group)
    return {
        "images": total,
        "captions": {language: captions[language] for language in config.languages},
        "splits": {name: int((split == place).sum()) for place, name in enumerate(SPLITS)},
        "groups": len(sizes),
        "largest_group": int(sizes.max()),
        "left_out": {reason: count for reason, count in left_out.items() if count},
    }


def _joined(out: Path, part: int) -> Path:
    return out / f".joined-{part}.parquet"


def _scan(pl: Any, folders: Sequence[Path], part: int) -> Any:
    """Rows of one part of all files."""
    files = [path for folder in folders for path in sorted(folder.glob(f"{part}-*.parquet"))]
    return pl.scan_parquet(files, glob=False).collect() if files else None


def _reasons(pl: Any, folders: Sequence[Path]) -> Counter[str]:
    """Lines that were left out while reading, by reason."""
    rows = _scan(pl, folders, LEFT_OUT)
    counted = [] if rows is None else rows.group_by("reason").len().sort("len", descending=True).rows()
    return Counter(dict(counted))


def _join(pl: Any, rows: Any, config: WitConfig, left_out: Counter[str]) -> Any:
    """One row an image, sorted by address: `image_url`, `pages` (hashes), and `languages` and `captions`, as lists."""
    if rows is None:
        rows = pl.DataFrame(schema={name: pl.String for name in ("language", "page_url", "image_url", "caption")})
        rows = rows.with_columns(pl.lit(0, pl.Int8).alias("kind"))
    enough = rows.filter(pl.col("language").n_unique().over("image_url") >= config.needed)
    enough = enough.with_columns(pl.col("caption").str.replace_all(r"\s+", " ").str.strip_chars())
    left_out[FEW] += len(rows) - len(enough)
    pages = enough.group_by("image_url").agg(pl.col("page_url").hash(seed=0).unique().sort().alias("pages"))
    place = enough.sort("image_url", "language", "kind", "page_url", "caption")
    distinct = place.unique(["image_url", "language", "caption"], keep="first", maintain_order=True)
    left_out[REPEATED] += len(enough) - len(distinct)
    if config.captions == "first":
        first = distinct.unique(["image_url", "language"], keep="first", maintain_order=True)
        left_out[OTHERS] += len(distinct) - len(first)
        distinct = first
    grouped = distinct.group_by("image_url", maintain_order=True).agg("language", "caption")
    return grouped.join(pages, on="image_url", how="left", maintain_order="left").sort("image_url")


def _records(images: Any) -> Iterator[tuple[str, dict[str, list[str]]]]:
    """Address and captions of each image."""
    for url, languages, captions in images.select("image_url", "language", "caption").iter_rows():
        texts: dict[str, list[str]] = {}
        for language, caption in zip(languages, captions, strict=True):
            texts.setdefault(language, []).append(caption)
        yield url, texts
