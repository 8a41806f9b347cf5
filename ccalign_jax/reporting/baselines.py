"""Training-free baselines: score corrections and closed forms beside trained maps, as tables and a plot."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ccalign_jax._names import BOTH, DIRECTIONS, IDENTITY
from ccalign_jax.aligners import ALIGNERS
from ccalign_jax.reporting.format import (
    Summary,
    both,
    change_words,
    changed,
    count_words,
    find,
    has_interval,
    level,
    signed,
)
from ccalign_jax.reporting.measures import scoring_name, states
from ccalign_jax.reporting.names import Family, aligner_name, best_by, family_key, family_labels, is_solved, state_name
from ccalign_jax.reporting.plots import changes_figure
from ccalign_jax.reporting.table import Table, make_table
from ccalign_jax.reporting.verdicts import (
    CHANGE,
    VERDICT_NOTE,
    change_heading,
    evidence_notes,
    is_optimistic,
    verdict_cell,
)

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
        metrics: R@1 of both directions, and more.
        change: changes of R@1 against identity, by direction and for both.
        verdict: on both directions, and a sign for each; empty where nothing was tested.
    """

    group: str
    name: str
    metrics: Mapping[str, Any]
    change: Mapping[str, Mapping[str, Any]]
    verdict: str = ""

    @property
    def mean(self) -> float:
        """The mean change of both directions."""
        return float(self.change[BOTH]["mean"])


def baselines(summary: Summary) -> list[Baseline]:
    """Identity, score corrections, closed forms, trained maps, the choice, and score corrections of a trained map.

    Of each closed form, and of each trained aligner, the pivot and loss with the best mean selection score; the last
    corrections are of the trained map that selects best. In a group the best selection score comes first.
    """
    families = summary["families"]
    labels = dict(zip(map(family_key, families), family_labels(families), strict=True))
    solved, trained = _best(families, solved=True), _best(families, solved=False)[:MAX_TRAINED]
    found = [_baseline(summary, "", IDENTITY, summary["baselines"][IDENTITY])]
    found += _corrections(summary, IDENTITY, FREE)
    for group, members in {
        FREE: [family for family in solved if not ALIGNERS[family["aligner"]].fitted],
        SOLVED: [family for family in solved if ALIGNERS[family["aligner"]].fitted],
        TRAINED: trained,
    }.items():
        found += [_baseline(summary, group, labels[family_key(one)], one["metrics"], one) for one in members]
    if solved or trained:
        found.append(_baseline(summary, SELECTED, "selected", summary["selected"]["metrics"], summary["selected"]))
    if trained:
        key = family_key(trained[0])
        state = key if find(summary, "scores", key) else trained[0]["pivot"]  # of many, those of pivots
        what = "" if state == key else ", the choice of each fold"
        found += _corrections(summary, state, f"score corrections of {state_name(summary, state)}{what}")
    return found


def baselines_table(summary: Summary) -> Table:
    """R@1 of the training-free baselines and of trained maps in a sweep, with the change against identity."""
    first, *others = baselines(summary)
    blocks: dict[str, list[list[str]]] = {"": [_row(first, is_identity=True)]}
    for one in others:
        blocks.setdefault(one.group, []).append(_row(one))
    change = change_heading(summary)
    columns = [name for task in DIRECTIONS for name in (f"{task}\nR@1", change)]
    return make_table(
        "Baselines: R@1 on the test part, from no parameters to trained maps",
        ("map", "verdict", f"mean of both\n{change}", *columns),
        blocks.items(),
        alignment="ll",
        notes=_notes(summary),
    )


