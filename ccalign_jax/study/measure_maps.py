"""Measure maps on the test parts: tasks between languages of every trial, and more of what the folds chose."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from ccalign_jax._names import MAX_FAMILIES
from ccalign_jax.diagnostics import diagnose
from ccalign_jax.measurement.measure import IDENTITY, Measurement, add_measurement, measure_pairs
from ccalign_jax.measurement.replicates import draw_replicates
from ccalign_jax.metrics import rank_tasks
from ccalign_jax.study.arrays import make_part
from ccalign_jax.study.outcomes import Outcome, select
from ccalign_jax.study.run import Progress
from ccalign_jax.study.score_corrections import Corrections, correct_mapped
from ccalign_jax.study.summary import MapMeasurements
from ccalign_jax.study.sweep_result import SweepResult
from ccalign_jax.threads import in_threads
from ccalign_jax.training import PartRows, Recipe, map_part

__all__ = ["SWEEP_TASKS", "measure_test_parts"]

SWEEP_TASKS = ("t2t", "via_image", "via_image_oracle")  # the soft one costs as much as all others together
MIN_ROWS = 5


class _Found(NamedTuple):
    """What is measured of an outcome on a fold: tasks between languages, score corrections and diagnostics."""

    pairs: Measurement | None = None
    corrections: Corrections | None = None
    described: Mapping[str, Any] | None = None


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
    plan, began, heldout = result.plan, time.perf_counter(), result.plan.config.heldout_language
    many = len({one.family for one in result.outcomes}) > MAX_FAMILIES
    if tasks is None:
        tasks = SWEEP_TASKS[:1] if many else SWEEP_TASKS
    if heldout is not None or len(plan.data.languages) < 2:  # there is no other language to be compared with
        tasks = ()
    diagnostics = diagnostics and heldout is None
    chosen = _chosen(result, many=many) if diagnostics or scores else {}
    states = [
        (outcome, fold, any(several[fold] is outcome for several in chosen.values()))
        for outcome in (result.identity, *result.outcomes)
        for fold in range(len(plan.folds))
    ]
    states = [(one, fold, picked) for one, fold, picked in states if one.test[fold] is not None and (tasks or picked)]
    embeddings, arrays = result.inputs or plan.arrays()
    parts = jax.tree.map(np.asarray, arrays.test)
    banks = [make_part(plan.data, fold.train, plan.trained_languages) for fold in plan.folds] if scores else []

    def measure(state: tuple[Outcome, int, bool]) -> _Found:
        """Measure an outcome on a fold; score corrections and diagnostics only of what was picked."""
        outcome, fold, picked = state
        kind = (IDENTITY, Recipe()) if outcome.trial is None else (outcome.trial.aligner, outcome.trial.recipe)
        aligner, params = plan.space.aligner(*kind), {} if outcome.trial is None else outcome.params[fold]
        rows = map_part(aligner, params, embeddings, jax.tree.map(lambda leaf: leaf[fold], parts))
        pairs = corrections = described = None
        if tasks:
            part = rows.part
            mask = part.images >= 0
            ranks = rank_tasks(rows.text, rows.image, part.image_of, part.captions_of, image_mask=mask, tasks=tasks)
            taken = {task: getattr(ranks, task) for task in tasks}
            pairs = measure_pairs(taken, plan.part(fold, "test"), plan.data.languages)
        if picked and scores:
            if outcome is result.identity and result.corrections is not None:
                corrections = result.corrections[fold]
            else:
                bank = map_part(aligner, params, embeddings, banks[fold])
                corrections = correct_mapped(rows, bank, plan.data.languages)
        if picked and diagnostics:
            described = _describe(rows, plan.data.languages)
        return _Found(pairs, corrections, described)

    found: dict[tuple[str, int], _Found] = {}
    for (outcome, fold, _), one in zip(states, in_threads(measure, states), strict=True):
        found[outcome.name, fold] = one
        progress(f"test part of {outcome.name}", len(found), len(states))
        if one.pairs is not None:
            outcome.test[fold] = add_measurement(outcome.test[fold], one.pairs)
    picks = {name: [found[one.name, fold] for fold, one in enumerate(several)] for name, several in chosen.items()}
    corrections = {name: [one.corrections for one in folds if one.corrections] for name, folds in picks.items()}
    described = {name: [one.described for one in folds if one.described] for name, folds in picks.items()}
    notes = list(result.notes)
    if diagnostics and any(len(folds) < len(plan.folds) for folds in described.values()):
        diagnostics = False
        notes.append(f"no diagnostics: fewer than {MIN_ROWS} images of a fold have every language")
    if scores and heldout is not None:
        notes.append(f"score corrections look for neighbours of {heldout} among the other languages")
    return dataclasses.replace(
        result,
        seconds={**result.seconds, "test parts": time.perf_counter() - began},
        notes=notes,
        replicates=draw_replicates(plan.data.groups, seed=plan.config.seed),
        maps=MapMeasurements(
            corrections if scores else {},
            {name: _mean(folds) for name, folds in described.items()} if diagnostics else {},
        ),
    )


def _chosen(result: SweepResult, *, many: bool) -> dict[str, list[Outcome]]:
    """For identity and each family, or of many each pivot, the outcome that each fold chose."""
    families: dict[str, list[Outcome]] = {}
    for outcome in result.outcomes:
        families.setdefault("/".join(outcome.family[: 1 if many else None]), []).append(outcome)
    per_fold = result.plan.config.protocol == "nested"
    chosen = {family: select(members, per_fold=per_fold) for family, members in families.items()}
    return {IDENTITY: [result.identity] * len(result.plan.folds), **chosen}


def _describe(rows: PartRows, languages: Sequence[str]) -> Mapping[str, Any] | None:
    """Diagnostics of the images that have every language, with their first captions; None of too few."""
    first = np.stack([np.asarray(gold)[:, 0] for gold in rows.part.captions_of])
    whole = np.flatnonzero((first >= 0).all(axis=0) & (np.asarray(rows.part.images) >= 0))
    if len(whole) < MIN_ROWS:
        return None
    each = zip(languages, rows.text, first[:, whole], strict=True)
    found = diagnose(
        {language: np.asarray(text)[place] for language, text, place in each}, np.asarray(rows.image)[whole]
    )
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
