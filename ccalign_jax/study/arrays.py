"""From a data set and its fold plans to the arrays that a compiled program takes."""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Iterable, Sequence

import jax
import numpy as np
from jaxtyping import Float

from ccalign_jax._names import ALL_TEACHERS
from ccalign_jax.data.embedding_set import EmbeddingSet
from ccalign_jax.data.splits import Fold
from ccalign_jax.data.teachers import pool_teachers
from ccalign_jax.numerics import place_within, unit_float32
from ccalign_jax.solvers import gcca, generalised_procrustes
from ccalign_jax.training import Embeddings, FitPlan, FoldArrays, Part

__all__ = [
    "caption_means",
    "consensus_rows",
    "device_embeddings",
    "fold_arrays",
    "make_part",
    "plan_fits",
    "train_embeddings",
    "without_language",
]


ALIKE = 1.1  # parts whose sizes differ by less are padded to one shape


def device_embeddings(data: EmbeddingSet) -> Embeddings:
    """All rows on the device as float32 unit rows, the captions of all languages below each other."""
    starts = _first_rows(data)
    counts = data.caption_counts()
    table = np.zeros((len(data.languages), len(data), counts.max()), np.int32)
    for number, language in enumerate(data.languages):
        owner = data.image_of[language]
        table[number, owner, place_within(owner)] = starts[language] + np.arange(len(owner))
    text = np.concatenate([unit_float32(data.text[language]) for language in data.languages])
    teachers = None
    if data.d_teacher == data.d_image:
        teachers = {language: unit_float32(rows) for language, rows in data.teachers.items()}
        teachers[ALL_TEACHERS] = unit_float32(pool_teachers(data.teachers))
    embeddings = Embeddings(text, unit_float32(data.image), table, counts.astype(np.int32), data.groups)
    return jax.device_put(embeddings._replace(teachers=teachers))


def train_embeddings(data: EmbeddingSet, heldout: str | None) -> Embeddings:
    """`device_embeddings` with no caption of one language to draw in training; its rows stay, to be tested on."""
    embeddings = device_embeddings(data)
    seen = np.array([language != heldout for language in data.languages])
    return embeddings._replace(caption_counts=embeddings.caption_counts * seen[:, None])


def make_part(data: EmbeddingSet, images: np.ndarray, languages: Sequence[str] | None = None) -> Part:
    """The part of the data made of these images (ascending rows) and their captions in all languages, or in some."""
    starts = _first_rows(data)
    place = np.full(len(data), -1, np.int32)
    place[images] = np.arange(len(images), dtype=np.int32)
    captions, image_of, captions_of = [], [], []
    for language in data.languages:
        owner = place[data.image_of[language]]
        wanted = languages is None or language in languages
        chosen = np.flatnonzero((owner >= 0) & wanted)
        if not len(chosen):  # one row of padding, for a gallery of none has no shape to score
            captions.append(np.full(1, -1, np.int32))
            image_of.append(np.full(1, -1, np.int32))
            captions_of.append(np.full((len(images), 1), -1, np.int32))
            continue
        owner = owner[chosen]
        within = place_within(owner)
        gold = np.full((len(images), within.max(initial=0) + 1), -1, np.int32)
        gold[owner, within] = np.arange(len(owner))
        captions.append((starts[language] + chosen).astype(np.int32))
        image_of.append(owner)
        captions_of.append(gold)
    return Part(np.asarray(images, np.int32), tuple(captions), tuple(image_of), tuple(captions_of))


def caption_means(embeddings: Embeddings, images: np.ndarray) -> Float[np.ndarray, "languages n d_text"]:
    """The mean of the captions of each of these images in each language: a unit row, or zero where there is none."""
    text = np.asarray(embeddings.text)
    counts, rows = (np.asarray(table)[:, images] for table in (embeddings.caption_counts, embeddings.caption_rows))
    means = np.zeros((*counts.shape, text.shape[1]), np.float32)
    for place in range(rows.shape[2]):
        np.add(means, text[rows[..., place]], out=means, where=(place < counts)[..., None])
    norms = np.linalg.norm(means, axis=-1, keepdims=True)
    return np.divide(means, norms, out=means, where=norms > 0)


def consensus_rows(data: EmbeddingSet, images: np.ndarray, kind: str) -> np.ndarray:
    """What the languages and the picture of these images agree on: `[n, d_image]` unit rows, zero for all others.

    Args:
        data: one view a language, the mean of an image's captions, and one of the images.
        images: rows, of the training part alone.
        kind: `procrustes`, all views turned to their mean, or `gcca`, the leading common directions.
    """
    embeddings = device_embeddings(data.take(images))
    views = [*caption_means(embeddings, np.arange(len(images))), np.asarray(embeddings.image)]
    masks = np.concatenate([np.asarray(embeddings.caption_counts) > 0, np.ones((1, len(images)), bool)])
    if kind == "gcca":
        found = gcca(views, masks, dimensions=min(data.d_text, data.d_image)).rows
    else:
        found = generalised_procrustes(views, masks, anchor=len(views) - 1).rows
    found = found[:, : data.d_image]  # captions may be wider than the images, in whose space it lies
    rows = np.zeros((len(data), data.d_image), np.float32)
    rows[images, : found.shape[1]] = found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12)
    return rows


