"""Checks that fold plans, ours or a user's, can be trained, validated and tested."""

from __future__ import annotations

import numpy as np

from ccalign_jax.data.embedding_set import EmbeddingSet
from ccalign_jax.data.splits import Fold
from ccalign_jax.errors import InputError

__all__ = ["check_folds", "unused_images"]


def unused_images(data: EmbeddingSet, folds: list[Fold]) -> int:
    """Number of images that no fold uses for training, validation or test."""
    used = np.zeros(len(data), bool)
    for fold in folds:
        for rows in (fold.train, fold.test, *(inner.validation for inner in fold.inner)):
            used[rows] = True
    return int((~used).sum())


def check_folds(data: EmbeddingSet, folds: list[Fold], *, nested: bool = False) -> None:
    """Check that plans have images for each part, train apart from the others, and every language in each.

    Args:
        data: that they are for.
        folds: plans.
        nested: whether validation images must not be test images either.

    Raises:
        InputError: names the fold and what is wrong with it.
    """
    if not folds:
        raise InputError(f"{data.name}: no fold is given; give one plan at least")
    for number, fold in enumerate(folds):
        if not fold.inner:
            raise InputError(f"{data.name}: fold {number} has no inner part for validation; give it one at least")
        parts = {"training": fold.train, "test": fold.test, "train_eval": fold.train_eval, "refit": fold.refit}
        for place, inner in enumerate(fold.inner):
            where = "" if len(fold.inner) == 1 else f" in inner part {place}"
            parts |= {f"validation{where}": inner.validation, f"training{where}": inner.train}
        for part, rows in parts.items():
            _check_rows(data, f"fold {number}: {part}", np.asarray(rows))
        for part, rows in parts.items():
            if part not in ("train_eval", "refit"):
                _check_content(data, f"fold {number}", part, rows)
        if len(np.intersect1d(fold.train, fold.test)):
            raise InputError(f"{data.name}: fold {number} trains on its test images; make the plan disjoint")
        if len(np.intersect1d(fold.train_eval, fold.test)):
            raise InputError(f"{data.name}: fold {number} has test images in its training sample; leave them out")
        for inner in fold.inner:
            if len(np.intersect1d(inner.train, inner.validation)):
                raise InputError(f"{data.name}: fold {number} trains on its validation images; make the plan disjoint")
            if nested and len(np.intersect1d(np.concatenate([inner.train, inner.validation]), fold.test)):
                raise InputError(f"{data.name}: fold {number} has test images in its validation part; leave them out")


def _check_rows(data: EmbeddingSet, what: str, rows: np.ndarray) -> None:
    if not np.issubdtype(rows.dtype, np.integer) or rows.ndim != 1 or (np.diff(rows) <= 0).any():
        raise InputError(f"{data.name}: {what} must be ascending image rows, each once")
    if len(rows) and not 0 <= rows[0] <= rows[-1] < len(data):
        raise InputError(
            f"{data.name}: {what} has rows {rows[0]} to {rows[-1]}, there are 0 to {len(data) - 1}; "
            "make the plan for these data"
        )


def _check_content(data: EmbeddingSet, fold: str, part: str, rows: np.ndarray) -> None:
    """That a part has images, and captions of every language."""
    if not len(rows):
        raise InputError(f"{data.name}: {fold} has no image for {part}; give more images or fewer --folds")
    present = np.zeros(len(data), bool)
    present[rows] = True
    for language in data.languages:
        if not present[data.image_of[language]].any():
            raise InputError(
                f"{data.name}: {fold} has no caption in {language} for {part}; "
                "give more images, fewer --folds, or leave the language out with --languages"
            )
