"""The seed study's learned maps, from its `.pt` files, as checkpoints of ours."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from ccalign_jax.aligners import Params, make_aligner
from ccalign_jax.checkpoints import load_aligner
from ccalign_jax.data.checks import host_array
from ccalign_jax.data.torch_files import load_torch
from ccalign_jax.errors import InputError
from ccalign_jax.learned_map import LearnedMap

__all__ = ["load_seed_map", "read_map"]

LAYERS = ("fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias")


def read_map(path: LearnedMap | str | os.PathLike[str]) -> LearnedMap:
    """A checkpoint of ours, or one of the seed study's `.pt` maps; a map itself is returned as it is.

    Raises:
        InputError: as `load_aligner` and `load_seed_map`.
    """
    if isinstance(path, LearnedMap):
        return path
    return load_seed_map(path) if str(path).endswith(".pt") else load_aligner(path)


def load_seed_map(path: str | os.PathLike[str]) -> LearnedMap:
    """Read a map that the seed study's program saved, linear or MLP.

    A linear file holds `W` `[d_text, d_image]` and acts as xW: our `linear`. An MLP file holds a state dict of
    xE + W₂ GELU(W₁x + b₁) + b₂, with torch's `[out, in]` weights and exact GELU: our `residual_mlp`, the weights
    transposed. Either is one map for all languages, and its rows are then scaled to length one. The program's
    dropout is off when a map is used, as it is here.

    Args:
        path: a `.pt` file, `{"kind": "linear", "W", "langs"}` or `{"kind": "mlp", "state_dict", "langs"}`; it is
            read with `weights_only=True`.

    Returns:
        Aligner, float32 parameters and what they are; `save_tree` keeps it for `load_aligner`.

    Raises:
        InputError: one line that names the file, what is wrong and how to fix it.

    Example:
        >>> load_seed_map("W_missing.pt")
        Traceback (most recent call last):
        ccalign_jax.errors.InputError: W_missing.pt: no such file; give a map such as W_full_..._linear.pt
    """
    path = Path(path)
    content = _read(path)
    kind = content.get("kind")
    params: Params
    if kind == "linear":
        weight = _matrix(path, content, "W")
        name, params, hidden = "linear", {"weight": weight}, 0
        d_text, d_image = weight.shape
    elif kind == "mlp":
        name = "residual_mlp"
        params = _mlp_params(path, content)
        d_text, hidden = params["expand"]["kernel"].shape
        d_image = params["contract"]["kernel"].shape[1]
    else:
        raise InputError(f"{path}: kind is {kind!r}, only 'linear' and 'mlp' are known; save the map as one of these")
    languages = content.get("langs")
    if not isinstance(languages, list) or not languages or not all(isinstance(one, str) for one in languages):
        raise InputError(f"{path}: langs must list the languages that the map was trained on; add it")
    about = {
        "trial": path.stem,
        "aligner": name,
        "pivot": "image",
        "loss": "infonce",
        "hyper": {},
        "hidden": hidden,
        "d_text": d_text,
        "d_image": d_image,
        "languages": sorted(languages),
        "protocol": "seed",
        "source": path.name,
    }
    return LearnedMap(make_aligner(name, d_text, d_image, languages=len(languages), hidden=hidden), params, about)


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise InputError(f"{path}: no such file; give a map such as W_full_..._linear.pt")
    content = load_torch(path)
    if not isinstance(content, dict):
        raise InputError(f"{path}: holds a {type(content).__name__}, not the dict of a map; give W_full_..._linear.pt")
    return content


def _mlp_params(path: Path, content: dict[str, Any]) -> Params:
    """The parameters of `residual_mlp`, once it is sure that the file's head is one."""
    if content.get("head", "mlp_residual") != "mlp_residual":
        raise InputError(f"{path}: head is {content['head']!r}, only 'mlp_residual' is known; train it with that head")
    state = content.get("state_dict")
    if not isinstance(state, dict):
        raise InputError(f"{path}: no state_dict of the MLP; save one with its four layers {', '.join(LAYERS)}")
    strange = sorted(set(map(str, state)) - {*LAYERS, "eye_rect"})
    if strange:
        raise InputError(f"{path}: state_dict has {', '.join(strange)}, which no residual MLP has; only {LAYERS} are")
    expand, contract = (_matrix(path, state, key).T for key in ("fc1.weight", "fc2.weight"))
    biases = [_array(path, state, key) for key in ("fc1.bias", "fc2.bias")]
    fits = expand.shape[1] == contract.shape[0] and [bias.shape for bias in biases] == [
        (layer.shape[1],) for layer in (expand, contract)
    ]
    if not fits:
        shapes = ", ".join(f"{key} {list(np.shape(state[key]))}" for key in LAYERS)
        raise InputError(f"{path}: layers that do not fit each other: {shapes}; save the map again")
    if "eye_rect" in state:
        eye = _matrix(path, state, "eye_rect")
        # A square one is its own transpose; where widths differ, both orders are read.
        wanted = np.eye(len(expand), contract.shape[1], dtype=np.float32)
        if not (np.array_equal(eye, wanted) or np.array_equal(eye, wanted.T)):
            raise InputError(f"{path}: eye_rect is not the identity, so that the MLP is not x + …; save it with that")
    return {
        "expand": {"kernel": np.ascontiguousarray(expand), "bias": biases[0]},
        "contract": {"kernel": np.ascontiguousarray(contract), "bias": biases[1]},
    }


def _matrix(path: Path, content: dict[str, Any], key: str) -> np.ndarray:
    found = _array(path, content, key)
    if found.ndim != 2 or 0 in found.shape:
        raise InputError(f"{path}: {key} is {list(found.shape)}, not a matrix; save the map again")
    return found


def _array(path: Path, content: dict[str, Any], key: str) -> np.ndarray:
    """A tensor as a float32 array, every number finite."""
    tensor: Any = content.get(key)
    if not hasattr(tensor, "detach"):
        raise InputError(f"{path}: no tensor {key}; save the map again")
    found = host_array(str(path), key, tensor)
    if found.dtype.kind not in "fiu":
        raise InputError(f"{path}: {key} is {found.dtype}; save the map again, in float32")
    found = found.astype(np.float32)
    if not np.isfinite(found).all():
        raise InputError(f"{path}: {key} has a number that is NaN or infinite; train the map again")
    return found
