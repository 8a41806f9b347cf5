"""A linear map as a chain of faiss transforms, in front of an empty index or of a filled one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ccalign_jax._libraries import import_library
from ccalign_jax.errors import InputError
from ccalign_jax.exporting.job import Job, Part, refuse

__all__ = ["write"]


def write(job: Job, folder: Path) -> list[str]:
    """Write an `IndexPreTransform` for each part, and with `--index` the filled index behind that of captions.

    The index behind a chain is an empty one of inner products.

    Raises:
        InputError: an index that cannot be read, of another width or metric, or several maps of captions before it.
    """
    faiss = import_library(f"--to={job.to}", "faiss", "export")
    filled = job.options.get("index")
    notes = ["everything that is added to these indices is mapped, too; index.index.add(rows) adds rows as they are"]
    for part in job.parts:
        index = _chain(faiss, part, faiss.IndexFlatIP(job.d_out), moves=part in job.moving)
        _save(faiss, index, folder / f"{part.name}.faiss")
    if filled is not None:
        captions = [part for part in job.parts if part.name != "images"]
        if len(captions) != 1:
            raise refuse(job, "--index stands behind one map of captions; pick it with --language")
        index = _chain(faiss, captions[0], _read(faiss, filled, job.d_out), moves=True)
        _save(faiss, index, folder / "index.faiss")
        if job.learned.aligner.trains_image:
            notes.append(f"the map moves images: those in {filled} must have gone through images.faiss or `apply`")
    return notes


def _save(faiss: Any, index: Any, path: Path) -> None:
    """Write an index through Python, whose errors are exceptions: faiss prints some of its own to stderr."""
    with path.open("wb") as file:
        faiss.write_index(index, faiss.PyCallbackIOWriter(file.write))


def _chain(faiss: Any, part: Part, index: Any, *, moves: bool) -> Any:
    """An index behind the map: rows to unit length, and for a part that moves them W, offset and unit length."""
    wrapped = faiss.IndexPreTransform(index)
    if moves:
        (layer,) = part.layers or ()
        d_in, d_out = layer.weight.shape
        linear = faiss.LinearTransform(d_in, d_out, True)
        faiss.copy_array_to_vector(np.ascontiguousarray(layer.weight.T, np.float32).ravel(), linear.A)
        faiss.copy_array_to_vector(np.ascontiguousarray(layer.bias, np.float32), linear.b)
        linear.is_trained = True
        wrapped.prepend_transform(faiss.NormalizationTransform(d_out))
        wrapped.prepend_transform(linear)
    wrapped.prepend_transform(faiss.NormalizationTransform(part.d_in))
    wrapped.is_trained = index.is_trained
    return wrapped


def _read(faiss: Any, path: str, d_out: int) -> Any:
    flag = f"--index={path}"
    if not Path(path).is_file():
        raise InputError(f"{flag}: no such file; give an index that faiss.write_index wrote")
    try:
        index = faiss.read_index(str(path))
    except RuntimeError:
        raise InputError(f"{flag}: no index that faiss reads; write it with faiss.write_index") from None
    if index.d != d_out:
        raise InputError(
            f"{flag}: its rows are {index.d} wide, but the map's are {d_out}; give the index of its images"
        )
    if index.metric_type not in (faiss.METRIC_INNER_PRODUCT, faiss.METRIC_L2):
        raise InputError(
            f"{flag}: neither inner products nor distances of unit rows; build it with IndexFlatIP or the like"
        )
    return index
