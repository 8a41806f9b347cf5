"""What sweeps and runs over shards are asked for."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Literal, TypedDict

from ccalign_jax.errors import InputError
from ccalign_jax.grids import GRIDS
from ccalign_jax.options.base import Options, option
from ccalign_jax.settings import SETTINGS

__all__ = ["ARRAYS", "SYNTHETIC", "AlignConfig", "SweepConfig", "SweepOptions"]

SYNTHETIC, ARRAYS = "synthetic", "arrays"  # data that are no path
SEEDS = 2**32


def _seed(help: str) -> Any:
    return option(0, help, minimum=0, maximum=SEEDS - 1)


def _plugins() -> Any:
    help = "a module, or the path of a .py file, that registers aligners, losses, pivots or metrics"
    return option((), help, flag="plugin", repeated=True, is_path=lambda name: name.endswith(".py"))


@dataclasses.dataclass(frozen=True)
class SweepConfig(Options):
    """Every option that a sweep's results depend on; `config.json` holds them."""

    data: str = option(
        SYNTHETIC,
        "a file or folder of embeddings, in any form of docs/data.md, or 'synthetic'",
        is_path=lambda name: name not in (SYNTHETIC, ARRAYS),
    )
    pivots: tuple[str, ...] = option(
        ("image",), "what captions align to: names, or 'all'", flag="pivot", alias="pivots"
    )
    aligners: tuple[str, ...] | None = option(
        None, "names of aligners; by default those that suit each pivot", alias="aligner"
    )
    losses: tuple[str, ...] = option(("infonce",), "names of losses", alias="loss")
    grid: str = option(
        "default", "a grid of settings: a built-in one, or a YAML file", is_path=lambda name: name not in GRIDS
    )
    hyper: tuple[str, ...] = option((), "NAME=VALUE[,VALUE]: overrides the grid; may be repeated", repeated=True)
    protocol: Literal["nested", "seed"] = option(
        "nested", "'nested', or 'seed' for the seed study's own way", words=("nested", "seed")
    )
    folds: int = option(5, "number of outer folds")
    split: Literal["kfold", "official"] = option(
        "kfold", "'kfold' over all images, or the file's 'official' split", words=("kfold", "official")
    )
    gallery: Literal["image", "teacher"] = option(
        "image", "what captions are judged on: 'image', or 'teacher' rows in their place", words=("image", "teacher")
    )
    languages: tuple[str, ...] | None = option(None, "use these languages only")
    heldout_language: str | None = option(None, "train without this language, and report on it")
    limit: int | None = option(None, "use so many images, drawn at random", minimum=1)
    seed: int = _seed("seed of folds, samples, training and replicates")
    inner_folds: int | None = option(
        None, "inner folds, which choose; 1: one part, a third of the work [the other folds in turn]"
    )
    repeats: int = option(1, "how often the images are divided into folds anew")
    duplicate_cosine: float = option(0.999, "images closer than this are duplicates and stay in one split")
    race: bool = option(True, "drop trials early from folds whose inner parts show them to be clearly worse")
    precision: Literal["float32", "bfloat16"] = option(
        "float32",
        "precision of products in training and epoch scores; 'bfloat16' is faster with AMX",
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
    gallery: Literal["image", "teacher"]
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

    data: str = option(dataclasses.MISSING, "a file or folder of embeddings, in any form of docs/data.md", is_path=bool)
    pivot: str = option("image", "what captions align to", alias="pivots")
    aligner: str = option("residual", "an aligner to train or to solve, such as residual or ridge", alias="aligners")
    loss: str = option("infonce", "the loss of what is trained", alias="losses")
    hyper: tuple[str, ...] = option((), "NAME=VALUE: a setting; may be repeated", repeated=True)
    batch: int = option(1024, "pairs a step", minimum=1)
    epochs: int = option(1, "passes over the pairs", minimum=1)
    seed: int = _seed("seed of training, of the order of the pairs, and of which are held out")
    held: int = option(
        2000, "pairs held out to choose the epoch or the penalty: at most a fifth, in whole groups; 0: none", minimum=0
    )
    split: Literal["all", "official"] = option(
        "all", "'all' images, or those that the file's 'official' split does not test on", words=("all", "official")
    )
    memory: int = option(
        512 << 20,
        "memory for the rows that are held and shuffled together, in bytes, MiB or GiB",
        minimum=1,
        in_bytes=True,
    )
    languages: tuple[str, ...] | None = option(None, "use these languages only")
    plugins: tuple[str, ...] = _plugins()
