"""Stock modules of sentence-transformers as files: what its releases from 5.0 on load without further code."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ccalign_jax.aligners import Layer
from ccalign_jax.data.safetensors_files import write_safetensors

__all__ = ["STOCK", "Module", "copied", "dense", "normalize", "router", "write_json_file", "write_modules"]

STOCK = "sentence_transformers.models."  # the name of the modules that every release knows
IDENTITY, GELU = "torch.nn.modules.linear.Identity", "torch.nn.modules.activation.GELU"


class Module(NamedTuple):
    """One module of a model.

    Attributes:
        type: its class, dotted.
        write: writes its files into an empty folder.
    """

    type: str
    write: Callable[[Path], None]

    @property
    def name(self) -> str:
        """Its class, without the modules that hold it."""
        return self.type.rpartition(".")[2]


def normalize() -> Module:
    """Rows scaled to unit length."""
    config = {"module_input_name": "sentence_embedding", "module_output_name": "sentence_embedding"}
    return Module(f"{STOCK}Normalize", lambda folder: write_json_file(folder / "config.json", config))


def dense(layer: Layer) -> Module:
    """A layer in float32; the weight is stored as `[d_out, d_in]`."""
    return Module(f"{STOCK}Dense", partial(_write_dense, layer))


def _write_dense(layer: Layer, folder: Path) -> None:
    # An activation whose name does not begin with torch. would be replaced by tanh, without an error.
    config = {
        "in_features": layer.weight.shape[0],
        "out_features": layer.weight.shape[1],
        "bias": bool(np.any(layer.bias)),
        "activation_function": GELU if layer.gelu else IDENTITY,
    }
    weights = {"linear.weight": np.ascontiguousarray(layer.weight.T, np.float32)}
    if config["bias"]:
        weights["linear.bias"] = np.ascontiguousarray(layer.bias, np.float32)
    write_json_file(folder / "config.json", config)
    write_safetensors(folder / "model.safetensors", weights, {"format": "pt"})


def copied(kind: str, source: Path, *, leave: Iterable[str] = (), add: Mapping[str, Any] | None = None) -> Module:
    """A module whose files exist already.

    Args:
        kind: its class, dotted.
        source: the folder of its files.
        leave: names in that folder that are not of the module.
        add: JSON files to write beside them, or in place of theirs.
    """
    return Module(kind, partial(_copy, source, frozenset(leave), dict(add or {})))


def _copy(source: Path, leave: frozenset[str], add: Mapping[str, Any], folder: Path) -> None:
    for path in sorted(source.iterdir()):
        if path.name in leave or path.name in add:
            continue
        if path.is_dir():
            shutil.copytree(path, folder / path.name)
        else:
            shutil.copyfile(path, folder / path.name)
    for name, content in add.items():
        write_json_file(folder / name, content)


def router(
    routes: Mapping[str, Sequence[Module]], *, default: str | None, modalities: Mapping[str, str] | None = None
) -> Module:
    """One of several chains of modules, chosen by the `task` of `encode`, or by what is encoded.

    Args:
        routes: name to chain; a module that is in several chains is stored once.
        default: the route without a task; None refuses to encode without one.
        modalities: such as `image` to the route that encodes it, whatever the task; releases from 5.4 on know these.
    """
    return Module(f"{STOCK}Router", partial(_write_router, dict(routes), default, dict(modalities or {})))


def _write_router(
    routes: Mapping[str, Sequence[Module]], default: str | None, modalities: Mapping[str, str], folder: Path
) -> None:
    names: dict[int, str] = {}
    types: dict[str, str] = {}
    for route, chain in routes.items():
        for number, module in enumerate(chain):
            if id(module) not in names:
                names[id(module)] = name = f"{route}_{number}_{module.name}"
                types[name] = module.type
                (folder / name).mkdir()
                module.write(folder / name)
    parameters: dict[str, Any] = {"default_route": default, "allow_empty_key": False}
    if modalities:
        parameters["route_mappings"] = {str((None, what)): route for what, route in modalities.items()}
    structure = {route: [names[id(module)] for module in chain] for route, chain in routes.items()}
    write_json_file(folder / "router_config.json", {"types": types, "structure": structure, "parameters": parameters})


def write_modules(folder: Path, modules: Sequence[Module], config: Mapping[str, Any]) -> None:
    """Write a model of these modules, in their order.

    Args:
        folder: empty.
        modules: the first one's files lie in the folder itself, unless it is a router.
        config: of the model: prompts, similarity function.
    """
    listed = []
    for number, module in enumerate(modules):
        in_root = number == 0 and module.name != "Router"
        path = "" if in_root else f"{number}_{module.name}"
        (folder / path).mkdir(exist_ok=True)
        module.write(folder / path)
        listed.append({"idx": number, "name": str(number), "path": path, "type": module.type})
    write_json_file(folder / "modules.json", listed)
    write_json_file(folder / "config_sentence_transformers.json", config)


def write_json_file(path: Path, content: Any) -> None:
    """Write JSON, indented."""
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
