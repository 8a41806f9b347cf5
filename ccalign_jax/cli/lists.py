"""What `--aligners=list` and the like print."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from absl import flags

from ccalign_jax.settings import SETTINGS

Rows = Iterator[Sequence[str]]


def listed() -> bool:
    """Print the lists that flags ask for; False if none does."""
    asked = dict.fromkeys(
        rows for flag, rows in LISTS.items() if flag in flags.FLAGS and flags.FLAGS[flag].value in ("list", ["list"])
    )
    for rows in asked:
        print("\n".join(aligned(list(rows()))))
    return bool(asked)


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines with the cells of the rows below each other.

    Example:
        >>> aligned([("linear", "xW"), ("shift", "x + b")])
        ['linear  xW', 'shift   x + b']
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _pivots() -> Rows:
    from ccalign_jax.pivots import PIVOTS

    for name, entry in PIVOTS.items():
        yield f"{name}:<language>" if entry.takes_language else name, entry.summary


def _aligners() -> Rows:
    from ccalign_jax.aligners import ALIGNERS, COMBINATORS

    yield from ((name, entry.summary) for name, entry in ALIGNERS.items())
    yield from COMBINATORS.items()


def _losses() -> Rows:
    from ccalign_jax.losses import LOSSES

    yield from ((name, entry.summary) for name, entry in LOSSES.items())


def _grids() -> Rows:
    from ccalign_jax.grids import GRIDS

    yield from ((name, summary) for name, (summary, _) in GRIDS.items())


def _encoders() -> Rows:
    from ccalign_jax.encoders import ENCODERS

    for name, kind in ENCODERS.items():
        yield f"{name}:NAME" if kind.named else name, " and ".join(kind.sides), kind.summary


def _formats() -> Rows:
    from ccalign_jax.exporting import FORMATS

    yield from ((name, entry.summary) for name, entry in FORMATS.items())


def _sources() -> Rows:
    from ccalign_jax.extraction import PRESETS, SOURCES

    for name, kind in SOURCES.items():
        yield f"{name}:{'NAME' if kind.fits is None else 'PATH'}", kind.summary
    yield from ((f"{name}[:PATH]" if each.hub else f"{name}:PATH", each.summary) for name, each in PRESETS.items())


def _settings() -> Rows:
    yield "setting", "default", "values", "what it is"
    for name, setting in SETTINGS.items():
        yield name, str(setting.default).lower(), setting.allowed, setting.summary


LISTS: Mapping[str, Callable[[], Rows]] = {
    "pivot": _pivots,
    "aligner": _aligners,
    "aligners": _aligners,
    "learning_aligner": _aligners,
    "loss": _losses,
    "losses": _losses,
    "grid": _grids,
    "hyper": _settings,
    "image_encoder": _encoders,
    "source": _sources,
    "text_encoder": _encoders,
    "to": _formats,
}
