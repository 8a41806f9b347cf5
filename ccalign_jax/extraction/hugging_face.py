"""Images and captions of Hugging Face `datasets`: saved on disk, on the hub, and folders with a metadata file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from ccalign_jax._libraries import import_library
from ccalign_jax.data.checks import check_inside
from ccalign_jax.data.damage import reading
from ccalign_jax.data.json_files import read_json
from ccalign_jax.errors import InputError, reason
from ccalign_jax.extraction.arrow_rows import file_rows, read_parquet
from ccalign_jax.extraction.columns import IMAGE, SPLIT
from ccalign_jax.extraction.gather import METADATA, files_below
from ccalign_jax.extraction.items import Row
from ccalign_jax.extraction.tables import read_table

__all__ = ["is_saved", "read_hub", "read_imagefolder", "read_saved"]

STATE, DICT = "state.json", "dataset_dict.json"
FILE_NAME = "file_name"
SPLITS = ("train", "training", "validation", "valid", "val", "dev", "test", "testing", "eval", "evaluation")


def is_saved(path: Path) -> bool:
    """Whether a folder is what `save_to_disk` writes."""
    return (path / STATE).is_file() or (path / DICT).is_file()


def read_saved(path: Path) -> Iterator[Row]:
    """The rows of a folder that `Dataset.save_to_disk` or `DatasetDict.save_to_disk` wrote; needs pyarrow alone.

    Raises:
        InputError: it is no such folder, or damaged.
    """
    if not is_saved(path):
        raise InputError(f"{path}: no {STATE} and no {DICT}; give a folder that save_to_disk wrote")
    with reading(f"{path}: not what save_to_disk writes"):
        splits = read_json(path / DICT)["splits"] if (path / DICT).is_file() else [None]
        files = []
        for split in splits:
            check_inside(str(path / DICT), split or "")
            state = read_json(path / (split or "") / STATE)
            name = split or (state.get("_split") or "").partition("[")[0] or None  # train[:10%] is of train
            for each in state["_data_files"]:
                check_inside(str(path / STATE), each["filename"])
                files.append((path / (split or "") / each["filename"], name))
    return file_rows(path, files)


def read_hub(name: str) -> Iterator[Row]:
    """The rows of a data set on the hub, `NAME`, `NAME:CONFIG` or either with `@REVISION`, which is downloaded once.

    Raises:
        InputError: `datasets` is not installed, or cannot load it.
    """
    datasets = import_library(f"hub:{name}", "datasets", "datasets")
    place, _, revision = name.partition("@")
    repository, _, config = place.partition(":")
    try:
        found: Any = datasets.load_dataset(repository, config or None, revision=revision or None)
    except Exception as error:
        problem = f"hub:{name}: cannot be loaded ({reason(error)})"
        raise InputError(f"{problem}; compare the name, or save it to disk") from error
    files = [(Path(file["filename"]), str(split)) for split, rows in found.items() for file in rows.cache_files]
    # Where a data set is a folder of images, rows name files of the cache in place of bytes.
    hub = import_library(f"hub:{name}", "huggingface_hub", "datasets")
    cache = [datasets.config.HF_DATASETS_CACHE, hub.constants.HF_HUB_CACHE]
    roots = [*map(Path, cache), *([Path(repository)] if Path(repository).is_dir() else [])]
    return file_rows(Path(name), files, roots)


def read_imagefolder(path: Path) -> Iterator[Row]:
    """The rows of all files `metadata.jsonl`, `.csv` or `.parquet` of a folder; `file_name` is beside each.

    A folder `train`, `validation` or `test`, or as these are called elsewhere, is the split.

    Raises:
        InputError: no such file, or a name that leads out of the folder.
    """
    files = [file for file in files_below(path, "metadata.*") if file.name in METADATA]
    if not files:
        raise InputError(f"{path}: no {' or '.join(METADATA)} in it")
    for file in files:
        for row in read_parquet(file) if file.suffix == ".parquet" else read_table(file):
            record = dict(row.record)
            name = record.pop(FILE_NAME, record.get(IMAGE))
            if not isinstance(name, str) or not name:
                raise InputError(f"{row.place}: {FILE_NAME} is {name!r}; give the name of the image's file")
            check_inside(row.place, name)
            key = (PurePosixPath(file.parent.relative_to(path).as_posix()) / name).as_posix()
            split = next((part for part in PurePosixPath(key).parts[:-1] if part in SPLITS), None)
            yield Row(row.place, {**record, IMAGE: key, SPLIT: record.get(SPLIT) or split})
