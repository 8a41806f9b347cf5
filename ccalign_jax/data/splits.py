"""Fold plans: index arrays that say which images train, select and report. Protocols only make plans."""

from __future__ import annotations

import dataclasses

import numpy as np

from ccalign_jax.data.embedding_set import EmbeddingSet
from ccalign_jax.errors import InputError

__all__ = ["INNER_SHARE", "Fold", "check_folds", "inner_fold", "nested_folds", "official_folds", "seed_folds"]

INNER_SHARE = 0.2
SEED_PROTOCOL_STATE = 7  # the seed study's KFold(random_state=7)
DEVELOPMENT = ("dev", "val", "valid", "validation")


@dataclasses.dataclass(frozen=True, eq=False)
class Fold:
    """One plan, as ascending image rows.

    Attributes:
        train: images that are fitted.
        select: images that pick the epoch and the trial.
        report: images that report, touched by nothing else (the seed protocol selects on them too).
        sample: training images on which `train_metrics` are taken.
        refit: images on which the final choice is refitted; the same in every fold of a plan.
    """

    train: np.ndarray
    select: np.ndarray
    report: np.ndarray
    sample: np.ndarray
    refit: np.ndarray


def nested_folds(data: EmbeddingSet, *, folds: int = 5, seed: int = 0) -> list[Fold]:
    """Outer folds that report, and of the rest a fifth that selects; groups are never split.

    Args:
        data: images and their groups.
        folds: ≥ 2.
        seed: of the shuffle.

    Raises:
        InputError: too few groups for the folds.
    """
    everything = np.arange(len(data))
    plans = []
    for number, report in enumerate(_grouped_parts(data, everything, folds, seed)):
        rest = np.setdiff1d(everything, report)
        select = _inner_part(data, rest, seed=(seed, number + 1))
        train = np.setdiff1d(rest, select)
        plans.append(Fold(train, select, report, _sample(train, len(report), (seed, number)), everything))
    return plans


def seed_folds(data: EmbeddingSet, *, folds: int = 5) -> list[Fold]:
    """The seed study's folds: scikit-learn's `KFold(folds, shuffle=True, random_state=7)` over the sorted keys.

    Each selects on the part that it reports, and `train_metrics` are taken on the whole training part.

    Raises:
        InputError: fewer images than folds.
    """
    _check_count(data, len(data), folds, "images")
    shuffled = np.arange(len(data))
    np.random.RandomState(SEED_PROTOCOL_STATE).shuffle(shuffled)
    plans = []
    for part in np.array_split(shuffled, folds):
        report = np.sort(part)
        train = np.setdiff1d(shuffled, report)
        plans.append(Fold(train, report, report, train, np.sort(shuffled)))
    return plans


def inner_fold(data: EmbeddingSet, *, seed: int = 0) -> Fold:
    """One plan for a single fit: a fifth of the images, groups whole, selects; nothing is left to report."""
    everything = np.arange(len(data))
    select = _inner_part(data, everything, seed=(seed, 0))
    train = np.setdiff1d(everything, select)
    return Fold(train, select, select, _sample(train, len(select), (seed, 0)), everything)


def official_folds(data: EmbeddingSet, *, seed: int = 0) -> list[Fold]:
    """The file's own split as one fold: `test` reports, `dev` selects, all else trains.

    The final choice is refitted without the test images, so that they stay a test for whoever takes it.

    Raises:
        InputError: no split in the file, no `test` in it, or a group on both sides.
    """
    if data.split is None:
        raise InputError(f"{data.name}: --split=official, but the file has no array 'split'; use --split=kfold")
    report = np.flatnonzero(data.split == "test")
    if not len(report):
        names = ", ".join(sorted(set(data.split.tolist())))
        raise InputError(f"{data.name}: no image is in split 'test' (there are {names}); use --split=kfold")
    rest = np.setdiff1d(np.arange(len(data)), report)
    if not len(rest):
        raise InputError(f"{data.name}: every image is in split 'test', none is left to train on; use --split=kfold")
    shared = np.intersect1d(data.groups[report], data.groups[rest])
    if len(shared):
        key = data.keys[rest[np.isin(data.groups[rest], shared)][0]]
        raise InputError(
            f"{data.name}: the official split tears {len(shared)} image groups apart (such as that of {key}); "
            "use --split=kfold"
        )
    select = rest[np.isin(data.split[rest], DEVELOPMENT)]
    if not len(select):
        select = _inner_part(data, rest, seed=(seed, 0))
    train = np.setdiff1d(rest, select)
    return [Fold(train, select, report, _sample(train, len(report), (seed, 0)), rest)]


