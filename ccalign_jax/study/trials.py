"""Trials from families and a grid."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ccalign_jax.aligners import settings_read, split_name
from ccalign_jax.errors import InputError
from ccalign_jax.losses import LOSSES
from ccalign_jax.pivots import Pivot, make_pivot
from ccalign_jax.study.combinations import CLOSED, families, why_not
from ccalign_jax.study.grids import CHOICES, FILTERS, NUMBERS
from ccalign_jax.training import Hyper, Recipe, Space, Trial

__all__ = ["SEED_PROTOCOL", "Trials", "make_trials"]

TRAINED = frozenset({"learning_rate", "l2", "prox", "clip", "warmup", "noise", "mix", "normalization", "replacement"})
TRAINED |= {"epochs", "steps_per_epoch", "batch_images"}
CHOOSING = frozenset({"criterion", "start_counts"})

# What the seed study's program does, and this code otherwise would not.
SEED_PROTOCOL: dict[str, Any] = {
    "replacement": True,
    "mask_positives": False,
    "normalization": "mean",
    "criterion": "t2i",
    "start_counts": False,
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

    Raises:
        InputError: an unknown name, or nothing that makes sense is left.
    """
    unknown = sorted(set(losses) - set(LOSSES))
    if unknown:
        raise InputError(f"unknown loss {unknown[0]!r}; there are {', '.join(LOSSES)} (--losses=list)")
    fixed = dict(SEED_PROTOCOL) if protocol == "seed" else {}
    members: dict[tuple[str, str, str], list[tuple[Hyper, Recipe]]] = {}
    skipped: list[str] = []
    named = list(dict.fromkeys(name for block in blocks for name in block.get("aligners", ())))
    for pivot, aligner, loss in families(pivots, aligners, losses, space, full=full, heldout=heldout, named=named):
        family = f"{pivot.name}/{aligner}/{loss}"
        reason = why_not(pivot, aligner, loss, space, heldout=heldout)
        if reason:
            skipped.append(f"{family}: {reason}")
            continue
        reads = _reads(pivot, aligner, loss)
        found = members.setdefault((pivot.name, aligner, loss), [])
        combinations = list(_combinations(blocks, settings, pivot.name, aligner, loss))
        if not combinations and loss == CLOSED:  # grids are of what is trained
            combinations = list(_combinations([{}], settings, pivot.name, aligner, loss))
        if not combinations:
            skipped.append(f"{family}: no block of the grid is for it; add one")
        for values in combinations:
            reason = _unread(values, reads, aligner)
            if reason:
                skipped.append(f"{family}: {reason}")
                continue
            pair = _numbers_and_choices({**fixed, **values}, reads)
            if pair not in found:
                found.append(pair)
    trials = [
        Trial(0, name, *family, hyper, recipe, _reads(make_pivot(family[0], space.languages), *family[1:]))
        for family, found in members.items()
        for name, (hyper, recipe) in zip(_names(family, found), found, strict=True)
    ]
    if not trials:
        why = skipped[0] if skipped else "only identity was asked for, which is always reported; add another aligner"
        raise InputError(f"nothing to train: {why}")
    return Trials([dataclasses.replace(trial, index=number) for number, trial in enumerate(trials)], skipped)


def _combinations(
    blocks: Sequence[Mapping[str, Any]], settings: Mapping[str, Any], pivot: str, aligner: str, loss: str
) -> Iterator[dict[str, Any]]:
    """The settings of every block that is for this family, crossed."""
    wanted = {
        "pivots": {pivot, pivot.partition(":")[0]},
        "aligners": {aligner, split_name(aligner)[1]},
        "losses": {loss},
    }

    def fits(block: Mapping[str, Any]) -> bool:
        return all(key not in block or wanted[key] & set(block[key]) for key in FILTERS)

    fitting = [block for block in blocks if fits(block)]
    named = [block for block in fitting if "aligners" in block] or [block for block in fitting if "losses" in block]
    for block in named or fitting:
        values = {**{key: value for key, value in block.items() if key not in FILTERS}, **settings}
        for chosen in itertools.product(*values.values()):
            yield dict(zip(values, chosen, strict=True))


def _reads(pivot: Pivot, aligner: str, loss: str) -> frozenset[str]:
    """The settings that change what comes out; all others take their defaults, so that trials do not repeat."""
    reads = CHOOSING | pivot.reads | settings_read(aligner)
    if loss == CLOSED:
        return reads
    reads |= TRAINED | LOSSES[loss].reads
    reads |= {"learned_temperature"} if "temperature" in reads else set()
    return reads | ({"spectral"} if "ortho" in reads else set())


def _unread(values: Mapping[str, Any], reads: frozenset[str], aligner: str) -> str | None:
    for name, lack in {"dropout": "hidden layer to drop", "ortho": "matrix W to keep orthogonal"}.items():
        if values.get(name, 0) and name not in reads:
            return f"{name}={values[name]:g}, but {aligner} has no {lack}"
    return None


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
