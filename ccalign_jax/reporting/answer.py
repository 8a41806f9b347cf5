"""The first screen of a sweep's page: which map generalises, in one sentence, and what to do about it, in three."""

from __future__ import annotations

import math
import shlex
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ccalign_jax._names import BOTH, DIRECTIONS, IDENTITY
from ccalign_jax.options import ARRAYS, SweepConfig
from ccalign_jax.reporting.baselines import best_baseline, lead_words
from ccalign_jax.reporting.family_names import best_by, family_labels, is_solved
from ccalign_jax.reporting.format import (
    CLAIMED_GAIN,
    GAIN,
    LOSS,
    Summary,
    change_words,
    chosen_words,
    count_words,
    find,
    plain,
    signed,
)
from ccalign_jax.reporting.names import TASK_WORDS, aligner_name, key_words, pivot_name, pivot_words
from ccalign_jax.reporting.scope import folds_doubt
from ccalign_jax.reporting.sentences import closed_words, place_words
from ccalign_jax.reporting.verdicts import verdict_of

NO_GAIN = "no gain"


def answer(summary: Summary) -> tuple[str, str]:
    """The verdict on what a sweep selected, and the sentence that says so: pivot, aligner, change and evidence."""
    selected = summary["selected"]
    if set(selected["per_fold"]) == {IDENTITY}:
        tried = count_words(len(summary["trials"]), "trial")
        return NO_GAIN, (
            f"No map generalises here: of {tried}, none did better than the embeddings as they are on validation "
            "images, in any fold."
        )
    change, found, who = find(selected, "delta", BOTH, "R@1"), verdict_of(selected), _who(summary)
    size, _, evidence = change_words(change).partition(", ")
    evidence = f" ({evidence})" if evidence else ""
    r1 = "R@1 on held-out images, the mean of both directions,"
    match found:
        case "":
            text = f"{who}: {r1} changes by {size}; no interval was computed, so that this may be chance."
        case str() if found == GAIN:
            text = f"{who} generalises: {r1} rises by {size[1:]}{evidence}{folds_doubt(summary)}."
        case str() if found == CLAIMED_GAIN:
            text = f"{who}: {r1} rises by {size[1:]}{evidence}, but it was chosen on the very images that are reported."
        case str() if found == LOSS:
            text = f"{who} does not generalise: {r1} falls by {size[1:]}{evidence}."
        case _:
            text = f"{who} is not shown to generalise: {r1} changes by {size}{evidence}."
    return found, text


def evaluation_answer(summary: Summary) -> tuple[str, str]:
    """The verdict on an evaluated map and the sentence that says so; without a map R@1 of the embeddings."""
    place = place_words(summary)
    if "delta" not in summary:
        parts = [summary["baselines"][arm] for arm in (IDENTITY, "chance")]
        read = [[plain(part[task]["R@1"]["mean"]) for part in parts] for task in DIRECTIONS]
        words = [
            f"{TASK_WORDS[task]} {level} (chance {least})"
            for task, (level, least) in zip(DIRECTIONS, read, strict=True)
        ]
        return "", f"R@1 of the embeddings as they are, on {place}: {', '.join(words)}."
    found, change = verdict_of(summary), find(summary, "delta", BOTH, "R@1")
    size, _, evidence = change_words(change).partition(", ")
    about = summary.get("training_images") or {}
    fits = about.get("known") and about["seen"] == about["images"]
    where = "its own training images" if fits else place
    did = f"by {size}" + (f" ({evidence})" if evidence else "")
    return found, f"The map {key_words(summary['name'])} changes R@1 on {where}, the mean of both directions, {did}."


def curves_answer(curves: Mapping[str, Any]) -> tuple[str, list[str]]:
    """The verdict on what inner folds chose along a path, or with all images, and a sentence about each curve."""
    sentences, found = [], []
    if "path" in curves:
        path = curves["path"]
        penalties = [math.inf if one["penalty"] is None else one["penalty"] for one in path["points"]]
        free = path["points"][penalties.index(min(penalties))]
        weakest = "without a penalty" if min(penalties) == 0 else f"with the weakest, {min(penalties):.0e},"
        who = f"{pivot_words(path['pivot'])} with {aligner_name(path['aligner'])}"
        sentences.append(
            f"{who}, its penalty chosen on validation images, changes R@1 on held-out images, the mean of both "
            f"directions, by {_with_evidence(path['chosen'])}; {weakest} by "
            f"{signed(free['delta'][BOTH]['R@1']['mean'])}."
        )
        found.append(verdict_of(path["chosen"]))
    if "learning" in curves:
        points = sorted(curves["learning"]["points"], key=lambda point: point["pairs"])
        few, many = points[0], points[-1]
        fewest = f"with {few['pairs']:,} by {signed(few['delta'][BOTH]['R@1']['mean'])}, " if len(points) > 1 else ""
        sentences.append(
            f"By number of training images, {key_words(curves['learning']['family'])} changes R@1 {fewest}with "
            f"{many['pairs']:,} by {_with_evidence(many)}."
        )
        found.append(verdict_of(many))
    return found[0], sentences


def _with_evidence(part: Mapping[str, Any]) -> str:
    size, _, evidence = change_words(part["delta"][BOTH]["R@1"]).partition(", ")
    return size + (f" ({evidence})" if evidence else "")


