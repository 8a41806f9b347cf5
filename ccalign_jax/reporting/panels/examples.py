"""Retrieval examples as a block of a page: hits gained, hits lost and the largest losses of rank, side by side."""

from __future__ import annotations

from typing import Any

from ccalign_jax.reporting.format import Summary, find
from ccalign_jax.reporting.html import page_template
from ccalign_jax.reporting.names import DIRECTION_WORDS

HEADINGS = {"gained": "hits gained", "lost": "hits lost", "worst": "the largest losses of rank"}
ASKED = {
    "t2i": "A caption looks for its image among those of the test part.",
    "i2t": "An image looks for one of its captions among those of one language.",
}


def examples_html(summary: Summary) -> str | None:
    """The examples as HTML, escaped; None where a run stored none."""
    found = summary.get("examples")
    if not found:
        return None
    after = (find(summary, "compared", "map") or "selected").replace("_", " ")
    blocks = []
    for task, title in DIRECTION_WORDS.items():
        one = found[task]
        kinds = [(_heading(kind, one), one[kind]) for kind in HEADINGS]
        blocks.append((task, title, f"{ASKED[task]} Queries: {one['queries']:,}.", kinds))
    which = "the map that each fold selected"
    if after != "selected":
        which = "the best trained map of each fold (all selected identity, which changes no rank)"
    intro = f"Rank of the right answer and the three nearest items: before, with identity, and after, with {which}."
    return page_template("examples.html").render(
        blocks=blocks, images=found["thumbnails"], after=after, intro=intro, rule=found["rule"], rank=rank_words
    )


def rank_words(rank: float) -> str:
    """An expected rank: whole, or with a decimal where captions tie.

    Example:
        >>> rank_words(3.0), rank_words(1.5), rank_words(1204.0)
        ('3', '1.5', '1,204')
    """
    return f"{rank:,.0f}" if rank == int(rank) else f"{rank:,.1f}"


def _heading(kind: str, one: Any) -> str:
    count = one["counts"].get(kind)
    return HEADINGS[kind] if count is None else f"{HEADINGS[kind]}: {count:,} of {one['queries']:,}"