def check_folds(data: EmbeddingSet, folds: list[Fold], *, nested: bool = False) -> None:
    """Check that plans have images for each part, train apart from the others, and every language in each.

    Args:
        data: that they are for.
        folds: plans.
        nested: whether what selects must not be reported either.

    Raises:
        InputError: names the fold and what is wrong with it.
    """
    if not folds:
        raise InputError(f"{data.name}: no fold is given; give one plan at least")
    for number, fold in enumerate(folds):
        for part in ("train", "select", "report", "sample", "refit"):
            rows = np.asarray(getattr(fold, part))
            if not np.issubdtype(rows.dtype, np.integer) or rows.ndim != 1 or (np.diff(rows) <= 0).any():
                raise InputError(f"{data.name}: fold {number}: {part} must be ascending image rows, each once")
            if len(rows) and not 0 <= rows[0] <= rows[-1] < len(data):
                raise InputError(
                    f"{data.name}: fold {number}: {part} has rows {rows[0]} to {rows[-1]}, "
                    f"there are 0 to {len(data) - 1}; make the plan for these data"
                )
        for part in ("train", "select", "report"):
            rows = getattr(fold, part)
            if not len(rows):
                raise InputError(
                    f"{data.name}: fold {number} has no image to {part}; give more images or fewer --folds"
                )
            present = np.zeros(len(data), bool)
            present[rows] = True
            for language in data.languages:
                if not present[data.image_of[language]].any():
                    raise InputError(
                        f"{data.name}: fold {number} has no caption in {language} to {part}; "
                        "give more images, fewer --folds, or leave the language out with --languages"
                    )
        for part in ("report", "select"):
            if len(np.intersect1d(fold.train, getattr(fold, part))):
                raise InputError(f"{data.name}: fold {number} trains on images that it {part}s; make the plan disjoint")
        if len(np.intersect1d(fold.sample, fold.report)):
            raise InputError(f"{data.name}: fold {number} has images to report in its training sample; leave them out")
        if nested and len(np.intersect1d(fold.select, fold.report)):
            raise InputError(f"{data.name}: fold {number} selects on images that it reports; make the plan disjoint")


def _check_count(data: EmbeddingSet, count: int, folds: int, what: str) -> None:
    if folds < 2:
        raise InputError(f"--folds={folds}: at least 2 are needed, one to train on and one to report")
    if count < folds:
        raise InputError(f"{data.name}: {count} {what} cannot make {folds} folds; lower --folds")


def _grouped_parts(data: EmbeddingSet, rows: np.ndarray, parts: int, seed) -> list[np.ndarray]:
    """`parts` parts of `rows` of nearly equal size, groups whole, shuffled."""
    names, which, sizes = np.unique(data.groups[rows], return_inverse=True, return_counts=True)
    _check_count(data, len(names), parts, "images" if len(names) == len(rows) else "image groups")
    owner = np.empty(len(names), int)
    filled = np.zeros(parts, int)
    for group in np.random.default_rng(seed).permutation(len(names)):
        owner[group] = np.argmin(filled)
        filled[owner[group]] += sizes[group]
    return [rows[owner[which] == part] for part in range(parts)]


def _inner_part(data: EmbeddingSet, rows: np.ndarray, seed) -> np.ndarray:
    parts = round(1 / INNER_SHARE)
    groups = len(np.unique(data.groups[rows]))
    if groups < parts:
        raise InputError(
            f"{data.name}: {groups} image groups are left to train on and to select with; "
            f"give more images, so that there are at least {parts}"
        )
    return _grouped_parts(data, rows, parts, seed)[0]


def _sample(rows: np.ndarray, count: int, seed) -> np.ndarray:
    return np.sort(np.random.default_rng(seed).choice(rows, min(count, len(rows)), replace=False))
