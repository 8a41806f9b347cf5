"""Tables of a card: estimates of what the folds chose, beside baselines, and where it loses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ccalign_jax.aligners import ALIGNERS
from ccalign_jax.exporting.facts import MACRO, TASKS, Estimate, estimate, groups

__all__ = ["baselines", "format_estimate", "language_table", "losses", "overall_table"]

SHOWN = "R@1"
SIDES = (*TASKS, "both")
SCORES = {
    "cosine": "cosine",
    "centred_cosine": "centred cosine",
    "csls": "CSLS",
    "inverted_softmax": "inverted softmax",
    "nnn": "nearest-neighbour normalisation",
}
HEADS = {"t2i": "t2i", "i2t": "i2t", "both": "mean of both"}


def format_estimate(found: Estimate | None, *, signed: bool = False) -> str:
    """A share and its interval, as `.591 [.575, .607]`; `—` where there is none.

    Example:
        >>> format_estimate({"mean": 0.5912, "low": 0.575, "high": 0.607})
        '.591 [.575, .607]'
        >>> format_estimate({"mean": -0.02, "low": None, "high": None}, signed=True)
        '−.020'
    """
    if found is None or found["mean"] is None:
        return "—"
    mean, low, high = (_share(found.get(name), signed) for name in ("mean", "low", "high"))
    return mean if low == "" else f"{mean} [{low}, {high}]"


def _share(value: float | None, signed: bool) -> str:
    if value is None:
        return ""
    value = round(value, 3) + 0.0  # no −.000
    text = f"{value:+.3f}" if signed else f"{value:.3f}"
    return text.replace("-", "−").replace("0.", ".", 1) if abs(value) < 1 else text.replace("-", "−")


def overall_table(summary: Mapping[str, Any]) -> Iterator[str]:
    """R@1 of what the folds chose, its change, the baselines, and other metrics."""
    chosen = summary["selected"]
    yield f"| {SHOWN} | " + " | ".join(HEADS.values()) + " |"
    yield "|---|" + "---|" * len(HEADS)
    for name, metrics in baselines(summary):
        yield _row(name, metrics)
    yield _row("**selected**", chosen["metrics"])
    yield _row("change against untouched", chosen["delta"], signed=True)
    if "delta_closed" in chosen:
        yield _row("change against the best closed form", chosen["delta_closed"], signed=True)
    verdicts = chosen.get("verdict") or {}
    yield "| verdict | " + " | ".join(verdicts.get(side, "—") for side in SIDES) + " |"
    yield _row("train less test (gap)", chosen.get("gap") or {}, signed=True)


def baselines(summary: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Names and metrics of chance, the untouched embeddings, and what corrects their scores without training."""
    known = summary["baselines"]
    yield "chance", known["chance"]
    yield "untouched embeddings, cosine", known["identity"]
    for score, entry in (summary.get("scores") or {}).get("identity", {}).items():
        if score != "cosine":
            yield f"untouched, {SCORES.get(score, score)}", entry
    for family in summary["families"]:
        if family["aligner"] in ALIGNERS and not ALIGNERS[family["aligner"]].fitted and family["aligner"] != "identity":
            yield f"untouched, {family['aligner']}", family["metrics"]
    if "closed_form" in known:
        yield "best closed form", known["closed_form"]


def _row(name: str, metrics: Mapping[str, Any], *, signed: bool = False) -> str:
    cells = (format_estimate(estimate(metrics, side, SHOWN), signed=signed) for side in SIDES)
    return f"| {name} | " + " | ".join(cells) + " |"


def language_table(summary: Mapping[str, Any]) -> Iterator[str]:
    """R@1 of each language in both directions, with its change."""
    metrics, delta = summary["selected"]["metrics"], summary["selected"]["delta"]
    yield "| language | " + " | ".join(f"{task} {SHOWN} | change" for task in TASKS) + " |"
    yield "|---|" + "---|" * 2 * len(TASKS)
    for group in groups(metrics, TASKS[0]):
        cells = [
            cell
            for task in TASKS
            for cell in (
                format_estimate(estimate(metrics, task, SHOWN, group)),
                format_estimate(estimate(delta, task, SHOWN, group), signed=True),
            )
        ]
        yield f"| {'mean' if group == MACRO else group} | " + " | ".join(cells) + " |"


def losses(summary: Mapping[str, Any]) -> Iterator[str]:
    """Lines: languages and directions that are lower than without a map, better baselines, and the gap."""
    delta, found = summary["selected"]["delta"], False
    for task in TASKS:
        for group in groups(delta, task):
            change = estimate(delta, task, SHOWN, group)
            if change is None or change["mean"] is None or change["mean"] >= 0:
                continue
            found = True
            high = change["high"]
            kind = "a loss: the interval is below 0" if high is not None and high < 0 else "lower, the interval holds 0"
            name = "mean over languages" if group == MACRO else group
            yield f"- {name}, {task}: {SHOWN} {format_estimate(change, signed=True)} ({kind})."
    if not found:
        yield f"- In no language and direction is {SHOWN} below that of the untouched embeddings."
    own = estimate(summary["selected"]["metrics"], "both", SHOWN)
    for name, metrics in baselines(summary):
        other = estimate(metrics, "both", SHOWN)
        if own and other and own["mean"] is not None and other["mean"] is not None and other["mean"] > own["mean"]:
            yield (
                f"- {name} is higher without any training: {SHOWN} {format_estimate(other)} in the mean of both, "
                f"against {format_estimate(own)}; the difference is not tested here."
            )
    gap = estimate(summary["selected"].get("gap") or {}, "both", SHOWN)
    if gap is not None:
        larger = " (of a larger gallery)" if summary.get("protocol") == "seed" else ""
        yield f"- {SHOWN} on training images{larger} less that on test images: {format_estimate(gap, signed=True)}."
