"""What sweeps, runs over shards and extractions are asked for: each option once, with default, range and help.

Flags of the scripts, arguments of `ccalign_jax.sweep` and the config file of a run follow from the fields.
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, Self, TypedDict

from ccalign_jax.errors import InputError
from ccalign_jax.grids import GRIDS
from ccalign_jax.settings import SETTINGS

__all__ = ["ARRAYS", "SYNTHETIC", "AlignConfig", "ExtractConfig", "Option", "Options", "SweepConfig", "SweepOptions"]

SYNTHETIC, ARRAYS = "synthetic", "arrays"  # data that are no path
SEEDS = 2**32


class Option(NamedTuple):
    """One option; its default is that of its field.

    Attributes:
        help: what it is, in a few words.
        flag: its name on the command line, where that is not the field's.
        alias: a second name on the command line.
        minimum, maximum: the ends of its range; None for none.
        words: those that it may be; empty for any.
        repeated: given several times on the command line, rather than once as a comma list.
        in_bytes: given on the command line as the like of 512MiB.
        is_path: tells paths among its values; None if it has none.
    """

    help: str
    flag: str = ""
    alias: str = ""
    minimum: int | None = None
    maximum: int | None = None
    words: tuple[str, ...] = ()
    repeated: bool = False
    in_bytes: bool = False
    is_path: Callable[[str], bool] | None = None


def _option(default: Any, help: str, **choices: Any) -> Any:
    """A field with this default; `dataclasses.MISSING` for none."""
    return dataclasses.field(default=default, metadata={"option": Option(help, **choices)})


@dataclasses.dataclass(frozen=True)
class Options:
    """Choices that results depend on.

    Raises:
        InputError: a value that is not allowed.
    """

    def __post_init__(self) -> None:
        for name, option in self.options().items():
            value = getattr(self, name)
            if option.words and value not in option.words:
                raise InputError(f"--{name}={value}: it must be {' or '.join(option.words)}")
            if value is None or option.minimum is None:
                continue
            if value < option.minimum or (option.maximum is not None and value > option.maximum):
                ends = (
                    f"at least {option.minimum}"
                    if option.maximum is None
                    else f"from {option.minimum} to {option.maximum}"
                )
                raise InputError(f"--{name}={value}: it must be {ends}")

    @classmethod
    def options(cls) -> dict[str, Option]:
        """Every option, by the name of its field.

        Example:
            >>> SweepConfig.options()["limit"].help
            'use a random so many images'
        """
        return {field.name: field.metadata["option"] for field in dataclasses.fields(cls)}

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Self:
        """The options of a config file, in which tuples are lists; those that it lacks have their defaults."""
        return cls(**{name: tuple(value) if isinstance(value, list) else value for name, value in stored.items()})

    def absolute(self) -> Self:
        """The same with absolute paths, which are right in any working directory."""
        paths = {name: option.is_path for name, option in self.options().items() if option.is_path is not None}
        return dataclasses.replace(
            self, **{name: _absolute(getattr(self, name), is_path) for name, is_path in paths.items()}
        )

    def differences(self, other: Options) -> list[str]:
        """`name is mine, was theirs` for every option that differs."""
        mine, theirs = (dataclasses.asdict(options.absolute()) for options in (self, other))
        return [f"{name} is {mine[name]!r}, was {theirs[name]!r}" for name in mine if mine[name] != theirs[name]]


def _absolute(value: Any, is_path: Callable[[str], bool]) -> Any:
    if isinstance(value, tuple):
        return tuple(_absolute(one, is_path) for one in value)
    return os.path.abspath(value) if is_path(value) and os.path.exists(value) else value


def _seed(help: str) -> Any:
    return _option(0, help, minimum=0, maximum=SEEDS - 1)


def _plugins() -> Any:
    help = "a module, or the path of a .py file, that registers aligners, losses, pivots or metrics"
    return _option((), help, flag="plugin", repeated=True, is_path=lambda name: name.endswith(".py"))


@dataclasses.dataclass(frozen=True)
class SweepConfig(Options):
    """Every option that a sweep's results depend on; `config.json` holds them."""

    data: str = _option(
        SYNTHETIC,
        "a file or folder of embeddings, in any form of docs/data.md, or 'synthetic'",
        is_path=lambda name: name not in (SYNTHETIC, ARRAYS),
    )
    pivots: tuple[str, ...] = _option(
        ("image",), "what captions align to: names, or 'all'", flag="pivot", alias="pivots"
    )
    aligners: tuple[str, ...] | None = _option(None, "names; by default those that suit each pivot", alias="aligner")
    losses: tuple[str, ...] = _option(("infonce",), "names", alias="loss")
    grid: str = _option("default", "a built-in one, or a YAML file", is_path=lambda name: name not in GRIDS)
    hyper: tuple[str, ...] = _option((), "NAME=VALUE[,VALUE]: overrides the grid; may be repeated", repeated=True)
    protocol: Literal["nested", "seed"] = _option(
        "nested", "'nested', or 'seed' for the seed study's own way", words=("nested", "seed")
    )
    folds: int = _option(5, "outer folds")
    split: Literal["kfold", "official"] = _option(
        "kfold", "'kfold' over all images, or the file's 'official' split", words=("kfold", "official")
    )
    languages: tuple[str, ...] | None = _option(None, "use these languages only")
    heldout_language: str | None = _option(None, "train without this language, and report on it")
    limit: int | None = _option(None, "use a random so many images", minimum=1)
    seed: int = _seed("of folds, samples, training and replicates")
    inner_folds: int | None = _option(None, "that choose; 1: one part, a third of the work [the other folds in turn]")
    repeats: int = _option(1, "how often the images are divided into folds anew")
    duplicate_cosine: float = _option(0.999, "images closer than this are duplicates and stay in one split")
    race: bool = _option(True, "drop trials early from folds whose inner parts show them to be beaten")
    precision: Literal["float32", "bfloat16"] = _option(
        "float32",
        "of products in training and epoch scores; 'bfloat16' is faster with AMX",
        words=SETTINGS["precision"].words,
    )
    plugins: tuple[str, ...] = _plugins()

    def __post_init__(self) -> None:
        super().__post_init__()
        divided = self.inner_folds is not None or self.repeats != 1
        if self.protocol == "seed" and self.split == "official":
            raise InputError("--protocol=seed makes folds of its own; leave --split=official out")
        if self.protocol == "seed" and divided:
            raise InputError("--protocol=seed has no inner folds and no repeats; leave --inner_folds and --repeats out")
        if self.split == "official" and divided:
            raise InputError("--split=official is one fold of its own; leave --inner_folds and --repeats out")


