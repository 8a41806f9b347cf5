"""The geometry of test parts before and after a map: inner products, singular values and hubs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ccalign_jax._names import DIRECTIONS
from ccalign_jax.diagnostics import gram_matrices, hub_gini, hub_skew, k_occurrence, sample_rows, variances
from ccalign_jax.diagnostics.neighbours import NEIGHBOURS
from ccalign_jax.study.examples.mapped_fold import MappedFold, Rows, first_captions
from ccalign_jax.study.examples.neighbourhoods import principal_components
from ccalign_jax.study.plan import Plan

__all__ = ["describe_geometry"]

GRAM_IMAGES = 40
SPECTRUM_IMAGES = 256
MIN_IMAGES = 5
DIGITS = 3


def describe_geometry(plan: Plan, folds: Sequence[MappedFold]) -> dict[str, Any]:
    """Of the first fold Gram matrices and spectra, and of all folds hubs, before and after, as `geometry`.

    Gram matrices and spectra are of images that have every language, with their first captions; the images of the
    former are sorted by their first principal component.
    """
    first, languages = folds[0], plan.data.languages
    captions = first_captions(first.part)
    whole = np.flatnonzero((captions >= 0).all(axis=0))
    if len(whole) < MIN_IMAGES:
        return {}
    some, few = (whole[sample_rows(len(whole), most)] for most in (SPECTRUM_IMAGES, GRAM_IMAGES))
    few = few[np.argsort(principal_components(first.before[1][few])[0][:, 0], kind="stable")]

    def sets(rows: Rows, images: np.ndarray) -> dict[str, np.ndarray]:
        text, image = rows
        each = zip(languages, text, captions[:, images], strict=True)
        return {"image": image[images], **{name: one[chosen] for name, one, chosen in each}}

    def grams(rows: Rows) -> dict[str, Any]:
        found = sets(rows, few)
        matrices = zip(found, gram_matrices(list(found.values())), strict=True)
        return {name: np.asarray(matrix, float).round(DIGITS).tolist() for name, matrix in matrices}

    def spectra(rows: Rows) -> dict[str, Any]:
        values = {name: np.sqrt(variances(one)) for name, one in sets(rows, some).items()}
        return {name: [float(f"{value:.4g}") for value in one if value > 0] for name, one in values.items()}

    return {
        "fold": first.number,
        "gram_images": len(few),
        "spectrum_images": len(some),
        "neighbours": NEIGHBOURS,
        "states": {
            state: {
                "grams": grams(rows),
                "spectra": spectra(rows),
                "hubs": _hubs([fold.states[state] for fold in folds], languages),
            }
            for state, rows in first.states.items()
        },
    }


def _hubs(folds: Sequence[Rows], languages: Sequence[str]) -> dict[str, Any]:
    """Skew and Gini coefficient of the k-occurrence, the mean over folds, by direction and language."""
    found: dict[str, Any] = {direction: {} for direction in DIRECTIONS}
    for language, name in enumerate(languages):
        occurrences: dict[str, list[np.ndarray]] = {direction: [] for direction in DIRECTIONS}
        for text, image in folds:
            if not len(text[language]) or text[language].shape[1] != image.shape[1]:
                continue
            scores = text[language] @ image.T
            for direction, block in (("t2i", scores), ("i2t", np.ascontiguousarray(scores.T))):
                k = min(NEIGHBOURS, block.shape[1] - 1)
                if k > 0:
                    occurrences[direction].append(k_occurrence(block, k, same=False))
        for direction, several in occurrences.items():
            if several:
                measures = {"skew": hub_skew, "gini": hub_gini}
                means = {key: float(np.mean(list(map(measure, several)))) for key, measure in measures.items()}
                found[direction][name] = {key: round(value, 4) for key, value in means.items()}
    return found
