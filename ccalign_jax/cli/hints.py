"""Hints for flags that a subcommand does not have."""

import difflib
from collections.abc import Collection

from ccalign_jax.settings import SETTINGS

# What other programs call it, and what it is called here, by the first of these that a subcommand has.
OTHER_NAMES = {
    "batch_size": ("batch", "batch_images"),
    "bs": ("batch", "batch_images"),
    "dataset": ("data",),
    "gpus": ("devices",),
    "lang": ("languages", "language"),
    "langs": ("languages", "language"),
    "lr": ("learning_rate",),
    "model": ("checkpoint", "aligner", "aligners"),
    "n_folds": ("folds",),
    "num_epochs": ("epochs",),
    "output": ("out",),
    "output_dir": ("out",),
    "outdir": ("out",),
    "tau": ("temperature",),
    "temp": ("temperature",),
    "wd": ("l2",),
    "weight_decay": ("l2",),
}
NEAR = 0.7


def hint(argument: str, known: Collection[str]) -> str:
    """One line on a flag that a subcommand does not have.

    Args:
        argument: as given, such as `--lr=0.1`.
        known: names of the flags that the subcommand has.

    Example:
        >>> hint("--lr=0.1", ["hyper", "out"])
        '--lr: no such flag; settings are given as --hyper=learning_rate=0.1 (--hyper=list)'
        >>> hint("--output", ["hyper", "out"])
        '--output: no such flag; did you mean --out?'
    """
    flag, _, value = argument.partition("=")
    name = flag.lstrip("-").lower().replace("-", "_")
    settings = list(SETTINGS) if "hyper" in known else []
    near = difflib.get_close_matches(name, [*known, *settings], n=1, cutoff=NEAR)
    for meant in (name, *OTHER_NAMES.get(name, ()), *near):
        if meant in known:
            return f"{flag}: no such flag; did you mean --{meant}?"
        if meant in settings:
            return f"{flag}: no such flag; settings are given as --hyper={meant}={value or 'VALUE'} (--hyper=list)"
    return f"{flag}: no such flag (see --help)"