class SweepOptions(TypedDict, total=False):
    """The fields of `SweepConfig` that `ccalign_jax.sweep` takes as they are, for type checkers."""

    pivots: str | Sequence[str]
    aligners: str | Sequence[str] | None
    losses: str | Sequence[str]
    grid: str
    protocol: Literal["nested", "seed"]
    split: Literal["kfold", "official"]
    languages: str | Sequence[str] | None
    heldout_language: str | None
    limit: int | None
    seed: int
    inner_folds: int | None
    repeats: int
    duplicate_cosine: float
    race: bool
    precision: Literal["float32", "bfloat16"]


@dataclasses.dataclass(frozen=True)
class AlignConfig(Options):
    """Every option that a map of shards depends on; `align.json` holds them."""

    data: str = _option(
        dataclasses.MISSING, "a file or folder of embeddings, in any form of docs/data.md", is_path=bool
    )
    pivot: str = _option("image", "what captions align to", alias="pivots")
    aligner: str = _option("residual", "what to train or to solve, such as residual or ridge", alias="aligners")
    loss: str = _option("infonce", "of what is trained", alias="losses")
    hyper: tuple[str, ...] = _option((), "NAME=VALUE: a setting; may be repeated", repeated=True)
    batch: int = _option(1024, "pairs a step", minimum=1)
    epochs: int = _option(1, "passes over the pairs", minimum=1)
    seed: int = _seed("of training, of the order of the pairs, and of which are held out")
    held: int = _option(
        2000, "pairs, at most a fifth and whole groups, that choose the epoch or the penalty; 0: none do", minimum=0
    )
    memory: int = _option(
        512 << 20, "for the rows that are held and shuffled together, in bytes, MiB or GiB", minimum=1, in_bytes=True
    )
    languages: tuple[str, ...] | None = _option(None, "use these languages only")
    plugins: tuple[str, ...] = _plugins()


@dataclasses.dataclass(frozen=True)
class ExtractConfig(Options):
    """Every option that embeddings of photographs and captions depend on; `embeddings.json` holds them."""

    images: str | None = _option(None, "a folder of photographs", is_path=bool)
    captions: str | None = _option(
        None,
        "their captions: .jsonl, .csv, .tsv or .parquet; beside --source 'first' or 'all' of an image and language",
        is_path=lambda name: name not in (None, "first", "all"),
    )
    source: str | None = _option(
        None, "in place of both: a path that holds captions, and images or their names, or KIND:PATH", is_path=bool
    )
    splits: tuple[str, ...] | None = _option(None, "use these splits only")
    text_encoder: str = _option(
        "sentence-transformers:sentence-transformers/clip-ViT-B-32-multilingual-v1",
        "of the captions: KIND:NAME, a folder, a hub name or module:function",
        is_path=bool,
    )
    image_encoder: str = _option("open_clip:ViT-B-32/openai", "of the photographs, likewise", is_path=bool)
    pooling: str | None = _option(None, "of token rows of transformers text models: mean, cls, last, max or pooler")
    image_pooling: str | None = _option(None, "of patch rows of transformers vision models, likewise")
    prompt: str | None = _option(None, "text before every caption, or a prompt's name of a SentenceTransformer")
    layers: tuple[str, ...] = _option((), "hidden states to keep, too, each in a subfolder (transformers)")
    dtype: Literal["float16", "float32"] = _option("float16", "of the rows", words=("float16", "float32"))
    precision: Literal["auto", "float32", "float16", "bfloat16"] = _option(
        "auto",
        "of the computation [float16 on accelerators, else float32]",
        words=("auto", "float32", "float16", "bfloat16"),
    )
    languages: tuple[str, ...] | None = _option(None, "use these languages only")
    batch_images: int = _option(64, "images encoded at once", minimum=1)
    batch_captions: int = _option(256, "captions encoded at once", minimum=1)
    shard_images: int = _option(1024, "images a shard, which a killed run loses at most", minimum=1)

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
