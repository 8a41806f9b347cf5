"""Outcomes of trials, the choice among them, and what a choice on the test images claims too much."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ccalign_jax._names import CLOSED
from ccalign_jax.measurement.estimates import Entry
from ccalign_jax.measurement.inference import Arm
from ccalign_jax.measurement.measure import BOTH, DIRECTIONS, Measurement
from ccalign_jax.study.race import Beaten
from ccalign_jax.training import LanguageRanks, Trial, scored_epochs
from ccalign_jax.training.parts import SCORES

__all__ = ["Outcome", "arm_of", "best_of", "describe_choice", "describe_trial", "seed_optimism", "select", "spread"]

ROUNDING = 1e-6


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

    A trial that the race dropped has nothing in its place but `diverged`: None in each list, unless it is tested on
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
        """Whether it was tested on every fold."""
        return all(measured is not None for measured in self.test)

    def folds(self) -> Iterator[tuple[tuple[str, int], Measurement]]:
        """Its name and the number of each fold that it was tested on, and what was measured there."""
        for number, measured in enumerate(self.test):
            if measured is not None:
                yield (self.name, number), measured

    @property
    def family(self) -> tuple[str, ...]:
        """Pivot, aligner and loss: trials of one family differ in settings alone."""
        return (self.trial.pivot, self.trial.aligner, self.trial.loss) if self.trial else (self.name,)

    @property
    def refit_epoch(self) -> int:
        """The median of the best epochs, or the last that is scored before it; of a closed form the place on its path.

        Example:
            >>> Outcome("identity", epochs=[0, 0]).refit_epoch
            0
        """
        median = int(np.median(self.epochs))
        if self.trial is None or self.trial.loss == CLOSED:
            return median
        return max(epoch for epoch in scored_epochs(self.trial.recipe) if epoch <= median)

    @property
    def kept_its_start(self) -> bool:
        """Whether a refit up to `refit_epoch` would train nothing: the map would be its random start."""
        return self.trial is not None and self.refit_epoch == 0


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


def arm_of(chosen: Sequence[Outcome], *, train: bool = True) -> Arm:
    """The outcome chosen in each fold, as one arm; with its training samples, or without."""
    seen = [one.train[fold] for fold, one in enumerate(chosen)] if train else []
    return Arm(tuple(one.name for one in chosen), [one.test[fold] for fold, one in enumerate(chosen)], seen)


def seed_optimism(outcomes: Sequence[Outcome], identity: Outcome) -> dict[str, Any] | None:
    """The change of R@1 that the seed protocol claims, and what is left if setting and epoch come from other folds.

    The protocol takes of each trial and fold the epoch that is best on the fold itself, and the trial with the best
    mean of these. Here each fold takes the trial and the epoch whose mean over the *other* folds is best, by the same
    criterion, t2i R@1, and again never the start. The fits are the same, so that it costs nothing.

    Args:
        outcomes: every trial, with its curves on the test parts.
        identity: the baseline.

    Returns:
        `{"t2i" | "i2t" | "both": {"R@1": {"claimed", "honest", "optimism"}}}`; None for one fold, which has no other.
    """
    folds = len(identity.test)
    if folds < 2:
        return None
    base = np.array([_recall(one) for one in identity.test])
    chosen = select(outcomes, per_fold=False)
    claimed = np.mean([_recall(one.test[fold]) for fold, one in enumerate(chosen)], axis=0)
    curves = [np.stack(outcome.curves) for outcome in outcomes]  # [folds, epochs + 1, 3]
    honest = []
    for fold in range(folds):
        others = [np.delete(curve, fold, axis=0)[:, 1:, 0].mean(axis=0) for curve in curves]
        trial = int(np.argmax([score.max() for score in others]))
        honest.append(curves[trial][fold, 1 + int(np.argmax(others[trial])), :2])
    changes = {"claimed": claimed - base.mean(axis=0), "honest": np.mean(honest, axis=0) - base.mean(axis=0)}
    changes["optimism"] = changes["claimed"] - changes["honest"]
    named = {key: {**dict(zip(DIRECTIONS, value, strict=True)), BOTH: value.mean()} for key, value in changes.items()}
    return {way: {"R@1": {key: float(value[way]) for key, value in named.items()}} for way in (*DIRECTIONS, BOTH)}


def _recall(measured: Measurement) -> list[float]:
    return [measured.values[direction, None]["R@1"] for direction in DIRECTIONS]


def describe_trial(outcome: Outcome, entry: Entry) -> dict[str, Any]:
    """A trial on every fold: what it is, its estimates, and the curve of its validation scores."""
    trial = outcome.trial
    assert trial is not None
    curve = np.mean(outcome.curves, axis=0)
    return {
        "name": outcome.name,
        "pivot": trial.pivot,
        "aligner": trial.aligner,
        "loss": trial.loss,
        "hyper": {key: value for key, value in trial.hyper._asdict().items() if key in trial.reads},
        **describe_choice([outcome] * len(outcome.test), entry),
        **({"diverged": outcome.diverged} if any(outcome.diverged) else {}),
        "curve": {
            "epoch": list(range(len(curve)) if trial.loss == CLOSED else scored_epochs(trial.recipe)),
            **{key: [round(float(v), 6) for v in curve[:, k]] for k, key in enumerate(SCORES)},
        },
    }


def describe_choice(chosen: Sequence[Outcome], entry: Entry) -> dict[str, Any]:
    """What each fold chose, and its estimates."""
    return {
        "per_fold": [one.name for one in chosen],
        "epochs": [one.epochs[fold] for fold, one in enumerate(chosen)],
        "selection": spread([one.selection[fold] for fold, one in enumerate(chosen)]),
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
