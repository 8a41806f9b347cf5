"""What is measured of a finished sweep on the images it reports on: the ways between languages, and diagnostics."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import jax
import numpy as np
from jaxtyping import Array

from ccalign_jax.diagnostics import diagnose
from ccalign_jax.metrics import rank_routes
from ccalign_jax.reporting.names import MOST_FAMILIES
from ccalign_jax.study.arrays import make_part
from ccalign_jax.study.figures import IDENTITY, route_metrics
from ccalign_jax.study.intervals import draw_resamples
from ccalign_jax.study.ladder import BANK_ROWS, Rungs, map_ladder, score_figures
from ccalign_jax.study.run import SweepResult, summarise
from ccalign_jax.study.summary import Outcome, select
from ccalign_jax.study.tally import tally_pairs
from ccalign_jax.study.threads import in_threads
from ccalign_jax.study.where import where_gained
from ccalign_jax.training import Part, Recipe, map_part

__all__ = ["SWEEP_ROUTES", "measure_holdouts"]

SWEEP_ROUTES = ("t2t", "via_image", "via_image_oracle")  # the soft way costs as much as all others together
LEAST_ROWS = 5

Measure = TypeVar("Measure")

Progress = Callable[[str, int, int], None]


def measure_holdouts(
    result: SweepResult,
    *,
    routes: Sequence[str] | None = None,
    scores: bool = True,
    diagnostics: bool = True,
    progress: Progress = lambda what, done, total: None,
) -> SweepResult:
    """The result with text to text figures of every trial, and scores on top and diagnostics of what was chosen.

    What was chosen: identity, measured once for all, and in each fold the choice of each family of trials; of each
    pivot where there are more than `MOST_FAMILIES`.

    Args:
        result: from `run_sweep`.
        routes: between languages, of `metrics.PAIR_ROUTES`, none where there is one language; by default
            `SWEEP_ROUTES`, or of more than `MOST_FAMILIES` the direct one alone.
        scores: whether to rank by the scores without parameters, too; their banks are training rows of the fold.
        diagnostics: whether to describe the sets of rows, too; on images that have every language.
        progress: called with what goes on, states done, and states in all.
    """
    plan = result.plan
    if routes is None:
        routes = SWEEP_ROUTES if len({one.family for one in result.outcomes}) <= MOST_FAMILIES else SWEEP_ROUTES[:1]
    embeddings, arrays = plan.arrays()
    parts = jax.tree.map(np.asarray, arrays.report)
    if plan.config.heldout_language is not None:  # alone, it has no other language to be compared with
        routes, diagnostics = (), False
    languages = plan.data.languages
    outcomes = [result.identity, *result.outcomes]
    by_name = {outcome.name: outcome for outcome in outcomes}
    wanted = _chosen(result) if diagnostics or scores else {}
    # By family and fold: what folds chose is measured in the order of the trials.
    described: dict[str, dict[int, Mapping[str, Any]]] = {family: {} for family in wanted}
    scored: dict[str, dict[int, Rungs]] = {family: {} for family in wanted}
    banks = [make_part(plan.data, fold.train, plan.trained_languages) for fold in plan.folds] if scores else []
    total, done = len(outcomes) * len(plan.folds), 0
    notes = list(plan.notes)
    for outcome in outcomes:
        sets: dict[int, dict[str, np.ndarray]] = {}  # of the folds whose rows are described
        kind = (IDENTITY, Recipe()) if outcome.trial is None else (outcome.trial.aligner, outcome.trial.recipe)
        aligner = plan.space.aligner(*kind)
        for fold in range(len(plan.folds)):
            progress(f"holdout of {outcome.name}", done, total)
            done += 1
            if outcome.report[fold] is None:
                continue
            families = [family for family, chosen in wanted.items() if chosen[fold] is outcome]
            if not (routes and len(languages) > 1) and not families:
                continue
            part = jax.tree.map(lambda leaf, fold=fold: leaf[fold], parts)
            params = {} if outcome.trial is None else outcome.params[fold]
            mapped = map_part(aligner, params, embeddings, part)
            text, image = mapped.text, mapped.image
            if routes and len(languages) > 1:
                found = rank_routes(
                    text, image, part.image_of, part.captions_of, image_mask=part.images >= 0, routes=routes
                )
                figures = route_metrics(jax.tree.map(np.asarray, found), languages)
                outcome.report[fold] |= {route: figures[route] for route in routes if route in figures}
                taken = {route: getattr(found, route) for route in routes}
                outcome.tallies[fold].tally.update(tally_pairs(taken, plan.part(fold, "report"), languages))
            if families and scores:
                if outcome is result.identity and result.corrections is not None:
                    rungs = result.corrections[fold]
                else:
                    rungs = map_ladder(mapped, map_part(aligner, params, embeddings, banks[fold]), languages)
                for family in families:
                    scored[family][fold] = rungs
            if families and diagnostics:
                whole = _whole_rows(text, image, part, languages)
                if whole is None:
                    diagnostics = False
                    notes.append(f"no diagnostics: fewer than {LEAST_ROWS} images of a fold have every language")
                    continue
                sets[fold] = whole
        for fold, one in zip(sets, in_threads(_described, sets.values()), strict=True):
            for family, chosen in wanted.items():
                if chosen[fold] is outcome:
                    described[family][fold] = one
    if scores and plan.config.heldout_language is not None:
        notes.append(f"scores on top look for neighbours of {plan.config.heldout_language} among the other languages")
    progress("holdouts", total, total)
    result.resamples = resamples = draw_resamples(plan.data.groups, seed=plan.config.seed)
    summary = summarise(result, notes=notes, resamples=resamples)
    if scores:
        bank = min(len(fold.train) for fold in plan.folds)
        summary["scores"] = {"bank": {"images": bank, "most_rows": BANK_ROWS, "transductive": False}}
        images = list(np.maximum(parts.images, 0))  # padding has no queries
        summary["scores"] |= score_figures(
            _in_fold_order(scored),
            images,
            resamples,
            test_share=plan.test_share,
            optimistic=plan.config.protocol == "seed",
        )
    if diagnostics:
        summary["diagnostics"] = {family: _mean(each) for family, each in _in_fold_order(described).items()}
    chosen = [by_name[name] for name in summary["selected"]["per_fold"]]
    summary["where"] = where_gained(plan, result.identity, chosen, resamples)
    result.summary = summary
    return result


def _chosen(result: SweepResult) -> dict[str, list[Outcome]]:
    """For identity and each family, or pivot, the outcome that each fold chose."""
    names = {outcome.family for outcome in result.outcomes}
    families: dict[str, list[Outcome]] = {}
    for outcome in result.outcomes:
        family = outcome.family if len(names) <= MOST_FAMILIES else outcome.family[:1]
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
    if len(whole) < LEAST_ROWS:
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
    """Nested figures of several folds as their means; what is no number is that of the first."""
    first = found[0]
    if isinstance(first, Mapping):
        return {key: _mean([one[key] for one in found if key in one]) for key in first}
    if isinstance(first, list):
        return first if first and isinstance(first[0], str) else np.mean(found, axis=0).tolist()
    if isinstance(first, int | float) and not isinstance(first, bool):
        return float(np.mean(found))
    return first
