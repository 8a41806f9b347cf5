"""Libraries that only some uses need."""

from __future__ import annotations

import importlib
from typing import Any

from ccalign_jax.errors import InputError

__all__ = ["import_library"]


def import_library(user: object, name: str, extra: str) -> Any:
    """An optional module.

    Args:
        user: what needs it, such as a path or the name of an encoder.
        name: of the module.
        extra: of this package that installs it.

    Raises:
        InputError: it is not installed.

    Example:
        >>> import_library("captions.parquet", "no_such_library", "frames")
        Traceback (most recent call last):
        ccalign_jax.errors.InputError: captions.parquet needs no_such_library: pip install "ccalign_jax[frames]"
    """
    try:
        importlib.import_module(name.partition(".")[0])  # without which a module of it that is loaded is of no use
        return importlib.import_module(name)
    except ImportError as error:
        missing = (error.name or name).partition(".")[0]
        raise InputError(f'{user} needs {missing}: pip install "ccalign_jax[{extra}]"') from error
