"""A map for PyTorch: a state dict, and a script that maps rows with it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ccalign_jax._libraries import import_library
from ccalign_jax.data.torch_files import save_torch
from ccalign_jax.exporting.job import Job

__all__ = ["write"]

SCRIPT = '''"""Map rows with PyTorch alone: [m, d_in] to unit rows [m, d_out]. The parts are those of config.json."""

from pathlib import Path

import torch
from torch import nn
from torch.nn.functional import normalize

state = torch.load(Path(__file__).with_name("model.pt"), weights_only=True)


def load_part(part: str) -> nn.Sequential:
    own = {key.removeprefix(f"{part}."): value for key, value in state.items() if key.startswith(f"{part}.")}
    linear = [nn.Linear(*reversed(value.shape)) for key, value in own.items() if key.endswith("weight")]
    layers = nn.Sequential(*[layer for one in linear for layer in (nn.GELU(), one)][1:])
    layers.load_state_dict(own)
    return layers


@torch.no_grad()
def map_rows(rows: torch.Tensor, part: str = "captions") -> torch.Tensor:
    return normalize(load_part(part)(normalize(rows, dim=-1)), dim=-1)
'''


def write(job: Job, folder: Path) -> list[str]:
    """Write `model.pt`, tensors by name that torch loads with `weights_only=True`, and `use_map.py`.

    A part is an `nn.Sequential` of one linear layer, or of two with the exact GELU between; images that stay as they
    are have none.
    """
    torch = import_library(f"--to={job.to}", "torch", "torch")
    state = {}
    for part in job.moving:
        for place, layer in enumerate(part.layers or ()):
            name = f"{part.name}.{2 * place}"  # a GELU stands between
            state[f"{name}.weight"] = torch.from_numpy(np.ascontiguousarray(layer.weight.T, np.float32))
            state[f"{name}.bias"] = torch.from_numpy(np.asarray(layer.bias, np.float32))
    save_torch(folder / "model.pt", state)
    (folder / "use_map.py").write_text(SCRIPT, encoding="utf-8")
    return []
