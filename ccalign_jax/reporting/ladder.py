"""The ladder of a study: identity, scores without parameters, closed forms, trained maps, scores on top of one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ccalign_jax.reporting.evidence import change_heading, evidence_notes, verdict_cell
from ccalign_jax.reporting.figure_names import scoring_name
from ccalign_jax.reporting.names import (
    Family,
    Summary,
    aligner_name,
    best_families,
    family_key,
    family_labels,
    is_solved,
    state_name,
)
from ccalign_jax.reporting.tables import Table
from ccalign_jax.reporting.wording import (
    DIRECTIONS,
    both_figure,
    change_words,
    changed,
    count_words,
    find,
    has_interval,
    level,
    signed,
)

__all__ = ["Rung", "ladder_rungs", "ladder_table", "ladder_words"]

FREE, SOLVED, TRAINED = "no parameters", "closed forms", "trained"
SELECTED = "what each fold chose of all"
MAX_TRAINED = 12
CENTRING = "centring"  # a closed form, but with nothing in it to fit beyond two means


class Rung(NamedTuple):
    """One row of the ladder.

    Attributes:
        group: the heading that it stands under; identity has none.
        name: what a reader calls it.
        metrics: R@1 of both directions, and more.
        change: figures of R@1 against identity, by direction and for both.
        verdict: on both directions, and a sign for each; empty where nothing was tested.
    """

    group: str
    name: str
    metrics: Mapping[str, Any]
    change: Mapping[str, Mapping[str, Any]]
    verdict: str = ""

    @property
    def both(self) -> float:
        """The mean change of both directions."""
        return self.change["both"]["mean"]


def ladder_rungs(summary: Summary) -> list[Rung]:
    """Every rung that the summary has figures for, from identity up.

    Of each closed form, and of each trained aligner, the pivot and loss with the best mean selection score; the scores
    on top are those of the trained map that selects best. In a group the best selection score comes first.

    Args:
        summary: the content of `summary.json`.
    """
    families = summary["families"]
    labels = dict(zip(map(family_key, families), family_labels(families), strict=True))
    solved, trained = _best(families, solved=True), _best(families, solved=False)[:MAX_TRAINED]
    corrections = [_rung(summary, "", "identity", summary["baselines"]["identity"])]
    corrections += _scored(summary, "identity", FREE)
    for group, members in {
        FREE: [family for family in solved if family["aligner"] == CENTRING],
        SOLVED: [family for family in solved if family["aligner"] != CENTRING],
        TRAINED: trained,
    }.items():
        corrections += [
            _rung(summary, group, labels[family_key(family)], family["metrics"], family) for family in members
        ]
    if solved or trained:
        corrections.append(_rung(summary, SELECTED, "selected", summary["selected"]["metrics"], summary["selected"]))
    if trained:
        key = family_key(trained[0])
        state = key if find(summary, "scores", key) else trained[0]["pivot"]  # of many, scores stand on pivots
        what = "" if state == key else ", the choice of each fold"
        corrections += _scored(summary, state, f"a score on top of {state_name(summary, state)}{what}")
    return corrections


def ladder_table(summary: Summary) -> Table:
    """What each rung earns over identity in both directions, so that a map is seen beside what needs no training.

    Args:
        summary: the content of `summary.json`.
    """
    corrections = ladder_rungs(summary)
    rows: list[tuple[str, ...]] = []
    rules = []
    for number, rung in enumerate(corrections):
        if number and rung.group != corrections[number - 1].group:
            rules.append(len(rows))
            rows.append((rung.group, *[""] * 6))
        cells = [level(rung.metrics[direction]["R@1"]) for direction in DIRECTIONS]
        changes = [changed(rung.change[direction]) if number else "" for direction in DIRECTIONS]
        pairs = [cell for pair in zip(cells, changes, strict=True) for cell in pair]
        rows.append((rung.name, rung.verdict, changed(rung.change["both"]) if number else "", *pairs))
    change = change_heading(summary)
    columns = [name for way in DIRECTIONS for name in (f"{way}\nR@1", change)]
    return Table(
        title="The ladder: R@1 on the holdout, from no parameters to trained maps",
        columns=("rung", "verdict", f"mean of both\n{change}", *columns),
        rows=tuple(rows),
        alignment="llrrrrr",
        notes=tuple(_ladder_notes(summary, corrections)),
        rules=tuple(rules),
    ).filled()


def ladder_words(summary: Summary) -> str:
    """Whether the best map stands above the best rung without parameters, in one sentence; empty where one lacks.

    Args:
        summary: the content of `summary.json`.
    """
    corrections = ladder_rungs(summary)
    free = [rung for rung in corrections if rung.group == FREE]
    maps = [rung for rung in corrections if rung.group == TRAINED] or [
        rung for rung in corrections if rung.group == SOLVED
    ]
    if not free or not maps:
        return ""
    best, mine = max([corrections[0], *free], key=lambda rung: rung.both), maps[0]
    kind = "trained map" if mine.group == TRAINED else "closed form"
    lead = signed(mine.both - best.both)
    place = "does no better" if lead == ".000" else f"is {lead[1:]} {'ahead' if lead[0] == '+' else 'behind'}"
    untested = ", a difference that is not tested itself" if has_interval(mine.change["both"]) else ""
    return (
        f"Without training, {best.name} changes the mean of both directions by {_told(best)}; the best {kind} by "
        f"its mean selection score, {mine.name}, by {_told(mine)}: it {place}{untested}."
    )


def _told(rung: Rung) -> str:
    change = rung.change["both"]
    found = f" ({change_words(change).partition(', ')[2]}: {rung.verdict.rpartition(' ')[0]})"
    return signed(rung.both) + (found if has_interval(change) and rung.verdict else "")


def _ladder_notes(summary: Summary, corrections: list[Rung]) -> Iterator[str]:
    said = ladder_words(summary)
    if said:
        yield said
    if any(rung.group == FREE for rung in corrections):
        yield (
            "Scores are not selected in a nested way: the best one named here is picked on the holdout itself, which "
            "flatters it, as it would any score on top that is picked from this table."
        )
    if "scores" in summary:
        bank = find(summary, "scores", "bank", "images")
        near = "" if bank is None else f": {count_words(bank, 'image')} and their captions"
        yield f"Scores look at neighbours or means among training rows of the fold{near}; nothing is fitted."
    nested = summary["protocol"] != "seed"
    yield (
        "Closed forms and trained: of each the pivot and loss with the best mean selection score, which is that of "
        f"{'the inner parts' if nested else 'the folds reported'}; the best one first."
    )
    if nested and summary["folds"] > 1:
        yield (
            "That mean is over all folds, and what is inner to one fold is reported in another: selected, which every "
            "fold chose for itself, is the figure to quote."
        )
    left = _best(summary["families"], solved=False)[MAX_TRAINED:]
    if left:
        names = "; ".join(aligner_name(family["aligner"]) for family in left)
        yield f"Left out of the trained, with lower selection scores: {names}."
    yield "mean of both: what only one direction gains may be lost by the other."
    if any(rung.group == FREE and rung.verdict for rung in corrections):
        yield "p of a score is adjusted (Holm) for all scores, on identity and on top of maps alike."
    yield from evidence_notes(summary)


def _best(families: Sequence[Family], *, solved: bool) -> list[Family]:
    """The best family of each aligner, the best of all first."""
    members = best_families([family for family in families if is_solved(family) == solved], "aligner")
    return sorted(members.values(), key=lambda family: -family["selection"]["mean"])


def _scored(summary: Summary, state: str, group: str) -> list[Rung]:
    """The scores on top of a state; the cosine is the state itself."""
    scores = find(summary, "scores", state) or {}
    return [
        _rung(summary, group, scoring_name(summary, scoring), metrics)
        for scoring, metrics in scores.items()
        if scoring != "cosine"
    ]


def _rung(
    summary: Summary, group: str, name: str, metrics: Mapping[str, Any], chosen: Mapping[str, Any] | None = None
) -> Rung:
    """The change is the one that the other tables quote, where there is one: the last digit may round otherwise."""
    part = metrics if chosen is None else chosen
    if "delta" in part:
        changes = {way: part["delta"][way]["R@1"] for way in DIRECTIONS} | {"both": both_figure(part["delta"])}
        return Rung(group, name, metrics, changes, verdict_cell(part))
    identity = summary["baselines"]["identity"]
    gained = {way: metrics[way]["R@1"]["mean"] - identity[way]["R@1"]["mean"] for way in DIRECTIONS}
    gained["both"] = sum(gained.values()) / len(gained)
    return Rung(group, name, metrics, {way: {"mean": change} for way, change in gained.items()})
