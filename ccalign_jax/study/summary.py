"""Outcomes of trials, the choice among them, and what `summary.json` says of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ccalign_jax.data import EmbeddingSet
from ccalign_jax.study.combinations import CLOSED
from ccalign_jax.study.estimates import Entry, estimate_means
from ccalign_jax.study.inference import Arm, Inference, adjust
from ccalign_jax.study.intervals import Replicates
from ccalign_jax.study.measure import IDENTITY, Measurement
from ccalign_jax.study.race import Beaten
from ccalign_jax.training import LanguageRanks, Trial, scored_epochs

__all__ = [
    "Outcome",
    "arm_of",
    "best_of",
    "describe_data",
    "divergence_notes",
    "kept_its_start",
    "make_summary",
    "refit_epoch",
    "select",
    "spread",
]

ROUNDING = 1e-6
MAX_NOTES = 5  # of trials that diverged


@dataclasses.dataclass
class Outcome:
    """One trial, or a baseline, on every fold.

    Attributes:
        name: of the trial.
        trial: None for a baseline.
        test, train: measured on the test part and on the training sample, a fold each.
        selection: what a trial is chosen by, a fold each: the protocol's criterion on the selection part.
        epochs: the best epoch of each fold.
        curves: `[folds, points, 3]` selection scores of the epochs that are scored; empty for a baseline.
        losses: `[folds, epochs]`; empty for a baseline.
        ranks: on the test part, a fold each.
        params: of the best epoch, a fold each.
        diverged: the first step after which a parameter was NaN or infinite, in the runs behind each fold; 0 for none.
        beaten: by fold, why the trial cannot be chosen there: the race dropped it.

    A trial that the race dropped has nothing in its place but `diverged`: None in each list, unless it is reported on
    every fold all the same, for the tables.
    """

    name: str
    trial: Trial | None = None
    test: list[Measurement] = dataclasses.field(default_factory=list)
    train: list[Measurement] = dataclasses.field(default_factory=list)
    selection: list[float] = dataclasses.field(default_factory=list)
    epochs: list[int] = dataclasses.field(default_factory=list)
    curves: list[np.ndarray] = dataclasses.field(default_factory=list)
    losses: list[np.ndarray] = dataclasses.field(default_factory=list)
    ranks: list[LanguageRanks] = dataclasses.field(default_factory=list)
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
        return all(measured is not None for measured in self.test)

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
    """One sentence for each trial that diverged, up to `MAX_NOTES`; the others are counted.

    Example:
        >>> divergence_notes([Outcome("linear", diverged=[0, 7, 3])])[0][:45]
        'linear diverged in 2 of 3 folds, first after '
    """
    found = [outcome for outcome in outcomes if any(outcome.diverged)]
    notes = [
        f"{outcome.name} diverged in {sum(map(bool, outcome.diverged))} of {len(outcome.diverged)} folds, first after "
        f"step {min(filter(None, outcome.diverged))}: parameters are NaN or infinite, and epochs from there on are not "
        "chosen; lower learning_rate or raise temperature"
        for outcome in found[:MAX_NOTES]
    ]
    if len(found) > MAX_NOTES:
        notes.append(f"{len(found) - MAX_NOTES} more trials diverged: see trials[…].diverged in summary.json")
    return notes


def arm_of(chosen: Sequence[Outcome], *, train: bool = True) -> Arm:
    """The outcome chosen in each fold, as one arm.

    Args:
        chosen: a fold each.
        train: whether to compare training samples, too.
    """
    seen = [one.train[fold] for fold, one in enumerate(chosen)] if train else []
    return Arm(tuple(one.name for one in chosen), [one.test[fold] for fold, one in enumerate(chosen)], seen)


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
) -> dict[str, Any]:
    """`summary.json` as a dict; see `docs/results.md` for its keys.

    Args:
        data: from `describe_data`.
        protocol: of the config.
        identity, chance: baselines.
        outcomes: every trial; those that a race dropped from a fold have no entry of their own.
        best: the one to refit.
        notes: sentences.
        test_share: see `Inference`.
        replicates: from which intervals and p-values come; without them they stay open.
        informed: whether identity retrieves above chance; if not, choices are also tested against the best closed form.
    """
    per_fold = protocol == "nested"
    folds = len(identity.test)
    families: dict[tuple[str, ...], list[Outcome]] = {}
    for outcome in outcomes:
        families.setdefault(outcome.family, []).append(outcome)
    candidates = [identity, *outcomes] if per_fold else list(outcomes)
    whole = [outcome for outcome in outcomes if outcome.is_whole]
    trials = [[outcome] * folds for outcome in whole]
    picks = [select(members, per_fold=per_fold) for members in families.values()]
    pick = select(candidates, per_fold=per_fold)

    inference = Inference(arm_of([identity] * folds), replicates, test_share=test_share)
    inference.measure(map(arm_of, [*trials, *picks, pick]))

    def entries(several: Sequence[Sequence[Outcome]], against: Inference, *, untested: int = 0) -> list[Entry]:
        found = [against.entry(arm_of(chosen, train=against is inference)) for chosen in several]
        if replicates is not None:
            adjust(found, optimistic=not per_fold, untested=untested)
        return found

    of_trials = entries(trials, inference, untested=len(outcomes) - len(whole))
    chosen = [
        {"pivot": family[0], "aligner": family[1], "loss": family[2], **_describe(of_family, entry)}
        for family, of_family, entry in zip(families, picks, entries(picks, inference), strict=True)
    ]
    [entry] = entries([pick], inference)
    selected = _describe(pick, entry)
    baselines = {
        IDENTITY: inference.levels().nest(),
        "chance": estimate_means([one.values for one in chance], exact=True).nest(),
        "identity_train": inference.levels(identity.train).nest(),
    }
    solved = [outcome for outcome in outcomes if outcome.trial is not None and outcome.trial.loss == CLOSED]
    if solved and not informed:
        reference = select(solved, per_fold=per_fold)
        against = Inference(arm_of(reference, train=False), replicates, test_share=test_share)
        baselines[CLOSED] = against.levels().nest()
        for described, several in ((chosen, picks), ([selected], [pick])):
            for each, entry in zip(described, entries(several, against), strict=True):
                nested = entry.nest()
                each |= {f"{key}_closed": nested[key] for key in ("delta", "verdict") if key in nested}
        selected["closed_per_fold"] = [one.name for one in reference]
    return {
        "schema": 1,
        "data": dict(data),
        "protocol": protocol,
        "folds": folds,
        "notes": list(notes),
        "baselines": baselines,
        "trials": [_describe_trial(one, entry) for one, entry in zip(whole, of_trials, strict=True)],
        "families": chosen,
        "selected": selected,
        "best": best.name,
    }


def _describe_trial(outcome: Outcome, entry: Entry) -> dict[str, Any]:
    trial = outcome.trial
    assert trial is not None
    curve = np.mean(outcome.curves, axis=0)
    return {
        "name": outcome.name,
        "pivot": trial.pivot,
        "aligner": trial.aligner,
        "loss": trial.loss,
        "hyper": {key: value for key, value in trial.hyper._asdict().items() if key in trial.reads},
        **_describe([outcome] * len(outcome.test), entry),
        **({"diverged": outcome.diverged} if any(outcome.diverged) else {}),
        "curve": {
            "epoch": list(range(len(curve)) if trial.loss == CLOSED else scored_epochs(trial.recipe)),
            **{key: [round(float(v), 6) for v in curve[:, k]] for k, key in enumerate(("t2i_R@1", "i2t_R@1", "MRR"))},
        },
    }


def _describe(chosen: Sequence[Outcome], entry: Entry) -> dict[str, Any]:
    """What each fold chose, and its estimates."""
    places = list(enumerate(chosen))
    scores = [one.selection[fold] for fold, one in places]
    return {
        "per_fold": [one.name for one in chosen],
        "epochs": [one.epochs[fold] for fold, one in places],
        "selection": spread(scores),
        **entry.nest(),
    }


def spread(values: Sequence[float]) -> dict[str, float | None]:
    """Mean and standard deviation over folds; the interval is open.

    Example:
        >>> spread([0.25, 0.75])
        {'mean': 0.5, 'std': 0.3535533905932738, 'low': None, 'high': None}
    """
    std = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return {"mean": float(np.mean(values)), "std": std, "low": None, "high": None}
