"""The flag that says in which formats figures are written."""

from collections.abc import Sequence

from absl import flags

from ccalign_jax.errors import InputError

FORMATS = ("svg", "png", "pdf")
NONE = "none"


def define_figures(default: Sequence[str] = ("svg",)) -> None:
    """Define --figures."""
    flags.DEFINE_list(
        "figures",
        list(default),
        f"formats of the figures in figures/: {', '.join(FORMATS)}, or {NONE}",
    )


def asked_figures() -> list[str]:
    """The formats that --figures names.

    Raises:
        InputError: another one.
    """
    names = [name.strip().lower() for name in flags.FLAGS.figures]
    if names == [NONE]:
        return []
    if unknown := [name for name in names if name not in FORMATS]:
        raise InputError(f"--figures={unknown[0]}: there are {', '.join(FORMATS)} and {NONE}")
    return list(dict.fromkeys(names))
