"""What a sweep found: outcomes, estimates, the selected map, and a data frame and a few lines of them."""

from __future__ import annotations

import dataclasses
import functools
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ccalign_jax.data.frames import Backend
from ccalign_jax.learned_map import LearnedMap
from ccalign_jax.measurement.replicates import Replicates
from ccalign_jax.reporting import SWEEP, figure_of, sweep_html, sweep_text
from ccalign_jax.study.examples.find import find_examples
from ccalign_jax.study.frames import records_frame
from ccalign_jax.study.outcomes import Outcome
from ccalign_jax.study.plan import Plan
from ccalign_jax.study.score_corrections import Corrections
from ccalign_jax.study.summary import MapMeasurements, Summary, summarise
from ccalign_jax.training import Embeddings, FoldArrays

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["SweepResult"]


@dataclasses.dataclass
class SweepResult:
    """What a sweep found.

    Attributes:
        plan: what was run.
        identity: the baseline on every fold.
        outcomes: every trial on every fold, with its ranks and parameters.
        seconds: how long each part took.
        notes: sentences for the summary.
        best: the map that was chosen, refitted; None until `refit.refit` has made it.
        replicates: from which intervals and p-values come; None leaves them open.
        maps: what `measure_maps.measure_test_parts` measures of what folds chose; None until it has.
        corrections: identity under the score corrections, fold by fold; None until they are measured.
        inputs: the plan's arrays on the device; None if a result was not made by `run_sweep`.
        folder: where everything is written; None if nothing is.
    """

    plan: Plan
    identity: Outcome
    outcomes: list[Outcome]
    seconds: dict[str, float]
    notes: list[str]
    best: LearnedMap | None = None
    replicates: Replicates | None = None
    maps: MapMeasurements | None = None
    corrections: list[Corrections] | None = None
    inputs: tuple[Embeddings, FoldArrays] | None = None
    folder: Path | None = None

    @functools.cached_property
    def estimates(self) -> Summary:
        """The summary and its records, made when first asked for."""
        began = time.perf_counter()
        found = summarise(
            self.plan, self.identity, self.outcomes, notes=self.notes, replicates=self.replicates, maps=self.maps
        )
        self.seconds["estimates"] = time.perf_counter() - began
        return found

    @functools.cached_property
    def examples(self) -> dict[str, Any]:
        """The content of `examples.json`, made when first asked for."""
        began = time.perf_counter()
        found = find_examples(self.plan, self.identity, self.outcomes, self.inputs)
        self.seconds["examples"] = time.perf_counter() - began
        return found

    @property
    def summary(self) -> dict[str, Any]:
        """The content of `summary.json`."""
        return self.estimates.content

    def frame(self, backend: Backend = "pandas") -> Any:
        """The records of `records.csv` as a data frame; see `study.frames.records_frame`."""
        return records_frame(self.estimates.arms, backend, folder=self.folder)

    def plot(self, name: str = "overview") -> Figure:
        """A figure of the page as a Matplotlib figure.

        Args:
            name: `overview`, `main`, `baselines`, `languages`, `overfitting`, `regularisation`, `training`,
                `text_to_text`, `subgroups`, `neighbourhoods`, `gram_matrices`, `spectra` or `hubs`.

        Raises:
            ValueError: no such figure, or it shows what this sweep has not measured.
        """
        return figure_of(SWEEP, name, self.summary, lambda: self.examples)

    def __repr__(self) -> str:
        return sweep_text(self.summary, self.folder)

    def _repr_html_(self) -> str:
        return sweep_html(self.summary, self.folder)
