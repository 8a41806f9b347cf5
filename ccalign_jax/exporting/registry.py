"""Registry of export formats: what each is for, what it can hold, and what writes it."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from ccalign_jax.exporting.job import Job

__all__ = ["FEATURES", "FORMATS", "Format"]

# What a map may need of a format, and how a refusal names it.
FEATURES = {
    "mlp": "a hidden layer",
    "plain_mlp": "an MLP that is not x plus a hidden layer",
    "nonlinear": "a map that is neither linear nor an MLP",
    "offset": "an offset",
    "widths": "rows of different width before and after",
    "languages": "a map for each language (--language picks one)",
    "images": "a map of images (--side=captions leaves it out)",
}


class Format(NamedTuple):
    """One format.

    Attributes:
        summary: one line of what it is.
        writer: `module:function` of this package; the function writes into a folder (or to a file, see `suffix`) and
            returns lines that say what the user must know.
        holds: the features of `FEATURES` that it can hold.
        options: names of further arguments of `export` that it reads.
        suffix: of the one file that it is; None for a folder.
        description: name of the JSON file that says what the folder holds.
    """

    summary: str
    writer: str
    holds: frozenset[str]
    options: tuple[str, ...] = ()
    suffix: str | None = None
    description: str = "config.json"

    def write(self, job: Job, path: Path) -> list[str]:
        """Write into the folder, or the file, at `path`; lines for the user."""
        module, _, function = self.writer.partition(":")
        return getattr(importlib.import_module(f"ccalign_jax.exporting.{module}"), function)(job, path)


ALL = frozenset(FEATURES)

FORMATS: dict[str, Format] = {
    "safetensors": Format(
        "all parameters, and the plain matrices of linear maps and MLPs, in model.safetensors",
        "arrays:write_safetensors_file",
        ALL,
    ),
    "numpy": Format(
        "all parameters, and the plain matrices of linear maps and MLPs, in model.npz", "arrays:write_npz_file", ALL
    ),
    "onnx": Format(
        "any map, as models that onnxruntime and others run: one of captions, one of images", "onnx_files:write", ALL
    ),
    "torch": Format(
        "linear maps and MLPs, as a state dict and a script that uses it", "torch_files:write", ALL - {"nonlinear"}
    ),
    "faiss": Format(
        "linear maps, as transforms in front of an index",
        "faiss_files:write",
        ALL - {"nonlinear", "mlp", "plain_mlp"},
        options=("index",),
    ),
    "llama-index": Format(
        "square linear maps of captions, as the folder of a query adapter",
        "llama_index:write",
        frozenset({"offset"}),
        description="ccalign_jax.json",
    ),
    "seed": Format(
        "linear maps and residual MLPs of captions, as the seed study's .pt",
        "seed_files:write",
        frozenset({"mlp", "widths"}),
        suffix=".pt",
    ),
    "sentence-transformers": Format(
        "the frozen encoder and the map, as one folder for SentenceTransformer(path)",
        "sentence_transformers:write_model",
        ALL - {"nonlinear"},
        options=("text_encoder", "image_encoder"),
        description="ccalign_jax.json",
    ),
}
