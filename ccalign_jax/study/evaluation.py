"""Everything that can be said of one data set, as it is and through a map: retrieval, scores on top, diagnostics."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from ccalign_jax.aligners import linear_part
from ccalign_jax.checkpoints import Checkpoint
from ccalign_jax.data import EmbeddingSet
from ccalign_jax.diagnostics import diagnose, diagnose_map, gram_matrices, sample_rows
from ccalign_jax.metrics import PAIR_TASKS, TextTasks, rank_tasks, recall_curve
from ccalign_jax.numerics import resize_rows, unit_float32, unit_rows
from ccalign_jax.study.apply import apply
from ccalign_jax.study.arrays import make_part
from ccalign_jax.study.config import read_data
from ccalign_jax.study.estimates import estimate, estimate_means
from ccalign_jax.study.inference import Arm, Inference, adjust, describe_statistics
from ccalign_jax.study.intervals import draw_replicates
from ccalign_jax.study.measure import (
    DIRECTIONS,
    IDENTITY,
    Measurement,
    add_measurement,
    chance_measurement,
    measure,
    measure_pairs,
)
from ccalign_jax.study.overlap import Overlap, find_overlap
from ccalign_jax.study.result_notes import pairing_notes
from ccalign_jax.study.score_corrections import BANK_ROWS, correct_scores, correction_entries
from ccalign_jax.study.summary import describe_data
from ccalign_jax.training import Part

__all__ = ["Evaluation", "evaluate"]

MAPPED = "mapped"
POOLS = (5, 10, 20, 50)  # galleries to expect R@1 in, and ten, a hundred, … times as many
HISTOGRAM_ROWS = 1000
HISTOGRAM_BINS = 60
GRAM_ROWS = 100
MIN_ROWS = 5

Progress = Callable[[str, int, int], None]


class Evaluation(NamedTuple):
    """What `evaluate` finds.

    Attributes:
        summary: the content of `summary.json`; `docs/evaluation.md` explains it.
        grams: for each state (`identity`, `mapped`) and set (a language, or `image`) the inner products `[s, s]` of
            the same hundred images; empty where no image has every language.
    """

    summary: dict[str, Any]
    grams: dict[str, dict[str, Float[np.ndarray, "s s"]]]


class _State(NamedTuple):
    """The data under one map: unit rows in one space, where they belong, how each query ranks, and what follows."""

    data: EmbeddingSet
    part: Part
    text: list[np.ndarray]
    image: np.ndarray
    tasks: TextTasks
    measured: Measurement


def evaluate(
    data: EmbeddingSet | str | os.PathLike[str],
    checkpoint: Checkpoint | None = None,
    *,
    bank: EmbeddingSet | str | os.PathLike[str] | None = None,
    tasks: Sequence[str] = PAIR_TASKS,
    scores: bool = True,
    diagnostics: bool = True,
    nulls: bool = False,
    seed: int = 0,
    progress: Progress = lambda what, done, total: None,
) -> Evaluation:
    """Score all captions and images as they are, and through a map.

    Training images of the map are left out, and scored apart without intervals or tests; if all images are training
    images they are scored, and the map's changes are not tested. `docs/evaluation.md` says which training images are
    recognised.

    Args:
        data: what to score, a set or the path of one; every image that is scored is in the gallery.
        checkpoint: the map.
        bank: other images with their captions, that scores on top look at; the data themselves where there are none,
            and then these scores are transductive.
        tasks: the ways between languages to take, of `metrics.PAIR_TASKS`.
        scores: also rank by the scores without parameters, such as CSLS.
        diagnostics: also describe the sets and the map; on the images that have every language, first captions.
        nulls: also say what the paired diagnostics read by chance.
        seed: of the replicates that intervals and p-values come from.
        progress: called with what goes on, steps done, and steps in all.

    Raises:
        InputError: as `apply`.
    """
    data = read_data(data)
    bank = None if bank is None else read_data(bank)
    overlap = None if checkpoint is None else find_overlap(data, checkpoint)
    noted = len(data.notes)
    data = data if overlap is None else overlap.scored
    states = _states(data, checkpoint)
    kinds = ["retrieval", *["scores on top"] * scores, *["diagnostics"] * diagnostics]
    steps = iter(range(len(kinds) * len(states)))

    def begin(what: str) -> None:
        progress(what, next(steps), len(kinds) * len(states))

    summary: dict[str, Any] = {"schema": 1, "data": describe_data(data), "notes": list(data.notes[noted:])}
    ranked: dict[str, _State] = {}
    for name, one in states.items():
        begin(f"{name}: retrieval")
        ranked[name] = _rank(one, tasks)
    arms = {name: Arm((name,), [state.measured]) for name, state in ranked.items()}
    part = ranked[IDENTITY].part
    chance = chance_measurement(part, data.languages, tasks=tasks)
    replicates = draw_replicates(data.groups, seed=seed)
    inference = Inference(arms[IDENTITY], replicates)
    summary["baselines"] = {
        IDENTITY: inference.levels().nest(),
        "chance": estimate_means([chance.values], exact=True).nest(),
    }
    summary["statistics"] = describe_statistics(replicates)
    if checkpoint is not None and overlap is not None:
        summary["name"] = checkpoint.about["trial"]
        summary["training_images"] = overlap.about | _training_figures(overlap, checkpoint, tasks)
        entry = estimate(arms[MAPPED].test, arms[IDENTITY].test)
        if overlap.tested:
            entry = inference.entry(arms[MAPPED])
            adjust([entry])
        summary |= entry.nest()
    summary["notes"] += pairing_notes(summary, [summary["metrics"]] if "metrics" in summary else [])
    if curves := _pool_curves(ranked, part):
        summary["pool_curves"] = curves
    else:
        summary["notes"].append("no curves by gallery size: some gallery is smaller than the captions of one image")
    summary["similarities"] = _similarities(ranked)
    if scores:
        whole = data if bank is None else bank
        summary["scores"] = {"bank": {"images": len(whole), "most_rows": BANK_ROWS, "transductive": bank is None}}
        scored = {}
        for name, state in ranked.items():
            begin(f"{name}: scores on top")
            other = (state.text, state.image)
            if bank is not None:
                moved = apply(checkpoint, bank) if checkpoint is not None and name == MAPPED else bank
                other = _bank_rows(moved, data.languages)
            scored[name] = [correct_scores(state.text, state.image, state.part, *other, data.languages)]
        tested = [name for name in states if name == IDENTITY or (overlap is not None and overlap.tested)]
        summary["scores"] |= correction_entries(scored, replicates, test_share=0.0, tested=tested)
    grams = {}
    if diagnostics:
        summary["map"] = None if checkpoint is None else _describe_map(checkpoint)
        found, said = _complete(states)
        summary["notes"] += said
        if found:
            summary["diagnostics"] = {}
            for name, one in found.items():
                begin(f"{name}: diagnostics")
                text = {language: np.asarray(one.text[language]) for language in one.languages}
                summary["diagnostics"][name] = diagnose(text, np.asarray(one.image), nulls=nulls)
                grams[name] = _grams(one)
    progress("done", len(kinds) * len(states), len(kinds) * len(states))
    return Evaluation(summary, grams)


def _states(data: EmbeddingSet, checkpoint: Checkpoint | None) -> dict[str, EmbeddingSet]:
    """The data as they are, and through the map."""
    return {IDENTITY: data} if checkpoint is None else {IDENTITY: data, MAPPED: apply(checkpoint, data)}


def _training_figures(overlap: Overlap, checkpoint: Checkpoint, tasks: Sequence[str]) -> dict[str, Any]:
    """Retrieval among the training images that were left out, without intervals; empty if there are none."""
    data = overlap.left_out
    if data is None:
        return {}
    measured = {name: _rank(one, tasks).measured for name, one in _states(data, checkpoint).items()}
    entry = estimate([measured[MAPPED]], [measured[IDENTITY]])
    return {"identity": estimate_means([measured[IDENTITY].values]).nest(), **entry.nest()}


def _rank(data: EmbeddingSet, tasks: Sequence[str]) -> _State:
    part = make_part(data, np.arange(len(data)))
    text, image = _rows(data)
    found = rank_tasks(text, image, part.image_of, part.captions_of, tasks=tasks)
    found = jax.tree.map(np.asarray, found)
    measured = measure(tuple(zip(found.t2i, found.i2t, strict=True)), part, data.languages)
    pairs = {task: ranks for task, ranks in found._asdict().items() if ranks and task not in DIRECTIONS}
    measured = add_measurement(measured, measure_pairs(pairs, part, data.languages))
    return _State(data, part, text, image, found, measured)


def _rows(data: EmbeddingSet) -> tuple[list[np.ndarray], np.ndarray]:
    """Unit rows of each language, cut or padded to the width of the images, and of the images."""
    rows = [unit_float32(data.text[language]) for language in data.languages]
    if data.d_text != data.d_image:
        rows = [np.asarray(unit_rows(resize_rows(jnp.asarray(one), data.d_image))) for one in rows]
    return rows, unit_float32(data.image)


def _bank_rows(data: EmbeddingSet, languages: Sequence[str]) -> tuple[list[np.ndarray], np.ndarray]:
    """The same of a bank; a language that it lacks has no rows."""
    text, image = _rows(data)
    there = dict(zip(data.languages, text, strict=True))
    return [there.get(language, image[:0]) for language in languages], image


def _pool_curves(ranked: Mapping[str, _State], part: Part) -> dict[str, Any]:
    """R@1 to expect in smaller galleries, the mean over languages, for as large a gallery as every language has.

    Empty where an image has more captions in one language than there are in another.
    """
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


def _similarities(ranked: Mapping[str, _State]) -> dict[str, Any]:
    """Histograms of the cosine of captions with their own image, and with another; the mean over languages."""
    found: dict[str, dict[str, list[np.ndarray]]] = {}
    for name, state in ranked.items():
        found[name] = {"positive": [], "negative": []}
        for rows, owner in zip(state.text, state.part.image_of, strict=True):
            chosen = sample_rows(len(rows), HISTOGRAM_ROWS)
            scores = rows[chosen] @ state.image[sample_rows(len(state.image), HISTOGRAM_ROWS)].T
            other = owner[chosen][:, None] != sample_rows(len(state.image), HISTOGRAM_ROWS)
            found[name]["positive"].append(np.sum(rows * state.image[owner], axis=1))
            found[name]["negative"].append(scores[other])
    everything = [values for kinds in found.values() for each in kinds.values() for values in each if len(values)]
    low, high = (np.clip(end, -1, 1) for end in (min(map(np.min, everything)), max(map(np.max, everything))))
    edges = np.linspace(low, max(high, low + 1e-3), HISTOGRAM_BINS + 1)

    def shares(each: list[np.ndarray]) -> list[float]:
        counts = [np.histogram(np.clip(values, edges[0], edges[-1]), edges)[0] for values in each if len(values)]
        return np.mean([count / count.sum() for count in counts], axis=0).tolist() if counts else []

    states = {name: {kind: shares(each) for kind, each in kinds.items()} for name, kinds in found.items()}
    return {"edges": edges.tolist(), **states}


def _complete(states: Mapping[str, EmbeddingSet]) -> tuple[dict[str, EmbeddingSet], list[str]]:
    """What the diagnostics take: one caption of every language of the images that have them all."""
    whole = next(iter(states.values()))
    count = int((whole.caption_counts() > 0).all(axis=0).sum())
    if count < MIN_ROWS:
        return {}, [f"no diagnostics: {count} of {len(whole)} images have every language, {MIN_ROWS} are needed"]
    said = [f"diagnostics: on the first captions of {count} of {len(whole)} images, those that have every language"]
    return {name: one.first_captions().complete() for name, one in states.items()}, said


def _grams(data: EmbeddingSet) -> dict[str, np.ndarray]:
    chosen = sample_rows(len(data), GRAM_ROWS)
    sets = {language: unit_float32(data.text[language][chosen]) for language in data.languages}
    sets["image"] = unit_float32(data.image[chosen])
    return dict(zip(sets, gram_matrices(list(sets.values())), strict=True))


def _describe_map(checkpoint: Checkpoint) -> dict[str, Any] | None:
    """Of the matrix of the captions' side, or of each language's."""
    matrix_of = linear_part(checkpoint.aligner)
    if matrix_of is None:
        return None
    matrix = np.asarray(matrix_of(checkpoint.params))
    if matrix.ndim == 2:
        return diagnose_map(matrix)
    languages = checkpoint.about["languages"]
    return {"per_language": {name: diagnose_map(one) for name, one in zip(languages, matrix, strict=True)}}
