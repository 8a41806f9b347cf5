"""The user's own encoders: a function of a batch."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ccalign_jax.encoders.base import FINAL, Choices, Encoder, Rows, Side, file_digest
from ccalign_jax.encoders.images import rgb_array
from ccalign_jax.errors import InputError
from ccalign_jax.plugins import load_plugin

__all__ = ["encoder_of", "load_function"]


def load_function(name: str, side: Side, choices: Choices) -> Encoder:
    """The encoder of `module:function` or `file.py:function`.

    Raises:
        InputError: there is no such module or function.
    """
    module_name, _, attribute = name.rpartition(":")
    module = load_plugin(module_name)
    function = getattr(module, attribute, None)
    if not callable(function):
        raise InputError(f"--{side}_encoder={name}: {module_name} has no function {attribute}; compare the names")
    return encoder_of(function, side, choices, name=f"{Path(module_name).stem}:{attribute}")


def encoder_of(function: Callable[[Any], Any], side: Side, choices: Choices, *, name: str | None = None) -> Encoder:
    """The encoder that a function of a batch is.

    Args:
        function: of a list of n captions, or of n images `[height, width, 3]` uint8, to rows `[n, d]`.
        side: which of both.
        choices: of which the prompt is read.
        name: by default its module and name.
    """
    known = (
        name or f"{getattr(function, '__module__', None)}:{getattr(function, '__qualname__', type(function).__name__)}"
    )
    prompt = choices.prompt or "" if side == "text" else ""

    def forward(batch: Sequence[Any]) -> Rows:
        found = function(batch)
        layers = found if isinstance(found, Mapping) else {FINAL: found}
        return {layer: np.asarray(rows) for layer, rows in layers.items()}

    about = {
        "name": known,
        "revision": None,
        "weights_sha256": _source_digest(function),
        "pooling": None,
        "prompt": prompt,
        "preprocessing": None if side == "text" else "uint8 RGB as it is",
        "precision": None,
        "versions": {"numpy": np.__version__},
    }
    prepare = (lambda caption: prompt + caption) if side == "text" else rgb_array
    return Encoder(known, about, prepare, list, (forward,) * (choices.devices or 1), len)


def _source_digest(function: Callable[..., Any]) -> str | None:
    """Digest of the file that defines the function; None where there is none."""
    try:
        path = inspect.getsourcefile(inspect.unwrap(function))
    except TypeError:  # an object with __call__
        path = inspect.getsourcefile(type(function)) if inspect.isclass(type(function)) else None
    return file_digest([Path(path)]) if path and Path(path).is_file() else None
