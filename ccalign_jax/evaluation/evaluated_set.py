"""An evaluated set: training images in it, recall by gallery size, similarities, inner products, diagnostics."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ccalign_jax.aligners import linear_part
from ccalign_jax.data import EmbeddingSet
from ccalign_jax.data.fingerprints import recognise
from ccalign_jax.diagnostics import diagnose_map, gram_matrices, sample_rows
from ccalign_jax.learned_map import LearnedMap
from ccalign_jax.measurement.measure import DIRECTIONS, Measurement, add_measurement, measure, measure_pairs
from ccalign_jax.measurement.records import MACRO
from ccalign_jax.metrics import TextTasks, rank_tasks, recall_curve
from ccalign_jax.numerics import resize_rows, unit_float32, unit_rows
from ccalign_jax.reporting.panels.diagnostics import maps, probe_accuracies
from ccalign_jax.study.arrays import make_part
from ccalign_jax.training import Part

__all__ = [
    "Overlap",
    "RankedSet",
    "complete_images",
    "describe_linear",
    "diagnostics_rows",
    "find_overlap",
    "gallery_curves",
    "rank_set",
    "sample_grams",
    "similarity_histograms",
    "unit_sets",
]

POOLS = (5, 10, 20, 50)  # galleries to expect R@1 in, and ten, a hundred, … times as many
HISTOGRAM_ROWS = 1000
HISTOGRAM_BINS = 60
GRAM_ROWS = 100
MIN_ROWS = 5
NULL_COLUMNS = ("null_mean", "null_std", "p", "calibrated")


class RankedSet(NamedTuple):
    """A data set under one map: its part, unit rows in one space, the ranks of all queries, and the measurement."""

    part: Part
    text: list[np.ndarray]
    image: np.ndarray
    tasks: TextTasks
    measured: Measurement


def rank_set(data: EmbeddingSet, tasks: Sequence[str]) -> RankedSet:
    """Retrieval in both directions, and on these tasks between languages, of all captions and images."""
    part = make_part(data, np.arange(len(data)))
    text, image = unit_sets(data, data.languages)
    found = jax.tree.map(np.asarray, rank_tasks(text, image, part.image_of, part.captions_of, tasks=tasks))
    measured = measure(tuple(zip(found.t2i, found.i2t, strict=True)), part, data.languages)
    pairs = {task: ranks for task, ranks in found._asdict().items() if ranks and task not in DIRECTIONS}
    measured = add_measurement(measured, measure_pairs(pairs, part, data.languages))
    return RankedSet(part, text, image, found, measured)


def unit_sets(data: EmbeddingSet, languages: Sequence[str]) -> tuple[list[np.ndarray], np.ndarray]:
    """Unit rows of each language, cut or padded to the width of the images, and of the images.

    A language that the data lack has no rows.
    """
    image = unit_float32(data.image)
    text = [unit_float32(data.text[language]) if language in data.text else image[:0] for language in languages]
    if data.d_text != data.d_image:
        text = [np.asarray(unit_rows(resize_rows(jnp.asarray(one), data.d_image))) for one in text]
    return text, image


class Overlap(NamedTuple):
    """A data set split into a map's training images and others.

    Attributes:
        scored: the other images; all, if every image is a training image or none is known to be.
        left_out: the training images; None if none is left out.
        about: counts, the `training_images` entry of a summary.
    """

    scored: EmbeddingSet
    left_out: EmbeddingSet | None
    about: dict[str, Any]

    @property
    def tested(self) -> bool:
        """Whether intervals and tests of the map's change mean anything: not on its training images."""
        return self.left_out is not None or not self.about["seen"]


def find_overlap(data: EmbeddingSet, checkpoint: LearnedMap) -> Overlap:
    """Split a data set into training images of a map, where it has fingerprints of them, and others."""
    if checkpoint.training_images is None:
        return Overlap(data, None, {"known": False, "images": len(data), "seen": None})
    found = recognise(data, checkpoint.training_images)
    seen, by_key, by_row = (int(each.sum()) for each in (found.images, found.by_key, found.by_row))
    about = {"known": True, "images": len(data), "seen": seen, "by_key": by_key, "by_row": by_row}
    if seen in (0, len(data)):
        return Overlap(data, None, about)
    fresh = data.keep(~found.images, "they are training images of the map")
    return Overlap(fresh, data.take(np.flatnonzero(found.images)), about)


def gallery_curves(ranked: Mapping[str, RankedSet]) -> dict[str, Any]:
    """R@1 to expect in smaller galleries, the mean over languages, for as large a gallery as every language has.

    Empty where an image has more captions in one language than there are in another.
    """
    part = next(iter(ranked.values())).part  # of all states
    images = len(part.images)
    golds = [(np.asarray(gold) >= 0).sum(axis=1) for gold in part.captions_of]
    galleries = {"t2i": [images] * len(golds), "i2t": [len(rows) for rows in part.captions]}
    found: dict[str, Any] = {}
    for direction, gallery in galleries.items():
        answers = [1 if direction == "t2i" else np.maximum(gold, 1) for gold in golds]
        most = max(int(np.max(answer)) for answer in answers)
        sizes = [size * 10**power for power in range(9) for size in POOLS]
        sizes = sorted({size for size in (*sizes, min(gallery)) if most <= size <= min(gallery)})
        if not sizes:
            return {}
        found[direction] = {"sizes": sizes}
        for name, state in ranked.items():
            each = zip(getattr(state.tasks, direction), gallery, answers, strict=True)
            curves = [recall_curve(ranks, size, sizes, gold=answer) for ranks, size, answer in each]
            found[direction][name] = np.mean(curves, axis=0).tolist()
        share = [1.0 if direction == "t2i" else gold[gold > 0].mean() for gold in golds]
        found[direction]["chance"] = [float(np.mean(share)) / size for size in sizes]
    return found


