"""Fold plans of each protocol: index arrays of the images for training, validation and test."""

from __future__ import annotations

import dataclasses

import numpy as np

from ccalign_jax.data.embedding_set import EmbeddingSet
from ccalign_jax.errors import InputError

__all__ = [
    "INNER_SHARE",
    "Fold",
    "Inner",
    "inner_fold",
    "nested_folds",
    "official_folds",
    "seed_folds",
]

INNER_SHARE = 0.2
MIN_CROSSED = 4  # of three folds, two that validate in turn would leave a third of the images to fit
MAX_REPEATS = 1000
SEED_PROTOCOL_STATE = 7  # the seed study's KFold(random_state=7)
DEVELOPMENT = ("dev", "val", "valid", "validation")


@dataclasses.dataclass(frozen=True, eq=False)
class Inner:
    """Inner split of a fold: training images, and validation images that choose between fits, as ascending rows."""

    train: np.ndarray
    validation: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class Fold:
    """One fold of a plan, as ascending image rows.

    Attributes:
        train: images that are fitted for the test part.
        inner: splits whose mean validation score selects the epoch and the trial. One whose `train` is the fold's own
            costs no fit of its own; neither do equal ones of several folds.
        test: test images, touched by nothing else (the seed protocol selects on them too).
        train_eval: training images on which `train_metrics` are taken.
        refit: images on which the final choice is refitted; the same in every fold of a plan.
    """

    train: np.ndarray
    inner: tuple[Inner, ...]
    test: np.ndarray
    train_eval: np.ndarray
    refit: np.ndarray


def nested_folds(
    data: EmbeddingSet, *, folds: int = 5, inner: int | None = None, repeats: int = 1, seed: int = 0
) -> list[Fold]:
    """Outer folds for test, and inner ones of the rest for validation; groups are never split.

    Args:
        data: images and their groups.
        folds: ≥ 2.
        inner: inner folds. By default the other outer folds validate in turn; as two outer folds share what is fitted
            without both, k folds take k (k + 1) / 2 fits, not k². With 1, and by default where there are fewer than
            `MIN_CROSSED` folds, a fifth of the rest selects, and what was fitted on the others is reported itself.
        repeats: how often all images are divided anew, at most 1,000 times; the plans come one after another.
        seed: of the shuffles.

    Raises:
        InputError: too few groups for the folds.
    """
    if not 1 <= repeats <= MAX_REPEATS:
        raise InputError(f"--repeats={repeats}: it must be from 1 to {MAX_REPEATS}")
    if inner is not None and inner < 1:
        raise InputError(f"--inner_folds={inner}: at least 1 is needed")
    if inner is None and folds < MIN_CROSSED:
        inner = 1
    everything = np.arange(len(data))
    plans = []
    for repeat in range(repeats):
        stream = (seed,) if repeat == 0 else (seed, 0, repeat)
        outer = _grouped_parts(data, everything, folds, stream)
        for number, test in enumerate(outer):
            rest, own = np.setdiff1d(everything, test), (*stream, number + 1)
            if inner is None:
                parts = outer[:number] + outer[number + 1 :]
            elif inner == 1:
                parts = [_inner_part(data, rest, own)]
            else:
                parts = _grouped_parts(data, rest, inner, own, flag="inner_folds")
            choosing = tuple(Inner(np.setdiff1d(rest, validation), validation) for validation in parts)
            train = choosing[0].train if inner == 1 else rest
            plans.append(Fold(train, choosing, test, _sample(train, len(test), (*stream, number)), everything))
    return plans


def seed_folds(data: EmbeddingSet, *, folds: int = 5) -> list[Fold]:
    """The seed study's folds: scikit-learn's `KFold(folds, shuffle=True, random_state=7)` over the sorted keys.

    Each selects on its own test part, and `train_metrics` are taken on the whole training part.

    Raises:
        InputError: fewer images than folds.
    """
    _check_count(data, len(data), folds, "images")
    shuffled = np.arange(len(data))
    np.random.RandomState(SEED_PROTOCOL_STATE).shuffle(shuffled)
    plans = []
    for part in np.array_split(shuffled, folds):
        test = np.sort(part)
        train = np.setdiff1d(shuffled, test)
        plans.append(Fold(train, (Inner(train, test),), test, train, np.sort(shuffled)))
    return plans


def inner_fold(data: EmbeddingSet, *, seed: int = 0) -> Fold:
    """One plan for a single fit: a fifth of the images, groups whole, for validation; nothing is left to test on."""
    everything = np.arange(len(data))
    validation = _inner_part(data, everything, seed=(seed, 0))
    train = np.setdiff1d(everything, validation)
    return Fold(train, (Inner(train, validation),), validation, _sample(train, len(validation), (seed, 0)), everything)


def official_folds(data: EmbeddingSet, *, seed: int = 0) -> list[Fold]:
    """The file's own split as one fold: `test` is tested on, `dev` is for validation, all else trains.

    Images that share a group with one of the test split are left out of the others, and those that share one with a
    selecting image out of training. The final choice is refitted without the test images, so that they stay a test.

    Raises:
        InputError: no split in the file, no `test` in it, or nothing left to train on.
    """
    if data.split is None:
        raise InputError(f"{data.name}: --split=official, but the file has no array 'split'; use --split=kfold")
    test = np.flatnonzero(data.split == "test")
    if not len(test):
        names = ", ".join(sorted(set(data.split.tolist())))
        raise InputError(f"{data.name}: no image is in split 'test' (there are {names}); use --split=kfold")
    rest = np.flatnonzero(~np.isin(data.groups, data.groups[test]))
    if not len(rest):
        raise InputError(
            f"{data.name}: every image is in split 'test', or in a group with one that is: none is left to train on; "
            "use --split=kfold"
        )
    validation = rest[np.isin(data.split[rest], DEVELOPMENT)]
    if not len(validation):
        validation = _inner_part(data, rest, seed=(seed, 0))
    train = rest[~np.isin(data.groups[rest], data.groups[validation])]
    return [Fold(train, (Inner(train, validation),), test, _sample(train, len(test), (seed, 0)), rest)]


def _check_count(data: EmbeddingSet, count: int, folds: int, what: str, *, flag: str = "folds") -> None:
    if folds < 2:
        raise InputError(f"--folds={folds}: at least 2 are needed, one to train on and one to test on")
    if count < folds:
        raise InputError(f"{data.name}: {count} {what} cannot make {folds} folds; lower --{flag}")


def _grouped_parts(data: EmbeddingSet, rows: np.ndarray, parts: int, seed, *, flag: str = "folds") -> list[np.ndarray]:
    """`parts` parts of `rows` of nearly equal size, groups whole, shuffled."""
    names, which, sizes = np.unique(data.groups[rows], return_inverse=True, return_counts=True)
    _check_count(data, len(names), parts, "images" if len(names) == len(rows) else "image groups", flag=flag)
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
            f"{data.name}: {groups} image groups are left for training and validation; "
            f"give more images, so that there are at least {parts}"
        )
    return _grouped_parts(data, rows, parts, seed)[0]


def _sample(rows: np.ndarray, count: int, seed) -> np.ndarray:
    return np.sort(np.random.default_rng(seed).choice(rows, min(count, len(rows)), replace=False))
