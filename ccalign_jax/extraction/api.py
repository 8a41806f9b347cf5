"""An extraction from Python, in one call."""

from __future__ import annotations

import os
from typing import Any, Unpack

from ccalign_jax.extraction.folder import Part
from ccalign_jax.extraction.items import Source
from ccalign_jax.extraction.run import Function, Progress, plan_extraction, run_extraction
from ccalign_jax.options import ExtractConfig, ExtractOptions, with_options
from ccalign_jax.options.base import check_names

__all__ = ["extract"]

SEVERAL = ("splits", "layers", "languages")


@with_options(ExtractConfig, ExtractOptions)
def extract(
    images: str | os.PathLike[str] | None = None,
    captions: str | os.PathLike[str] | None = None,
    *,
    out: str | os.PathLike[str],
    text_encoder: str | Function | None = None,
    image_encoder: str | Function | None = None,
    source: Source | str | os.PathLike[str] | None = None,
    part: str = "1/1",
    resume: bool = False,
    overwrite: bool = False,
    devices: int | None = None,
    threads: int | None = None,
    progress: Progress = lambda what, done, total: None,
    **options: Unpack[ExtractOptions],
) -> dict[str, Any]:
    """Embed photographs and captions with frozen encoders, into a folder that `load` and `open_shards` read.

    Args:
        images: a folder of photographs.
        captions: their captions: .jsonl, .csv, .tsv or .parquet; beside a source that is a path, `first` or `all`.
        out: the folder to write.
        text_encoder, image_encoder: names, as on the command line, or functions of a list of n captions, or of n images
            `[height, width, 3]` uint8, to rows `[n, d]`.
        source: in place of images and captions: a path, `KIND:PATH`, or a `Source`.
        part: of several machines, `i/n`, each of which embeds a share of the shards.
        resume: go on with the extraction that is there.
        overwrite: replace it.
        devices, threads: to encode on, and that decode images.
        progress: called with what goes on, rows done, and rows in all.
        options: see `ExtractConfig`.

    Returns:
        The folder's description, `embeddings.json`.

    Raises:
        InputError: a mistake in the options, the captions or the encoders, or a folder that holds something else.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> from pathlib import Path
        >>> from ccalign_jax.data import load
        >>> from ccalign_jax.extraction import Item, Source
        >>> items = [Item(key, None, b"", {"en": [key], "de": [key, key + key]}) for key in ("dog", "cat")]
        >>> def letters(captions):
        ...     return np.array([[caption.count(letter) + 1.0 for letter in "acdgot"] for caption in captions])
        >>> from PIL import Image
        >>> import io
        >>> def photograph(shade):
        ...     Image.new("RGB", (4, 4), (shade, 99, 20)).save(file := io.BytesIO(), "png")
        ...     return file.getvalue()
        >>> items = [item._replace(image=photograph(50 * at)) for at, item in enumerate(items)]
        >>> def colours(images):
        ...     return np.array([image.mean((0, 1)) for image in images])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     found = extract(
        ...         source=Source("two", lambda: iter(items), "a digest"),
        ...         out=folder,
        ...         text_encoder=letters,
        ...         image_encoder=colours,
        ...     )
        ...     data = load(folder)
        >>> found["captions"], data.keys.tolist(), data.image_of["de"].tolist(), (data.d_text, data.d_image)
        ({'de': 4, 'en': 2}, ['cat', 'dog'], [0, 0, 1, 1], (6, 3))
    """
    given = {"images": images, "captions": captions, "text_encoder": text_encoder, "image_encoder": image_encoder}
    if not isinstance(source, Source):
        given["source"], source = source, None
    named: dict[str, Any] = {
        key: os.fspath(value) for key, value in given.items() if value is not None and not callable(value)
    }
    check_names(options, ExtractOptions.__annotations__)
    chosen = {key: _strings(value) if key in SEVERAL else value for key, value in options.items()}
    functions = {key: value for key, value in given.items() if callable(value)}
    for key, function in functions.items():
        named[key] = getattr(function, "__qualname__", type(function).__name__)
    plan = plan_extraction(ExtractConfig(**{**named, **chosen}), source=source, devices=devices, **functions)
    return run_extraction(
        plan,
        out,
        part=Part.parse(part),
        resume=resume,
        overwrite=overwrite,
        threads=threads,
        progress=progress,
    )


def _strings(value: Any) -> tuple[str, ...] | None:
    """Several values, or one by itself, as text."""
    several = (value,) if isinstance(value, str | int) else value
    return None if several is None else tuple(map(str, several))
