"""One page that shows one evaluation: its tables and plots under a few headings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import TYPE_CHECKING, Any

from ccalign_jax.reporting.evaluation_words import evaluation_headline
from ccalign_jax.reporting.html import data_table, figure_html, render_page
from ccalign_jax.reporting.tables import Table, to_html

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["render_evaluation"]

SECTIONS = {
    "Captions and images": ("retrieval", "languages", "metrics", "pool", "scores", "similarities"),
    "From language to language": ("text_to_text", "pairs_direct", "pairs_through_image"),
    "Geometry": (
        *("gram_correlation", "gram_matrices", "spectra", "diagnostics", "calibration", "diagnostics_by_language"),
    ),
    "The map itself": ("map",),
}
CAPTIONS = {
    "languages": "R@1 of each language. Text to text: as the language of the query, the mean over the others.",
    "pool": "What R@1 would be among fewer rivals, drawn at random: compare two galleries at equal size only.",
    "similarities": (
        "Captions with their own image and with every other, mean over languages. The larger the overlap of the two, "
        "the less a cosine tells them apart."
    ),
    "gram_correlation": (
        "How alike two sets arrange the same images: correlation of their inner products (Pearson), the diagonal, "
        "always 1, left blank."
    ),
    "gram_matrices": "Inner products of the same images, as each set has them: sets agree where panels look alike.",
    "spectra": (
        "Singular values of the centred rows, each spectrum scaled to norm 1: the flatter, the more directions are in "
        "use. Their number grows with that of the rows, so that only equal numbers of rows compare."
    ),
    "map": "Left: at 1 a direction keeps its length. Right: angles of the nearest orthogonal map.",
}


def render_evaluation(summary: Mapping[str, Any], tables: Mapping[str, Table], figures: Mapping[str, Figure]) -> str:
    """The page as HTML; the same bytes for the same arguments.

    Args:
        summary: of an evaluation.
        tables: as `evaluation_tables`; those it does not know come last.
        figures: as `evaluation_plots`, likewise.
    """
    shown = {name for names in SECTIONS.values() for name in names}
    more = tuple(name for name in dict.fromkeys([*tables, *figures]) if name not in shown)
    sections = [
        (heading, [part for name in names for part in _parts(name, tables, figures)])
        for heading, names in {**SECTIONS, "More": more}.items()
    ]
    what = "before and after a map" if "metrics" in summary else "the embeddings as they are"
    return render_page(
        "report.html",
        title=f"{summary['data']['name']}: evaluation",
        heading=f"{summary['data']['name']}: {what}",
        headline=[escape(sentence) for sentence in evaluation_headline(summary)],
        sections=[(heading, parts) for heading, parts in sections if parts],
        notes_heading="Notes",
        notes=summary.get("notes", []),
        last_heading="Data",
        last=[data_table({**summary["data"], "split": summary.get("split", "all")})],
    )


def _parts(name: str, tables: Mapping[str, Table], figures: Mapping[str, Figure]) -> Iterator[str]:
    """The table of a name, and the figure of that name."""
    if name in tables:
        yield to_html(tables[name])
    if name in figures:
        yield figure_html(figures[name], CAPTIONS.get(name, ""))
