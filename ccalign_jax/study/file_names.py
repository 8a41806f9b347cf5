"""Short and unique file names for names of any length and characters."""

from __future__ import annotations

import hashlib
import re

__all__ = ["file_name", "plain_name"]

NAME_BYTES = 100  # of the 255 that file systems take


def file_name(name: str) -> str:
    """A file name of at most 109 bytes for a name, such as a trial's; different names have different ones.

    Everything but ASCII letters, digits, dots and dashes becomes `_`: the locale's encoding may lack other letters.
    Where that, or the length, loses something, the beginning of the name's SHA-256 follows.

    Example:
        >>> file_name("identity"), file_name("text:en/per_language(linear)/mse/temperature=0.1")
        ('identity', 'text_en_per_language_linear_mse_temperature_0.1-46a97d18')
    """
    cut = re.sub(r"[^\w.-]+", "_", name, flags=re.ASCII).strip("_")[:NAME_BYTES]
    return name if cut == name else f"{cut}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def plain_name(name: str) -> str:
    """The `file_name` of older versions, which two trials could share."""
    return re.sub(r"[^\w.-]+", "_", name).strip("_")
