"""Packages whose functions are loaded on first use, so that names and summaries need no jax."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from typing import Any

__all__ = ["deferred"]


def deferred(package: str, module: str) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """`__getattr__` and `__dir__` of a package that re-exports a module in it, which is loaded on first use.

    Args:
        package: `__name__` of the package.
        module: name of the module in it, which imports all that the package offers.
    """

    def offered() -> list[str]:
        loaded = importlib.import_module(f"{package}.{module}")
        names = {*getattr(loaded, "__all__", vars(loaded)), *vars(sys.modules[package])}
        return sorted(name for name in names - {"TYPE_CHECKING", "deferred"} if not name.startswith("_"))

    def get(name: str) -> Any:
        if name == "__all__":  # `from package import *`
            return offered()
        if not name.startswith("_"):
            loaded = importlib.import_module(f"{package}.{module}")
            if hasattr(loaded, name):
                return getattr(loaded, name)
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return get, offered
