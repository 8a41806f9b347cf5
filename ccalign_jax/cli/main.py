"""`ccalign`: lists the subcommands, or runs one, of which alone the module is imported."""

import ast
import difflib
import importlib
import sys
from collections.abc import Collection, Sequence
from importlib import resources

from ccalign_jax._version import __version__

COMMANDS = "ccalign_jax.cli.commands"
NEAR = 0.6


def main() -> None:
    """Run what the command line asks for: a subcommand, the list of them, or the version."""
    name, *rest = sys.argv[1:] or ["--help"]
    if name == "help" and rest:
        name, rest = rest[0], ["--help"]
    known = names()
    command = name.replace("-", "_")
    if command in known:
        sys.argv = [f"ccalign {command}", *rest]
        run_command(command)
        return
    from ccalign_jax.cli import runner, streams

    streams.protect()
    if name in ("--help", "-h", "help"):
        print("\n".join(overview(known)))
    elif name == "--version":
        print(f"ccalign_jax {__version__}")
    else:
        runner.fail(hint(name, rest, known))
    runner.check_printed()


def run_command(name: str) -> None:
    """Run a subcommand with the flags in `sys.argv`."""
    from ccalign_jax.cli.runner import run

    module = importlib.import_module(f"{COMMANDS}.{name}")
    run(module.main, module.define_flags)


def names() -> list[str]:
    """The subcommands."""
    files = (file.name for file in resources.files(COMMANDS).iterdir())
    return sorted(name.removesuffix(".py") for name in files if name.endswith(".py") and not name.startswith("_"))


def summary(name: str) -> str:
    """What a subcommand does: the first line of its module's docstring, without importing it."""
    source = resources.files(COMMANDS).joinpath(f"{name}.py").read_text("utf-8")
    return (ast.get_docstring(ast.parse(source)) or "").partition("\n")[0]


def overview(known: Sequence[str]) -> list[str]:
    """The lines of `ccalign --help`."""
    width = max(map(len, known))
    return [
        "ccalign SUBCOMMAND --FLAG=VALUE …",
        "",
        *(f"  {name.ljust(width)}  {summary(name)}" for name in known),
        "",
        "ccalign SUBCOMMAND --help lists its flags; ccalign --version prints the version.",
    ]


def hint(name: str, rest: Sequence[str], known: Collection[str]) -> str:
    """One line on a first argument that is no subcommand.

    Example:
        >>> hint("swep", [], ["rank", "sweep"])
        "'swep': no such subcommand; did you mean sweep? (ccalign --help lists them)"
    """
    if name.startswith("-"):
        # A flag in front of the subcommand, or of none.
        found = next((each for each in rest if each.replace("-", "_") in known), "SUBCOMMAND")
        return f"{name}: the subcommand comes first: ccalign {found} {name} (ccalign --help lists them)"
    near = difflib.get_close_matches(name.lower().replace("-", "_"), known, n=1, cutoff=NEAR)
    meant = f"; did you mean {near[0]}?" if near else ""
    return f"{name!r}: no such subcommand{meant} (ccalign --help lists them)"
