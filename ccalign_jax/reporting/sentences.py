"""The result of a sweep, an evaluation or a comparison in a few sentences."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ccalign_jax._names import BOTH, DIRECTIONS, IDENTITY
from ccalign_jax.reporting.baselines import baselines_words
from ccalign_jax.reporting.family_names import choice_words
from ccalign_jax.reporting.format import LOSS, NO_EVIDENCE, Summary, change_words, count_words, find, plain, signed
from ccalign_jax.reporting.names import TASK_WORDS, scoring_name
from ccalign_jax.reporting.scope import interval_note
from ccalign_jax.reporting.verdicts import is_optimistic, verdict, verdict_of


def selected_words(summary: Summary) -> tuple[str, ...]:
    """The trial that was chosen, its change in both directions, and what is had without training."""
    selected, free = summary["selected"], baselines_words(summary)
    chosen = f"Chosen: {choice_words(summary, selected['per_fold'])}."
    if set(selected["per_fold"]) == {IDENTITY}:
        kept = "No trial beat the embeddings as they are on the inner parts, so that nothing is changed."
        return tuple(filter(None, (chosen, kept, free)))
    changes = _change_words(summary["baselines"]["identity"], selected["metrics"], selected)
    against = f"Against identity, on images kept out of training: {changes}."
    return tuple(filter(None, (chosen, against, both_words(selected), closed_words(summary), free)))


def _change_words(
    before: Mapping[str, Any], after: Mapping[str, Any], part: Mapping[str, Any], tasks: Iterable[str] = DIRECTIONS
) -> str:
    """R@1 of each task before and after, and the change and verdict that `part` has of it."""

    def words(task: str) -> str:
        start, end = (plain(metrics[task]["R@1"]["mean"]) for metrics in (before, after))
        found = verdict_of(part, task)
        change = change_words(part["delta"][task]["R@1"])
        return f"{TASK_WORDS[task]} R@1 {start} → {end} ({change})" + (f": {found}" if found else "")

    return "; ".join(map(words, tasks))


def both_words(part: Mapping[str, Any]) -> str:
    """The change of the mean of both directions, in a sentence that starts with its verdict where it was tested.

    Example:
        >>> change = {"both": {"R@1": {"mean": 0.004, "low": -0.006, "high": 0.014, "p_adjusted": 0.41}}}
        >>> both_words({"delta": change})
        'No evidence of a gain: the mean of both directions changed by +.004 (95 % interval −.006 to +.014, p = .410).'
    """
    change, found = part["delta"][BOTH]["R@1"], verdict_of(part)
    size, evidence = signed(change["mean"]), change_words(change).partition(", ")[2]
    did = "did not change" if size == ".000" else f"{'rose' if size[0] == '+' else 'fell'} by {size[1:]}"
    if not found:
        return f"The mean of both directions {did}."
    did = f"changed by {size}" if size == ".000" or found == NO_EVIDENCE else did
    lead = found.capitalize() + " of a gain" * (found == NO_EVIDENCE)
    return f"{lead}: the mean of both directions {did} ({evidence})."


def closed_words(summary: Summary) -> str:
    """The change of the choice against the best closed form; empty where identity is above chance."""
    selected = summary["selected"]
    if "delta_closed" not in selected:
        return ""
    name = choice_words(summary, selected["closed_per_fold"])
    if selected["per_fold"] == selected["closed_per_fold"]:
        return (
            f"Identity is at chance here; the choice is itself the best closed form, chosen on the same parts: {name}."
        )
    change = {"delta": selected["delta_closed"], "verdict": selected.get("verdict_closed", {})}
    lead = f"Identity is at chance here. Against the best closed form, chosen on the same parts ({name}):"
    return f"{lead} {both_words(change)}"


def evaluation_headline(summary: Summary) -> tuple[str, ...]:
    """The metrics of the embeddings, the change through the map, and the best score without training."""
    identity, chance = summary["baselines"]["identity"], summary["baselines"]["chance"]
    if "metrics" not in summary:
        known, least = ({task: plain(part[task]["R@1"]["mean"]) for task in DIRECTIONS} for part in (identity, chance))
        read = ", ".join(f"{TASK_WORDS[task]} R@1 {known[task]} (chance {least[task]})" for task in DIRECTIONS)
        return (f"The embeddings as they are, on {place_words(summary)}.", f"Mean over languages: {read}.")
    tasks = [task for task in TASK_WORDS if task in summary["delta"]]
    changes = _change_words(identity, summary["metrics"], summary, tasks)
    sentences = [
        f"Map {summary['name']} on {place_words(summary)}.",
        training_words(summary),
        f"Against identity: {changes}.",
        both_words(summary),
        _free_words(summary),
        interval_note(summary),
    ]
    return tuple(filter(None, sentences))


def _free_words(summary: Mapping[str, Any]) -> str:
    """The best score on identity beside the map; empty where the map was trained on all of these images."""
    scores = find(summary, "scores", IDENTITY) or {}
    free = {name: metrics[BOTH]["R@1"]["mean"] for name, metrics in scores.items() if name != "cosine"}
    about = summary.get("training_images") or {}
    if not free or (about.get("known") and about["seen"] == about["images"]):
        return ""
    best = max(free, key=lambda name: free[name])
    return (
        f"Without any training, the best of {count_words(len(free), 'score')} on identity, "
        f"{scoring_name(summary, best)}, reads {plain(free[best])} in the mean of both directions; the map "
        f"under the plain cosine reads {plain(summary['metrics'][BOTH]['R@1']['mean'])}."
    )


def place_words(summary: Summary) -> str:
    """The data that were evaluated, such as `toy, split test, 10 images`."""
    data, split = summary["data"], summary.get("split", "all")
    return f"{data['name']}, {'' if split == 'all' else f'split {split}, '}{count_words(data['images'], 'image')}"


def training_words(summary: Summary) -> str:
    """How many of the images are training images of the map, and what follows for its change."""
    about = summary.get("training_images") or {"known": False}
    if not about["known"]:
        return (
            "Training images unknown: the map's file does not record them. If it was trained on these images, its "
            "change is in part overfitting."
        )
    whole = count_words(about["images"], "image")
    if not about["seen"]:
        return f"None of the {whole} is a training image of the map, by key or by row."
    counts = f"{about['by_key']} by key, {about['by_row']} by row"
    if about["seen"] == about["images"]:
        return (
            f"All {whole} are training images of the map ({counts}), so that its change has no interval, p or verdict: "
            "it is of images that the map has seen. Its change on new images is in the summary.json of its own "
            "sweep (selected), or comes from evaluating images that it was not trained on."
        )
    means = {task: [plain(about[state][task]["R@1"]["mean"]) for state in (IDENTITY, "metrics")] for task in DIRECTIONS}
    read = [f"{TASK_WORDS[task]} {before} → {after}" for task, (before, after) in means.items()]
    return (
        f"{about['seen']} of {whole} are training images of the map ({counts}) and are left out of all else; among "
        f"themselves, without verdict: R@1 {', '.join(read)}."
    )


def comparison_words(comparison: Mapping[str, Any]) -> tuple[str, ...]:
    """What b changes against a, in a few sentences."""
    a, b, images = comparison["a"], comparison["b"], comparison["data"].get("images")
    place = f"the same {count_words(images, 'image')}" if images else "the same images"
    changes = _change_words(comparison["a_metrics"], comparison["b_metrics"], comparison)
    sentences = [
        f"b, {b['name']} ({b['run']}), against a, {a['name']} ({a['run']}), on {place}.",
        f"From a to b: {changes}.",
    ]
    both = find(comparison, "delta", BOTH, "R@1")
    found = find(comparison, "verdict", BOTH) or verdict(both, optimistic=is_optimistic(comparison))
    if found:
        which = f": b is {'worse' if found == LOSS else 'better'} than a"
        which = " that b is better than a, or worse" if found == NO_EVIDENCE else which
        sentences.append(f"{found.capitalize()}{which}, in the mean of both directions ({change_words(both)}).")
    return tuple(sentences)
