"""Trials from families and a grid."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ccalign_jax._names import CLOSED
from ccalign_jax.aligners import settings_read, split_name
from ccalign_jax.errors import InputError
from ccalign_jax.losses import LOSSES
from ccalign_jax.pivots import Pivot
from ccalign_jax.study.families import Families, why_not
from ccalign_jax.study.grids import CHOICES, FILTERS, NUMBERS
from ccalign_jax.training import Hyper, Recipe, Trial

__all__ = ["SEED_PROTOCOL", "Trials", "check_steps", "make_trials"]

TRAINED = frozenset({"learning_rate", "l2", "prox", "clip", "warmup", "noise", "mix", "normalization", "replacement"})
TRAINED |= {"epochs", "steps_per_epoch", "score_every", "batch_images", "precision"}
CHOOSING = frozenset({"criterion", "start_counts"})
MAX_STEPS = 2**31 - 1  # of one fit, counted in int32
MAX_TRIALS = 100_000  # of one sweep; more must be a mistake
# What the seed study's program does, and this code otherwise would not.
SEED_PROTOCOL: dict[str, Any] = {
    "replacement": True,
    "mask_positives": False,
    "normalization": "mean",
    "criterion": "t2i",
    "start_counts": False,
    "score_every": 1,
}


class Trials(NamedTuple):
    """The trials of a sweep, and `family: reason` for each combination that was left out."""

    trials: list[Trial]
    skipped: list[str]


def make_trials(
    families: Families,
    *,
    blocks: Sequence[Mapping[str, Any]],
    settings: Mapping[str, Any],
    fixed: Mapping[str, Any] | None = None,
) -> Trials:
    """Every combination that makes sense.

    Args:
        families: what is asked for.
        blocks: from `load_grid`.
        settings: from `parse_settings`; overrides the blocks.
        fixed: what the protocol sets where no grid does, such as `SEED_PROTOCOL`.

    Raises:
        InputError: an unknown name, nothing that makes sense is left, or more trials than `MAX_TRIALS`.
    """
    crossed: dict[tuple[str, str, str], list[dict[str, list[Any]]]] = {}
    reads: dict[tuple[str, str, str], frozenset[str]] = {}
    skipped: list[str] = []
    others = list(dict.fromkeys(name for block in blocks for name in block.get("aligners", ())))
    for pivot, aligner, loss in families.named(others):
        key = pivot.name, aligner, loss
        name = "/".join(key)
        if reason := why_not(pivot, aligner, loss, families.space, heldout=families.heldout):
            skipped.append(f"{name}: {reason}")
            continue
        fitting = _fitting_blocks(blocks, *key)
        if not fitting and loss == CLOSED:  # grids are of what is trained
            fitting = [{}]
        if not fitting:
            skipped.append(f"{name}: no block of the grid is for it; add one")
        reads[key] = _reads(pivot, aligner, loss)
        for block in fitting:
            values, reasons = _read_values({**block, **settings}, reads[key], aligner)
            crossed.setdefault(key, []).append(values)
            skipped += [f"{name}: {reason}" for reason in reasons]
    count = sum(math.prod(map(len, values.values())) for several in crossed.values() for values in several)
    if count > MAX_TRIALS:
        raise InputError(
            f"the grid makes {count:,} trials, more than {MAX_TRIALS:,}; give shorter lists in --hyper or --grid, or "
            "fewer --aligners, --losses or --pivot"
        )
    trials: list[Trial] = []
    for key, several in crossed.items():
        combinations = [
            {**(fixed or {}), **dict(zip(values, chosen, strict=True))}
            for values in several
            for chosen in itertools.product(*values.values())
        ]
        found = list(dict.fromkeys(_hyper_and_recipe(one, reads[key]) for one in combinations))
        for name, pair in zip(_names(key, found), found, strict=True):
            trials.append(Trial(len(trials), name, *key, *pair, reads[key]))
    if not trials:
        why = skipped[0] if skipped else "only identity was asked for, which is always reported; add another aligner"
        raise InputError(f"nothing to train: {why}")
    return Trials(trials, skipped)


def check_steps(name: str, steps: int) -> None:
    """Refuse a fit of more steps than int32 counts.

    Args:
        name: of the trial.
        steps: optimiser steps in all epochs.

    Raises:
        InputError: more than `MAX_STEPS`.
    """
    if steps > MAX_STEPS:
        raise InputError(f"{name}: {steps:,} steps, more than {MAX_STEPS:,}; train for fewer epochs")


def _fitting_blocks(
    blocks: Sequence[Mapping[str, Any]], pivot: str, aligner: str, loss: str
) -> list[Mapping[str, Any]]:
    """The blocks that are for this family."""
    wanted = {
        "pivots": {pivot, pivot.partition(":")[0]},
        "aligners": {aligner, split_name(aligner)[1]},
        "losses": {loss},
    }
    fitting = [b for b in blocks if all(key not in b or wanted[key] & set(b[key]) for key in FILTERS)]
    return [b for b in fitting if "aligners" in b] or [b for b in fitting if "losses" in b] or fitting


def _reads(pivot: Pivot, aligner: str, loss: str) -> frozenset[str]:
    """The settings that change what comes out; all others take their defaults, so that trials do not repeat."""
    reads = CHOOSING | pivot.reads | settings_read(aligner)
    if loss == CLOSED:
        return reads
    reads |= TRAINED | LOSSES[loss].reads
    reads |= {"learned_temperature"} if "temperature" in reads else set()
    return reads | ({"spectral"} if "ortho" in reads else set())


def _read_values(
    values: Mapping[str, list[Any]], reads: frozenset[str], aligner: str
) -> tuple[dict[str, list[Any]], list[str]]:
    """The lists of the settings that the family reads, and a reason for each value that it cannot take."""
    read, reasons = {key: several for key, several in values.items() if key in reads}, []
    for name, lack in {"dropout": "hidden layer to drop", "ortho": "matrix W to keep orthogonal"}.items():
        if name not in reads and any(values.get(name, ())):
            reasons += [f"{name}={value:g}, but {aligner} has no {lack}" for value in values[name] if value]
            read |= {} if 0 in values[name] else {name: []}  # nothing is left to cross
    return read, reasons


def _hyper_and_recipe(values: Mapping[str, Any], reads: frozenset[str]) -> tuple[Hyper, Recipe]:
    used = {key: value for key, value in values.items() if key in reads}
    hyper = Hyper(**{key: value for key, value in used.items() if key in NUMBERS})
    return hyper, Recipe(**{key: value for key, value in used.items() if key in CHOICES})


def _names(family: tuple[str, str, str], found: Sequence[tuple[Hyper, Recipe]]) -> list[str]:
    """The family and the settings that tell its members apart."""
    settings = [{**hyper._asdict(), **{key: getattr(recipe, key) for key in CHOICES}} for hyper, recipe in found]
    varied = [key for key in settings[0] if len({one[key] for one in settings}) > 1] if settings else []

    def text(key: str, value: Any) -> str:  # six digits where they are the number, else all that it takes
        if key not in NUMBERS:
            return str(value)
        return f"{value:g}" if float(f"{value:g}") == value else repr(value)

    tails = [",".join(f"{key}={text(key, one[key])}" for key in varied) for one in settings]
    return ["/".join([*family, *([tail] if tail else [])]) for tail in tails]
