"""Results of a search for the terminal, both sides beside each other."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

from ccalign_jax.search.results import Found, ImageHit, Results

__all__ = ["as_json", "change_words", "print_found"]

PIPED_WIDTH = 160
NARROW = 100  # columns, below which the sides stand one above the other
LEAST_SHOWN = 0.001


def print_found(found: Found, file: TextIO | None = None, *, width: int | None = None) -> None:
    """Print images before and after alignment, then captions; as wide as the terminal, 160 columns when piped."""
    from rich.console import Console

    file = sys.stdout if file is None else file
    if width is None and not file.isatty():
        width = PIPED_WIDTH
    console = Console(file=file, width=width, highlight=False, markup=False)
    with console.capture() as captured:
        _print_sides(console, found)
    file.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))
    file.flush()


def _print_sides(console: Any, found: Found) -> None:
    language = f" ({found.language})" if found.language else ""
    console.print(f"{found.query}{language}", style="bold")
    for note in found.notes:
        console.print(f"note: {note}", soft_wrap=True)
    sides = {"before alignment": found.before, "after alignment": found.after}
    for kind, rows_of in (("images", _image_rows), ("captions", _caption_rows)):
        tables = [_grid(f"{kind} {name}", rows_of(side, number)) for number, (name, side) in enumerate(sides.items())]
        if not any(table.row_count for table in tables):
            continue
        if console.width < NARROW:
            for table in tables:
                console.print(table)
        else:
            from rich.table import Table

            both = Table.grid(padding=(0, 2), expand=True)
            both.add_column(ratio=1)
            both.add_column(ratio=1)
            both.add_row(*tables)
            console.print(both)
    for name, side in sides.items():
        if side.place is not None:
            console.print(f"its own image: place {side.place} {name}")
    console.print()


def as_json(found: Found) -> Mapping[str, Any]:
    """The same as JSON values."""

    def side(results: Results) -> dict[str, Any]:
        return {
            "images": [hit._asdict() for hit in results.images],
            "captions": [hit._asdict() for hit in results.captions],
            "place": results.place,
        }

    return {**found._asdict(), "before": side(found.before), "after": side(found.after)}


def change_words(hit: ImageHit, place: int, shown: int, *, after: bool) -> str:
    """How the place of an image differs from that on the other side.

    Args:
        hit: at this `place`, from 1.
        shown: images that each side shows.
        after: the side is that after alignment.

    Example:
        >>> hit = ImageHit(0, "dog", 0.5, None, 12, False, ())
        >>> change_words(hit, 2, 10, after=True), change_words(hit, 2, 10, after=False)
        ('new, was 12', 'dropped to 12')
    """
    inside = hit.other is not None and hit.other <= shown
    if after and not inside:
        return f"new, was {hit.other}" if hit.other else "new"
    if not after:
        return "" if inside else f"dropped to {hit.other}" if hit.other else "dropped"
    if hit.other == place:
        return "same"
    return f"up from {hit.other}" if (hit.other or 0) > place else f"down from {hit.other}"


def share_words(probability: float | None) -> str:
    """A probability in per cent, or nothing.

    Example:
        >>> share_words(0.4321), share_words(0.0001), share_words(None)
        ('43 %', '< 0.1 %', '')
    """
    if probability is None:
        return ""
    if probability < LEAST_SHOWN:
        return "< 0.1 %"
    return f"{100 * probability:.1f} %" if probability < 0.1 else f"{100 * probability:.0f} %"


def _image_rows(side: Results, number: int) -> list[Sequence[str]]:
    shown = len(side.images)
    return [
        (
            f"{place}",
            share_words(hit.probability),
            f"{hit.score:.3f}",
            f"{hit.key}{' ← its own' if hit.right else ''}\n{hit.captions[0][1] if hit.captions else ''}".rstrip(),
            change_words(hit, place, shown, after=number == 1),
        )
        for place, hit in enumerate(side.images, 1)
    ]


def _caption_rows(side: Results, number: int) -> list[Sequence[str]]:
    return [
        (f"{place}", share_words(hit.probability), f"{hit.score:.3f}", f"{hit.language}: {hit.text or hit.key}", "")
        for place, hit in enumerate(side.captions, 1)
    ]


def _grid(title: str, rows: Sequence[Sequence[str]]) -> Any:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    calibrated = any(row[1] for row in rows)
    table = Table(title=Text(title, style="bold"), title_justify="left", box=box.SIMPLE_HEAD, show_edge=False)
    table.add_column("", justify="right")
    if calibrated:
        table.add_column("right", justify="right", no_wrap=True)
    table.add_column("cosine", justify="right")
    table.add_column("", ratio=1)
    if any(row[4] for row in rows):
        table.add_column("", no_wrap=True)
    for row in rows:
        kept = [cell for at, cell in enumerate(row) if (at != 1 or calibrated) and (at != 4 or len(table.columns) > 3)]
        table.add_row(*(Text(cell) for cell in kept[: len(table.columns)]))
    return table
