"""The data and the folds that follow from the options of a sweep."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from ccalign_jax.data import EmbeddingSet, Fold, load, nested_folds, official_folds, seed_folds, synthetic
from ccalign_jax.data.duplicates import group_duplicates
from ccalign_jax.data.fold_checks import check_folds
from ccalign_jax.errors import InputError
from ccalign_jax.options import ARRAYS, SYNTHETIC, SweepConfig

__all__ = ["plan_folds", "prepare_data", "read_data"]


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
