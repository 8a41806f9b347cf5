"""PyTorch models: their devices, their precision, and a digest of their weights."""

from __future__ import annotations

import copy
import hashlib
from typing import Any

from ccalign_jax.encoders.base import Choices, Side
from ccalign_jax.errors import InputError, reason

__all__ = ["load_error", "replicate", "state_digest"]


def replicate(torch: Any, model: Any, choices: Choices) -> tuple[list[tuple[Any, Any, Any]], str]:
    """Copies of a model on the devices, in half precision on accelerators.

    Args:
        torch: the module.
        model: on the CPU, in float32.
        choices: of which devices and precision are read.

    Returns:
        The copies as (model, device, dtype), and the name of their dtype.

    Raises:
        InputError: more devices than there are.
    """
    if torch.cuda.is_available():
        there = [f"cuda:{number}" for number in range(torch.cuda.device_count())]
    elif torch.backends.mps.is_available():
        there = ["mps"]
    else:
        there = ["cpu"] * max(choices.devices or 1, 1)  # replicas on one CPU are of use to tests alone
    count = choices.devices or len(there)
    if count > len(there):
        raise InputError(f"--devices={count}: there are {len(there)}; ask for fewer")
    half = there[0] != "cpu"
    precision = ("float16" if half else "float32") if choices.precision == "auto" else choices.precision
    dtype = getattr(torch, precision)
    copies = []
    for place, device in enumerate(there[:count]):
        one = model if place == count - 1 else copy.deepcopy(model)
        copies.append((one.to(device=device, dtype=dtype).eval(), device, dtype))
    return copies, precision


def load_error(side: Side, name: str, error: Exception, remedy: str = "give a folder or a hub name") -> InputError:
    """The error of a model that a library cannot load."""
    return InputError(f"--{side}_encoder={name}: cannot be loaded ({reason(error)}); {remedy}")


def state_digest(torch: Any, model: Any) -> str:
    """SHA-256 of all parameters and buffers, by name."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}".encode())
        flat = tensor.detach().cpu().contiguous().reshape(-1)
        digest.update(flat.view(torch.uint8).numpy().data)
    return digest.hexdigest()
