"""Training-free baselines: score corrections and closed forms beside trained maps, as tables and a plot."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ccalign_jax._names import BOTH, DIRECTIONS, IDENTITY
from ccalign_jax.aligners import ALIGNERS
from ccalign_jax.reporting.forest import changes_figure
from ccalign_jax.reporting.format import (
    CHANGE,
    VERDICT_NOTE,
    Summary,
    change_heading,
    change_words,
    count_words,
    evidence_notes,
    find,
    has_interval,
    is_optimistic,
    signed,
    verdict_cell,
    verdict_of,
)
from ccalign_jax.reporting.names import (
    Family,
    aligner_name,
    best_by,
    family_key,
    family_labels,
    is_solved,
    scoring_name,
    state_name,
)
from ccalign_jax.reporting.table import Column, Table, fill_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

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
    solved, trained = _best(families, solved=True), _best(families, solved=False)[:MAX_TRAINED]
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


def baselines_table(summary: Summary) -> Table:
    """R@1 of the training-free baselines and of trained maps in a sweep, with the change against identity."""
    blocks: dict[str, list[tuple[str, Mapping[str, Any]]]] = {}
    for one in baselines(summary):
        blocks.setdefault(one.group, []).append((one.name, one.part))
    change = change_heading(summary)
    return fill_table(
        "Baselines: R@1 on the test part, from no parameters to trained maps",
        [Column.names("map"), *Column.both(change), *Column.directions("{task}\nR@1", change)],
        blocks.items(),
        notes=_notes(summary),
    )


def scores_table(summary: Summary) -> Table | None:
    """Score corrections of identity and of the map in an evaluation, with the change against identity."""
    scores = summary.get("scores")
    if scores is None:
        return None
    bank = scores["bank"]
    blocks = {
        state: [(scoring_name(summary, scoring), {**found, "metrics": found}) for scoring, found in each.items()]
        for state, each in scores.items()
        if state != "bank"
    }
    known = any(verdict_cell(part) for rows in blocks.values() for _, part in rows)
    change = CHANGE if known else "change"
    source = (
        "the very rows that are scored (transductive): what a query gets depends on the other queries"
        if bank["transductive"]
        else "other rows of the data, none of those scored"
    )
    most = f" (at most {bank['most_rows']} rows of each language)" if "most_rows" in bank else ""
    adjusted = "[ ]: 95 % interval. p: paired sign flips over images, adjusted (Holm) for all scores on all states."
    return fill_table(
        "Score corrections, R@1, mean over languages",
        [
            *(Column.names("score"), Column.verdict()),
            Column.estimate("mean of\nboth", "metrics", BOTH, "R@1"),
            Column.estimate(change, "delta", BOTH, "R@1"),
            *Column.directions("{task}", change),
            *(Column.estimate(f"{task}\nmAP", "metrics", task, "mAP") for task in DIRECTIONS),
        ],
        blocks.items(),
        notes=(
            "change: against identity under the cosine. A trained map has to beat what a score earns without training.",
            f"All but the cosine look at a bank, {count_words(bank['images'], 'image')} and their captions{most}: "
            f"{source}.",
            "To pick the best row of this table would be to choose on the images that are reported.",
            *((adjusted, VERDICT_NOTE) if known else ()),
        ),
    )


def baselines_plot(summary: Summary) -> Figure:
    """Change of R@1 against identity of every baseline, group by group: each direction, and their mean."""
    rows: list[tuple[str, Mapping[str, Any] | None]] = []
    group = ""
    for one in baselines(summary)[1:]:
        if one.group != group:
            group = one.group
            rows.append((group, None))
        rows.append((one.name, one.part["delta"]))
    return changes_figure("baselines", rows)


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


def _kind(one: Baseline) -> str:
    return "trained map" if one.group == TRAINED else "closed form"


def _change(one: Baseline) -> str:
    change, found = find(one.part, "delta", BOTH, "R@1"), verdict_of(one.part)
    if not has_interval(change) or not found:
        return signed(one.mean)
    return f"{signed(one.mean)} ({change_words(change).partition(', ')[2]}: {found})"


def _notes(summary: Summary) -> Iterator[str]:
    free = [one for one in baselines(summary) if one.group == FREE]
    if words := baselines_words(summary):
        yield words
    if free:
        yield (
            "Scores are not selected in a nested way: the best one named here is picked on the test part itself, which "
            "flatters it, as it would any score correction that is picked from this table."
        )
    if "scores" in summary:
        bank = find(summary, "scores", "bank", "images")
        near = "" if bank is None else f": {count_words(bank, 'image')} and their captions"
        yield f"Scores look at neighbours or means among training rows of the fold{near}; nothing is fitted."
    nested = not is_optimistic(summary)
    yield (
        "Closed forms and trained: of each the pivot and loss with the best mean selection score, which is that of "
        f"{'the inner parts' if nested else 'the folds reported'}; the best one first."
    )
    if nested and summary["folds"] > 1:
        yield (
            "That mean is over all folds, and what is inner to one fold is reported in another: selected, which every "
            "fold chose for itself, is the estimate to quote."
        )
    if left := _best(summary["families"], solved=False)[MAX_TRAINED:]:
        names = "; ".join(aligner_name(family["aligner"]) for family in left)
        yield f"Left out of the trained, with lower selection scores: {names}."
    yield "mean of both: what only one direction gains may be lost by the other."
    if any(verdict_of(one.part) for one in free):
        yield "p of a score is adjusted (Holm) for all scores, on identity and on top of maps alike."
    yield from evidence_notes(summary)


def _best(families: Sequence[Family], *, solved: bool) -> list[Family]:
    """The best family of each aligner, the best of all first."""
    members = best_by([family for family in families if is_solved(family) == solved], "aligner")
    return sorted(members, key=lambda family: -family["selection"]["mean"])


def _corrections(summary: Summary, state: str, group: str) -> list[Baseline]:
    """The score corrections of a state; the cosine is the state itself."""
    scores = find(summary, "scores", state) or {}
    return [
        Baseline(group, scoring_name(summary, scoring), {**found, "metrics": found})
        for scoring, found in scores.items()
        if scoring != "cosine"
    ]
