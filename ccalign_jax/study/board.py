"""What TensorBoard shows of a sweep or of a streamed fit: curves as fits are done, then the table and the rows."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ccalign_jax._names import CLOSED
from ccalign_jax.aligners import Aligner, Params
from ccalign_jax.files import full_disk
from ccalign_jax.measurement.measure import IDENTITY
from ccalign_jax.reporting.tensorboard import BoardFiles, Scalar
from ccalign_jax.runs.output import file_name
from ccalign_jax.study.plan import Plan
from ccalign_jax.study.shown_rows import shown_rows
from ccalign_jax.training import (
    FitPlan,
    PairScores,
    Recipe,
    Run,
    RunResult,
    StreamPoint,
    Trial,
    learning_rate,
    scored_epochs,
)

if TYPE_CHECKING:
    from ccalign_jax.study.outcomes import Outcome
    from ccalign_jax.study.sweep_result import SweepResult

__all__ = ["StreamBoard", "SweepBoard", "fit_labels"]

LOSS, RATE, DISTANCE = "loss", "learning rate", "‖ΔW‖"
SCORES = ("t2i R@1", "i2t R@1", "MRR")
METRICS = {"test/t2i R@1": "t2i", "test/i2t R@1": "i2t", "test/mean R@1": "both"}
CHANGE, CHOSEN = "test/change of mean R@1", "test/folds that choose it"


def fit_labels(fits: FitPlan) -> dict[int, str]:
    """A name for each fit: the fold that it is tested on, else the first inner fold that it is scored on.

    Example:
        >>> none = np.zeros(0, int)
        >>> fit_labels(FitPlan((none,) * 3, (none,), inner=(((1, 0), (2, 0)),), test=(0,)))
        {0: 'fold 0', 1: 'fold 0, inner 0', 2: 'fold 0, inner 1'}
    """
    found = {fit: f"fold {fold}" for fold, fit in reversed(list(enumerate(fits.test)))}
    for fold, pairs in enumerate(fits.inner):
        for place, (fit, _) in enumerate(pairs):
            found.setdefault(fit, f"fold {fold}, inner {place}")
    return dict(sorted(found.items()))


@functools.partial(jax.jit, static_argnums=0)
def _distance(aligner: Aligner, params: Params, start: Params) -> Float[Array, ""]:
    """‖ΔW‖: how far parameters are from identity, or from the start of an aligner that has no identity."""
    moved = jax.tree.leaves(aligner.deviation(params))
    if not moved:
        moved = jax.tree.leaves(jax.tree.map(jnp.subtract, params, start))
    return jnp.sqrt(sum(jnp.sum(jnp.square(leaf)) for leaf in moved))


def _distances(aligner: Aligner, run: Run, chart: str = "") -> list[Scalar]:
    start = run.at(0)
    return [
        Scalar(f"{DISTANCE}{chart}", int(epoch), float(_distance(aligner, run.at(point), start)))
        for point, epoch in enumerate(np.asarray(run.epochs))
    ]


def _scores(steps: Iterable[int], scores: np.ndarray, chart: str = "") -> list[Scalar]:
    return [
        Scalar(f"validation {name}{chart}", step, value)
        for step, values in zip(steps, scores.tolist(), strict=True)
        for name, value in zip(SCORES, values, strict=True)
    ]


class SweepBoard:
    """Curves of each fit of a trial when it comes back, then a table of the trials and rows before and after.

    A run of TensorBoard is a trial; its steps are epochs, of a closed form points of its path.

    Args:
        folder: of the runs; see `BoardFiles`.
        plan: of the sweep.
    """

    def __init__(self, folder: Path, plan: Plan):
        self.files, self.plan, self.labels = BoardFiles(folder), plan, fit_labels(plan.fits)

    def watch(
        self, trial: Trial, aligner: Aligner, recipe: Recipe, fits: Iterable[tuple[int, Run]]
    ) -> Iterator[tuple[int, Run]]:
        """The same fits; the curves of each are written before it is passed on."""
        for fit, run in fits:
            chart = f"/{self.labels[fit]}"
            losses = enumerate(np.asarray(run.losses).tolist(), 1)
            scalars = [Scalar(f"{LOSS}{chart}", epoch, value) for epoch, value in losses]
            if trial.loss != CLOSED:
                ends = recipe.steps_per_epoch * jnp.arange(1, recipe.epochs + 1) - 1
                rates = learning_rate(trial.hyper, ends, recipe.epochs * recipe.steps_per_epoch)
                each = enumerate(np.asarray(rates).tolist(), 1)
                scalars += [Scalar(f"{RATE}{chart}", epoch, rate) for epoch, rate in each]
            self._add(trial.name, [*scalars, *_distances(aligner, run, chart)])
            yield fit, run

    def add_scores(
        self, trial: Trial, pairs: Iterable[tuple[int, int]], folds: Iterable[int], result: RunResult | PairScores
    ) -> None:
        """Validation scores by epoch: of (fit, part) pairs, or the means that choose the epoch of each fold."""
        if isinstance(result, PairScores):
            places = {
                pair: f"fold {fold}, inner {place}"
                for fold, inner in enumerate(self.plan.fits.inner)
                for place, pair in enumerate(inner)
            }
            labels, curves = [places[pair] for pair in pairs], np.asarray(result.mean)
        else:
            labels, curves = [f"fold {fold}" for fold in folds], np.asarray(result.fit.scores)
        for label, curve in zip(labels, curves, strict=True):
            epochs = range(len(curve)) if trial.loss == CLOSED else scored_epochs(trial.recipe)
            self._add(trial.name, _scores(epochs, curve, f"/{label}"))

    def finish(self, result: SweepResult) -> None:
        """Write the table of trials with their metrics, and the test rows of fold 0 before and after its choice."""
        summary, runs = result.summary, {}
        known = {IDENTITY: {"metrics": summary["baselines"][IDENTITY]}}
        known |= {entry["name"]: entry for entry in summary["trials"]}
        for outcome in (result.identity, *result.outcomes):
            entry = known.get(outcome.name)
            runs[file_name(outcome.name)] = _hparams(outcome, entry)
            if entry is not None:
                self._add(outcome.name, _final(outcome.name, entry, summary["selected"]["per_fold"]))
        with full_disk(self.files.folder, resumable=True):
            self.files.add_hparams(runs, [*METRICS, CHANGE, CHOSEN])
            self.files.add_points("projector", *shown_rows(result))

    def _add(self, name: str, scalars: Iterable[Scalar]) -> None:
        with full_disk(self.files.folder, resumable=True):
            self.files.add_scalars(file_name(name), scalars)


def _hparams(outcome: Outcome, entry: Mapping[str, Any] | None) -> dict[str, str | float]:
    trial = outcome.trial
    if trial is None:
        return {"aligner": IDENTITY}
    read = {name: float(value) for name, value in trial.hyper._asdict().items() if name in trial.reads}
    verdict = "dropped by the race" if entry is None else entry["verdict"]["both"]
    return {"pivot": trial.pivot, "aligner": trial.aligner, "loss": trial.loss, "verdict": verdict, **read}


def _final(name: str, entry: Mapping[str, Any], chosen: Sequence[str]) -> Iterator[Scalar]:
    for tag, task in METRICS.items():
        yield Scalar(tag, 0, entry["metrics"][task]["R@1"]["mean"])
    if "delta" in entry:
        yield Scalar(CHANGE, 0, entry["delta"]["both"]["R@1"]["mean"])
    yield Scalar(CHOSEN, 0, list(chosen).count(name))


class StreamBoard:
    """Curves of one streamed fit, step by step; a run of TensorBoard with the trial's name.

    Args:
        folder: of the runs; see `BoardFiles`.
        trial: that is fitted.
        aligner: its map.
        total: steps of the whole run.
    """

    def __init__(self, folder: Path, trial: Trial, aligner: Aligner, total: int):
        self.files, self.trial, self.aligner, self.total = BoardFiles(folder), trial, aligner, total

    def add_steps(self, point: StreamPoint, start: Params) -> None:
        """The objective and learning rate of the steps since the last point, and ‖ΔW‖ after them."""
        last, count = int(point.state.steps), len(point.losses)
        steps = jnp.arange(last - count, last)
        rates = np.asarray(learning_rate(self.trial.hyper, steps, self.total)).tolist()
        each = list(zip((steps + 1).tolist(), point.losses, rates, strict=True))
        scalars = [Scalar(LOSS, step, loss) for step, loss, _ in each]
        scalars += [Scalar(RATE, step, rate) for step, _, rate in each]
        self._add([*scalars, Scalar(DISTANCE, last, float(_distance(self.aligner, point.state.params.map, start)))])

    def add_path(self, run: Run) -> None:
        """‖ΔW‖ along the path of a closed form."""
        self._add(_distances(self.aligner, run))

    def add_scores(self, run: Run, scores: np.ndarray, steps_per_epoch: int) -> None:
        """The scores of a run's maps on held-out pairs, `[points, 3]`."""
        self._add(_scores((np.asarray(run.epochs) * steps_per_epoch).tolist(), scores))

    def _add(self, scalars: Iterable[Scalar]) -> None:
        with full_disk(self.files.folder, resumable=True):
            self.files.add_scalars(file_name(self.trial.name), scalars)
