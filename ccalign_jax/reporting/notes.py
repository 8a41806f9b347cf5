"""What is said below the main table, so that it can be read without asking."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ccalign_jax.reporting.wording import chosen_words, pool_size

__all__ = ["DIRECTION_NOTE", "main_notes"]

DIRECTION_NOTE = (
    "t2i: a caption looks for its image; i2t: an image looks for any of its captions, one language at a time. "
    "R@1: share of queries whose first hit is right. All languages weigh the same."
)


def main_notes(summary: Mapping[str, Any]) -> Iterator[str]:
    """What each figure means, how its row was chosen, and how far it may be trusted.

    Args:
        summary: the content of `summary.json`.
    """
    folds, pool, families = summary["folds"], pool_size(summary), summary["families"]
    nested = summary["protocol"] != "seed"
    yield DIRECTION_NOTE
    if folds > 1:
        yield (
            f"Means over {folds} folds. The gallery is the whole holdout of a fold, about {pool} images and their "
            "captions, none of them trained on: R@k falls as the gallery grows."
        )
    else:
        yield f"One fold. The gallery is the whole holdout, {pool} images and their captions, none of them trained on."
    spread = " ± is the standard deviation over folds: a spread, not a confidence interval." if folds > 1 else ""
    yield f"change: against identity, the embeddings as they are, on the same queries.{spread}"
    if nested:
        yield "gap: R@1 on as many training images minus R@1 on the holdout; far above identity's, it is overfitting."
    else:
        larger = summary["data"]["images"] - pool
        yield (
            f"gap: R@1 on the whole training part minus R@1 on the holdout. The training pool is larger (about "
            f"{larger} images) and so harder: compare with the gap of identity, not with 0."
        )
    if nested:
        yield (
            "Settings and epoch of each row were chosen in each fold on an inner part, apart from the holdout, that is "
            f"never reported. selected: the same choice among all trials and identity ({len(summary['trials'])} "
            "trials): what choosing earns."
        )
    else:
        yield (
            "Optimistic: settings and epoch were chosen on the very folds that are reported (seed protocol). "
            f"selected: the best of {len(summary['trials'])} trials."
        )
    yield f"selected is {chosen_words(summary['selected']['per_fold'])}."
    started = [
        f"{f['pivot']}/{f['aligner']}/{f['loss']} ({f['epochs'].count(0)} of {folds})"
        for f in families
        if 0 in f["epochs"]
    ]
    if started:
        yield f"Folds that kept epoch 0, the untrained start: {', '.join(started)}."
    meanings = {
        "per_language(": "per_language(A): a map A for each language.",
        "dual(": "dual(A): A on captions and a second A on images.",
    }
    used = [text for key, text in meanings.items() if any(key in family["aligner"] for family in families)]
    if used:
        yield " ".join(used)
