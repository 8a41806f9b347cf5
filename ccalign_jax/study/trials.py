"""Trials from families and a grid."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ccalign_jax.aligners import settings_read, split_name
from ccalign_jax.errors import InputError
from ccalign_jax.losses import LOSSES
from ccalign_jax.pivots import Pivot, make_pivot
from ccalign_jax.study.combinations import CLOSED, families, why_not
from ccalign_jax.study.grids import CHOICES, FILTERS, NUMBERS
from ccalign_jax.training import Hyper, Recipe, Space, Trial

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
    """The trials of a sweep, and one sentence for each combination that was left out."""

    trials: list[Trial]
    skipped: list[str]


def make_trials(
    space: Space,
    *,
    pivots: Sequence[str],
    aligners: Sequence[str] | None,
    losses: Sequence[str],
    blocks: Sequence[Mapping[str, Any]],
    settings: Mapping[str, Any],
    protocol: str,
    full: bool = False,
    heldout: str | None = None,
    informed: bool = True,
) -> Trials:
    """Every combination that makes sense.

    Args:
        space: widths and languages of the data.
        pivots: names; `all` stands for every pivot (a text pivot for English, or the first language trained on).
        aligners: names, or None for the default ones of each pivot: `per_language(…)` under a text pivot (unless a
            language is held out), `dual(…)` where images move, too. `all` stands for every aligner, `closed` for
            every closed form.
        losses: names.
        blocks: from `load_grid`.
        settings: from `parse_settings`; overrides the blocks.
        protocol: `nested` or `seed`.
        full: where no aligner is named, every aligner under InfoNCE, every loss with the residual map, and every
            closed form.
        heldout: a language that is not trained on, for which maps of its own are left out.
        informed: whether the identity retrieves above chance; if not, the default aligners are those that do not
            build on it.

    Raises:
        InputError: an unknown name, nothing that makes sense is left, or more trials than `MAX_TRIALS`.
    """
    unknown = sorted(set(losses) - set(LOSSES))
    if unknown:
        raise InputError(f"unknown loss {unknown[0]!r}; there are {', '.join(LOSSES)} (--losses=list)")
    fixed = dict(SEED_PROTOCOL) if protocol == "seed" else {}
    crossed: dict[tuple[str, str, str], list[dict[str, list[Any]]]] = {}
    skipped: list[str] = []
    named = list(dict.fromkeys(name for block in blocks for name in block.get("aligners", ())))
    asked = families(pivots, aligners, losses, space, full=full, heldout=heldout, named=named, informed=informed)
    for pivot, aligner, loss in asked:
        family = f"{pivot.name}/{aligner}/{loss}"
        reason = why_not(pivot, aligner, loss, space, heldout=heldout)
        if reason:
            skipped.append(f"{family}: {reason}")
            continue
        fitting = _fitting_blocks(blocks, pivot.name, aligner, loss)
        if not fitting and loss == CLOSED:  # grids are of what is trained
            fitting = [{}]
        if not fitting:
            skipped.append(f"{family}: no block of the grid is for it; add one")
        reads = _reads(pivot, aligner, loss)
        several = crossed.setdefault((pivot.name, aligner, loss), [])
        for block in fitting:
            values, reasons = _read_values({**block, **settings}, reads, aligner)
            several.append(values)
            skipped += [f"{family}: {reason}" for reason in reasons]
    count = sum(math.prod(map(len, values.values())) for several in crossed.values() for values in several)
    if count > MAX_TRIALS:
        raise InputError(
            f"the grid makes {count:,} trials, more than {MAX_TRIALS:,}; give shorter lists in --hyper or --grid, or "
            "fewer --aligners, --losses or --pivot"
        )
    trials = []
    for names, several in crossed.items():
        reads = _reads(make_pivot(names[0], space.languages), *names[1:])
        combinations = itertools.chain.from_iterable(map(_crossed, several))
        found = list(dict.fromkeys(_numbers_and_choices({**fixed, **values}, reads) for values in combinations))
        trials += [Trial(0, name, *names, *pair, reads) for name, pair in zip(_names(names, found), found, strict=True)]
    if not trials:
        why = skipped[0] if skipped else "only identity was asked for, which is always reported; add another aligner"
        raise InputError(f"nothing to train: {why}")
    return Trials([dataclasses.replace(trial, index=number) for number, trial in enumerate(trials)], skipped)


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

    def fits(block: Mapping[str, Any]) -> bool:
        return all(key not in block or wanted[key] & set(block[key]) for key in FILTERS)

    fitting = [block for block in blocks if fits(block)]
    named = [block for block in fitting if "aligners" in block] or [block for block in fitting if "losses" in block]
    return named or fitting


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


def _crossed(values: Mapping[str, list[Any]]) -> Iterator[dict[str, Any]]:
    for chosen in itertools.product(*values.values()):
        yield dict(zip(values, chosen, strict=True))


def _numbers_and_choices(values: Mapping[str, Any], reads: frozenset[str]) -> tuple[Hyper, Recipe]:
    used = {key: value for key, value in values.items() if key in reads}
    hyper = Hyper(**{key: value for key, value in used.items() if key in NUMBERS})
    return hyper, Recipe(**{key: value for key, value in used.items() if key in CHOICES})


def _names(family: tuple[str, str, str], found: Sequence[tuple[Hyper, Recipe]]) -> list[str]:
    """The family and the settings that tell its members apart."""
    settings = [{**hyper._asdict(), **{key: getattr(recipe, key) for key in CHOICES}} for hyper, recipe in found]
    varied = [key for key in settings[0] if len({one[key] for one in settings}) > 1] if settings else []
    tails = [
        ",".join(f"{key}={_short(one[key])}" if key in NUMBERS else f"{key}={one[key]}" for key in varied)
        for one in settings
    ]
    return ["/".join([*family, *([tail] if tail else [])]) for tail in tails]


def _short(number: float) -> str:
    """Six digits where they are the number, else all that it takes."""
    return f"{number:g}" if float(f"{number:g}") == number else repr(number)