def without_language(data: EmbeddingSet, language: str | None) -> EmbeddingSet:
    """The data with no caption left in one language, all else in its place: what is trained on without it."""
    if language is None:
        return data
    return dataclasses.replace(
        data,
        text={**data.text, language: data.text[language][:0]},
        image_of={**data.image_of, language: data.image_of[language][:0]},
        text_row={**data.text_row, language: data.text_row[language][:0]},
    )


def plan_fits(folds: Sequence[Fold]) -> FitPlan:
    """What has to be fitted and scored for these folds, equal sets of images once: inner fits first.

    Example:
        >>> from ccalign_jax.data import Inner
        >>> rows = np.arange(6)
        >>> plan = plan_fits([Fold(rows[2:], (Inner(rows[4:], rows[2:4]),), rows[:2], rows[2:4], rows)])
        >>> plan.inner, plan.test
        ((((0, 0),),), (1,))
    """
    train: dict[bytes, np.ndarray] = {}
    validation: dict[bytes, np.ndarray] = {}

    def place(known: dict[bytes, np.ndarray], rows: np.ndarray) -> int:
        rows = np.asarray(rows, np.int32)
        known.setdefault(rows.tobytes(), rows)
        return list(known).index(rows.tobytes())

    inner = tuple(
        tuple((place(train, one.train), place(validation, one.validation)) for one in fold.inner) for fold in folds
    )
    test = tuple(place(train, fold.train) for fold in folds)
    return FitPlan(tuple(train.values()), tuple(validation.values()), inner, test)


def fold_arrays(
    data: EmbeddingSet,
    folds: Sequence[Fold],
    fits: FitPlan,
    *,
    consensus: Iterable[str] = (),
    heldout: str | None = None,
) -> FoldArrays:
    """All fits, validation parts and folds stacked, each array padded with -1 to the largest: one program serves them.

    Args:
        data: every language at least once in every training part.
        folds: plans.
        fits: of these folds, from `plan_fits`.
        consensus: the kinds of `consensus_rows` that pivots ask for.
        heldout: the language that is tested on and not trained on; None tests on all.
    """
    seen = None if heldout is None else [language for language in data.languages if language != heldout]
    tested = None if heldout is None else [heldout]
    trained = without_language(data, heldout)
    rows = {kind: [consensus_rows(trained, images, kind) for images in fits.train] for kind in sorted(set(consensus))}
    test, train_eval, validation = _stack_alike(
        [
            [make_part(data, fold.test, tested) for fold in folds],
            [make_part(data, fold.train_eval, tested) for fold in folds],
            [make_part(data, images, seen) for images in fits.validation],
        ]
    )
    found = FoldArrays(
        train=_stack(list(fits.train)),
        train_count=np.array([len(images) for images in fits.train], np.int32),
        validation=validation,
        test=test,
        train_eval=train_eval,
        consensus={kind: np.stack(each) for kind, each in rows.items()} or None,
    )
    return jax.device_put(found)


def _first_rows(data: EmbeddingSet) -> dict[str, int]:
    """Where the captions of each language start when all stand below each other."""
    counts = [len(data.text[language]) for language in data.languages]
    return dict(zip(data.languages, np.cumsum([0, *counts[:-1]]).tolist(), strict=True))


def _stack_alike(several: Sequence[Sequence[Part]]) -> list[Part]:
    """Each stacked; those of about the size of the first have its shape, and so share their compiled code."""
    images = [max(len(part.images) for part in parts) for parts in several]
    alike = [max(size, images[0]) <= ALIKE * min(size, images[0]) for size in images]
    together = _stack([part for parts, same in zip(several, alike, strict=True) if same for part in parts])
    found, start = [], 0
    for parts, same in zip(several, alike, strict=True):
        rows = slice(start, start + len(parts))
        found.append(jax.tree.map(operator.itemgetter(rows), together) if same else _stack(parts))
        start += len(parts) if same else 0
    return found


def _stack(trees):
    """One tree from several of the same structure: leaves padded with -1 to their largest shape, stacked."""

    def pad_and_stack(*leaves: np.ndarray):
        shape = np.max([leaf.shape for leaf in leaves], axis=0)
        widths = [[(0, int(full - part)) for full, part in zip(shape, leaf.shape, strict=True)] for leaf in leaves]
        padded = [np.pad(leaf, width, constant_values=-1) for leaf, width in zip(leaves, widths, strict=True)]
        return np.stack(padded)

    return jax.tree.map(pad_and_stack, *trees)
