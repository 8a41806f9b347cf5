"""The summary of a sweep: its estimates, choices and notes, nested for `summary.json` and flat for `records.csv`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ccalign_jax._names import CLOSED
from ccalign_jax.data import EmbeddingSet
from ccalign_jax.measurement.estimates import Entry, estimate_means
from ccalign_jax.measurement.inference import Bounds, Inference, adjust
from ccalign_jax.measurement.measure import DIRECTIONS, IDENTITY, Measurement, chance_measurement
from ccalign_jax.measurement.metric_replicates import describe_statistics
from ccalign_jax.measurement.records import ArmEntry
from ccalign_jax.measurement.replicates import Replicates
from ccalign_jax.statistics import LEVEL
from ccalign_jax.study.outcomes import (
    Outcome,
    arm_of,
    best_of,
    describe_choice,
    describe_trial,
    seed_optimism,
    select,
)
from ccalign_jax.study.plan import Plan
from ccalign_jax.study.result_notes import divergence_notes, edge_notes, pairing_notes
from ccalign_jax.study.score_corrections import Corrections, correction_arms, summarise_corrections
from ccalign_jax.study.subgroups import gain_by_subgroup

__all__ = ["RECORDS", "SCHEMA", "MapMeasurements", "Summary", "describe_data", "make_summary", "summarise"]

SCHEMA = 2  # of all JSON results; docs/results.md lists what has changed
RECORDS = "records.csv"
FAMILY = ("pivot", "aligner", "loss")


class MapMeasurements(NamedTuple):
    """What is measured of the maps that folds chose, beyond retrieval: of identity and each family of trials.

    Attributes:
        corrections: under each score correction, fold by fold; empty if none were measured.
        diagnostics: the means over folds; empty if there are none.
    """

    corrections: Mapping[str, Sequence[Corrections]]
    diagnostics: Mapping[str, Any]


class Summary(NamedTuple):
    """Estimates of a study.

    Attributes:
        content: of `summary.json`; see `docs/results.md` for its keys.
        arms: all estimates in it, of `records.csv`.
        fold_bounds: by trial and fold, the intervals of the fold by itself.
    """

    content: dict[str, Any]
    arms: list[ArmEntry]
    fold_bounds: Mapping[tuple[str, int], Bounds]


def summarise(
    plan: Plan,
    identity: Outcome,
    outcomes: Sequence[Outcome],
    *,
    notes: Sequence[str],
    replicates: Replicates | None = None,
    maps: MapMeasurements | None = None,
) -> Summary:
    """Summarise the outcomes of a plan's trials.

    Args:
        plan, identity, outcomes: as in `SweepResult`.
        notes: sentences that come first.
        replicates: from which intervals and p-values come; without them they stay open.
        maps: of what the folds chose; with them, gains by subgroup are added, too.
    """
    per_fold = plan.config.protocol == "nested"
    candidates = [*([identity] if per_fold else []), *(outcome for outcome in outcomes if outcome.is_whole)]
    best = candidates[best_of([np.mean(outcome.selection) for outcome in candidates])]
    notes = [*notes, *divergence_notes(outcomes)]
    if best.kept_its_start:
        notes.append(f"best is identity: {best.name} has the best score, but kept its untrained start in most folds")
        best = identity
    tasks = list(dict.fromkeys(task for task, _ in identity.test[0].sums if task not in DIRECTIONS))
    parts = [plan.part(fold, "test") for fold in range(len(plan.folds))]
    found, arms, fold_bounds = make_summary(
        data=describe_data(plan.data),
        protocol=plan.config.protocol,
        identity=identity,
        chance=[chance_measurement(part, plan.data.languages, tasks=tasks) for part in parts],
        outcomes=outcomes,
        best=best,
        notes=notes,
        test_share=plan.test_share,
        replicates=replicates,
        informed=plan.informed,
    )
    by_name = {outcome.name: outcome for outcome in [identity, *outcomes]}
    chosen = [by_name[name] for name in found["selected"]["per_fold"]]
    found["notes"] += edge_notes(chosen, outcomes)
    found["notes"] += pairing_notes(found, [trial["metrics"] for trial in found["trials"]])
    found |= {"repeats": plan.config.repeats, "inner": plan.inner}
    if failed := {outcome.name: outcome.diverged for outcome in outcomes if any(outcome.diverged)}:
        found["diverged"] = failed
    if plan.left_out:
        found["left_out"] = dict(plan.left_out)
    if plan.raced:
        beaten = [one for outcome in outcomes for one in outcome.beaten.values()]
        dropped = [one._asdict() for one in sorted(beaten, key=lambda one: (one.fold, one.parts, one.trial))]
        found["race"] = {"trials": len(plan.raced), "level": LEVEL, "dropped": dropped}
    if replicates is not None:
        found["statistics"] = describe_statistics(replicates)
    if not per_fold and (optimism := seed_optimism(outcomes, identity)):
        found["optimism"] = optimism
    if maps is None or replicates is None:
        return Summary(found, arms, fold_bounds)
    if maps.corrections:
        found["scores"], corrections = summarise_corrections(
            maps.corrections,
            replicates,
            bank=min(len(fold.train) for fold in plan.folds),
            test_share=plan.test_share,
            optimistic=not per_fold,
        )
        arms += correction_arms(corrections)
    if maps.diagnostics:
        found["diagnostics"] = dict(maps.diagnostics)
    found["subgroups"], subgroups = gain_by_subgroup(plan, identity, chosen, replicates)
    return Summary(found, [*arms, *subgroups], fold_bounds)


def make_summary(
    *,
    data: Mapping[str, Any],
    protocol: str,
    identity: Outcome,
    chance: Sequence[Measurement],
    outcomes: Sequence[Outcome],
    best: Outcome,
    notes: Sequence[str],
    test_share: float = 0.0,
    replicates: Replicates | None = None,
    informed: bool = True,
) -> Summary:
    """Estimate all trials, what the folds chose of each family, and what they selected of all.

    Args:
        data, protocol: as in the summary.
        identity, chance: baselines.
        outcomes: every trial; those that a race dropped from a fold have no entry of their own.
        best: the one to refit.
        notes: sentences.
        test_share: see `Inference`.
        replicates: from which intervals and p-values come; without them they stay open.
        informed: whether identity retrieves above chance; if not, choices are also tested against the best closed form.
    """
    per_fold, folds = protocol == "nested", len(identity.test)
    members: dict[tuple[str, ...], list[Outcome]] = {}
    for outcome in outcomes:
        members.setdefault(outcome.family, []).append(outcome)
    whole = {outcome.name: [outcome] * folds for outcome in outcomes if outcome.is_whole}
    families = {"/".join(family): select(several, per_fold=per_fold) for family, several in members.items()}
    pick = {"selected": select([identity, *outcomes] if per_fold else outcomes, per_fold=per_fold)}
    inference = Inference(arm_of([identity] * folds), replicates, test_share=test_share, each_fold=True)
    inference.measure(arm_of(chosen) for role in (whole, families, pick) for chosen in role.values())
    inference.bound_folds({place: fold for one in outcomes for place, fold in one.folds() if not one.is_whole})

    def entries(role: Mapping[str, Sequence[Outcome]], against: Inference, *, untested: int = 0) -> dict[str, Entry]:
        found = {name: against.entry(arm_of(chosen, train=against is inference)) for name, chosen in role.items()}
        if replicates is not None:
            adjust(list(found.values()), optimistic=not per_fold, untested=untested)
        return found

    of_trials = entries(whole, inference, untested=len(outcomes) - len(whole))
    of_families, of_pick = entries(families, inference), entries(pick, inference)
    seen = inference.levels(identity.train)
    known = {
        IDENTITY: Entry(inference.levels(), train=seen),
        "chance": Entry(estimate_means([one.values for one in chance], exact=True)),
    }
    described = {name: describe_choice(chosen, of_families[name]) for name, chosen in families.items()}
    selected = describe_choice(pick["selected"], of_pick["selected"])
    arms = [
        ArmEntry(role, name, entry)
        for role, found in (("trial", of_trials), ("family", of_families), ("selected", of_pick))
        for name, entry in found.items()
    ]
    solved = [outcome for outcome in outcomes if outcome.trial is not None and outcome.trial.loss == CLOSED]
    if solved and not informed:
        reference = select(solved, per_fold=per_fold)
        against = Inference(arm_of(reference, train=False), replicates, test_share=test_share)
        known[CLOSED] = Entry(against.levels())
        for role, chosen, named in (("family", families, described), ("selected", pick, {"selected": selected})):
            for name, entry in entries(chosen, against).items():
                nested = entry.nest()
                named[name] |= {f"{key}_closed": nested[key] for key in ("delta", "verdict") if key in nested}
                arms.append(ArmEntry(role, name, Entry(delta=entry.delta), CLOSED))
        selected["closed_per_fold"] = [one.name for one in reference]
    by_name = {outcome.name: outcome for outcome in outcomes}
    names = zip(members, described.values(), strict=True)
    content = {
        "schema": SCHEMA,
        "records": RECORDS,
        "data": dict(data),
        "protocol": protocol,
        "folds": folds,
        "notes": list(notes),
        "baselines": {
            **{name: entry.metrics.nest() for name, entry in known.items()},
            "identity_train": seen.nest(),
        },
        "trials": [describe_trial(by_name[name], entry) for name, entry in of_trials.items()],
        "families": [{**dict(zip(FAMILY, family, strict=True)), **choice} for family, choice in names],
        "selected": selected,
        "best": best.name,
    }
    arms = [*(ArmEntry("baseline", name, entry) for name, entry in known.items()), *arms]
    return Summary(content, arms, inference.fold_bounds or {})


def describe_data(data: EmbeddingSet) -> dict[str, Any]:
    """The `data` entry of a summary."""
    return {
        "name": data.name,
        "sha256": data.sha256(),
        "images": len(data),
        "languages": list(data.languages),
        "captions": {language: len(data.text[language]) for language in data.languages},
        "d_text": data.d_text,
        "d_image": data.d_image,
    }
