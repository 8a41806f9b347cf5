"""Retrieval with shorter rows: by width and by bits, against the rows as they are."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Float, Int

from ccalign_jax.compression import CODES, REDUCTIONS, Reduction, fit_reduction
from ccalign_jax.data import EmbeddingSet
from ccalign_jax.data.splits import nested_folds, official_folds
from ccalign_jax.errors import InputError
from ccalign_jax.evaluation.apply import apply
from ccalign_jax.evaluation.evaluated_set import unit_sets
from ccalign_jax.evaluation.held_out import find_held_out
from ccalign_jax.learned_map import LearnedMap
from ccalign_jax.measurement.estimates import Entry
from ccalign_jax.measurement.inference import Arm, Inference, adjust
from ccalign_jax.measurement.measure import Measurement, measure
from ccalign_jax.measurement.metric_replicates import describe_statistics
from ccalign_jax.measurement.records import ArmEntry
from ccalign_jax.measurement.replicates import draw_replicates
from ccalign_jax.metrics import rank_tasks
from ccalign_jax.seed_maps import read_map
from ccalign_jax.study.arrays import make_part
from ccalign_jax.study.inputs import read_data
from ccalign_jax.study.summary import describe_data

if TYPE_CHECKING:
    from ccalign_jax.data.objects import Source

__all__ = ["FULL", "Shortening", "shorten"]

FULL = "full"
LEAST_WIDTH, LEAST_IMAGES, FOLDS = 16, 50, 5
BITS = {"float32": 32, "int8": 8, "binary": 1}  # bits a number


class Shortening(NamedTuple):
    """What `shorten` finds.

    Attributes:
        summary: the content of `shortening.json`; `docs/shortening.md` explains it.
        arms: all estimates in it, of `records.csv`.
        reductions: each, fitted on all images.
    """

    summary: dict[str, Any]
    arms: list[ArmEntry]
    reductions: dict[str, Reduction]


class Split(NamedTuple):
    """The rows of a data set under one map, and which images fit reductions and codes, and which are searched."""

    data: EmbeddingSet
    train: Int[np.ndarray, " t"]
    test: Int[np.ndarray, " s"]


def shorten(
    data: Source | EmbeddingSet,
    checkpoint: LearnedMap | str | os.PathLike[str] | None = None,
    *,
    widths: Sequence[int] = (),
    accept: float = 0.01,
    seed: int = 0,
    progress: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> Shortening:
    """Recall of shorter and coarser rows, fitted on other images than those that are searched.

    Args:
        data: embeddings. With an official split its test images are searched; else those of five folds in turn; with a
            map, images that it was not trained on, or the test images of its sweep's folds.
        checkpoint: a map, or its folder; None for the rows as they are.
        widths: numbers of a row; empty for a half, a quarter, …, down to 16.
        accept: a loss of R@1, in the mean of both directions: the shortest rows are named that lose no more, with all
            of the interval.
        seed: of folds and bootstrap replicates.
        progress: called with what goes on, steps done, and steps in all.

    Raises:
        InputError: data or a map that cannot be read, spaces of unlike width without a map, or too few images.
    """
    data = read_data(data)
    if checkpoint is None and data.d_text != data.d_image:
        raise InputError(
            f"{data.name}: captions have {data.d_text} numbers, images {data.d_image}: they share no space; give "
            "--checkpoint"
        )
    splits, trial, words = _splits(data, checkpoint, seed)
    full = splits[0].data.d_image
    chosen = sorted({full, *(widths or _halvings(full))}, reverse=True)
    if chosen[0] > full or chosen[-1] < 1:
        raise InputError(f"--widths={','.join(map(str, widths))}: give numbers from 1 to {full}")
    arms: dict[tuple[str, str, int], list[Measurement]] = {}
    for number, split in enumerate(splits):
        for key, measured in _measure_all(split, chosen):
            progress("ranking", number, len(splits))
            arms.setdefault(key, []).append(measured)
    progress("ranking", len(splits), len(splits))
    baseline = Arm((FULL,), arms[next(iter(REDUCTIONS)), "float32", full])
    replicates = draw_replicates(data.groups, seed=seed)
    inference = Inference(baseline, replicates)
    entries = {key: inference.entry(Arm(tuple(map(str, key)), each)) for key, each in arms.items()}
    adjust(list(entries.values()))
    rows = [
        {"reduction": reduction, "code": code, "width": width, "bytes": row_bytes(code, width), **entry.nest()}
        for (reduction, code, width), entry in entries.items()
    ]
    summary = {
        "schema": 1,
        "data": describe_data(data),
        "map": trial,
        "held_out": words,
        "folds": len(splits),
        "gallery": round(float(np.mean([len(split.test) for split in splits]))),
        "width": full,
        "accept": accept,
        "statistics": describe_statistics(replicates),
        "baselines": {FULL: inference.levels().nest()},
        "rows": rows,
        "shortest": _shortest(rows, accept),
    }
    listed = [ArmEntry("baseline", FULL, Entry(inference.levels()))]
    listed += [ArmEntry("/".join(map(str, key[:2])), str(key[2]), entry, FULL) for key, entry in entries.items()]
    return Shortening(summary, listed, _final(data, checkpoint))


def row_bytes(code: str, width: int) -> int:
    """Bytes of a row.

    Example:
        >>> row_bytes("float32", 64), row_bytes("int8", 64), row_bytes("binary", 60)
        (256, 64, 8)
    """
    return -(-BITS[code] * width // 8)


def _halvings(width: int) -> list[int]:
    return [width >> step for step in range(1, width.bit_length()) if width >> step >= LEAST_WIDTH]


def _splits(
    data: EmbeddingSet, checkpoint: LearnedMap | str | os.PathLike[str] | None, seed: int
) -> tuple[list[Split], str | None, str]:
    """Which images are searched, and which fit; the map's name; and where the searched ones come from, in words."""
    if checkpoint is None:
        if data.split is not None and (data.split == "test").any():
            fold = official_folds(data)[0]
            return [Split(data, fold.refit, fold.test)], None, f"{len(fold.test)} images of the test split"
        return _folds(data, seed), None, f"the images of {FOLDS} folds in turn"
    learned = read_map(checkpoint)
    held, words = find_held_out(learned, data, None if isinstance(checkpoint, LearnedMap) else checkpoint)
    if not held:
        raise InputError(f"{data.name}: {words}; give other data")
    trial = learned.about.get("trial", learned.about["aligner"])
    splits = []
    for one in held:
        test = np.searchsorted(data.keys, one.data.keys)
        train = np.flatnonzero(~np.isin(data.groups, data.groups[test]))
        if len(train) < LEAST_IMAGES:  # all images are new to the map
            return _folds(apply(learned, data), seed), trial, f"{words}, in {FOLDS} folds"
        splits.append(Split(apply(one.learned, data), train, test))
    return splits, trial, words


