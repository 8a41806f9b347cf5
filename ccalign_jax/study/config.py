"""What a sweep is asked to do, and the data and fold plan that follow from it."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from ccalign_jax.data import EmbeddingSet, Fold, load, nested_folds, official_folds, seed_folds, synthetic
from ccalign_jax.data.duplicates import group_duplicates
from ccalign_jax.data.fold_checks import check_folds
from ccalign_jax.data.json_files import read_json
from ccalign_jax.errors import InputError
from ccalign_jax.grids import GRIDS
from ccalign_jax.precision import PRECISIONS, Precision

__all__ = [
    "ARRAYS",
    "SYNTHETIC",
    "SweepConfig",
    "absolute",
    "absolute_plugins",
    "plan_folds",
    "prepare_data",
    "read_data",
]

SYNTHETIC, ARRAYS = "synthetic", "arrays"
DUPLICATE_COSINE = 0.999


@dataclasses.dataclass(frozen=True)
class SweepConfig:
    """Every choice that a sweep's results depend on; `config.json` holds it.

    Attributes:
        data: a path that `data.load` reads, or "synthetic".
        pivots: names, or `all`.
        aligners: names; None for the default ones of each pivot.
        losses: names.
        grid: a built-in grid or a YAML file.
        hyper: settings such as "temperature=0.01,0.03" that override the grid.
        protocol: "nested", or "seed" for the seed study's own way.
        folds: number of outer folds.
        split: "kfold" over all images, or the file's "official" split.
        languages: a subset to use; None for all.
        heldout_language: trained without, and the one that is reported; None to train and report all.
        limit: use a random so many images; None for all.
        seed: of folds, samples, training and replicates.
        inner_folds: that choose within each outer fold; None for the other outer folds in turn, 1 for one part alone.
        repeats: how often the images are divided anew.
        duplicate_cosine: images whose cosine exceeds it are duplicates and stay in one part of every split.
        race: drop trials early from a fold whose inner parts show them to be beaten.
        precision: of the products of matrices in training and in the scores of epochs; see `Recipe`.
        plugins: modules or `.py` files that register what is named (see `load_plugin`), not those that are installed.
    """

    data: str = SYNTHETIC
    pivots: tuple[str, ...] = ("image",)
    aligners: tuple[str, ...] | None = None
    losses: tuple[str, ...] = ("infonce",)
    grid: str = "default"
    hyper: tuple[str, ...] = ()
    protocol: Literal["nested", "seed"] = "nested"
    folds: int = 5
    split: Literal["kfold", "official"] = "kfold"
    languages: tuple[str, ...] | None = None
    heldout_language: str | None = None
    limit: int | None = None
    seed: int = 0
    inner_folds: int | None = None
    repeats: int = 1
    duplicate_cosine: float = DUPLICATE_COSINE
    race: bool = True
    precision: Precision = "float32"
    plugins: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        choices = {"protocol": ("nested", "seed"), "split": ("kfold", "official"), "precision": PRECISIONS}
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise InputError(f"--{name}={getattr(self, name)}: it must be {' or '.join(allowed)}")
        if self.protocol == "seed" and self.split == "official":
            raise InputError("--protocol=seed makes folds of its own; leave --split=official out")
        if self.protocol == "seed" and (self.inner_folds is not None or self.repeats != 1):
            raise InputError("--protocol=seed has no inner folds and no repeats; leave --inner_folds and --repeats out")
        if self.split == "official" and (self.inner_folds is not None or self.repeats != 1):
            raise InputError("--split=official is one fold of its own; leave --inner_folds and --repeats out")
        if self.limit is not None and self.limit < 1:
            raise InputError(f"--limit={self.limit}: it must be at least 1 image")
        if not 0 <= self.seed < 2**32:
            raise InputError(f"--seed={self.seed}: it must be between 0 and {2**32 - 1}")

    @classmethod
    def read(cls, path: Path) -> SweepConfig:
        """The config that a run's `config.json` holds."""
        try:
            stored: dict[str, Any] = read_json(path)["config"]
            choices: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in stored.items()}
            return cls(**choices)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            raise InputError(f"{path}: not a sweep's config.json; give the folder of a run") from None

    def absolute(self) -> SweepConfig:
        """The same with absolute paths, which are right in any working directory."""
        data, grid = absolute(self.data, (SYNTHETIC, ARRAYS)), absolute(self.grid, GRIDS)
        return dataclasses.replace(self, data=data, grid=grid, plugins=absolute_plugins(self.plugins))

    def differences(self, other: SweepConfig) -> list[str]:
        """`name: mine, not theirs` for every choice that differs."""
        mine, theirs = (dataclasses.asdict(config.absolute()) for config in (self, other))
        return [f"{key} is {mine[key]!r}, was {theirs[key]!r}" for key in mine if mine[key] != theirs[key]]


def absolute(path: str, names: Collection[str] = ()) -> str:
    """The absolute path of a file or folder; what does not exist, and a name that is no path, as it is."""
    return os.path.abspath(path) if path not in names and os.path.exists(path) else path


def absolute_plugins(plugins: Sequence[str]) -> tuple[str, ...]:
    """Plugins with absolute paths for those that are files."""
    return tuple(absolute(plugin) if plugin.endswith(".py") else plugin for plugin in plugins)


def read_data(
    data: str | os.PathLike[str] | EmbeddingSet | Mapping[str, Any],
    images: Any = None,
    *,
    languages: Sequence[str] | None = None,
) -> EmbeddingSet:
    """An `EmbeddingSet` from whatever a caller has: a path, "synthetic", a set, or texts and images.

    Args:
        data: a path, "synthetic", an `EmbeddingSet`, or a mapping of language to rows `[n, d_text]`.
        images: `[n, d_image]` where `data` is a mapping; row i of each language describes image i. Rows may be NumPy
            or JAX arrays, PyTorch tensors, data frames or lists.
        languages: a subset to use.

    Raises:
        InputError: data of another kind, or that `load` or `EmbeddingSet.build` refuses.
    """
    if isinstance(data, Mapping):
        if images is None:
            raise InputError("texts without images: give images as [n, d_image], row i for caption row i")
        data = EmbeddingSet.build(ARRAYS, images, data)
    elif images is not None:
        raise InputError(
            "images need captions as a mapping of language to rows, such as {'en': rows}, row i for image i"
        )
    elif isinstance(data, str | os.PathLike):
        data = synthetic() if str(data) == SYNTHETIC else load(data, languages=languages)
    elif not isinstance(data, EmbeddingSet):
        raise InputError(
            f"data is a {type(data).__name__}; give a path, an EmbeddingSet, or a mapping of language to rows, such as "
            "{'en': rows}, and images"
        )
    return data if languages is None else data.with_languages(languages)


def prepare_data(data: EmbeddingSet, config: SweepConfig) -> EmbeddingSet:
    """The part of the data that the config asks for; what is left out is in its notes."""
    if config.limit is not None:
        data = data.limit(config.limit, seed=config.seed)
    if config.protocol == "seed":
        data = data.complete().first_captions()
    return group_duplicates(data, cosine=config.duplicate_cosine)


def plan_folds(data: EmbeddingSet, config: SweepConfig) -> list[Fold]:
    """The fold plan of the protocol, checked."""
    if config.protocol == "seed":
        folds = seed_folds(data, folds=config.folds)
    elif config.split == "official":
        folds = official_folds(data, seed=config.seed)
    else:
        folds = nested_folds(
            data, folds=config.folds, inner=config.inner_folds, repeats=config.repeats, seed=config.seed
        )
    check_folds(data, folds, nested=config.protocol == "nested")
    return folds
