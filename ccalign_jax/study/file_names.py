"""Names of files that are short and unique, from names that are neither."""

from __future__ import annotations

import hashlib
import re

__all__ = ["file_name", "plain_name"]

NAME_BYTES = 100  # of the 255 that file systems take


def file_name(name: str) -> str:
    """A name, such as a trial's, as a file name that no other name has, of at most 109 bytes.

    Everything but ASCII letters, digits, dots and dashes becomes `_`: the locale may have no other letters. Where that,
    or the length, loses something, the beginning of the name's SHA-256 follows.

    Example:
        >>> file_name("identity"), file_name("text:en/per_language(linear)/mse/temperature=0.1")
        ('identity', 'text_en_per_language_linear_mse_temperature_0.1-46a97d18')
    """
    cut = re.sub(r"[^\w.-]+", "_", name, flags=re.ASCII).strip("_")[:NAME_BYTES]
    return name if cut == name else f"{cut}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def plain_name(name: str) -> str:
    """What older versions had in place of `file_name`: two trials could share a file."""
    return re.sub(r"[^\w.-]+", "_", name).strip("_")
