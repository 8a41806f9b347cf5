"""A map in the form of the seed study's program: one `.pt` file, which `seed_maps` reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ccalign_jax._libraries import import_library
from ccalign_jax.data.torch_files import save_torch
from ccalign_jax.exporting.job import Job

__all__ = ["write"]


def write(job: Job, path: Path) -> list[str]:
    """Write `{"kind": "linear", "W", "langs"}`, or `{"kind": "mlp", "state_dict", "langs", …}` of a residual MLP."""
    (part,), layers = job.moving, job.moving[0].layers
    assert layers is not None  # as the registry says
    torch = import_library(f"--to={job.to}", "torch", "torch")

    def tensor(array: np.ndarray) -> Any:
        return torch.from_numpy(np.ascontiguousarray(array, np.float32))

    languages = job.learned.about["languages"] if part.language is None else [part.language]
    content: dict[str, Any] = {"langs": list(languages)}
    if len(layers) == 1:
        content |= {"kind": "linear", "W": tensor(layers[0].weight)}
    else:
        hidden = layers[0].weight.shape[1] - 2 * part.d_in  # after it comes the identity, twice
        state = {
            "fc1.weight": layers[0].weight[:, :hidden].T,
            "fc1.bias": layers[0].bias[:hidden],
            "fc2.weight": layers[1].weight[:hidden].T,
            "fc2.bias": layers[1].bias,
            "eye_rect": np.eye(part.d_in, job.d_out),
        }
        content |= {"kind": "mlp", "head": "mlp_residual", "hidden": hidden, "d_text": part.d_in, "d_img": job.d_out}
        content["state_dict"] = {name: tensor(array) for name, array in state.items()}
    save_torch(path, content)
    return []
