"""Trials from names: pivots × aligners × losses × grid, and why a combination is left out."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ccalign_jax.aligners import ALIGNERS, canonical_name, split_name
from ccalign_jax.errors import InputError
from ccalign_jax.losses import LOSSES
from ccalign_jax.pivots import PIVOTS, Pivot, make_pivot
from ccalign_jax.study.grids import CHOICES, FILTERS, NUMBERS
from ccalign_jax.training import Hyper, Recipe, Space, Trial

__all__ = ["DEFAULT_ALIGNERS", "SEED_PROTOCOL", "Trials", "make_trials", "why_not"]

DEFAULT_ALIGNERS = ("linear", "residual", "residual_mlp")

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
) -> Trials:
    """Every combination that makes sense.

    Args:
        space: widths and languages of the data.
        pivots: names; `all` stands for every pivot (a text pivot for English, or the first language).
        aligners: names, or None for the default ones of each pivot: `per_language(…)` under a text pivot,
            `dual(…)` under the symmetric one.
        losses: names.
        blocks: from `load_grid`.
        settings: from `parse_settings`; overrides the blocks.
        protocol: `nested` or `seed`.

    Raises:
        InputError: an unknown name, or nothing that makes sense is left.
    """
    unknown = sorted(set(losses) - set(LOSSES))
    if unknown:
        raise InputError(f"unknown loss {unknown[0]!r}; there are {', '.join(LOSSES)} (--losses=list)")
    fixed = dict(SEED_PROTOCOL) if protocol == "seed" else {}
    families: dict[tuple[str, str, str], list[tuple[Hyper, Recipe]]] = {}
    skipped: list[str] = []
    for pivot in _pivots(pivots, space.languages):
        for aligner in _aligners(aligners, pivot):
            for loss in dict.fromkeys(losses):
                reason = why_not(pivot, aligner, loss, space)
                if reason:
                    skipped.append(f"{pivot.name}/{aligner}/{loss}: {reason}")
                    continue
                found = families.setdefault((pivot.name, aligner, loss), [])
                combinations = list(_combinations(blocks, settings, pivot.name, aligner, loss))
                if not combinations:
                    skipped.append(f"{pivot.name}/{aligner}/{loss}: no block of the grid is for it; add one")
                for values in combinations:
                    reason = _unread(values, aligner)
                    if reason:
                        skipped.append(f"{pivot.name}/{aligner}/{loss}: {reason}")
                        continue
                    pair = _numbers_and_choices({**fixed, **values}, aligner, loss)
                    if pair not in found:
                        found.append(pair)
    trials = [
        Trial(0, name, *family, hyper, recipe)
        for family, found in families.items()
        for name, (hyper, recipe) in zip(_names(family, found), found, strict=True)
    ]
    if not trials:
        why = skipped[0] if skipped else "only identity was asked for, which is always reported; add another aligner"
        raise InputError(f"nothing to train: {why}")
    return Trials([dataclasses.replace(trial, index=number) for number, trial in enumerate(trials)], skipped)


def why_not(pivot: Pivot, aligner: str, loss: str, space: Space) -> str | None:
    """Why this combination makes no sense, in one line; None if it does."""
    outer, _ = split_name(aligner)
    if pivot.moves_images and "dual" not in outer:
        return f"pivot {pivot.name} moves the images too, {aligner} does not; use dual({aligner})"
    if not pivot.moves_images and "dual" in outer:
        return f"pivot {pivot.name} leaves the images frozen, {aligner} has a map for them; use --pivot=symmetric"
    if pivot.moves_images and not LOSSES[loss].has_negatives:
        return f"{loss} pushes nothing apart, so that with both sides free all rows collapse into one; use infonce"
    if pivot.language is not None and space.d_text != space.d_image:
        return (
            f"pivot {pivot.name} aligns within the text space [{space.d_text}], which is not that of the images "
            f"[{space.d_image}]; use image or symmetric"
        )
    if pivot.language is not None and len(space.languages) < 2:
        return f"pivot {pivot.name} needs a second language, the data has {pivot.language} alone"
    return None


def _pivots(names: Sequence[str], languages: tuple[str, ...]) -> list[Pivot]:
    every = list(names)
    if "all" in every:
        hub = "en" if "en" in languages else languages[0]
        every = [f"{name}:{hub}" if entry.takes_language else name for name, entry in PIVOTS.items()]
    return [make_pivot(name, languages) for name in dict.fromkeys(every)]


def _aligners(names: Sequence[str] | None, pivot: Pivot) -> list[str]:
    if names is None:
        wrap = "dual({})" if pivot.moves_images else "per_language({})" if pivot.language else "{}"
        names = [wrap.format(name) for name in DEFAULT_ALIGNERS]
    return [name for name in dict.fromkeys(canonical_name(name) for name in names) if name != "identity"]


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

    named = [block for block in blocks if "aligners" in block and fits(block)]
    for block in named or [block for block in blocks if "aligners" not in block and fits(block)]:
        values = {**{key: value for key, value in block.items() if key not in FILTERS}, **settings}
        for chosen in itertools.product(*values.values()):
            yield dict(zip(values, chosen, strict=True))


def _unread(values: Mapping[str, Any], aligner: str) -> str | None:
    reads = ALIGNERS[split_name(aligner)[1]].reads
    if values.get("dropout", 0) and "dropout" not in reads:
        return f"dropout={values['dropout']:g}, but {aligner} has no hidden layer to drop"
    if values.get("ortho", 0) and "ortho" not in reads:
        return f"ortho={values['ortho']:g}, but {aligner} has no matrix W to keep orthogonal"
    return None


def _numbers_and_choices(values: Mapping[str, Any], aligner: str, loss: str) -> tuple[Hyper, Recipe]:
    """A setting that neither the aligner nor the loss reads takes its default, so that trials do not repeat."""
    unread = {"hidden"} - ALIGNERS[split_name(aligner)[1]].reads | {"temperature"} - LOSSES[loss].reads
    if not LOSSES[loss].has_negatives:
        unread |= {"mask_positives", "i2t_pool"}
    used = {key: value for key, value in values.items() if key not in unread}
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
