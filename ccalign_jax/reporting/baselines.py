"""Training-free baselines and closed forms of a sweep, and sentences that name the best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ccalign_jax._names import BOTH, IDENTITY
from ccalign_jax.aligners import ALIGNERS
from ccalign_jax.reporting.family_names import best_by, family_key, family_labels, is_solved, state_name
from ccalign_jax.reporting.format import Summary, change_words, find, has_interval, signed
from ccalign_jax.reporting.names import Family, scoring_name
from ccalign_jax.reporting.verdicts import verdict_of

FREE, SOLVED, TRAINED = "no parameters", "closed forms", "trained"
SELECTED = "what each fold chose of all"
MAX_TRAINED = 12


class Baseline(NamedTuple):
    """One row of the baselines: a score correction, a map, or what each fold chose.

    Attributes:
        group: its heading; identity has none.
        name: its name in a row.
        part: `metrics`, and but for identity `delta` and `verdict`, as a family has them.
    """

    group: str
    name: str
    part: Mapping[str, Any]

    @property
    def mean(self) -> float:
        """The mean change of both directions."""
        return float(find(self.part, "delta", BOTH, "R@1", "mean") or 0.0)


def baselines(summary: Summary) -> list[Baseline]:
    """Identity, score corrections, closed forms, trained maps, the choice, and score corrections of a trained map.

    Of each closed form, and of each trained aligner, the pivot and loss with the best mean selection score; the last
    corrections are of the trained map that selects best. In a group the best selection score comes first.
    """
    families = summary["families"]
    labels = dict(zip(map(family_key, families), family_labels(families), strict=True))
    solved, trained = best_families(families, solved=True), best_families(families, solved=False)[:MAX_TRAINED]
    found = [Baseline("", IDENTITY, {"metrics": summary["baselines"][IDENTITY]})]
    found += _corrections(summary, IDENTITY, FREE)
    for group, members in {
        FREE: [family for family in solved if not ALIGNERS[family["aligner"]].fitted],
        SOLVED: [family for family in solved if ALIGNERS[family["aligner"]].fitted],
        TRAINED: trained,
    }.items():
        found += [Baseline(group, labels[family_key(one)], one) for one in members]
    if solved or trained:
        found.append(Baseline(SELECTED, "selected", summary["selected"]))
    if trained:
        key = family_key(trained[0])
        state = key if find(summary, "scores", key) else trained[0]["pivot"]  # of many, those of pivots
        what = "" if state == key else ", the choice of each fold"
        found += _corrections(summary, state, f"score corrections of {state_name(summary, state)}{what}")
    return found


def best_baseline(summary: Summary) -> Baseline | None:
    """What changes R@1 most without training, identity at least; None where no such baseline was measured."""
    found = baselines(summary)
    free = [one for one in found if one.group == FREE]
    return max([found[0], *free], key=lambda one: one.mean) if free else None


def best_map(summary: Summary) -> Baseline | None:
    """The trained map, or without one the closed form, with the best mean selection score."""
    found = baselines(summary)
    maps = [one for one in found if one.group == TRAINED] or [one for one in found if one.group == SOLVED]
    return maps[0] if maps else None


def lead_words(summary: Summary) -> str:
    """How far the best map is ahead of the best training-free baseline, in short; empty where one of them lacks."""
    best, mine = best_baseline(summary), best_map(summary)
    if best is None or mine is None:
        return ""
    lead, kind = signed(mine.mean - best.mean), _kind(mine)
    place = {"+": f"{lead[1:]} less than", "−": f"{lead[1:]} more than"}.get(lead[0], "as much as")
    if best.name == IDENTITY:
        changed = f"changes R@1 by {signed(mine.mean)}"
        return f"No training-free baseline gains anything; the best {kind}, {mine.name}, {changed}."
    return (
        f"Without any training, {best.name} changes R@1 by {_change(best)}, {place} the best {kind}, {mine.name} "
        f"({signed(mine.mean)})."
    )


def baselines_words(summary: Summary) -> str:
    """Whether the best map is ahead of the best training-free baseline; empty where one of them lacks."""
    best, mine = best_baseline(summary), best_map(summary)
    if best is None or mine is None:
        return ""
    kind, lead = _kind(mine), signed(mine.mean - best.mean)
    place = "does no better" if lead == ".000" else f"is {lead[1:]} {'ahead' if lead[0] == '+' else 'behind'}"
    tested = has_interval(find(mine.part, "delta", BOTH, "R@1"))
    untested = ", a difference that is not tested itself" if tested else ""
    return (
        f"Without training, {best.name} changes the mean of both directions by {_change(best)}; the best {kind} by "
        f"its mean selection score, {mine.name}, by {_change(mine)}: it {place}{untested}."
    )


def best_families(families: Sequence[Family], *, solved: bool) -> list[Family]:
    """The best family of each aligner, the best of all first."""
    members = best_by([family for family in families if is_solved(family) == solved], "aligner")
    return sorted(members, key=lambda family: -family["selection"]["mean"])


def _kind(one: Baseline) -> str:
    return "trained map" if one.group == TRAINED else "closed form"


def _change(one: Baseline) -> str:
    change, found = find(one.part, "delta", BOTH, "R@1"), verdict_of(one.part)
    if not has_interval(change) or not found:
        return signed(one.mean)
    return f"{signed(one.mean)} ({change_words(change).partition(', ')[2]}: {found})"


def _corrections(summary: Summary, state: str, group: str) -> list[Baseline]:
    """The score corrections of a state; the cosine is the state itself."""
    scores = find(summary, "scores", state) or {}
    return [
        Baseline(group, scoring_name(summary, scoring), {**found, "metrics": found})
        for scoring, found in scores.items()
        if scoring != "cosine"
    ]
