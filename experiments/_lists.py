"""What `--aligners=list` and the like print: every name that there is, what plugins registered included."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from absl import flags

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


def _settings() -> Rows:
    from ccalign_jax.settings import SETTINGS

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
}
