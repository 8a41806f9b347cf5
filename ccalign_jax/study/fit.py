"""The fit of a single map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import jax
import numpy as np

from ccalign_jax.data import EmbeddingSet, official_folds
from ccalign_jax.data.splits import inner_fold
from ccalign_jax.errors import InputError
from ccalign_jax.learned_map import LearnedMap
from ccalign_jax.options import ARRAYS, SweepConfig
from ccalign_jax.study.arrays import device_embeddings, make_part
from ccalign_jax.study.inputs import read_data
from ccalign_jax.study.plan import plan_sweep
from ccalign_jax.study.refit import check_trained, describe_scores, make_checkpoint, train_one
from ccalign_jax.training import make_mesh

if TYPE_CHECKING:
    from ccalign_jax.data.objects import Source

__all__ = ["fit"]


def fit(
    data: Source | EmbeddingSet,
    images: Any = None,
    *,
    teachers: Mapping[str, Any] | None = None,
    pivot: str = "image",
    aligner: str = "residual",
    loss: str = "infonce",
    hyper: Mapping[str, Any] | None = None,
    split: Literal["inner", "official"] = "inner",
    languages: Sequence[str] | None = None,
    seed: int = 0,
    devices: int = 1,
) -> LearnedMap:
    """Train one aligner; a fifth of the images picks the epoch (the official dev split, if asked for).

    Args:
        data, images, teachers, languages: as for `sweep`.
        pivot, aligner, loss: names.
        hyper: settings, such as `{"temperature": 0.03, "epochs": 10}`; one value each.
        split: which images pick the epoch.
        seed: of the inner part and of training.
        devices: that every batch is spread over, for fits that one cannot hold; a divisor of the images of a batch.

    Returns:
        The map `found`: a function of caption rows, `found(rows, language="de")`, and of images, `found.images(rows)`;
        applied to a data set by `ccalign_jax.apply(found, data)`, saved by `checkpoints.save_checkpoint(path, found)`.
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
    chosen = read_data(data, images, teachers, languages=languages)
    fold = official_folds(chosen, seed=seed)[0] if split == "official" else inner_fold(chosen, seed=seed)
    several = [key for key, value in (hyper or {}).items() if isinstance(value, list | tuple)]
    if several:
        raise InputError(f"fit takes one value for {several[0]}; use sweep for several")
    config = SweepConfig(
        data=ARRAYS,
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
    found.about["scores"] = describe_scores(done)
    return found
