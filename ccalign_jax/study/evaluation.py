"""Retrieval, score corrections and diagnostics of one data set, as it is and through a map."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from ccalign_jax.checkpoints import Checkpoint
from ccalign_jax.data import EmbeddingSet
from ccalign_jax.diagnostics import diagnose
from ccalign_jax.measurement.estimates import Entry, estimate, estimate_means
from ccalign_jax.measurement.inference import Arm, Inference, adjust, describe_statistics
from ccalign_jax.measurement.measure import (
    DIRECTIONS,
    IDENTITY,
    add_measurement,
    chance_measurement,
    measure,
    measure_pairs,
)
from ccalign_jax.measurement.records import ArmEntry
from ccalign_jax.measurement.replicates import draw_replicates
from ccalign_jax.metrics import PAIR_TASKS, rank_tasks
from ccalign_jax.numerics import resize_rows, unit_float32, unit_rows
from ccalign_jax.study.apply import apply
from ccalign_jax.study.arrays import make_part
from ccalign_jax.study.evaluated_set import (
    Overlap,
    RankedSet,
    complete_images,
    describe_linear,
    find_overlap,
    gallery_curves,
    sample_grams,
    similarity_histograms,
)
from ccalign_jax.study.plan import read_data
from ccalign_jax.study.result_notes import pairing_notes
from ccalign_jax.study.score_corrections import correct_scores, summarise_corrections
from ccalign_jax.study.summary import RECORDS, SCHEMA, describe_data

__all__ = ["Evaluation", "evaluate"]

MAPPED = "mapped"

Progress = Callable[[str, int, int], None]


class Evaluation(NamedTuple):
    """What `evaluate` finds.

    Attributes:
        summary: the content of `summary.json`; `docs/evaluation.md` explains it.
        grams: for each state (`identity`, `mapped`) and set (a language, or `image`) the inner products `[s, s]` of
            the same hundred images; empty where no image has every language.
        arms: all estimates of the summary, of `records.csv`.
    """

    summary: dict[str, Any]
    grams: dict[str, dict[str, Float[np.ndarray, "s s"]]]
    arms: list[ArmEntry]


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
        bank: other images with their captions, that score corrections look at; by default the data themselves, and
            then these scores are transductive.
        tasks: tasks between languages, of `metrics.PAIR_TASKS`.
        scores: also rank under the score corrections, such as CSLS.
        diagnostics: also describe the sets and the map; on the images that have every language, first captions.
        nulls: also give the paired diagnostics under random pairings.
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
    kinds = ["retrieval", *["score corrections"] * scores, *["diagnostics"] * diagnostics]
    steps = iter(range(len(kinds) * len(states)))

    def begin(what: str) -> None:
        progress(what, next(steps), len(kinds) * len(states))

    summary: dict[str, Any] = {"schema": SCHEMA, "records": RECORDS, "data": describe_data(data)}
    summary["notes"] = list(data.notes[noted:])
    ranked: dict[str, RankedSet] = {}
    for name, one in states.items():
        begin(f"{name}: retrieval")
        ranked[name] = _rank(one, tasks)
    arms = {name: Arm((name,), [state.measured]) for name, state in ranked.items()}
    part = ranked[IDENTITY].part
    chance = chance_measurement(part, data.languages, tasks=tasks)
    replicates = draw_replicates(data.groups, seed=seed)
    inference = Inference(arms[IDENTITY], replicates)
    known = {IDENTITY: inference.levels(), "chance": estimate_means([chance.values], exact=True)}
    summary["baselines"] = {name: levels.nest() for name, levels in known.items()}
    records = [ArmEntry("baseline", name, Entry(levels)) for name, levels in known.items()]
    summary["statistics"] = describe_statistics(replicates)
    if checkpoint is not None and overlap is not None:
        summary["name"] = checkpoint.about["trial"]
        summary["training_images"] = overlap.about | _training_figures(overlap, checkpoint, tasks)
        entry = estimate(arms[MAPPED].test, arms[IDENTITY].test)
        if overlap.tested:
            entry = inference.entry(arms[MAPPED])
            adjust([entry])
        summary |= entry.nest()
        records.append(ArmEntry("map", MAPPED, entry))
    summary["notes"] += pairing_notes(summary, [summary["metrics"]] if "metrics" in summary else [])
    if curves := gallery_curves(ranked, part):
        summary["pool_curves"] = curves
    else:
        summary["notes"].append("no curves by gallery size: some gallery is smaller than the captions of one image")
    summary["similarities"] = similarity_histograms(ranked)
    if scores:
        whole = data if bank is None else bank
        scored = {}
        for name, state in ranked.items():
            begin(f"{name}: score corrections")
            other = (state.text, state.image)
            if bank is not None:
                moved = apply(checkpoint, bank) if checkpoint is not None and name == MAPPED else bank
                other = _bank_rows(moved, data.languages)
            scored[name] = [correct_scores(state.text, state.image, state.part, *other, data.languages)]
        tested = [name for name in states if name == IDENTITY or (overlap is not None and overlap.tested)]
        summary["scores"], more = summarise_corrections(
            scored, replicates, bank=len(whole), transductive=bank is None, tested=tested
        )
        records += more
    grams = {}
    if diagnostics:
        summary["map"] = None if checkpoint is None else describe_linear(checkpoint)
        found, notes = complete_images(states)
        summary["notes"] += notes
        if found:
            summary["diagnostics"] = {}
            for name, one in found.items():
                begin(f"{name}: diagnostics")
                text = {language: np.asarray(one.text[language]) for language in one.languages}
                summary["diagnostics"][name] = diagnose(text, np.asarray(one.image), nulls=nulls)
                grams[name] = sample_grams(one)
    progress("done", len(kinds) * len(states), len(kinds) * len(states))
    return Evaluation(summary, grams, records)


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


def _rank(data: EmbeddingSet, tasks: Sequence[str]) -> RankedSet:
    part = make_part(data, np.arange(len(data)))
    text, image = _rows(data)
    found = rank_tasks(text, image, part.image_of, part.captions_of, tasks=tasks)
    found = jax.tree.map(np.asarray, found)
    measured = measure(tuple(zip(found.t2i, found.i2t, strict=True)), part, data.languages)
    pairs = {task: ranks for task, ranks in found._asdict().items() if ranks and task not in DIRECTIONS}
    measured = add_measurement(measured, measure_pairs(pairs, part, data.languages))
    return RankedSet(data, part, text, image, found, measured)


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