def next_words(summary: Summary, *, folder: str, data: str) -> list[str]:
    """At most three sentences: which maps are meant, what is had without training, and what to do."""
    about = closed_words(summary) or lead_words(summary)
    return list(filter(None, (_maps_words(summary, folder), about, _action_words(summary, folder, data))))


def directions_words(summary: Summary) -> str:
    """The change in each direction, with its verdict."""
    part, words = summary["selected"], []
    for task in DIRECTIONS:
        found = verdict_of(part, task)
        words.append(f"{TASK_WORDS[task]} {signed(part['delta'][task]['R@1']['mean'])}{f' ({found})' if found else ''}")
    return f"Selected map by direction: {', '.join(words)}."


def when_words(timing: Mapping[str, Any]) -> str:
    """When a run finished and how long it took; empty where neither is known.

    Example:
        >>> when_words({"finished": "2026-12-01T09:31:02+00:00", "seconds": {"trials": 61.2, "refit": 3.0}})
        'Finished 2026-12-01 09:31 UTC after 1 min 4 s.'
    """
    whole = round(sum(timing.get("seconds", {}).values()))
    parts = {"h": whole // 3600, "min": whole // 60 % 60, "s": whole % 60}
    took = " ".join(f"{number} {unit}" for unit, number in parts.items() if number)
    if "finished" not in timing:
        return f"Took {took}." if took else ""
    finished = datetime.fromisoformat(timing["finished"])
    return f"Finished {finished:%Y-%m-%d %H:%M} UTC{f' after {took}' if took else ''}."


def command_words(config: Mapping[str, Any], folder: str) -> str:
    """The command that makes the results of a sweep again; empty where its data were arrays of a program."""
    options = SweepConfig.of(config["config"], "config.json") if "data_sha256" in config else None
    if options is None or options.data == ARRAYS:
        return ""
    return shlex.join(["ccalign", "sweep", *options.arguments(), f"--out={folder}"])


def _who(summary: Summary) -> str:
    """Pivot and aligner of what was selected, in words; where folds differ, all of them, the most frequent first."""
    trials = {one["name"]: one for one in summary["trials"]}
    names = [name for name, _ in Counter(summary["selected"]["per_fold"]).most_common()]
    pivots = list(dict.fromkeys(trials[name]["pivot"] for name in names if name in trials))
    several = len(pivots) > 1

    def words(name: str) -> str:
        trial = trials.get(name)
        if trial is None:
            return "no map"
        return aligner_name(trial["aligner"]) + (f" ({pivot_name(trial['pivot'])})" if several else "")

    which = " or ".join(dict.fromkeys(map(words, names)))
    lead = "What each fold selects," if several else f"{pivot_words(pivots[0])} with"
    return f"{lead} {which}" + (", as each fold selects," if " or " in which and not several else "," * several)


def _maps_words(summary: Summary, folder: str) -> str:
    """Which maps were selected, kept and best among the trained, where they are not the same one."""
    trials = {trial["name"]: trial for trial in summary["trials"]}
    labels = dict(zip(trials, family_labels(list(trials.values())), strict=True))
    chosen, kept = summary["selected"]["per_fold"], summary["best"]
    families, name = {labels.get(one, one) for one in chosen}, labels.get(kept, kept)
    trained = [trial for trial in trials.values() if not is_solved(trial)]
    said = ""
    if families != {name}:
        each = chosen_words([labels.get(one, one) for one in chosen])
        best = f"`{folder}/best` holds the best over all folds, refitted: {name}. "
        said = f"This change is that of what each fold selected: {each}. {best}"
    elif set(chosen) != {kept}:
        said = f"Folds selected other settings than `{folder}/best` has, which are the best over all folds, refitted. "
    if trained and (best := labels[best_by(trained)[0]["name"]]) not in {name, *families}:
        change = signed(best_by(trained)[0]["delta"][BOTH]["R@1"]["mean"])
        said += f"Of the trained maps {best} has the best validation score ({change} on held-out images)."
    return said.strip()


def _action_words(summary: Summary, folder: str, data: str) -> str:
    """How to apply the map if it gained something, else what to do instead."""
    selected, kept = summary["selected"], summary["best"]
    found, mean = verdict_of(selected), selected["delta"][BOTH]["R@1"]["mean"]
    if kept != IDENTITY and (found in (GAIN, CLAIMED_GAIN) or (not found and mean > 0)):
        checkpoint, rows = (shlex.quote(path) for path in (f"{folder}/best", data))
        command = f"`ccalign apply --checkpoint={checkpoint} --data={rows} --out=aligned.npz`"
        check = "Check it first with `--protocol=nested`. " if found == CLAIMED_GAIN else ""
        return f"{check}To apply the kept map: {command}"
    free = best_baseline(summary)
    instead = f", scored by {free.name}" if free and verdict_of(free.part) == GAIN else ""
    one_pivot = len({trial["pivot"] for trial in summary["trials"]}) == 1
    more = " Another pivot may do better: `--pivot=all`." if one_pivot else ""
    lead = "Keep" if found == LOSS else "Until there is evidence, keep"
    return f"{lead} the embeddings as they are{instead}.{more}"
