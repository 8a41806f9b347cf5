"""Whether fold plans, ours or a user's, can be trained, chosen by and reported as they stand."""

from __future__ import annotations

import numpy as np

from ccalign_jax.data.embedding_set import EmbeddingSet
from ccalign_jax.data.splits import Fold
from ccalign_jax.errors import InputError

__all__ = ["check_folds", "unused_images"]


def unused_images(data: EmbeddingSet, folds: list[Fold]) -> int:
    """How many images no fold fits, selects by or reports."""
    used = np.zeros(len(data), bool)
    for fold in folds:
        for rows in (fold.train, fold.report, *(inner.select for inner in fold.inner)):
            used[rows] = True
    return int((~used).sum())


def check_folds(data: EmbeddingSet, folds: list[Fold], *, nested: bool = False) -> None:
    """Check that plans have images for each part, train apart from the others, and every language in each.

    Args:
        data: that they are for.
        folds: plans.
        nested: whether what is chosen by must not be reported either.

    Raises:
        InputError: names the fold and what is wrong with it.
    """
    if not folds:
        raise InputError(f"{data.name}: no fold is given; give one plan at least")
    for number, fold in enumerate(folds):
        if not fold.inner:
            raise InputError(f"{data.name}: fold {number} has no inner part to select by; give it one at least")
        parts = {"train": fold.train, "report": fold.report, "sample": fold.sample, "refit": fold.refit}
        for place, inner in enumerate(fold.inner):
            where = "" if len(fold.inner) == 1 else f" in inner part {place}"
            parts |= {f"select{where}": inner.select, f"train to select{where}": inner.train}
        for part, rows in parts.items():
            _check_rows(data, f"fold {number}: {part}", np.asarray(rows))
        for part, rows in parts.items():
            if part not in ("sample", "refit"):
                _check_content(data, f"fold {number}", part, rows)
        if len(np.intersect1d(fold.train, fold.report)):
            raise InputError(f"{data.name}: fold {number} trains on images that it reports; make the plan disjoint")
        if len(np.intersect1d(fold.sample, fold.report)):
            raise InputError(f"{data.name}: fold {number} has images to report in its training sample; leave them out")
        for inner in fold.inner:
            if len(np.intersect1d(inner.train, inner.select)):
                raise InputError(
                    f"{data.name}: fold {number} trains on images that it selects by; make the plan disjoint"
                )
            if nested and len(np.intersect1d(np.concatenate([inner.train, inner.select]), fold.report)):
                raise InputError(f"{data.name}: fold {number} selects with images that it reports; leave them out")


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
        raise InputError(f"{data.name}: {fold} has no image to {part}; give more images or fewer --folds")
    present = np.zeros(len(data), bool)
    present[rows] = True
    for language in data.languages:
        if not present[data.image_of[language]].any():
            raise InputError(
                f"{data.name}: {fold} has no caption in {language} to {part}; "
                "give more images, fewer --folds, or leave the language out with --languages"
            )
