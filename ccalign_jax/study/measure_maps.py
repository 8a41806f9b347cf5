"""Measure maps on the test parts: tasks between languages of every trial, and more of what the folds chose."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import jax
import numpy as np
from jaxtyping import Array

from ccalign_jax._names import MAX_FAMILIES
from ccalign_jax.diagnostics import diagnose
from ccalign_jax.measurement.measure import IDENTITY, Measurement, add_measurement, measure_pairs
from ccalign_jax.measurement.replicates import draw_replicates
from ccalign_jax.metrics import rank_tasks
from ccalign_jax.study.arrays import make_part
from ccalign_jax.study.outcomes import Outcome, select
from ccalign_jax.study.run import SweepResult
from ccalign_jax.study.score_corrections import Corrections, correct_mapped
from ccalign_jax.study.summary import MapMeasurements
from ccalign_jax.threads import in_threads
from ccalign_jax.training import Part, Recipe, map_part

__all__ = ["SWEEP_TASKS", "measure_test_parts"]

SWEEP_TASKS = ("t2t", "via_image", "via_image_oracle")  # the soft one costs as much as all others together
MIN_ROWS = 5

Measure = TypeVar("Measure")

Progress = Callable[[str, int, int], None]


def measure_test_parts(
    result: SweepResult,
    *,
    tasks: Sequence[str] | None = None,
    scores: bool = True,
    diagnostics: bool = True,
    progress: Progress = lambda what, done, total: None,
) -> SweepResult:
    """Measure tasks between languages of every trial, and score corrections and diagnostics of what was chosen.

    What was chosen: identity, measured once for all, and in each fold the choice of each family of trials; of each
    pivot where there are more than `MAX_FAMILIES`.

    Args:
        result: from `run_sweep`.
        tasks: between languages, of `metrics.PAIR_TASKS`, none where there is one language; by default
            `SWEEP_TASKS`, or of more than `MAX_FAMILIES` the direct one alone.
        scores: whether to rank under the score corrections, too; their banks are training rows of the fold.
        diagnostics: whether to describe the sets of rows, too; on images that have every language.
        progress: called with what goes on, states done, and states in all.
    """
    plan, began = result.plan, time.perf_counter()
    if tasks is None:
        tasks = SWEEP_TASKS if len({one.family for one in result.outcomes}) <= MAX_FAMILIES else SWEEP_TASKS[:1]
    if plan.config.heldout_language is not None:  # alone, it has no other language to be compared with
        tasks, diagnostics = (), False
    if len(plan.data.languages) < 2:
        tasks = ()
    outcomes = [result.identity, *result.outcomes]
    wanted = _chosen(result) if diagnostics or scores else {}
    states = []
    for outcome in outcomes:
        for fold in range(len(plan.folds)):
            families = [family for family, chosen in wanted.items() if chosen[fold] is outcome]
            if outcome.test[fold] is not None and (tasks or families):
                states.append((outcome, fold, families))
    measure = _TestParts(result, tasks, scores=scores, diagnostics=diagnostics)
    found = in_threads(lambda state: measure(state[0], state[1], chosen=bool(state[2])), states)
    # By family and fold: what folds chose is measured in the order of the trials.
    described: dict[str, dict[int, Mapping[str, Any]]] = {family: {} for family in wanted}
    scored: dict[str, dict[int, Corrections]] = {family: {} for family in wanted}
    notes = list(result.notes)
    for done, ((outcome, fold, families), one) in enumerate(zip(states, found, strict=True), start=1):
        progress(f"test part of {outcome.name}", done, len(states))
        if one.pairs is not None:
            outcome.test[fold] = add_measurement(outcome.test[fold], one.pairs)
        for family in families:
            if one.corrections is not None:
                scored[family][fold] = one.corrections
            if one.described is not None:
                described[family][fold] = one.described
    if diagnostics and any(len(each) < len(plan.folds) for each in described.values()):
        diagnostics = False
        notes.append(f"no diagnostics: fewer than {MIN_ROWS} images of a fold have every language")
    if scores and plan.config.heldout_language is not None:
        notes.append(
            f"score corrections look for neighbours of {plan.config.heldout_language} among the other languages"
        )
    means = {family: _mean(each) for family, each in _in_fold_order(described).items()} if diagnostics else {}
    return dataclasses.replace(
        result,
        seconds={**result.seconds, "test parts": time.perf_counter() - began},
        notes=notes,
        replicates=draw_replicates(plan.data.groups, seed=plan.config.seed),
        maps=MapMeasurements(_in_fold_order(scored) if scores else {}, means),
    )


class _Found(NamedTuple):
    """What `_TestParts` measures of a state on a fold: tasks between languages, score corrections, diagnostics."""

    pairs: Measurement | None = None
    corrections: Corrections | None = None
    described: Mapping[str, Any] | None = None


class _TestParts:
    """Measures a map on the test part of a fold."""

    def __init__(self, result: SweepResult, tasks: Sequence[str], *, scores: bool, diagnostics: bool):
        self.result, self.plan, self.tasks = result, result.plan, tasks
        self.scores, self.diagnostics = scores, diagnostics
        self.embeddings, arrays = result.inputs or self.plan.arrays()
        self.parts = jax.tree.map(np.asarray, arrays.test)
        languages = self.plan.trained_languages
        self.banks = [make_part(self.plan.data, fold.train, languages) for fold in self.plan.folds] if scores else []

    def __call__(self, outcome: Outcome, fold: int, *, chosen: bool) -> _Found:
        """Measure an outcome on a fold; score corrections and diagnostics only of what was chosen."""
        plan, languages = self.plan, self.plan.data.languages
        kind = (IDENTITY, Recipe()) if outcome.trial is None else (outcome.trial.aligner, outcome.trial.recipe)
        aligner, params = plan.space.aligner(*kind), {} if outcome.trial is None else outcome.params[fold]
        part = jax.tree.map(lambda leaf: leaf[fold], self.parts)
        mapped = map_part(aligner, params, self.embeddings, part)
        found = _Found()
        if self.tasks:
            ranks = rank_tasks(
                mapped.text,
                mapped.image,
                part.image_of,
                part.captions_of,
                image_mask=part.images >= 0,
                tasks=self.tasks,
            )
            taken = {task: getattr(ranks, task) for task in self.tasks}
            found = _Found(measure_pairs(taken, plan.part(fold, "test"), languages))
        if chosen and self.scores:
            if outcome is self.result.identity and self.result.corrections is not None:
                corrections = self.result.corrections[fold]
            else:
                bank = map_part(aligner, params, self.embeddings, self.banks[fold])
                corrections = correct_mapped(mapped, bank, languages)
            found = found._replace(corrections=corrections)
        if chosen and self.diagnostics:
            rows = _whole_rows(mapped.text, mapped.image, part, languages)
            found = found._replace(described=None if rows is None else _described(rows))
        return found


def _chosen(result: SweepResult) -> dict[str, list[Outcome]]:
    """For identity and each family, or pivot, the outcome that each fold chose."""
    names = {outcome.family for outcome in result.outcomes}
    families: dict[str, list[Outcome]] = {}
    for outcome in result.outcomes:
        family = outcome.family if len(names) <= MAX_FAMILIES else outcome.family[:1]
        families.setdefault("/".join(family), []).append(outcome)
    per_fold = result.plan.config.protocol == "nested"
    chosen = {family: select(members, per_fold=per_fold) for family, members in families.items()}
    return {IDENTITY: [result.identity] * len(result.plan.folds), **chosen}


def _in_fold_order(found: Mapping[str, Mapping[int, Measure]]) -> dict[str, list[Measure]]:
    return {family: [each[fold] for fold in sorted(each)] for family, each in found.items()}


def _whole_rows(
    text: Sequence[Array], image: Array, part: Part, languages: Sequence[str]
) -> dict[str, np.ndarray] | None:
    """First captions and images (under "") of the images that have every language; None of too few."""
    first = np.stack([np.asarray(gold)[:, 0] for gold in part.captions_of])
    whole = np.flatnonzero((first >= 0).all(axis=0) & (np.asarray(part.images) >= 0))
    if len(whole) < MIN_ROWS:
        return None
    rows = {
        language: np.asarray(each)[first[number, whole]]
        for number, (language, each) in enumerate(zip(languages, text, strict=True))
    }
    return {**rows, "": np.asarray(image)[whole]}


def _described(rows: Mapping[str, np.ndarray]) -> Mapping[str, Any]:
    """Diagnostics of `_whole_rows`."""
    found = diagnose({language: each for language, each in rows.items() if language}, rows[""])
    return {key: value for key, value in found.items() if not key.startswith("spectra")}


def _mean(found: Sequence[Any]) -> Any:
    """Nested diagnostics of several folds as their means; what is no number is that of the first."""
    first = found[0]
    if isinstance(first, Mapping):
        return {key: _mean([one[key] for one in found if key in one]) for key in first}
    if isinstance(first, list):
        return first if first and isinstance(first[0], str) else np.mean(found, axis=0).tolist()
    if isinstance(first, int | float) and not isinstance(first, bool):
        return float(np.mean(found))
    return first
