"""What an extraction is asked for: each option once, with default, range and help."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Sequence
from typing import Literal, Self, TypedDict

from ccalign_jax.errors import InputError
from ccalign_jax.options.base import Options, option

__all__ = ["ExtractConfig", "ExtractOptions"]


@dataclasses.dataclass(frozen=True)
class ExtractConfig(Options):
    """Every option that embeddings of photographs and captions depend on; `embeddings.json` holds them."""

    images: str | None = option(None, "a folder of photographs", is_path=bool)
    captions: str | None = option(
        None,
        "their captions: .jsonl, .csv, .tsv or .parquet; beside --source 'first' or 'all' of an image and language",
        is_path=lambda name: name not in (None, "first", "all"),
    )
    source: str | None = option(
        None, "in place of both: a path that holds captions, and images or their names, or KIND:PATH", is_path=bool
    )
    splits: tuple[str, ...] | None = option(None, "use these splits only")
    text_encoder: str = option(
        "sentence-transformers:sentence-transformers/clip-ViT-B-32-multilingual-v1",
        "encoder of the captions: KIND:NAME, a folder, a hub name or module:function",
        is_path=bool,
    )
    image_encoder: str = option("open_clip:ViT-B-32/openai", "encoder of the photographs, likewise", is_path=bool)
    pooling: str | None = option(
        None, "pooling of token rows of transformers text models: mean, cls, last, max or pooler"
    )
    image_pooling: str | None = option(None, "pooling of patch rows of transformers vision models, likewise")
    prompt: str | None = option(None, "text before every caption, or a prompt's name of a SentenceTransformer")
    layers: tuple[str, ...] = option((), "hidden states to keep, too, each in a subfolder (transformers)")
    dtype: Literal["float16", "float32"] = option("float16", "number type of the rows", words=("float16", "float32"))
    precision: Literal["auto", "float32", "float16", "bfloat16"] = option(
        "auto",
        "precision of the computation [float16 on accelerators, else float32]",
        words=("auto", "float32", "float16", "bfloat16"),
    )
    languages: tuple[str, ...] | None = option(None, "use these languages only")
    batch_images: int = option(64, "images encoded at once", minimum=1)
    batch_captions: int = option(256, "captions encoded at once", minimum=1)
    shard_images: int = option(1024, "images a shard, which a killed run loses at most", minimum=1)

    def __post_init__(self) -> None:
        super().__post_init__()
        if bad := [layer for layer in self.layers if not re.fullmatch(r"-?\d{1,4}", str(layer))]:
            raise InputError(f"--layers={bad[0]}: it must be numbers of hidden states, such as 6,-2")

    def absolute(self) -> Self:
        """The same with absolute paths, that of `KIND:PATH` among them."""
        kind, colon, path = (self.source or "").rpartition(":")
        if kind.split(":")[-1] in ("", "hub") or not os.path.exists(path):
            return super().absolute()
        return dataclasses.replace(super().absolute(), source=f"{kind}{colon}{os.path.abspath(path)}")


class ExtractOptions(TypedDict, total=False):
    """The fields of `ExtractConfig` that `ccalign_jax.extract` takes as they are, for type checkers."""

    splits: str | Sequence[str] | None
    pooling: str | None
    image_pooling: str | None
    prompt: str | None
    layers: int | str | Sequence[int | str]
    dtype: Literal["float16", "float32"]
    precision: Literal["auto", "float32", "float16", "bfloat16"]
    languages: str | Sequence[str] | None
    batch_images: int
    batch_captions: int
    shard_images: int
