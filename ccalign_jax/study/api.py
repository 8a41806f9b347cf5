"""A study from data to results, for `ccalign sweep` and for Python alike."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, TypeVar, Unpack

from jax.sharding import Mesh

from ccalign_jax.checkpoints import load_aligner
from ccalign_jax.data import EmbeddingSet, Fold
from ccalign_jax.data.fold_checks import check_folds
from ccalign_jax.errors import InputError
from ccalign_jax.measurement.measure import IDENTITY
from ccalign_jax.options import ARRAYS, SweepConfig, SweepOptions, with_options
from ccalign_jax.options.base import check_names
from ccalign_jax.processes import ALONE, Processes
from ccalign_jax.runs.kinds import SWEEP_FOLDER
from ccalign_jax.runs.load import read_examples, read_summary
from ccalign_jax.runs.store import Store
from ccalign_jax.study.board import SweepBoard
from ccalign_jax.study.inputs import prepare_data, read_data
from ccalign_jax.study.measure_maps import measure_test_parts
from ccalign_jax.study.outcomes import Outcome
from ccalign_jax.study.plan import Plan, plan_folds, plan_sweep
from ccalign_jax.study.refit import refit
from ccalign_jax.study.run import Preview, Progress, run_sweep
from ccalign_jax.study.summary import Summary
from ccalign_jax.study.sweep_result import SweepResult
from ccalign_jax.study.workers import Distributed
from ccalign_jax.study.write import write_results
from ccalign_jax.training import make_mesh

if TYPE_CHECKING:
    from ccalign_jax.data.objects import Source

__all__ = ["plan_study", "run_study", "sweep"]

Bar = Callable[[str], AbstractContextManager[Progress]]
Function = TypeVar("Function", bound=Callable[..., Any])


def plan_study(config: SweepConfig, data: EmbeddingSet | None = None, *, folds: Sequence[Fold] | None = None) -> Plan:
    """Read and divide the data, and check all that can be wrong before anything is written or computed.

    Data and folds that are given take the place of the config's.

    Raises:
        InputError: a mistake in the options or the data.
    """
    given = read_data(config.data, languages=config.languages) if data is None else data
    found = prepare_data(given, config)
    chosen = plan_folds(found, config) if folds is None else list(folds)
    if folds is not None:
        check_folds(found, chosen, nested=config.protocol == "nested")
    return plan_sweep(found, config, chosen)


def run_study(
    plan: Plan,
    store: Store,
    *,
    diagnostics: bool = True,
    tensorboard: bool = False,
    processes: Processes = ALONE,
    mesh: Mesh | None = None,
    bar: Bar = lambda unit: nullcontext(lambda what, done, total: None),
    preview: Preview | None = None,
    ranked: Callable[[], None] = lambda: None,
    figures: Sequence[str] = ("svg",),
) -> SweepResult:
    """Run every trial on every fold, measure the test parts, refit the trial that is chosen, and write everything.

    Args:
        plan: from `plan_study`.
        store: of the sweep, acquired; without a path nothing is written.
        diagnostics: also describe the sets of rows before and after, on the test parts.
        tensorboard: also write what TensorBoard shows, into the store.
        processes, mesh, preview: as in `run_sweep`.
        bar: shows the progress of one part of the work, whose unit it is given.
        ranked: called once all trials are done.
        figures: formats in which they are written.

    Returns:
        What was found; of a run that was complete already, the summary and the best map alone.

    Raises:
        InputError: TensorBoard is not installed, or nothing is kept.
    """
    if store.path is not None and store.finished:
        if processes.count > 1:
            Distributed(processes, plan).assign({}, last=True)
        result = SweepResult(plan, Outcome(IDENTITY), [], {}, [], best=load_aligner(store.path / "best"))
        result.estimates, result.folder = Summary(read_summary(store.path) or {}, [], {}), store.path
        result.examples = read_examples(store.path)
        return result
    if tensorboard and store.path is None:
        raise InputError("tensorboard writes into the folder of the run; give out, too")
    board = SweepBoard(store.board, plan) if tensorboard else None
    with bar("% of the work") as progress:
        result = run_sweep(plan, store, processes=processes, mesh=mesh, progress=progress, preview=preview, board=board)
    ranked()
    with bar("test parts") as progress:
        result = measure_test_parts(result, diagnostics=diagnostics, progress=progress)
    refit(result)
    if board is not None:
        board.finish(result)
    write_results(store, result, figures)
    result.folder = store.path
    return result


@with_options(SweepConfig, SweepOptions)
def sweep(
    data: Source | EmbeddingSet = "synthetic",
    images: Any = None,
    *,
    teachers: Mapping[str, Any] | None = None,
    hyper: Mapping[str, Any] | None = None,
    folds: int | Sequence[Fold] = 5,
    diagnostics: bool = True,
    tensorboard: bool = False,
    out: str | os.PathLike[str] | None = None,
    resume: bool = False,
    overwrite: bool = False,
    devices: int | None = None,
    progress: Progress = lambda what, done, total: None,
    **options: Unpack[SweepOptions],
) -> SweepResult:
    """Train every pivot × aligner × loss × setting on every fold, and choose; `ccalign sweep` from Python.

    `pivot`, `aligner` and `loss` may be given in place of the plurals.

    Args:
        data: what `load` takes (a path, a data frame, arrays by name, …), "synthetic", an `EmbeddingSet`, or a mapping
            of language to caption rows `[n, d_text]`, row i for image i.
        images: `[n, d_image]`, where `data` is a mapping. Rows may be arrays, PyTorch tensors, data frames or lists.
        teachers: language to rows `[n, d_teacher]` by another encoder, likewise, for `pivot="teacher"`; beside images,
            or in their place.
        hyper: settings that override the grid, such as `{"temperature": [0.01, 0.03]}`.
        folds: a number, or plans of your own.
        diagnostics: also describe the sets of rows before and after, on the test parts.
        tensorboard: also write what TensorBoard shows, into `out`.
        out: folder for the results; None keeps nothing on disk.
        resume, overwrite: what to do if `out` holds a run.
        devices: that trials are spread over; by default all of an accelerator, one of a CPU.
        progress: called with what goes on, the share of the work that is done, and the whole.
        options: see `SweepConfig`.

    Returns:
        What was found: `summary`, the content of `summary.json`; `frame()`, every estimate as a data frame; `best`, the
        selected map, refitted to all images, a function of rows.

    Raises:
        InputError: a mistake in the arguments or the data, before anything is written.

    Example:
        >>> from ccalign_jax.data import synthetic
        >>> data = synthetic(60, languages=("de", "en"), dimensions=8)
        >>> found = sweep(data, aligners=["residual"], hyper={"epochs": 1}, folds=2)
        >>> sorted(found.summary["baselines"])
        ['chance', 'identity', 'identity_train']
    """
    settings = {name: value if isinstance(value, list | tuple) else [value] for name, value in (hyper or {}).items()}
    given = SweepConfig.by_field(options)
    check_names(given, inspect.signature(sweep).parameters)
    for name in ("pivots", "aligners", "losses", "languages"):
        if given.get(name) is not None:
            given[name] = (given[name],) if isinstance(given[name], str) else tuple(given[name])
    config = SweepConfig(
        data=str(data) if isinstance(data, str | os.PathLike) else ARRAYS,
        hyper=tuple(f"{name}={','.join(map(str, values))}" for name, values in settings.items()),
        folds=folds if isinstance(folds, int) else len(folds),
        **given,
    )
    found = read_data(data, images, teachers, languages=config.languages)
    plan = plan_study(config, found, folds=None if isinstance(folds, int) else folds)
    with Store(out, SWEEP_FOLDER) as store:
        store.acquire(config, {"data_sha256": plan.data.sha256()}, resume=resume, overwrite=overwrite)
        return run_study(
            plan,
            store,
            diagnostics=diagnostics,
            tensorboard=tensorboard,
            mesh=make_mesh(devices),
            bar=lambda unit: nullcontext(progress),
        )