def similarity_histograms(ranked: Mapping[str, RankedSet]) -> dict[str, Any]:
    """Histograms of the cosine of captions with their own image, and with another; the mean over languages."""
    found: dict[str, dict[str, list[np.ndarray]]] = {}
    for name, state in ranked.items():
        own, others, images = [], [], sample_rows(len(state.image), HISTOGRAM_ROWS)
        for rows, owner in zip(state.text, state.part.image_of, strict=True):
            chosen = sample_rows(len(rows), HISTOGRAM_ROWS)
            scores = rows[chosen] @ state.image[images].T
            own.append(np.sum(rows * state.image[owner], axis=1))
            others.append(scores[owner[chosen][:, None] != images])
        found[name] = {"positive": own, "negative": others}
    every = np.concatenate([values for kinds in found.values() for each in kinds.values() for values in each])
    low, high = np.clip([every.min(), every.max()], -1, 1)
    edges = np.linspace(low, max(high, low + 1e-3), HISTOGRAM_BINS + 1)

    def shares(each: list[np.ndarray]) -> list[float]:
        counts = [np.histogram(np.clip(values, edges[0], edges[-1]), edges)[0] for values in each if len(values)]
        return np.mean([count / count.sum() for count in counts], axis=0).tolist() if counts else []

    states = {name: {kind: shares(each) for kind, each in kinds.items()} for name, kinds in found.items()}
    return {"edges": edges.tolist(), **states}


def complete_images(states: Mapping[str, EmbeddingSet]) -> tuple[dict[str, EmbeddingSet], list[str]]:
    """One caption of every language of the images that have them all, in each state; and notes on them."""
    whole = next(iter(states.values()))
    count = int((whole.caption_counts() > 0).all(axis=0).sum())
    if count < MIN_ROWS:
        return {}, [f"no diagnostics: {count} of {len(whole)} images have every language, {MIN_ROWS} are needed"]
    notes = [f"diagnostics: on the first captions of {count} of {len(whole)} images, those that have every language"]
    return {name: one.first_captions().complete() for name, one in states.items()}, notes


def sample_grams(data: EmbeddingSet) -> dict[str, np.ndarray]:
    """Inner products `[s, s]` of the same images, of each language and of the images."""
    chosen = sample_rows(len(data), GRAM_ROWS)
    sets = {language: unit_float32(data.text[language][chosen]) for language in data.languages}
    sets["image"] = unit_float32(data.image[chosen])
    return dict(zip(sets, gram_matrices(list(sets.values())), strict=True))


def describe_linear(checkpoint: LearnedMap) -> dict[str, Any] | None:
    """Diagnostics of the matrix of the captions' side, or of each language's; None of a map that is not linear."""
    matrix_of = linear_part(checkpoint.aligner)
    if matrix_of is None:
        return None
    matrix = np.asarray(matrix_of(checkpoint.params))
    if matrix.ndim == 2:
        return diagnose_map(matrix)
    languages = checkpoint.about["languages"]
    return {"per_language": {name: diagnose_map(one) for name, one in zip(languages, matrix, strict=True)}}


def diagnostics_rows(summary: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    """The rows of `diagnostics.csv`: one a state × group × diagnostic; none without diagnostics and a linear map.

    Yields:
        `state`; `group` (`captions/de`, `captions/macro`, `image`, `between_languages/de|en`, `with_image/de`, the
        last two with `/mean` too, `probe`, and for a map `map`, or `map/de` for one of each language); `name`;
        `value`; and where a null was drawn `null_value` (the same diagnostic on the rows of the null), `null_mean`,
        `null_std`, `p` and `calibrated`.
    """
    for state, found in summary.get("diagnostics", {}).items():
        for kind, member, name, value in _diagnostics(found):
            null = found.get("nulls", {}).get(kind, {}).get(name, {}).get(member, {})
            yield _row(state, f"{kind}/{member}" if member else kind, name, value, null)
    shared = "per_language" not in (summary.get("map") or {})
    for language, values in maps(summary).items():
        for name, value in values.items():
            if not isinstance(value, list | tuple):
                yield _row("mapped", "map" if shared else f"map/{language}", name, value, {})


def _diagnostics(found: Mapping[str, Any]) -> Iterator[tuple[str, str, str, float | None]]:
    """The numbers of `diagnose`: the kind of each, the language or pair that it is of, its name and value."""
    for language, values in {**found["per_language"], MACRO: found["macro"]}.items():
        yield from (("captions", language, *one) for one in values.items())
    yield from (("image", "", *one) for one in found.get("image", {}).items())
    for name, one in found["between_languages"].items():
        for (i, first), (j, second) in itertools.combinations(enumerate(found["languages"]), 2):
            yield "between_languages", f"{first}|{second}", name, one["matrix"][i][j]
        if one["mean"] is not None:
            yield "between_languages", "mean", name, one["mean"]
    for name, one in found.get("with_image", {}).items():
        for language, value in {**one["per_language"], "mean": one["mean"]}.items():
            yield "with_image", language, name, value
    yield from (("probe", "", *one) for one in probe_accuracies(found).items())


def _row(state: str, group: str, name: str, value: float | None, null: Mapping[str, float]) -> dict[str, str]:
    numbers = {"value": value, "null_value": null.get("value"), **{column: null.get(column) for column in NULL_COLUMNS}}
    texts = {column: "" if number is None else f"{number:.6g}" for column, number in numbers.items()}
    return {"state": state, "group": group, "name": name, **texts}