def _folds(data: EmbeddingSet, seed: int) -> list[Split]:
    return [Split(data, fold.train, fold.test) for fold in nested_folds(data, folds=FOLDS, inner=1, seed=seed)]


def _measure_all(split: Split, widths: Sequence[int]) -> Iterator[tuple[tuple[str, str, int], Measurement]]:
    """Both directions under every reduction, width and code; what is searched is coded, what asks is not."""
    languages, part = split.data.languages, make_part(split.data, split.test)
    train, test = split.data.take(split.train), split.data.take(split.test)
    fit_text, fit_image = unit_sets(train, languages)
    text, image = unit_sets(test, languages)
    full = image.shape[1]
    for name in REDUCTIONS:
        found = fit_reduction(name, [rows for rows in fit_text if len(rows)], fit_image)
        for width in widths:
            known = np.concatenate([found.shorten(rows, width, "text") for rows in fit_text])
            coders = {"text": known, "image": found.shorten(fit_image, width, "image")}
            short = [found.shorten(rows, width, "text") for rows in text]
            images = found.shorten(image, width, "image")
            for code, kind in CODES.items():
                texts, pictures = kind.fit(coders["text"]), kind.fit(coders["image"])
                stored = _padded(pictures.decode(pictures.encode(images)), full)
                captions = [_padded(texts.decode(texts.encode(rows)), full) for rows in short]
                asked = [_padded(rows, full) for rows in short]
                t2i = rank_tasks(asked, stored, part.image_of, part.captions_of, tasks=()).t2i
                i2t = rank_tasks(captions, _padded(images, full), part.image_of, part.captions_of, tasks=()).i2t
                ranks = jax.tree.map(np.asarray, tuple(zip(t2i, i2t, strict=True)))
                yield (name, code, width), measure(ranks, part, languages)


def _padded(rows: Float[np.ndarray, "m k"], width: int) -> Float[np.ndarray, "m d"]:
    """Zeros behind, which change no score: one program ranks all widths."""
    return np.pad(rows, ((0, 0), (0, width - rows.shape[1])))


def _shortest(rows: Sequence[dict[str, Any]], accept: float) -> dict[str, Any] | None:
    """The row of fewest bytes whose loss is accepted with all of its interval; of equal ones the better."""
    fine = [row for row in rows if (row["delta"]["both"]["R@1"]["low"] or 0.0) >= -accept]
    best = min(fine, key=lambda row: (row["bytes"], -row["metrics"]["both"]["R@1"]["mean"]), default=None)
    return None if best is None else {name: best[name] for name in ("reduction", "code", "width", "bytes")}


def _final(data: EmbeddingSet, checkpoint: LearnedMap | str | os.PathLike[str] | None) -> dict[str, Reduction]:
    mapped = data if checkpoint is None else apply(read_map(checkpoint), data)
    text, image = unit_sets(mapped, mapped.languages)
    return {name: fit_reduction(name, text, image) for name in REDUCTIONS}
