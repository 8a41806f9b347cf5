"""What a user types to start a subcommand: `ccalign sweep`, or `python experiments/sweep.py` in a script."""

import re
import shlex
import sys
from pathlib import Path


def command(name: str | None = None) -> str:
    """A subcommand as a user types it, in the way that this process was started.

    Args:
        name: of the subcommand; None for the one that runs.
    """
    started = Path(sys.argv[0])
    if started.suffix != ".py":
        return sys.argv[0] if name is None else f"ccalign {name}"
    return f"python {shlex.quote(str(started if name is None else started.with_name(f'{name}.py')))}"


def as_started(text: str) -> str:
    """A text with every `ccalign NAME` in it as `command(NAME)`."""
    return re.sub(r"\bccalign (\w+)", lambda found: command(found[1]), text)
