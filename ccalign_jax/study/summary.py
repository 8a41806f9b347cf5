"""Outcomes of trials, the choice among them, and what `summary.json` says of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ccalign_jax.data import EmbeddingSet
from ccalign_jax.study.claims import Claims, Measured, adjust
from ccalign_jax.study.combinations import CLOSED
from ccalign_jax.study.figures import IDENTITY, Figures, FoldMetrics, compare_folds, figure, figures_of, minus
from ccalign_jax.study.intervals import FoldTally
from ccalign_jax.study.race import Beaten
from ccalign_jax.training import LanguageRanks, Trial, scored_epochs

__all__ = [
    "Outcome",
    "best_of",
    "describe_data",
    "divergence_notes",
    "kept_its_start",
    "make_summary",
    "refit_epoch",
    "select",
]

ROUNDING = 1e-6
MOST_NOTES = 5  # of trials that diverged


@dataclasses.dataclass
class Outcome:
    """One trial, or a baseline, on every fold.

    Attributes:
        name: of the trial.
        trial: None for a baseline.
        report, sample: metrics of the report part and of the training sample, a fold each.
        selection: what a trial is chosen by, a fold each: the protocol's criterion on the selection part.
        epochs: the best epoch of each fold.
        curves: `[folds, points, 3]` selection scores of the epochs that are scored; empty for a baseline.
        losses: `[folds, epochs]`; empty for a baseline.
        ranks: of the report part, a fold each.
        tallies, sample_tallies: what each image adds to the metrics of the report part and the training sample.
        params: of the best epoch, a fold each.
        diverged: the first step after which a parameter was NaN or infinite, in the runs behind each fold; 0 for none.
        beaten: by fold, why the trial cannot be chosen there: the race dropped it.

    A trial that the race dropped has nothing in its place but `diverged`: None in each list, unless it is reported on
    every fold all the same, for the tables.
    """

    name: str
    trial: Trial | None = None
    report: list[FoldMetrics] = dataclasses.field(default_factory=list)
    sample: list[FoldMetrics] = dataclasses.field(default_factory=list)
    selection: list[float] = dataclasses.field(default_factory=list)
    epochs: list[int] = dataclasses.field(default_factory=list)
    curves: list[np.ndarray] = dataclasses.field(default_factory=list)
    losses: list[np.ndarray] = dataclasses.field(default_factory=list)
    ranks: list[LanguageRanks] = dataclasses.field(default_factory=list)
    tallies: list[FoldTally] = dataclasses.field(default_factory=list)
    sample_tallies: list[FoldTally] = dataclasses.field(default_factory=list)
    params: list[Any] = dataclasses.field(default_factory=list)
    diverged: list[int] = dataclasses.field(default_factory=list)
    beaten: dict[int, Beaten] = dataclasses.field(default_factory=dict)

    def drop_fold(self) -> None:
        """Leave the next fold out."""
        for values in vars(self).values():
            if isinstance(values, list) and values is not self.diverged:
                values.append(None)

    @property
    def is_whole(self) -> bool:
        """Whether it was reported on every fold."""
        return all(report is not None for report in self.report)

    @property
    def family(self) -> tuple[str, ...]:
        """Pivot, aligner and loss: trials of one family differ in settings alone."""
        return (self.trial.pivot, self.trial.aligner, self.trial.loss) if self.trial else (self.name,)


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


def select(outcomes: Sequence[Outcome], *, per_fold: bool) -> list[Outcome]:
    """For each fold the outcome with the best selection score; ties (see `best_of`) go to the earlier one.

    Args:
        outcomes: candidates, the safest first; those that a race dropped from a fold are none there.
        per_fold: each fold chooses by its own inner part; otherwise all take the best mean, as the seed study does.
    """
    scores = np.array(
        [
            [-np.inf if fold in outcome.beaten else score for fold, score in enumerate(outcome.selection)]
            for outcome in outcomes
        ]
    )
    if not per_fold:
        scores = np.broadcast_to(scores.mean(1, keepdims=True), scores.shape)
    return [outcomes[best_of(column)] for column in scores.T]


def best_of(scores: Sequence[float] | np.ndarray) -> int:
    """The place of the largest, or the first that is within rounding of it.

    The same ranks, averaged by two compiled programs, give means that differ in their last bits.

    Example:
        >>> best_of([0.25, 0.5, 0.5 + 1e-8])
        1
    """
    scores = np.asarray(scores, np.float64)
    return int(np.argmax(scores >= scores.max() - ROUNDING))


def kept_its_start(outcome: Outcome) -> bool:
    """Whether a refit up to `refit_epoch` would train nothing: the map would be its random start."""
    return outcome.trial is not None and refit_epoch(outcome) == 0


def refit_epoch(outcome: Outcome) -> int:
    """The median of the best epochs, or the last that is scored before it; of a closed form the place on its path.

    Example:
        >>> refit_epoch(Outcome("identity", epochs=[0, 0]))
        0
    """
    median = int(np.median(outcome.epochs))
    if outcome.trial is None or outcome.trial.loss == CLOSED:
        return median
    return max(epoch for epoch in scored_epochs(outcome.trial.recipe) if epoch <= median)


def divergence_notes(outcomes: Sequence[Outcome]) -> list[str]:
    """One sentence for each trial that diverged, up to `MOST_NOTES`; the others are counted.

    Example:
        >>> divergence_notes([Outcome("linear", diverged=[0, 7, 3])])[0][:45]
        'linear diverged in 2 of 3 folds, first after '
    """
    found = [outcome for outcome in outcomes if any(outcome.diverged)]
    notes = [
        f"{outcome.name} diverged in {sum(map(bool, outcome.diverged))} of {len(outcome.diverged)} folds, first after "
        f"step {min(filter(None, outcome.diverged))}: parameters are NaN or infinite, and epochs from there on are not "
        "chosen; lower learning_rate or raise temperature"
        for outcome in found[:MOST_NOTES]
    ]
    if len(found) > MOST_NOTES:
        notes.append(f"{len(found) - MOST_NOTES} more trials diverged: see trials[…].diverged in summary.json")
    return notes


def make_summary(
    *,
    data: Mapping[str, Any],
    protocol: str,
    folds: int,
    identity: Outcome,
    chance: Sequence[FoldMetrics],
    outcomes: Sequence[Outcome],
    best: Outcome,
    notes: Sequence[str],
    claims: Claims | None = None,
    informed: bool = True,
) -> dict[str, Any]:
    """`summary.json` as a dict; see `docs/results.md` for its keys.

    Args:
        data: from `describe_data`.
        protocol: of the config.
        folds: how many.
        identity, chance: baselines.
        outcomes: every trial; those that a race dropped from a fold have no entry of their own.
        best: the one to refit.
        notes: sentences.
        claims: fills in intervals and p-values; without it they stay open.
        informed: whether identity retrieves above chance; if not, choices are also tested against the best closed form.
    """
    per_fold = protocol == "nested"
    families: dict[tuple[str, ...], list[Outcome]] = {}
    for outcome in outcomes:
        families.setdefault(outcome.family, []).append(outcome)
    candidates = [identity, *outcomes] if per_fold else list(outcomes)

    def entries(several: Sequence[Sequence[Outcome]], *, untested: int = 0) -> list[Figures]:
        if claims is not None:
            claims.measure(map(_measured_whole, several))
        found = [_chosen_summary(chosen, identity, claims) for chosen in several]
        if claims is not None:
            adjust(found, optimistic=not per_fold, untested=untested)
        return found

    folded, whole = range(len(identity.report)), [outcome for outcome in outcomes if outcome.is_whole]
    trials = entries([[outcome for _ in folded] for outcome in whole], untested=len(outcomes) - len(whole))
    picks = [select(members, per_fold=per_fold) for members in families.values()]
    pick = select(candidates, per_fold=per_fold)
    chosen, [selected] = entries(picks), entries([pick])
    baselines = {
        IDENTITY: figures_of(identity.report),
        "chance": figures_of(chance, exact=True),
        "identity_train": figures_of(identity.sample),
    }
    if claims is not None:
        claims.level(baselines[IDENTITY])
        claims.level(baselines["identity_train"], identity.sample_tallies)
    solved = [outcome for outcome in outcomes if outcome.trial is not None and outcome.trial.loss == CLOSED]
    if solved and not informed:
        reference = select(solved, per_fold=per_fold)
        baselines[CLOSED] = _set_against(reference, [(chosen, picks), ([selected], [pick])], claims, per_fold=per_fold)
        selected["closed_per_fold"] = [one.name for one in reference]
    return {
        "schema": 1,
        "data": dict(data),
        "protocol": protocol,
        "folds": folds,
        "notes": list(notes),
        "baselines": baselines,
        "trials": [_trial_summary(outcome, entry) for outcome, entry in zip(whole, trials, strict=True)],
        "families": [
            {"pivot": family[0], "aligner": family[1], "loss": family[2], **entry}
            for family, entry in zip(families, chosen, strict=True)
        ],
        "selected": selected,
        "best": best.name,
    }


def _set_against(
    reference: Sequence[Outcome],
    several: Sequence[tuple[Sequence[Figures], Sequence[Sequence[Outcome]]]],
    claims: Claims | None,
    *,
    per_fold: bool,
) -> Figures:
    """Add `delta_closed` and `verdict_closed` to entries: changes against the closed form that each fold chose.

    Args:
        reference: a fold each.
        several: entries, and of each the outcome chosen in each fold; those of one pair are tested together.
        claims: of the changes against identity.
        per_fold: whether each fold chose by its inner part.

    Returns:
        The metrics of the reference.
    """
    base = [one.report[fold] for fold, one in enumerate(reference)]
    figures = figures_of(base)
    against = None
    if claims is not None:
        against = Claims(_measured(reference), claims.resamples, test_share=claims.test_share)
        against.level(figures)
    for entries, picks in several:
        found: list[Figures] = []
        for pick in picks:
            changes = [minus(one.report[fold], base[fold]) for fold, one in enumerate(pick)]
            found.append({"delta": figures_of(changes, delta=True)})
            if against is not None:
                against.entry(found[-1], _measured(pick), changes)
        if against is not None:
            adjust(found, optimistic=not per_fold)
        for entry, one in zip(entries, found, strict=True):
            entry |= {f"{key}_closed": value for key, value in one.items()}
    return figures


def _measured(chosen: Sequence[Outcome]) -> Measured:
    """The holdouts of the outcome chosen in each fold."""
    return Measured(tuple(one.name for one in chosen), [one.tallies[fold] for fold, one in enumerate(chosen)])


def _measured_whole(chosen: Sequence[Outcome]) -> Measured:
    """The holdouts and the training samples."""
    return _measured(chosen)._replace(sample=[one.sample_tallies[fold] for fold, one in enumerate(chosen)])


def _trial_summary(outcome: Outcome, entry: Figures) -> dict[str, Any]:
    assert outcome.trial is not None
    curve = np.mean(outcome.curves, axis=0)
    return {
        "name": outcome.name,
        "pivot": outcome.trial.pivot,
        "aligner": outcome.trial.aligner,
        "loss": outcome.trial.loss,
        "hyper": {key: value for key, value in outcome.trial.hyper._asdict().items() if key in outcome.trial.reads},
        **entry,
        **({"diverged": outcome.diverged} if any(outcome.diverged) else {}),
        "curve": {
            "epoch": list(range(len(curve)) if outcome.trial.loss == CLOSED else scored_epochs(outcome.trial.recipe)),
            **{key: [round(float(v), 6) for v in curve[:, k]] for k, key in enumerate(("t2i_R@1", "i2t_R@1", "MRR"))},
        },
    }


def _chosen_summary(chosen: Sequence[Outcome], identity: Outcome, claims: Claims | None) -> Figures:
    """The figures of the outcome chosen in each fold."""
    places = list(enumerate(chosen))
    report, sample = ([getattr(one, part)[fold] for fold, one in places] for part in ("report", "sample"))
    compared, changes = compare_folds(report, identity.report, sample)
    entry: Figures = {
        "per_fold": [one.name for one in chosen],
        "epochs": [one.epochs[fold] for fold, one in places],
        "selection": figure([one.selection[fold] for fold, one in places]),
        **compared,
    }
    if claims is not None:
        claims.entry(entry, _measured_whole(chosen), changes)
    return entry
