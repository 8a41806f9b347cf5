"""All diagnostics of one set of embeddings: per language, between languages, and against the images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float

from ccalign_jax.diagnostics import hubness, neighbours, similarity, spectrum
from ccalign_jax.diagnostics.null import NULL_ROWS, PAIRED, SAMPLE_ROWS, calibrate_pairs, sample_rows
from ccalign_jax.diagnostics.probe import language_probe, language_probe_by_image
from ccalign_jax.numerics import AnyArray, unit_float32

__all__ = ["diagnose", "diagnose_map"]


def diagnose(
    text: Mapping[str, Float[AnyArray, "n d"]],
    image: Float[AnyArray, "n d_image"] | None = None,
    *,
    k: int = neighbours.NEIGHBOURS,
    sample: int = SAMPLE_ROWS,
    nulls: bool = False,
    null_rows: int = NULL_ROWS,
    permutations: int = 200,
    key: Array | None = None,
    probe: bool = True,
) -> dict[str, Any]:
    """All diagnostics of captions (and images) whose rows are aligned: row i of each describes image i.

    Rows are scaled to length one first. Spectra, shares of small entries and entropies come from all rows, and change
    with their number; what compares pairs of rows comes from the same `sample` of them in every set.

    Args:
        text: rows of each language, one caption an image.
        image: rows of the images; None leaves out all that concerns them. Where its width is not that of the
            captions, so do the gap and the hubs across modalities, which need one space.
        k: neighbours; fewer where there are no more rows.
        sample: rows for what compares pairs of them.
        nulls: also calibrate the paired diagnostics.
        null_rows: rows for that; its values are its own, taken on these rows.
        permutations: of the null.
        key: of the permutations; `jax.random.key(0)` by default.
        probe: also fit the language probes, where there are two languages.

    Returns:
        Plain numbers, ready for JSON. `rows`, `sampled_rows`, `neighbours`, `languages`; `per_language` and `image`
        (name to value), `macro` (the mean over languages); `between_languages` (name to `matrix`, in the order of
        `languages`, and `mean` over i < j, None for one language); `with_image` (name to `per_language` and `mean`);
        `spectra` (singular values of the centred rows); `probe`; `nulls` (`between_languages`: name to "a|b",
        `with_image`: name to language, each the fields of `Calibrated`).

    Raises:
        ValueError: no language, fewer than five rows, or sets that differ in their number of rows.

    Example:
        >>> draw = np.random.default_rng(0).normal(size=(3, 60, 8))
        >>> found = diagnose({"de": draw[0], "en": draw[0] + 0.1 * draw[1]}, draw[2])
        >>> found["between_languages"]["gram_correlation"]["mean"] > 0.9
        True
    """
    sets = {name: unit_float32(np.asarray(rows)) for name, rows in text.items()}
    if not sets:
        raise ValueError("no language to diagnose")
    languages = list(sets)
    everything = list(sets.values())
    if image is not None:
        everything.append(unit_float32(np.asarray(image)))
    count = len(everything[0])
    if len({len(rows) for rows in everything}) != 1 or count < 5:
        raise ValueError(f"the sets have {[len(rows) for rows in everything]} rows; give equally many, 5 at least")
    chosen = sample_rows(count, sample)
    k = min(k, len(chosen) - 1)
    sampled = [rows[chosen] for rows in everything]
    grams = similarity.gram_matrices(sampled)
    near = [neighbours.nearest_rows(gram, k) for gram in grams]
    spectra = [spectrum.variances(rows) for rows in everything]
    singles = [_single(*parts) for parts in zip(everything, sampled, grams, near, spectra, strict=True)]
    values = dict(zip(languages, singles[: len(languages)], strict=True))
    pairs = _paired(grams, near)
    size = len(languages)
    found: dict[str, Any] = {
        "rows": count,
        "sampled_rows": len(chosen),
        "neighbours": k,
        "languages": languages,
        "per_language": values,
        "macro": {},
        "between_languages": {name: _matrix(pairs[name][:size, :size]) for name in PAIRED},
        "spectra": {name: np.sqrt(one).tolist() for name, one in zip(languages, spectra, strict=False)},
    }
    if image is not None:
        found["image"] = singles[-1]
        found["spectra_image"] = np.sqrt(spectra[-1]).tolist()
        found["with_image"] = {name: _column(languages, pairs[name][:size, -1]) for name in PAIRED}
        if everything[-1].shape[1] == everything[0].shape[1]:
            for place, name in enumerate(languages):
                values[name]["modality_gap"] = similarity.modality_gap(everything[place], everything[-1])
                values[name] |= _across(sampled[place], sampled[-1], k)
    found["macro"] = {name: float(np.mean([one[name] for one in values.values()])) for name in values[languages[0]]}
    if probe and size > 1:
        found["probe"] = {
            "seed": language_probe(sets)._asdict(),
            "by_image": language_probe_by_image(sets)._asdict(),
        }
    if nulls:
        key = jax.random.key(0) if key is None else key
        found["nulls"] = _nulls(everything, languages, null_rows, key, permutations, k)
    return found


def diagnose_map(matrix: Float[AnyArray, "d_text d_image"]) -> dict[str, Any]:
    """Spectrum of a linear map W (rows act as x @ W), its distance from the identity, and how far it turns.

    Returns:
        `singular_values` (descending), `condition` (None where one of them is zero), `effective_rank` (of their
        squares), `deviation` ‖W − E‖, `relative_deviation` ‖W − E‖ / ‖E‖, `orthogonality` ‖QᵀQ − I‖ on the smaller
        side, over √d, and for a square map `rotation_degrees` (descending), their `rotation_mean` and `rotation_max`;
        None for another.

    Example:
        >>> diagnose_map(2 * np.eye(3))["relative_deviation"], diagnose_map(np.eye(3))["rotation_max"]
        (1.0, 0.0)
    """
    matrix = np.asarray(matrix, np.float64)
    values = np.linalg.svd(matrix, compute_uv=False)
    deviation, relative = spectrum.deviation_from_identity(matrix)
    angles = spectrum.rotation_angles(matrix) if matrix.shape[0] == matrix.shape[1] else None
    return {
        "singular_values": values.tolist(),
        "condition": float(values[0] / values[-1]) if values[-1] > 0 else None,
        "effective_rank": spectrum.effective_rank(values**2),
        "deviation": deviation,
        "relative_deviation": relative,
        "orthogonality": float(np.linalg.norm(values**2 - 1) / np.sqrt(len(values))),
        "rotation_degrees": None if angles is None else angles.tolist(),
        "rotation_mean": None if angles is None else float(angles.mean()),
        "rotation_max": None if angles is None else float(angles.max()),
    }


def _single(
    rows: np.ndarray, sampled: np.ndarray, gram: np.ndarray, near: np.ndarray, variances: np.ndarray
) -> dict[str, float]:
    """Diagnostics of one set; those of the seed study by the names of its reports."""
    occurrence = np.bincount(near.ravel(), minlength=len(gram))
    shared = hubness.share_ties(gram, near)
    return {
        "effective_rank": spectrum.effective_rank(variances),
        "effective_rank_roy_vetterli": spectrum.effective_rank(np.sqrt(variances)),
        "pca90_components": spectrum.components_for(variances),
        "iso_score": spectrum.iso_score(variances, rows.shape[1]),
        "mean_pairwise_cosine": similarity.mean_pairwise_cosine(sampled),
        "PoZ": spectrum.near_zero_share(rows),
        "PoZ_relative": spectrum.near_zero_share(rows, relative=True),
        "entropy": spectrum.histogram_entropy(rows),
        "entropy_relative": spectrum.histogram_entropy(rows, relative=True),
        "hub_skew": hubness.hub_skew(occurrence),
        "hub_ratio_1pct": hubness.hub_share(occurrence),
        "hub_skew_ties_shared": hubness.hub_skew(shared),
        "hub_ratio_1pct_ties_shared": hubness.hub_share(shared),
    }


def _across(captions: np.ndarray, images: np.ndarray, k: int) -> dict[str, float]:
    """Hubs among the images for captions as queries (t2i), and among the captions for images (i2t)."""
    scores = captions @ images.T
    found = {}
    for direction, block in (("t2i", scores), ("i2t", np.ascontiguousarray(scores.T))):
        occurrence = hubness.k_occurrence(block, k, same=False)
        found[f"hub_skew_{direction}"] = hubness.hub_skew(occurrence)
        found[f"hub_ratio_1pct_{direction}"] = hubness.hub_share(occurrence)
    return found


def _paired(grams: Sequence[np.ndarray], near: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """Each paired diagnostic between all sets, `[s, s]`."""
    sums = similarity.moments(grams)
    jaccard, mutual = np.eye(len(grams)), np.eye(len(grams))
    for i in range(len(grams)):
        for j in range(i):
            jaccard[i, j] = jaccard[j, i] = neighbours.neighbour_jaccard(near[i], near[j])
            mutual[i, j] = mutual[j, i] = neighbours.mutual_neighbours(near[i], near[j])
    ranks = similarity.moments([similarity.gram_ranks(gram) for gram in grams])
    return {
        "gram_correlation": similarity.gram_correlation(sums),
        "gram_rank_correlation": similarity.gram_correlation(ranks),
        "biased_cka": similarity.biased_cka(sums),
        "unbiased_cka": similarity.unbiased_cka(sums),
        "neighbour_jaccard": jaccard,
        "mutual_neighbours": mutual,
        "cknna": neighbours.cknna(grams, near),
    }


def _nulls(everything, languages: list[str], null_rows: int, key: Array, permutations: int, k: int) -> dict[str, Any]:
    chosen = sample_rows(len(everything[0]), null_rows)
    read = calibrate_pairs([rows[chosen] for rows in everything], key, permutations, k=min(k, len(chosen) - 1))
    size = len(languages)
    found: dict[str, Any] = {"rows": len(chosen), "permutations": permutations, "between_languages": {}}
    if len(everything) > size:
        found["with_image"] = {}
    for name, pairs in read.items():
        found["between_languages"][name] = {
            f"{languages[i]}|{languages[j]}": one._asdict() for (i, j), one in pairs.items() if j < size
        }
        if len(everything) > size:
            found["with_image"][name] = {languages[i]: one._asdict() for (i, j), one in pairs.items() if j == size}
    return found


def _matrix(values: np.ndarray) -> dict[str, Any]:
    upper = values[np.triu_indices(len(values), 1)]
    return {"matrix": values.tolist(), "mean": float(upper.mean()) if len(upper) else None}


def _column(languages: list[str], values: np.ndarray) -> dict[str, Any]:
    return {"per_language": dict(zip(languages, values.tolist(), strict=True)), "mean": float(values.mean())}
