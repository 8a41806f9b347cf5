"""Every retrieval metric: of a choice or an evaluated map, of two runs compared, by gallery size; and similarities."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ccalign_jax._names import BOTH, DIRECTIONS
from ccalign_jax.reporting.format import Summary, change_words, changed, count_words, find, has_interval, level, plain
from ccalign_jax.reporting.measures import (
    DIRECTION_WORDS,
    LOWER,
    compared,
    headings,
    measure_name,
    metric_names,
    states,
)
from ccalign_jax.reporting.plots import BLUE, COLOURS, GREY, INK, make_subplots, styled
from ccalign_jax.reporting.table import Table, make_table
from ccalign_jax.reporting.verdicts import (
    CHANGE,
    CLAIMED_GAIN,
    GAIN,
    LOSS,
    NO_EVIDENCE,
    clusters,
    is_optimistic,
    result_words,
    verdict,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Comparison = Mapping[str, Any]  # the content of a comparison.json

MIN_SHARE = 2e-3  # of the pairs; emptier bins at the ends are left out


def metrics_table(summary: Summary) -> Table:
    """Every metric in both directions, the mean over languages: identity, the map, their difference, and chance."""
    identity, chance = summary["baselines"]["identity"], summary["baselines"]["chance"]
    rows = []
    for metric in metric_names(identity["t2i"]):
        shown = measure_name(metric)
        cells = [shown.words]
        for task in DIRECTIONS:
            cells += [*compared(summary, task, metric), plain(find(chance, task, metric, "mean"), shown.places)]
        rows.append(cells)
    return make_table(
        "Every metric, mean over languages",
        ("metric", *(name for task in DIRECTIONS for name in (*headings(summary, task), f"{task}\nchance"))),
        [("", rows)],
        notes=(
            "A caption has one image, so that t2i mAP is MRR. An image may have several captions: R@k, MRR and median "
            "rank take the best of them, mAP and nDCG all. The lower the median rank, the better.",
        ),
    )


def comparison_table(comparison: Comparison) -> Table:
    """Every metric of both directions and of their mean, then R@1 of each language: a, b, and b minus a."""
    a, b = (comparison[side] for side in ("a", "b"))
    notes = [
        f"a: {a['name']} ({a['run']}); b: {b['name']} ({b['run']}). change: b minus a on the same queries; verdict: "
        "on b, a gain or a loss where p is below .05, else no evidence. The lower the median rank, the better.",
        f"{count_words(comparison['folds'], 'fold')}; all languages weigh the same.",
    ]
    if has_interval(find(comparison, "delta", "t2i", "R@1")):
        notes.append(
            f"[ ]: 95 % interval, {clusters(comparison)} resampled with all their captions. p: paired sign flips over "
            f"{clusters(comparison)}, not adjusted for the number of rows: name the row that you are after before you "
            "look."
        )
    return make_table(
        f"{comparison['data']['name']}: b against a on the test part",
        ("metric", "verdict", "a", "b", CHANGE),
        _comparison_blocks(comparison),
        alignment="ll",
        notes=notes,
    )


def comparison_words(comparison: Comparison) -> tuple[str, ...]:
    """What b changes against a, in a few sentences."""
    a, b, delta = comparison["a"], comparison["b"], comparison["delta"]
    images = comparison["data"].get("images")
    place = f"the same {count_words(images, 'image')}" if images else "the same images"
    sentences = [f"b, {b['name']} ({b['run']}), against a, {a['name']} ({a['run']}), on {place}."]
    parts = [comparison[part] for part in ("a_metrics", "b_metrics", "delta")]
    earned = [
        result_words(words, *(part[task]["R@1"] for part in parts), stated=find(comparison, "verdict", task) or "")
        for task, words in DIRECTION_WORDS.items()
    ]
    sentences.append(f"From a to b: {'; '.join(earned)}.")
    both = find(delta, BOTH, "R@1")
    found = find(comparison, "verdict", BOTH) or verdict(both, optimistic=is_optimistic(comparison))
    if both is not None and found:
        lead = {
            GAIN: "Gain: b is better than a",
            CLAIMED_GAIN: "Claimed gain: b is better than a",
            LOSS: "Loss: b is worse than a",
            NO_EVIDENCE: "No evidence that b is better than a, or worse",
        }[found]
        sentences.append(f"{lead}, in the mean of both directions ({change_words(both)}).")
    return tuple(sentences)


def _comparison_blocks(comparison: Comparison) -> Iterator[tuple[str, list[list[str]]]]:
    delta = comparison["delta"]
    for task, words in {**DIRECTION_WORDS, BOTH: "mean of both directions"}.items():
        metrics = metric_names(delta.get(task, {}))
        if metrics:
            yield words, [_comparison_row(comparison, measure_name(one).words, task, one) for one in metrics]
    for task, words in DIRECTION_WORDS.items():
        languages = find(delta, task, "per_language") or {}
        if len(languages) > 1:
            rows = [_comparison_row(comparison, name, task, "per_language", name, "R@1") for name in languages]
            yield f"{words}, R@1 of each language", rows


def _comparison_row(comparison: Comparison, name: str, *path: str) -> list[str]:
    shown = measure_name(path[-1])
    before, after, change = (find(comparison[part], *path) for part in ("a_metrics", "b_metrics", "delta"))
    stated = find(comparison, "verdict", path[0]) if path[1:] == ("R@1",) else None
    word = stated or verdict(change, lower_is_better=shown.better == LOWER, optimistic=is_optimistic(comparison))
    return [name, word, level(before, shown.places), level(after, shown.places), changed(change, shown.places)]


@styled
def pool_plot(summary: Summary) -> Figure | None:
    """R@1 as expected in smaller galleries, beside chance; below it the change."""
    curves = summary.get("pool_curves")
    if curves is None:
        return None
    after = "mapped" in curves["t2i"]
    figure, subplots = make_subplots(
        *("R@1 by gallery size", 2),
        rows=2 if after else 1,
        height=4.6 if after else 3.2,
        sharey="row",
        sharex=True,
        height_ratios=(2.4, 1) if after else (1,),
    )
    for place, task in enumerate(DIRECTIONS):
        axes, curve = subplots[place], curves[task]
        axes.plot(curve["sizes"], curve["identity"], "o-", color=GREY, markersize=4, label="identity")
        if after:
            axes.plot(curve["sizes"], curve["mapped"], "o-", color=COLOURS[task], markersize=4, label="mapped")
            moved = [late - early for early, late in zip(curve["identity"], curve["mapped"], strict=True)]
            subplots[2 + place].axhline(0, color=INK, linewidth=1)
            subplots[2 + place].plot(curve["sizes"], moved, "o-", color=COLOURS[task], markersize=4)
        axes.plot(curve["sizes"], curve["chance"], ":", color=INK, linewidth=1.2, label="chance")
        axes.set_title(DIRECTION_WORDS[task])
        axes.legend(loc="upper right")
    for axes in subplots:
        _plain_log(axes)
        axes.grid()
    for axes, what in zip(subplots[-2:], ("images", "captions"), strict=True):
        axes.set_xlabel(f"{what} in the gallery")
    subplots[0].set(ylabel="R@1, expected", ylim=(0, None))
    if after:
        subplots[2].set_ylabel("change")
    return figure


@styled
def similarity_plot(summary: Summary) -> Figure | None:
    """Cosines of captions with their own image and with others, mean over languages; overlap is the area in common."""
    found: Mapping[str, Any] = summary.get("similarities", {})
    if not find(found, "identity", "negative"):  # a single image has no other
        return None
    edges, named = found["edges"], [state for state in states(summary) if state in found]
    figure, subplots = make_subplots("cosines of caption and image", len(named), height=3.2, sharey=True, sharex=True)
    filled = []
    for axes, state in zip(subplots, named, strict=True):
        own, other = found[state]["positive"], found[state]["negative"]
        overlap = sum(map(min, own, other))
        filled += [place for place, shares in enumerate(zip(own, other, strict=True)) if max(shares) > MIN_SHARE]
        for shares, colour, label in ((other, GREY, "another image"), (own, BLUE, "own image")):
            axes.stairs(shares, edges, fill=True, color=colour, alpha=0.35)
            axes.stairs(shares, edges, color=colour, linewidth=1.6, label=label)
        axes.set(title=f"{state}: overlap {plain(overlap)}", xlabel="cosine of caption and image")
        axes.grid(axis="y")
    subplots[0].set_xlim(edges[min(filled)], edges[max(filled) + 1])
    subplots[0].set_ylabel("share of the pairs")
    subplots[0].legend(loc="upper right")
    return figure


def _plain_log(axes: Axes) -> None:
    """A logarithmic x axis with whole numbers."""
    from matplotlib.ticker import NullFormatter, StrMethodFormatter

    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
