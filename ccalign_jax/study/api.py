"""The calls for Python users: what the scripts do from the shell, on arrays, sets or paths."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import jax
import numpy as np

from ccalign_jax.checkpoints import Checkpoint
from ccalign_jax.data import EmbeddingSet, Fold, official_folds
from ccalign_jax.data.fold_checks import check_folds
from ccalign_jax.data.splits import inner_fold
from ccalign_jax.errors import InputError
from ccalign_jax.precision import Precision
from ccalign_jax.study.arrays import device_embeddings, make_part
from ccalign_jax.study.config import ARRAYS, DUPLICATE_COSINE, SweepConfig, plan_folds, prepare_data, read_data
from ccalign_jax.study.folder import RunFolder
from ccalign_jax.study.measure_maps import measure_test_parts
from ccalign_jax.study.plan import plan_sweep
from ccalign_jax.study.refit import check_trained, make_checkpoint, refit, train_one
from ccalign_jax.study.run import Progress, SweepResult, run_sweep
from ccalign_jax.study.write import write_results
from ccalign_jax.training import make_mesh

__all__ = ["fit", "sweep"]

Data = str | os.PathLike[str] | EmbeddingSet | Mapping[str, Any]


def sweep(
    data: Data = "synthetic",
    images: Any = None,
    *,
    pivots: Sequence[str] = ("image",),
    aligners: Sequence[str] | None = None,
    losses: Sequence[str] = ("infonce",),
    grid: str = "default",
    hyper: Mapping[str, Any] | None = None,
    protocol: Literal["nested", "seed"] = "nested",
    folds: int | Sequence[Fold] = 5,
    split: Literal["kfold", "official"] = "kfold",
    languages: Sequence[str] | None = None,
    heldout_language: str | None = None,
    limit: int | None = None,
    seed: int = 0,
    inner_folds: int | None = None,
    repeats: int = 1,
    duplicate_cosine: float = DUPLICATE_COSINE,
    race: bool = True,
    precision: Precision = "float32",
    diagnostics: bool = True,
    out: str | os.PathLike[str] | None = None,
    resume: bool = False,
    overwrite: bool = False,
    devices: int | None = None,
    progress: Progress = lambda what, done, total: None,
) -> SweepResult:
    """Train every pivot × aligner × loss × setting on every fold, and choose; `experiments/sweep.py` from Python.

    Args:
        data: a path that `load` reads, "synthetic", an `EmbeddingSet`, or a mapping of language to caption
            rows `[n, d_text]`, row i for image i.
        images: `[n, d_image]`, where `data` is a mapping. Rows may be arrays, PyTorch tensors, data frames or lists.
        pivots, aligners, losses: names; see `python experiments/sweep.py --pivot=list` and so on.
        grid: a built-in grid or a YAML file.
        hyper: settings that override the grid, such as `{"temperature": [0.01, 0.03]}`.
        protocol: "nested", or "seed" for the seed study's own way.
        folds: a number, or plans of your own.
        split: "kfold", or "official" for the split that the data bring.
        languages: a subset to use.
        heldout_language: train without this language, and report on it.
        limit: use a random so many images, for a quick run.
        seed: of folds, samples, training and replicates.
        inner_folds: that choose within each outer fold; None for the other outer folds in turn, 1 for one part alone.
        repeats: how often the images are divided anew.
        duplicate_cosine: images whose cosine exceeds it are duplicates and stay in one part of every split.
        race: drop trials early from a fold whose inner parts show them to be beaten; False runs all of them whole.
        precision: of the products of matrices in training and in the scores of epochs, "float32" or "bfloat16"; what
            is reported is ranked in float32.
        diagnostics: also describe the sets of rows before and after, on the holdouts.
        out: folder for the results; None keeps nothing on disk.
        resume, overwrite: what to do if `out` holds a run.
        devices: that trials are spread over; by default all of an accelerator, one of a CPU.
        progress: called with what goes on, the share of the work that is done, and the whole.

    Raises:
        InputError: a mistake in the arguments or the data, before anything is written.

    Example:
        >>> from ccalign_jax.data import synthetic
        >>> data = synthetic(60, languages=("de", "en"), dimensions=8)
        >>> found = sweep(data, aligners=["residual"], hyper={"epochs": 1}, folds=2)
        >>> sorted(found.summary["baselines"])
        ['chance', 'identity', 'identity_train']
    """
    overrides = {key: value if isinstance(value, list | tuple) else [value] for key, value in (hyper or {}).items()}
    config = SweepConfig(
        data=str(data) if isinstance(data, str | os.PathLike) else ARRAYS,
        pivots=_names(pivots),
        aligners=None if aligners is None else _names(aligners),
        losses=_names(losses),
        grid=grid,
        hyper=tuple(f"{key}={','.join(map(str, values))}" for key, values in overrides.items()),
        protocol=protocol,
        folds=folds if isinstance(folds, int) else len(folds),
        split=split,
        languages=None if languages is None else _names(languages),
        heldout_language=heldout_language,
        limit=limit,
        seed=seed,
        inner_folds=inner_folds,
        repeats=repeats,
        duplicate_cosine=duplicate_cosine,
        race=race,
        precision=precision,
    )
    chosen = prepare_data(read_data(data, images, languages=languages), config)
    plans = plan_folds(chosen, config) if isinstance(folds, int) else list(folds)
    check_folds(chosen, plans, nested=config.protocol == "nested")
    plan = plan_sweep(chosen, config, plans)
    with RunFolder(out) as folder:
        folder.claim(config, chosen.sha256(), resume=resume, overwrite=overwrite)
        result = measure_test_parts(
            run_sweep(plan, folder, mesh=make_mesh(devices), progress=progress), diagnostics=diagnostics
        )
        refit(result)
        write_results(folder, result)
    return result


def fit(
    data: Data,
    images: Any = None,
    *,
    pivot: str = "image",
    aligner: str = "residual",
    loss: str = "infonce",
    hyper: Mapping[str, Any] | None = None,
    split: Literal["inner", "official"] = "inner",
    languages: Sequence[str] | None = None,
    seed: int = 0,
    devices: int = 1,
) -> Checkpoint:
    """Train one aligner; a fifth of the images picks the epoch (the official dev split, if asked for).

    Args:
        data, images, languages: as for `sweep`.
        pivot, aligner, loss: names.
        hyper: settings, such as `{"temperature": 0.03, "epochs": 10}`; one value each.
        split: which images pick the epoch.
        seed: of the inner part and of training.
        devices: that every batch is spread over, for fits that one cannot hold; a divisor of the images of a batch.

    Returns:
        The map, applied to a data set by `ccalign_jax.apply(found, data)`, to rows by
        `aligners.map_captions(found.aligner, found.params, rows, language_number)`, or saved by
        `checkpoints.save_checkpoint(path, found)`.
        `found.about["scores"]` holds t2i R@1, i2t R@1 and MRR on the inner part before and after, and
        `found.about["diverged"]` the first step after which a parameter was NaN or infinite (0: none); epochs from
        there on are not chosen.

    Raises:
        InputError: a mistake in the arguments or the data, or training that diverged before any epoch was better than
            the start.

    Example:
        >>> from ccalign_jax.data import synthetic
        >>> found = fit(synthetic(60, languages=("de", "en"), dimensions=8), hyper={"epochs": 2})
        >>> found.params["delta"].shape
        (8, 8)
    """
    chosen = read_data(data, images, languages=languages)
    fold = official_folds(chosen, seed=seed)[0] if split == "official" else inner_fold(chosen, seed=seed)
    several = [key for key, value in (hyper or {}).items() if isinstance(value, list | tuple)]
    if several:
        raise InputError(f"fit takes one value for {several[0]}; use sweep for several")
    config = SweepConfig(
        data="arrays",
        pivots=(pivot,),
        aligners=(aligner,),
        losses=(loss,),
        hyper=tuple(f"{key}={value}" for key, value in (hyper or {}).items()),
        seed=seed,
    )
    plan = plan_sweep(chosen, config, [fold], blocks=[{}])
    if len(plan.trials) > 1:
        names = ", ".join(trial.name for trial in plan.trials)
        raise InputError(f"fit trains one map, this asks for {len(plan.trials)}: {names}; choose one, or call sweep")
    (trial,) = plan.trials
    validation = make_part(chosen, fold.inner[0].validation)
    done = train_one(
        plan,
        trial,
        device_embeddings(chosen),
        fold.train,
        key=jax.random.key(seed),
        validation=validation,
        mesh=make_mesh(devices),
    )
    epoch = int(check_trained(trial.name, done).epoch)
    found = make_checkpoint(plan, trial, done.params, epoch, np.concatenate([fold.train, fold.inner[0].validation]))
    found.about["diverged"] = int(done.diverged)
    found.about["scores"] = {
        when: dict(zip(("t2i_R@1", "i2t_R@1", "MRR"), map(float, done.scores[at]), strict=True))
        for when, at in (("before", 0), ("after", int(done.point)))
    }
    return found


def _names(names: str | Sequence[str]) -> tuple[str, ...]:
    """A name alone, or several."""
    return (names,) if isinstance(names, str) else tuple(names)
