"""Names of families of trials, in the order of a table or a plot, and those of their trials."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ccalign_jax._names import CLOSED, MAX_FAMILIES
from ccalign_jax.reporting.format import Summary, chosen_words, count_words
from ccalign_jax.reporting.names import Family, aligner_name, loss_name, pivot_name


def is_solved(family: Family) -> bool:
    """Whether a family or trial is a closed form."""
    return family["loss"] == CLOSED


def family_key(family: Family) -> str:
    """The key of a family in `scores` and `diagnostics`."""
    return f"{family['pivot']}/{family['aligner']}/{family['loss']}"


def setting_words(families: Sequence[Family]) -> str:
    """The pivot and the loss that all share, for a title: `, image pivot, loss MSE`; closed forms have no loss."""
    pivots, losses = {family["pivot"] for family in families}, _losses(families)
    pivot = f", {pivot_name(pivots.pop())}" if len(pivots) == 1 else ""
    return f"{pivot}, loss {loss_name(losses.pop())}" if len(losses) == 1 else pivot


def family_names(families: Sequence[Family]) -> list[str]:
    """The aligner of each family, and its loss where several were trained with.

    Example:
        >>> family_names([{"aligner": "residual", "loss": "mse"}, {"aligner": "residual", "loss": "cosine"}])
        ['residual W = I + ΔW, MSE', 'residual W = I + ΔW, cosine']
    """
    several = len(_losses(families)) > 1
    return [
        aligner_name(family["aligner"])
        + (f", {loss_name(family['loss'])}" if several and not is_solved(family) else "")
        for family in families
    ]


def by_pivot(families: Sequence[Family]) -> dict[str, list[tuple[str, Family]]]:
    """Name and family below the name of their pivot, which is empty where all share one."""
    several = len({family["pivot"] for family in families}) > 1
    groups: dict[str, list[tuple[str, Family]]] = {}
    for name, family in zip(family_names(families), families, strict=True):
        groups.setdefault(pivot_name(family["pivot"]) if several else "", []).append((name, family))
    return groups


def family_labels(families: Sequence[Family]) -> list[str]:
    """As `family_names`, after the pivot where there are several."""
    several = len({family["pivot"] for family in families}) > 1
    names = zip(families, family_names(families), strict=True)
    return [f"{pivot_name(family['pivot'])}: {name}" if several else name for family, name in names]


def trial_names(summary: Summary) -> dict[str, str]:
    """The words for each trial by its name: family, and the settings that tell its trials apart.

    Example:
        >>> trial = {"name": "image/shift/mse/l2=0.05", "pivot": "image", "aligner": "shift", "loss": "mse"}
        >>> trial_names({"trials": [trial]})
        {'image/shift/mse/l2=0.05': 'shift x + b, l2 .05'}
    """
    trials, found = summary["trials"], {}
    for trial, label in zip(trials, family_labels(trials), strict=True):
        settings = [part.partition("=") for part in settings_in(trial)]
        words = [f"{key.replace('_', ' ')} {value.removeprefix('0') or '0'}".strip() for key, _, value in settings]
        found[trial["name"]] = ", ".join([label, *words])
    return found


def choice_words(summary: Summary, per_fold: Sequence[str]) -> str:
    """Which trials were chosen in how many folds."""
    names = trial_names(summary)
    return chosen_words([names.get(name, name) for name in per_fold])


def settings_in(trial: Mapping[str, Any]) -> list[str]:
    """The settings in a trial's name, after its family."""
    return [part for part in trial["name"].removeprefix(family_key(trial)).strip("/").split(",") if part]


def best_by(families: Sequence[Family], *keys: str) -> list[Family]:
    """Of all families (or trials) that share the values of these keys, the first with the best mean selection score."""
    best: dict[tuple[str, ...], Family] = {}
    for family in families:
        place = tuple(family[key] for key in keys)
        if place not in best or family["selection"]["mean"] > best[place]["selection"]["mean"]:
            best[place] = family
    return list(best.values())


def shown_families(summary: Summary) -> list[Family]:
    """All families, or where there are more than `MAX_FAMILIES` the best of each pivot."""
    families = summary["families"]
    return list(families) if len(families) <= MAX_FAMILIES else best_by(families, "pivot")


def shown_groups(summary: Summary) -> Iterator[tuple[str, list[tuple[str, Family]]]]:
    """The shown families below the names of their pivots; where one of each is shown, in one block."""
    families = shown_families(summary)
    if len(summary["families"]) > MAX_FAMILIES:
        yield "", list(zip(family_labels(families), families, strict=True))
    else:
        yield from by_pivot(families).items()


def shown_note(summary: Summary) -> tuple[str, ...]:
    """That only the best of each pivot are shown, where there are more than `MAX_FAMILIES`."""
    if len(summary["families"]) <= MAX_FAMILIES:
        return ()
    pivots = count_words(len(best_by(summary["families"], "pivot")), "pivot")
    return (
        f"Of {len(summary['families'])} combinations of pivot, aligner and loss, the one with the best selection score "
        f"of each of {pivots}; all are in tables/pivots.",
    )


def state_name(summary: Summary, state: str) -> str:
    """The name of a key of `scores` or `diagnostics`: a family, a pivot's choice, or any other as it is."""
    families = summary.get("families", [])
    labels = dict(zip(map(family_key, families), family_labels(families), strict=True))
    return labels.get(state) or (pivot_name(state) if any(one["pivot"] == state for one in families) else state)


def _losses(families: Sequence[Family]) -> set[str]:
    """Those that anything was trained with."""
    return {family["loss"] for family in families if not is_solved(family)}
