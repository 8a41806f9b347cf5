"""File formats of data sets: what can be loaded whole can be streamed, and the other way round."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ccalign_jax.data.clip_retrieval import is_clip_retrieval, open_clip_retrieval, read_clip_retrieval
from ccalign_jax.data.embedding_set import EmbeddingSet
from ccalign_jax.data.keyed_sets import has_keys, read_keyed_set, read_keyed_sets
from ccalign_jax.data.npy_folders import is_npy_folder, read_npy_folder
from ccalign_jax.data.objects import read_object
from ccalign_jax.data.seed_folders import read_seed_folder
from ccalign_jax.data.shard_files import open_files, paths_in, shard_paths
from ccalign_jax.data.shard_sets import read_shard_set, shards_of
from ccalign_jax.data.shards import Shards
from ccalign_jax.data.stored_arrays import FORMATS, is_shard
from ccalign_jax.data.table_sets import read_table_set
from ccalign_jax.data.tables import dataset_tables, is_dataset_folder, is_parquet, parquet_table
from ccalign_jax.errors import InputError, check_path, nearest

if TYPE_CHECKING:
    from ccalign_jax.data.objects import Source

__all__ = ["load", "open_shards"]


def load(
    source: Source | EmbeddingSet, *, languages: Sequence[str] | None = None, name: str | None = None
) -> EmbeddingSet:
    """Read a data set, in any of the forms of docs/data.md: from a path, or from objects in memory.

    Objects are a pandas or polars data frame, a pyarrow table or a `Dataset` or `DatasetDict` of Hugging Face, with the
    columns of Parquet files, several of these in a list, or a mapping of the names of .npz files to arrays, lists or
    PyTorch tensors. An `EmbeddingSet` is returned as it is.

    Paths are of an .npz file, or .safetensors files, with `image` `[n, d_image]`, `text_<language>` `[m, d_text]`, and
    optionally `image_keys`, `split`, `image_groups` `[n]` and `text_<language>_keys` `[m]` (without any keys, rows are
    aligned); a folder of .npy files with ids; Parquet files and saved Hugging Face datasets; a folder of clip-retrieval
    or of shards, such as an extraction's, as `open_shards` has them; and the seed study's .pt files,
    `embeddings_image/<split>/*.pt` and `embeddings_text/<split>/*.pt`. Other arrays are left out and counted in
    `notes`.

    Args:
        source: a path, or objects.
        languages: a subset to use; others are not checked.
        name: of the data in reports; by default that of the file or folder, or the kind of object.

    Raises:
        InputError: one line that names the file or object, the array, column, key or row, what is wrong and how to
            fix it.

    Example:
        >>> import numpy as np, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     np.savez(f"{folder}/toy.npz", image=np.eye(2), text_en=np.eye(2), text_de=np.eye(2))
        ...     data = load(f"{folder}/toy.npz", languages=["de"])
        >>> data.name, len(data), data.languages
        ('toy', 2, ('de',))
        >>> load({"image": np.eye(2), "text_en": np.eye(2)}, name="toy").languages
        ('en',)
    """
    if isinstance(source, EmbeddingSet):
        data = source if languages is None else source.with_languages(languages)
    elif isinstance(source, str | os.PathLike):
        form, path = _format_of(source)
        # The path is the name while checks run, so that every message names the file.
        data = EmbeddingSet.build(str(path), **form.read(path, languages), languages=languages)
        place = Path(os.path.abspath(path))
        name = name or (place.name if place.is_dir() else place.stem)
    else:
        kind, arrays = read_object(source, languages)
        data = EmbeddingSet.build(kind, **arrays, languages=languages)
    return data if name is None else dataclasses.replace(data, name=name)


def open_shards(
    path: str | os.PathLike[str] | Sequence[str | os.PathLike[str]], *, languages: Sequence[str] | None = None
) -> Shards:
    """Pairs of images and captions, to be read a few at a time; of shards only headers and counts are read.

    A shard has `image` `[n, d_image]` and for each language `text_<language>`, float16, bfloat16 or float32. In
    row-aligned shards the latter are `[n, d_text]`, and row i of each belongs together; optional is `mask_<language>`
    `[n]` bool, False where row i has no caption in that language (its row may then hold anything). In ragged shards,
    such as an extraction's, `count_<language>` `[n]` says how many captions each image has, whose rows follow each
    other in `text_<language>`; an image then makes as many pairs as it has captions in one language. Optional in both:
    `image_groups` `[n]` whole numbers, equal for images that belong together, all over the shards; the hashes of an
    extraction, `image_digest` and `image_hash` `[n]` uint64, join copies besides. Other arrays are left out and
    counted in `notes`. A folder of clip-retrieval is as row-aligned shards. What else `load` reads is held in memory,
    or in a memory map.

    Args:
        path: a folder of .npz (uncompressed), .safetensors or .pt files, taken in the order of their names, or of
            several such folders; one such file; a list of files; or what else `load` takes.
        languages: a subset to use.

    Raises:
        InputError: one line that names the file and the array, what is wrong and how to fix it.

    Example:
        >>> import numpy as np, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for number in range(2):
        ...         np.savez(f"{folder}/{number}.npz", image=np.eye(2, dtype="f4"), text_en=np.eye(2, dtype="f4"))
        ...     shards = open_shards(folder)
        ...     rows = shards.read(1, 4)
        >>> len(shards), shards.languages, rows.image.tolist()
        (4, ('en',), [[0.0, 1.0], [1.0, 0.0], [0.0, 1.0]])
    """
    if not isinstance(path, str | os.PathLike):
        for file in path:
            check_path("", file)
        paths = [Path(file) for file in path]
        return open_files(paths[0].parent if paths else Path(), paths, languages)
    form, place = _format_of(path)
    found = form.stream(place, languages)
    return shards_of(place, load(place, languages=languages)) if found is None else found


class _Format(NamedTuple):
    """A file format.

    Attributes:
        looks: its description.
        fits: whether a path has it.
        read: the arguments of `EmbeddingSet.build`, of some languages or all.
        stream: shards that are read a few rows at a time; None where rows are not in the order of images, or cannot be
            read so.
    """

    looks: str
    fits: Callable[[Path], bool]
    read: Callable[[Path, Sequence[str] | None], dict[str, Any]]
    stream: Callable[[Path, Sequence[str] | None], Shards | None]


def _format_of(given: str | os.PathLike[str]) -> tuple[_Format, Path]:
    """The format of a path.

    Raises:
        InputError: it has none that is known, or is not there.
    """
    check_path("", given)
    path = Path(given)
    form = next((form for form in _FORMATS if form.fits(path)), None)
    if form is None:
        if path.exists():
            raise InputError(f"{path}: cannot tell its format; give {' or '.join(form.looks for form in _FORMATS)}")
        near = nearest(path.name, sorted(other.name for other in path.parent.glob("*")))
        remedy = f"did you mean {path.with_name(near)}?" if near else "give a form of docs/data.md"
        raise InputError(f"{path}: no such file or folder; {remedy}")
    return form, path


def _has_shards(path: Path) -> bool:
    """Whether a path is a shard, or a folder of them, or of their folders unless it is of another kind itself."""
    found = [file for file in shard_paths(path) if is_shard(file) and file.is_file()]
    own = any(file.parent == path or file == path for file in found)
    return own or (bool(found) and not is_npy_folder(path) and not any(map(is_parquet, path.iterdir())))


def _has_parquet(path: Path) -> bool:
    return any(is_parquet(file) and file.is_file() for file in paths_in(path, is_parquet))


def _read_parquet(path: Path, languages: Sequence[str] | None) -> dict[str, Any]:
    return read_table_set(path, map(parquet_table, paths_in(path, is_parquet)), languages)


def _read_shards(path: Path, languages: Sequence[str] | None) -> dict[str, Any]:
    paths = shard_paths(path)
    return read_keyed_sets(paths) if has_keys(paths[0]) else read_shard_set(open_files(path, paths, languages))


def _stream_shards(path: Path, languages: Sequence[str] | None) -> Shards | None:
    paths = shard_paths(path)
    return None if has_keys(paths[0]) else open_files(path, paths, languages)


def _held(path: Path, languages: Sequence[str] | None) -> None:
    """No shards: the set is held in memory, or in a memory map."""


_FORMATS = (
    _Format(
        "an .npz file",
        lambda path: path.suffix.lower() == ".npz" and path.is_file(),
        lambda path, languages: read_keyed_set(path),
        _stream_shards,
    ),
    _Format(
        "a folder of embeddings_image/<split>/*.pt",
        lambda path: Path(path, "embeddings_image").is_dir(),
        lambda path, languages: read_seed_folder(path),
        _held,
    ),
    _Format("a folder of img_emb, text_emb and metadata", is_clip_retrieval, read_clip_retrieval, open_clip_retrieval),
    _Format(
        "a folder that datasets saved",
        is_dataset_folder,
        lambda path, languages: read_table_set(path, dataset_tables(path), languages),
        _held,
    ),
    _Format(
        f"a folder of {', '.join(FORMATS)} shards",
        _has_shards,
        _read_shards,
        _stream_shards,
    ),
    _Format("a folder of image.npy and text_<language>.npy", is_npy_folder, read_npy_folder, _held),
    _Format("a .parquet file or a folder of them", _has_parquet, _read_parquet, _held),
)
