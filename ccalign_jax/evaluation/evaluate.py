"""Retrieval, score corrections and diagnostics of one data set, as it is and through a map."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from jaxtyping import Float

from ccalign_jax.data import EmbeddingSet
from ccalign_jax.data.frames import Backend
from ccalign_jax.diagnostics import diagnose
from ccalign_jax.evaluation.apply import apply
from ccalign_jax.evaluation.evaluated_set import (
    Overlap,
    RankedSet,
    complete_images,
    describe_linear,
    find_overlap,
    gallery_curves,
    rank_set,
    sample_grams,
    similarity_histograms,
    unit_sets,
)
from ccalign_jax.learned_map import LearnedMap
from ccalign_jax.measurement.estimates import Entry, estimate, estimate_means
from ccalign_jax.measurement.inference import Arm, Inference, adjust
from ccalign_jax.measurement.measure import IDENTITY, chance_measurement
from ccalign_jax.measurement.metric_replicates import describe_statistics
from ccalign_jax.measurement.records import MACRO, ArmEntry, wide_rows
from ccalign_jax.measurement.replicates import draw_replicates
from ccalign_jax.metrics import PAIR_TASKS
from ccalign_jax.reporting import EVALUATION, evaluation_html, evaluation_text, figure_of
from ccalign_jax.seed_maps import read_map
from ccalign_jax.study.frames import records_frame
from ccalign_jax.study.inputs import read_data
from ccalign_jax.study.result_notes import pairing_notes
from ccalign_jax.study.score_corrections import Scored, correct_scores, correction_arms, summarise_corrections
from ccalign_jax.study.summary import RECORDS, SCHEMA, describe_data

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ccalign_jax.data.objects import Source

__all__ = ["Evaluation", "evaluate", "retrieval_rows"]

MAPPED, CHANCE = "mapped", "chance"

Progress = Callable[[str, int, int], None]


class Evaluation(NamedTuple):
    """What `evaluate` finds.

    Attributes:
        summary: the content of `summary.json`; `docs/evaluation.md` explains it.
        grams: for each state (`identity`, `mapped`) and set (a language, or `image`) the inner products `[s, s]` of
            the same hundred images; empty where no image has every language.
        entries: the estimates of each state, and of `chance`.
        corrections: those of each state under each score.
    """

    summary: dict[str, Any]
    grams: dict[str, dict[str, Float[np.ndarray, "s s"]]]
    entries: dict[str, Entry]
    corrections: dict[Scored, Entry]

    @property
    def arms(self) -> list[ArmEntry]:
        """All estimates, of `records.csv`."""
        roles = {IDENTITY: "baseline", CHANCE: "baseline", MAPPED: "map"}
        arms = [ArmEntry(roles[name], name, entry) for name, entry in self.entries.items()]
        return arms + correction_arms(self.corrections)

    def frame(self, backend: Backend = "pandas") -> Any:
        """The records of `records.csv` as a data frame; see `study.frames.records_frame`."""
        return records_frame(self.arms, backend)

    def plot(self, name: str = "languages") -> Figure:
        """A figure of the page as a Matplotlib figure.

        Args:
            name: `languages`, `pool`, `similarities`, `text_to_text`, `gram_correlation`, `gram_matrices`, `spectra` or
                `map`.

        Raises:
            ValueError: no such figure, or it shows what was not measured.
        """
        return figure_of(EVALUATION, name, self.summary, lambda: {"grams": self.grams})

    def __repr__(self) -> str:
        return evaluation_text(self.summary)

    def _repr_html_(self) -> str:
        return evaluation_html(self.summary)


def evaluate(
    data: Source | EmbeddingSet,
    checkpoint: LearnedMap | str | os.PathLike[str] | None = None,
    *,
    bank: Source | EmbeddingSet | None = None,
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
        data: what to score, a set or what `load` takes; every image that is scored is in the gallery.
        checkpoint: the map, or the folder of one such as `RUN/best`.
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
    data, bank = read_data(data), None if bank is None else read_data(bank)
    checkpoint = None if checkpoint is None else read_map(checkpoint)
    noted = len(data.notes)
    overlap = None if checkpoint is None else find_overlap(data, checkpoint)
    data = data if overlap is None else overlap.scored
    states = _states(data, checkpoint)
    tested = [name for name in states if name == IDENTITY or (overlap is not None and overlap.tested)]
    total = len(states) * (1 + scores + diagnostics)
    steps = iter(range(total))

    ranked: dict[str, RankedSet] = {}
    for name, one in states.items():
        progress(f"{name}: retrieval", next(steps), total)
        ranked[name] = rank_set(one, tasks)
    arms = {name: Arm((name,), [state.measured]) for name, state in ranked.items()}
    chance = chance_measurement(ranked[IDENTITY].part, data.languages, tasks=tasks)
    replicates = draw_replicates(data.groups, seed=seed)
    inference = Inference(arms[IDENTITY], replicates)
    entries = {
        IDENTITY: Entry(inference.levels()),
        CHANCE: Entry(estimate_means([chance.values], exact=True)),
    }
    summary: dict[str, Any] = {
        "schema": SCHEMA,
        "records": RECORDS,
        "data": describe_data(data),
        "notes": list(data.notes[noted:]),
        "baselines": {name: entry.metrics.nest() for name, entry in entries.items()},
        "statistics": describe_statistics(replicates),
        "similarities": similarity_histograms(ranked),
    }
    if checkpoint is not None and overlap is not None:
        entry = estimate(arms[MAPPED].test, arms[IDENTITY].test)
        if MAPPED in tested:
            entry = inference.entry(arms[MAPPED])
            adjust([entry])
        entries[MAPPED] = entry
        seen = overlap.about | _measure_left_out(overlap, checkpoint, tasks)
        summary |= {"name": checkpoint.about["trial"], "training_images": seen, **entry.nest()}
    summary["notes"] += pairing_notes(summary, [summary["metrics"]] if "metrics" in summary else [])
    if curves := gallery_curves(ranked):
        summary["pool_curves"] = curves
    else:
        summary["notes"].append("no curves by gallery size: some gallery is smaller than the captions of one image")

    corrections: dict[Scored, Entry] = {}
    if scores:
        banks = {} if bank is None else _states(bank, checkpoint)
        scored = {}
        for name, state in ranked.items():
            progress(f"{name}: score corrections", next(steps), total)
            near = (state.text, state.image) if bank is None else unit_sets(banks[name], data.languages)
            scored[name] = [correct_scores(state.text, state.image, state.part, *near, data.languages)]
        summary["scores"], corrections = summarise_corrections(
            scored, replicates, bank=len(data if bank is None else bank), transductive=bank is None, tested=tested
        )
    grams = {}
    if diagnostics:
        summary["map"] = None if checkpoint is None else describe_linear(checkpoint)
        found, notes = complete_images(states)
        summary["notes"] += notes
        if found:
            summary["diagnostics"] = {}
        for name, one in found.items():
            progress(f"{name}: diagnostics", next(steps), total)
            text = {language: np.asarray(one.text[language]) for language in one.languages}
            summary["diagnostics"][name] = diagnose(text, np.asarray(one.image), nulls=nulls)
            grams[name] = sample_grams(one)
    progress("done", total, total)
    return Evaluation(summary, grams, entries, corrections)


def retrieval_rows(found: Evaluation) -> Iterator[dict[str, str]]:
    """The rows of `retrieval.csv`: one a state × scoring × kind × direction × language.

    Yields:
        `state` (`identity`, `mapped` or `chance`); `scoring`; `kind` (`level`, or `change` against identity under the
        cosine); `direction`; `language`: `macro`, a language, or a pair such as `ar->de`; and of each metric its mean
        under its own name, `…_low` and `…_high`, and in changes `…_p` and `…_p_adjusted`.
    """

    def rows(state: str, scoring: str, entry: Entry) -> Iterator[dict[str, str]]:
        columns = ("mean", "low", "high", "p", "p_adjusted")
        for kind, part in (("level", entry.metrics), ("change", entry.delta)):
            for (task, group), cells in wide_rows({"": part}, columns=columns, digits=".6g"):
                head = {"state": state, "scoring": scoring, "kind": kind}
                yield {**head, "direction": task, "language": group or MACRO, **cells}

    for state, entry in found.entries.items():
        if state == CHANCE:
            continue
        yield from rows(state, "cosine", entry)
        for (corrected, scoring), corrected_entry in found.corrections.items():
            if corrected == state and scoring != "cosine":  # which stands above, with more directions
                yield from rows(state, scoring, corrected_entry)
    yield from rows(CHANCE, "", found.entries[CHANCE])


def _states(data: EmbeddingSet, checkpoint: LearnedMap | None) -> dict[str, EmbeddingSet]:
    """The data as they are, and through the map."""
    return {IDENTITY: data} if checkpoint is None else {IDENTITY: data, MAPPED: apply(checkpoint, data)}


def _measure_left_out(overlap: Overlap, checkpoint: LearnedMap, tasks: Sequence[str]) -> dict[str, Any]:
    """Retrieval among the training images that were left out, without intervals; empty if there are none."""
    if overlap.left_out is None:
        return {}
    states = _states(overlap.left_out, checkpoint)
    before, after = (rank_set(states[name], tasks).measured for name in (IDENTITY, MAPPED))
    return {IDENTITY: estimate_means([before.values]).nest(), **estimate([after], [before]).nest()}
