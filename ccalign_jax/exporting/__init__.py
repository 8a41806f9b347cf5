"""Learned maps written in the formats of other programs."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from ccalign_jax.exporting.registry import FORMATS as FORMATS
from ccalign_jax.exporting.registry import Format as Format

if TYPE_CHECKING:
    from ccalign_jax.exporting.api import Exported as Exported
    from ccalign_jax.exporting.api import export as export


def __getattr__(name: str) -> Any:
    if name in ("Exported", "export"):  # the registry alone needs no jax
        return getattr(importlib.import_module("ccalign_jax.exporting.api"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
