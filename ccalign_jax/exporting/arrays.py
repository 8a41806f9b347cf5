"""Parameters and plain matrices of a map as arrays, in one file of NumPy's or of safetensors' format."""

from __future__ import annotations

from pathlib import Path

import jax
import numpy as np

from ccalign_jax.data.safetensors_files import write_safetensors
from ccalign_jax.exporting.job import Job, Part

__all__ = ["map_arrays", "write_npz_file", "write_safetensors_file"]


def map_arrays(job: Job) -> dict[str, np.ndarray]:
    """Float32 arrays by name.

    A linear map of captions is `W` `[d_in, d_out]` and `offset` `[d_out]`, an MLP `W1`, `offset1`, `W2`, `offset2`,
    with the exact GELU between. Those of one language begin with `captions_de.`, those of images with `images.`.
    Every parameter of the map, as its aligner names it, begins with `params.`.
    """
    found: dict[str, np.ndarray] = {}
    for part in job.moving:
        found |= {f"{_prefix(part)}{name}": value for name, value in _layer_arrays(part).items()}
    for place, leaf in jax.tree_util.tree_leaves_with_path(job.learned.params):
        name = ".".join(str(getattr(key, "key", key)) for key in place)
        found[f"params.{name}"] = np.asarray(leaf, order="C")  # ascontiguousarray gives a number an axis
    return found


def _prefix(part: Part) -> str:
    return "" if part.name == "captions" else f"{part.name}."


def _layer_arrays(part: Part) -> dict[str, np.ndarray]:
    layers = part.layers or ()
    numbers = [""] if len(layers) == 1 else [str(number + 1) for number in range(len(layers))]
    found: dict[str, np.ndarray] = {}
    for number, layer in zip(numbers, layers, strict=True):
        found[f"W{number}"] = np.ascontiguousarray(layer.weight, np.float32)
        found[f"offset{number}"] = np.ascontiguousarray(layer.bias, np.float32)
    return found


def write_safetensors_file(job: Job, folder: Path) -> list[str]:
    """Write `model.safetensors`, with the provenance in its metadata."""
    write_safetensors(folder / "model.safetensors", map_arrays(job), job.provenance)
    return _notes(job)


def write_npz_file(job: Job, folder: Path) -> list[str]:
    """Write `model.npz`, without pickled objects."""
    np.savez(folder / "model.npz", **map_arrays(job))  # type: ignore[arg-type]
    return _notes(job)


def _notes(job: Job) -> list[str]:
    other = [part.name for part in job.moving if part.layers is None]
    if not other:
        return []
    formula = "its formula is in docs/methods.md; onnx holds it as a function"
    return [f"{', '.join(other)}: {job.learned.about['aligner']} has no plain matrix: parameters alone ({formula})"]
