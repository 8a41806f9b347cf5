"""Photographs from files or bytes."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ccalign_jax._libraries import import_library
from ccalign_jax.errors import reason

__all__ = ["ImageReference", "open_image", "rgb_array"]

ImageReference = Path | bytes | Callable[[], bytes]


def open_image(image: ImageReference | Any, *, extra: str = "encode") -> Any:
    """A Pillow image, decoded, upright by its EXIF orientation, in RGB.

    Args:
        image: a path, the bytes of a file, a function that reads them, or an image that this function returned.
        extra: that installs Pillow.

    Raises:
        ValueError: no file, or not one that Pillow can read, in words that are the same each time.
        InputError: Pillow is not installed.
    """
    pillow, ops = (import_library("decoding of images", each, extra) for each in ("PIL.Image", "PIL.ImageOps"))
    if isinstance(image, pillow.Image):
        return image
    try:
        content = image if isinstance(image, bytes) else image.read_bytes() if isinstance(image, Path) else image()
    except OSError as error:
        raise ValueError(reason(error).lower()) from error
    if not content:
        raise ValueError("the file is empty")
    try:
        with pillow.open(io.BytesIO(content)) as opened:
            opened.load()
            upright = ops.exif_transpose(opened)
        # Transparent parts become white, not what happens to be stored below them.
        if upright.mode in ("RGBA", "LA", "PA") or "transparency" in upright.info:
            over = pillow.new("RGBA", upright.size, "white")
            upright = pillow.alpha_composite(over, upright.convert("RGBA"))
        return upright.convert("RGB")
    except pillow.UnidentifiedImageError as error:
        raise ValueError("not an image that Pillow can read") from error
    except Exception as error:  # damaged files raise SyntaxError, struct.error, DecompressionBombError, ...
        raise ValueError(f"damaged image ({reason(error)})") from error


def rgb_array(image: ImageReference) -> np.ndarray:
    """`[height, width, 3]` uint8."""
    return np.asarray(open_image(image))