def scores_table(summary: Summary) -> Table | None:
    """Score corrections of each state of an evaluation, R@1 and mAP, with the change against identity."""
    scores = summary.get("scores")
    if scores is None:
        return None
    blocks = []
    for state in states(summary):
        rows = []
        for scoring, metrics in scores[state].items():
            one = _baseline(summary, state, scoring_name(summary, scoring), metrics)
            levels = {BOTH: both(metrics), **{task: metrics[task]["R@1"] for task in DIRECTIONS}}
            cells = [cell for task in levels for cell in (level(levels[task]), changed(one.change[task]))]
            rows.append([one.name, one.verdict, *cells, *(level(metrics[task]["mAP"]) for task in DIRECTIONS)])
        blocks.append((state, rows))
    bank, known = scores["bank"], any(row[1] for _, rows in blocks for row in rows)
    source = (
        "the very rows that are scored (transductive): what a query gets depends on the other queries"
        if bank["transductive"]
        else "other rows of the data, none of those scored"
    )
    most = f" (at most {bank['most_rows']} rows of each language)" if "most_rows" in bank else ""
    columns = [name for head in ("mean of\nboth", *DIRECTIONS) for name in (head, CHANGE if known else "change")]
    adjusted = "[ ]: 95 % interval. p: paired sign flips over images, adjusted (Holm) for all scores on all states."
    return make_table(
        "Score corrections, R@1, mean over languages",
        ("score", "verdict", *columns, *(f"{task}\nmAP" for task in DIRECTIONS)),
        blocks,
        alignment="ll",
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
        rows.append((one.name, {task: {"R@1": change} for task, change in one.change.items()}))
    return changes_figure("baselines", rows)


def baselines_words(summary: Summary) -> str:
    """Whether the best map is ahead of the best training-free baseline; empty where one of them lacks."""
    found = baselines(summary)
    free = [one for one in found if one.group == FREE]
    maps = [one for one in found if one.group == TRAINED] or [one for one in found if one.group == SOLVED]
    if not free or not maps:
        return ""
    best, mine = max([found[0], *free], key=lambda one: one.mean), maps[0]
    kind = "trained map" if mine.group == TRAINED else "closed form"
    lead = signed(mine.mean - best.mean)
    place = "does no better" if lead == ".000" else f"is {lead[1:]} {'ahead' if lead[0] == '+' else 'behind'}"
    untested = ", a difference that is not tested itself" if has_interval(mine.change[BOTH]) else ""
    return (
        f"Without training, {best.name} changes the mean of both directions by {_change(best)}; the best {kind} by "
        f"its mean selection score, {mine.name}, by {_change(mine)}: it {place}{untested}."
    )


def _change(one: Baseline) -> str:
    change = one.change[BOTH]
    found = f" ({change_words(change).partition(', ')[2]}: {one.verdict.rpartition(' ')[0]})"
    return signed(one.mean) + (found if has_interval(change) and one.verdict else "")


def _row(one: Baseline, *, is_identity: bool = False) -> list[str]:
    cells = [one.name, one.verdict, "" if is_identity else changed(one.change[BOTH])]
    for task in DIRECTIONS:
        cells += [level(one.metrics[task]["R@1"]), "" if is_identity else changed(one.change[task])]
    return cells


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
    left = _best(summary["families"], solved=False)[MAX_TRAINED:]
    if left:
        names = "; ".join(aligner_name(family["aligner"]) for family in left)
        yield f"Left out of the trained, with lower selection scores: {names}."
    yield "mean of both: what only one direction gains may be lost by the other."
    if any(one.verdict for one in free):
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
        _baseline(summary, group, scoring_name(summary, scoring), metrics)
        for scoring, metrics in scores.items()
        if scoring != "cosine"
    ]


def _baseline(
    summary: Summary, group: str, name: str, metrics: Mapping[str, Any], part: Mapping[str, Any] | None = None
) -> Baseline:
    """The change is the one that the other tables quote, where there is one: the last digit may round otherwise."""
    part = metrics if part is None else part
    if "delta" in part:
        changes = {task: part["delta"][task]["R@1"] for task in DIRECTIONS} | {BOTH: both(part["delta"])}
        return Baseline(group, name, metrics, changes, verdict_cell(part))
    identity = summary["baselines"][IDENTITY]
    gained = {task: metrics[task]["R@1"]["mean"] - identity[task]["R@1"]["mean"] for task in DIRECTIONS}
    gained[BOTH] = sum(gained.values()) / len(gained)
    return Baseline(group, name, metrics, {task: {"mean": change} for task, change in gained.items()})
