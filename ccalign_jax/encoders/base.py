"""What every encoder is, and the choices that some of them read."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

__all__ = ["FINAL", "Choices", "Encoder", "Rows", "Side", "file_digest", "versions"]

Side = Literal["text", "image"]
Rows = Mapping[str, np.ndarray]  # layer to [n, d]
FINAL = ""  # the layer of the embedding itself


class Encoder(NamedTuple):
    """A frozen encoder of one side.

    Attributes:
        name: as it was asked for.
        about: what rows depend on, for JSON: name, revision, weights_sha256, pooling, prompt, preprocessing, precision,
            and versions of libraries.
        prepare: a caption, or an image as `open_image` returns it, ready for `collate`; runs in threads, and raises any
            exception for one that cannot be encoded.
        collate: prepared items as a batch.
        replicas: one function a device: a batch to rows `[n, d]`, by layer; `FINAL` is always there.
        length: of a prepared item; items of similar length are batched together.
    """

    name: str
    about: Mapping[str, Any]
    prepare: Callable[[Any], Any]
    collate: Callable[[Sequence[Any]], Any]
    replicas: tuple[Callable[[Any], Rows], ...]
    length: Callable[[Any], int] = lambda item: 0


@dataclasses.dataclass(frozen=True)
class Choices:
    """Options that encoders read.

    Attributes:
        pooling, image_pooling: of token rows of transformers models that are no dual encoders; None for the default.
        prompt: text before every caption, or the name of a prompt of a sentence-transformers model.
        layers: hidden states to keep, too, of transformers models.
        precision: of the computation; "auto" is float16 on accelerators, else float32.
        devices: how many to use; None for all accelerators, or one CPU.
        models: those that are loaded already, so that both sides share one.
    """

    pooling: str | None = None
    image_pooling: str | None = None
    prompt: str | None = None
    layers: tuple[int, ...] = ()
    precision: str = "auto"
    devices: int | None = None
    models: dict[Any, Any] = dataclasses.field(default_factory=dict)


def versions(*packages: str) -> dict[str, str]:
    """Versions of installed packages."""
    return {package: metadata.version(package) for package in packages}


def file_digest(paths: Iterable[Path]) -> str:
    """SHA-256 of the contents of files, in the order of their names."""
    digest = hashlib.sha256()
    for path in sorted(paths):
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()
