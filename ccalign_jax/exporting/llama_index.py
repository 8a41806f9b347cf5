"""A square linear map as the folder that LlamaIndex's adapter of query embeddings loads."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from ccalign_jax._libraries import import_library
from ccalign_jax.data.torch_files import save_torch
from ccalign_jax.exporting.job import Job

__all__ = ["write"]


def write(job: Job, folder: Path) -> list[str]:
    """Write `config.json` and `pytorch_model.bin` for `LinearAdapterEmbeddingModel(base_model, folder)`.

    Its layer scales no rows: they come out with the direction of the map's rows.
    """
    torch = import_library(f"--to={job.to}", "torch", "torch")
    (part,) = job.moving
    (layer,) = part.layers or ()
    bias = bool(layer.bias.any())
    state = {"linear.weight": torch.from_numpy(np.ascontiguousarray(layer.weight.T, np.float32))}
    if bias:
        state["linear.bias"] = torch.from_numpy(np.asarray(layer.bias, np.float32))
    save_torch(folder / "pytorch_model.bin", state)
    config = {"in_features": part.d_in, "out_features": job.d_out, "bias": bias}
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
    unit = ["the map has an offset: the base model must return rows of unit length"] * bias
    return [*unit, "rows come out of any length; compare them by the cosine"]
