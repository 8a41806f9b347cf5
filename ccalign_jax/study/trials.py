"""Trials from names: pivots × aligners × losses × grid, and why a combination is left out."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ccalign_jax.aligners import ALIGNERS, canonical_name, settings_read, split_name
from ccalign_jax.errors import InputError
from ccalign_jax.losses import LOSSES
from ccalign_jax.pivots import PIVOTS, Pivot, make_pivot
from ccalign_jax.study.closed import closed_why_not
from ccalign_jax.study.grids import CHOICES, FILTERS, NUMBERS
from ccalign_jax.training import Hyper, Recipe, Space, Trial

__all__ = ["CLOSED", "DEFAULT_ALIGNERS", "SEED_PROTOCOL", "Trials", "make_trials", "why_not"]

DEFAULT_ALIGNERS = ("linear", "residual", "residual_mlp")
CLOSED = "closed_form"  # the loss of what is solved
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
    families: dict[tuple[str, str, str], list[tuple[Hyper, Recipe]]] = {}
    skipped: list[str] = []
    for pivot, aligner, loss in _families(pivots, aligners, losses, space, full=full, heldout=heldout):
        family = f"{pivot.name}/{aligner}/{loss}"
        reason = why_not(pivot, aligner, loss, space, heldout=heldout)
        if reason:
            skipped.append(f"{family}: {reason}")
            continue
        reads = _reads(pivot, aligner, loss)
        found = families.setdefault((pivot.name, aligner, loss), [])
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
        for family, found in families.items()
        for name, (hyper, recipe) in zip(_names(family, found), found, strict=True)
    ]
    if not trials:
        why = skipped[0] if skipped else "only identity was asked for, which is always reported; add another aligner"
        raise InputError(f"nothing to train: {why}")
    return Trials([dataclasses.replace(trial, index=number) for number, trial in enumerate(trials)], skipped)


def why_not(pivot: Pivot, aligner: str, loss: str, space: Space, *, heldout: str | None = None) -> str | None:
    """Why this combination makes no sense, in one line; None if it does."""
    outer, inner = split_name(aligner)
    entry, closed = ALIGNERS[inner], loss == CLOSED
    if heldout is not None and pivot.language == heldout:
        return f"pivot {pivot.name} aligns to the language that is held out; choose another"
    if heldout is not None and ("per_language" in outer or inner == "pooled_ridge"):
        return f"{aligner} has no map for {heldout}, which is held out; use residual or conditional"
    if entry.closed != closed:
        return f"{aligner} is {'solved, not trained' if entry.closed else 'trained, not solved'}; leave {loss} out"
    two_sided = entry.two_sided or "dual" in outer
    if pivot.moves_images and not two_sided:
        other = "cca or multi_step" if closed else f"dual({aligner})"
        return f"pivot {pivot.name} moves the images too, {aligner} does not; use {other}"
    if not pivot.moves_images and two_sided:
        return f"pivot {pivot.name} leaves the images frozen, {aligner} has a map for them; use --pivot=symmetric"
    if closed and (reason := closed_why_not(inner, pivot)):
        return reason
    if pivot.moves_images and pivot.consensus is None and not closed and not LOSSES[loss].has_negatives:
        return f"{loss} pushes nothing apart, so that with both sides free all rows collapse into one; use infonce"
    if pivot.within_text and space.d_text != space.d_image:
        return (
            f"pivot {pivot.name} aligns within the text space [{space.d_text}], which is not that of the images "
            f"[{space.d_image}]; use image or symmetric"
        )
    seen = [language for language in space.languages if language != heldout]
    if pivot.within_text and len(seen) < 2:
        return f"pivot {pivot.name} needs a second language to train on, there is {seen[0]} alone"
    return None


def _families(
    pivots: Sequence[str],
    aligners: Sequence[str] | None,
    losses: Sequence[str],
    space: Space,
    *,
    full: bool,
    heldout: str | None,
) -> Iterator[tuple[Pivot, str, str]]:
    """Pivot, aligner and loss of every family asked for; closed forms have no loss to choose."""
    compared: set[bool] = set()
    for pivot in _pivots(pivots, space.languages, heldout):
        if full and aligners is None:
            for aligner in _aligners(["all"], pivot, heldout):
                yield pivot, aligner, "infonce"
            # The losses at one pivot of each kind: with the images frozen, and with them moving.
            residual = canonical_name("dual(residual)" if pivot.moves_images else "residual")
            for loss in LOSSES if pivot.moves_images not in compared else ():
                if loss != "infonce":
                    yield pivot, residual, loss
            compared.add(pivot.moves_images)
            for aligner in _aligners(["closed"], pivot, heldout):
                if not closed_why_not(aligner, pivot):
                    yield pivot, aligner, CLOSED
            continue
        for aligner in _aligners(aligners, pivot, heldout):
            closed = ALIGNERS[split_name(aligner)[1]].closed
            for loss in (CLOSED,) if closed else dict.fromkeys(losses):
                yield pivot, aligner, loss


def _pivots(names: Sequence[str], languages: tuple[str, ...], heldout: str | None) -> list[Pivot]:
    every = list(names)
    if "all" in every:
        seen = [language for language in languages if language != heldout]
        hub = "en" if "en" in seen else seen[0]
        every = [f"{name}:{hub}" if entry.takes_language else name for name, entry in PIVOTS.items()]
    return [make_pivot(name, languages) for name in dict.fromkeys(every)]


def _aligners(names: Sequence[str] | None, pivot: Pivot, heldout: str | None) -> list[str]:
    """Canonical names; those that stand for several fit the pivot."""
    apart = pivot.language is not None and heldout is None  # a language that is held out has no map of its own
    own = "dual({})" if pivot.moves_images else "per_language({})" if apart else "{}"
    if names is None:
        names = [own.format(name) for name in DEFAULT_ALIGNERS]
    found: list[str] = []
    for name in names:
        if name == "all":
            wrap = "dual({})" if pivot.moves_images else "{}"
            trained = [each for each, entry in ALIGNERS.items() if not entry.closed and each != "identity"]
            found += [wrap.format(each) for each in trained]
            found += ["per_language(residual)"] * (not pivot.moves_images)
        elif name == "closed":
            fitting = [each for each, entry in ALIGNERS.items() if entry.closed]
            found += [each for each in fitting if ALIGNERS[each].two_sided == pivot.moves_images]
        else:
            found.append(name)
    return [name for name in dict.fromkeys(canonical_name(name) for name in found) if name != "identity"]


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
