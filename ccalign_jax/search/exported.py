"""Learned maps read back from the folders of `ccalign export`, beside checkpoints and the seed study's files."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree

from ccalign_jax.aligners import Aligner, make_aligner
from ccalign_jax.data.json_files import read_json
from ccalign_jax.data.npz import read_npz
from ccalign_jax.data.stored_arrays import stored_arrays
from ccalign_jax.descriptions import described_aligner
from ccalign_jax.errors import InputError
from ccalign_jax.learned_map import LearnedMap
from ccalign_jax.seed_maps import read_map

__all__ = ["identity_map", "read_any_map"]

DESCRIPTIONS = ("ccalign_jax.json", "config.json")  # of an export; a folder of a model has a config.json of its own
NORMALIZE, ROUTER = "Normalize", "Router"
OTHER = "other"  # the route of captions of a language without one
Weights = Mapping[str, np.ndarray]


def read_any_map(path: str | os.PathLike[str]) -> LearnedMap:
    """A map from a checkpoint, the seed study's `.pt`, or an export to safetensors, NumPy or sentence-transformers.

    Exports do not say which images the map was trained on.

    Raises:
        InputError: none of these, or a damaged one.
    """
    folder = Path(path)
    for name in DESCRIPTIONS:
        try:
            content = read_json(folder / name)
            if "ccalign_jax" in content["made_by"]:
                about = content["map"]
                to = content["format"]
                break
        except (OSError, ValueError, KeyError, TypeError):
            continue
    else:
        return read_map(path)
    try:
        if to == "sentence-transformers":
            return _read_modules(folder, about)
        if to in ("safetensors", "numpy"):
            return _read_parameters(folder, about)
    except (OSError, KeyError, ValueError, TypeError, IndexError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{folder}: damaged, or not whole ({error}); export it again") from None
    raise InputError(f"{folder}: an export to {to}, which is not read here; give RUN/best, or --to=safetensors of it")


def identity_map(learned: LearnedMap) -> LearnedMap:
    """The map that leaves rows of the same widths as they are: cut, or filled up with zeros, where widths differ."""
    about = {key: learned.about[key] for key in ("d_text", "d_image", "languages")}
    aligner = make_aligner("identity", about["d_text"], about["d_image"], languages=len(about["languages"]))
    return LearnedMap(aligner, {}, {"aligner": "identity", "trial": "identity", **about})


def _read_parameters(folder: Path, about: Mapping[str, Any]) -> LearnedMap:
    path = folder / "model.npz"
    if path.is_file():
        arrays = read_npz(path)
    else:
        arrays = {name: array.read() for name, array in stored_arrays(folder / "model.safetensors").items()}
    aligner = described_aligner(folder, about)
    shapes = jax.eval_shape(aligner.init, jax.random.key(0))

    def stored(place: Sequence[Any], leaf: Any) -> np.ndarray:
        name = "params." + ".".join(str(getattr(key, "key", key)) for key in place)
        if name not in arrays or arrays[name].shape != leaf.shape:
            raise InputError(
                f"{folder}: {name} is not {list(leaf.shape)} as {about['aligner']} has it; export it again"
            )
        return arrays[name]

    return LearnedMap(aligner, jax.tree_util.tree_map_with_path(stored, shapes), dict(about))


def _read_modules(folder: Path, about: Mapping[str, Any]) -> LearnedMap:
    """The map from its Dense modules, which stand between two normalisations at the end of each side."""
    described = described_aligner(folder, about)
    modules = read_json(folder / "modules.json")
    chain = [(each["type"], folder / each["path"]) for each in modules]
    image: list[tuple[str, Path]] = []
    if len(chain) == 1 and _kind(chain[0]) == ROUTER:  # of both sides
        sides = _routes(chain[0][1])
        chain, image = sides["text"], sides["image"]
    elif described.trains_image:
        raise InputError(f"{folder}: holds captions alone, but the map moves images, too; give RUN/best")
    tail = _tail(chain)
    routes = _routes(tail[0][1]) if tail and _kind(tail[0]) == ROUTER else {OTHER: tail}
    layers = {name: [_dense(one) for one in route] for name, route in routes.items()}
    # One more row of the stack is what all languages share, which number -1 takes.
    shared = layers.get(OTHER) or next(iter(layers.values()))
    stack = jax.tree.map(
        lambda *leaves: np.stack(leaves), *(layers.get(name, shared) for name in about["languages"]), shared
    )
    params = {"text": stack, "image": [_dense(one) for one in _tail(image)]}
    gelu = [_gelu(one) for one in next(iter(routes.values()))]

    def text(params: PyTree, text: Any, language: Any, *, key: Any = None, dropout: Any = 0.0) -> Any:
        return _apply(jax.tree.map(lambda leaf: leaf[language], params["text"]), gelu, text)

    images_gelu = [_gelu(one) for one in _tail(image)]
    aligner = Aligner(
        init=lambda key: params,
        text=text,
        image=lambda params, rows: _apply(params["image"], images_gelu, rows),
        deviation=lambda params: {},
        trains_image=bool(params["image"]),
    )
    return LearnedMap(aligner, params, dict(about))


def _tail(chain: Sequence[tuple[str, Path]]) -> list[tuple[str, Path]]:
    """The modules between the last two normalisations."""
    found: list[tuple[str, Path]] = []
    for module in reversed(chain[:-1]):
        if _kind(module) == NORMALIZE:
            return found[::-1]
        found.append(module)
    return []


def _routes(folder: Path) -> dict[str, list[tuple[str, Path]]]:
    content = read_json(folder / "router_config.json")
    types = content["types"]
    return {route: [(types[name], folder / name) for name in names] for route, names in content["structure"].items()}


def _kind(module: tuple[str, Path]) -> str:
    return module[0].rpartition(".")[2]


def _gelu(module: tuple[str, Path]) -> bool:
    return read_json(module[1] / "config.json")["activation_function"].endswith("GELU")


def _dense(module: tuple[str, Path]) -> dict[str, np.ndarray]:
    arrays = {name: array.read() for name, array in stored_arrays(module[1] / "model.safetensors").items()}
    weight = np.ascontiguousarray(arrays["linear.weight"].T)
    return {"weight": weight, "bias": arrays.get("linear.bias", np.zeros(weight.shape[1], np.float32))}


def _apply(layers: Sequence[Mapping[str, Any]], gelu: Sequence[bool], rows: Any) -> Any:
    for layer, bent in zip(layers, gelu, strict=True):
        rows = jnp.matmul(rows, layer["weight"], precision=jax.lax.Precision.HIGHEST) + layer["bias"]
        rows = jax.nn.gelu(rows, approximate=False) if bent else rows
    return rows
