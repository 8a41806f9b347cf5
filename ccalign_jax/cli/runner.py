"""How a subcommand runs: its flags are read, and mistakes end in one line and status 2."""

import inspect
import os
import re
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from absl import app, flags, logging

from ccalign_jax.cli import compiled, signals, streams
from ccalign_jax.cli.flags import define
from ccalign_jax.cli.hints import hint
from ccalign_jax.cli.program import as_started, command
from ccalign_jax.errors import InputError, check_text, one_line
from ccalign_jax.options import SweepConfig
from ccalign_jax.plugins import load_installed, load_plugin

SPELLINGS = (("pivot", "pivots"), ("aligner", "aligners"), ("loss", "losses"))  # flags that are one, by two names
HELP = {"--help", "-help", "-h", "--helpshort", "-helpshort"}


def run(main: Callable[..., Path | None], define_flags: Callable[[], None] | None = None) -> None:
    """Parse the flags and call `main` with the positional arguments, if it takes any.

    A user's mistake is one line on stderr and exit status 2; so is a stdout that cannot be written, if results are
    only printed. A signal is one line and status 128 + signal.

    Args:
        main: returns where it wrote its results, or None if they are only printed. Its parameters are the positional
            arguments, optional where they have a default, one or more of `*name`; its module's docstring begins what
            `--help` prints.
        define_flags: defines the flags of `main`, in the same module.
    """
    streams.protect()
    signals.catch()
    owner = sys.argv[0] if main.__module__ == "__main__" else main.__module__
    parameters = inspect.signature(main).parameters
    positional = [name.upper() for name in parameters]
    required = sum(one.default is one.empty for one in parameters.values())
    several = any(one.kind is one.VAR_POSITIONAL for one in parameters.values())
    define_shared_flags(owner)
    if define_flags is not None:
        define_flags()

    def parse(argv: Sequence[str]) -> list[str]:
        try:
            for argument in argv[1:]:
                check_text("", argument)
        except InputError as error:
            fail(error.in_flags)
        if HELP & set(argv):
            print(_usage(owner, sys.modules[main.__module__].__doc__ or ""))
            check_printed()
            sys.exit(0)
        flags.FLAGS.set_gnu_getopt(True)  # flags may follow what is no flag
        ours = flags.FLAGS.get_key_flags_for_module(owner)
        try:
            rest = flags.FLAGS(argv)
        except flags.UnrecognizedFlagError as error:
            fail(hint(error.flagvalue or f"--{error.flagname}", [flag.name for flag in ours]))
        except flags.Error as error:
            fail(error)
        for names in SPELLINGS:
            # An alias counts for the flag that it stands for, too.
            given = {flags.FLAGS[name].present for name in names if name in flags.FLAGS}
            if len(given) == 2 and 0 not in given:
                fail(f"--{names[0]} and --{names[1]} are the same flag; give one of them")
        count = len(rest) - 1
        if count > len(positional) and not several:
            fail(f"{rest[1 + len(positional)]!r} is not a flag; write --NAME=VALUE (see --help)")
        if count < required:
            fail(f"{' and '.join(positional[count:required])} must be given (see --help)")
        for flag in ours:
            if flag.present and flag.value in ("", [], [""]):
                fail(f"--{flag.name} is empty; give it a value, or leave it out")
        return rest

    def guarded(argv: Sequence[str]) -> None:
        if not flags.FLAGS["verbosity"].present:  # Orbax logs a page a checkpoint
            logging.set_verbosity(logging.WARNING)
        compiled.keep(flags.FLAGS.compilation_cache)
        try:
            load_installed()
            for plugin in flags.FLAGS.plugin:
                load_plugin(plugin)
            written = main(*argv[1:])
        except InputError as error:
            fail(error.in_flags)
        except OSError as error:  # a folder that cannot be made, a full disk
            if error.filename is None:
                raise
            fail(f"{error.filename}: {error.strerror}; give a path that can be read and written")
        except (MemoryError, RuntimeError) as error:
            if isinstance(error, RuntimeError) and "RESOURCE_EXHAUSTED" not in str(
                error
            ):  # jax's word for out of memory
                raise
            reason = str(error).partition("\n")[0] or "the system has no more"
            fail(f"out of memory: {reason}; ask for less, such as smaller batches, sizes or --memory")
        if written is None:
            check_printed()

    try:
        app.run(guarded, flags_parser=parse)
    except signals.Stopped as stopped:
        signals.write_line()
        status = 128 + stopped.args[0]
        _leave(SystemExit(status))
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)  # Python would wait for what other threads compute
    except BaseException as ended:
        signals.release()
        _leave(ended)
        raise


def define_shared_flags(owner: str) -> None:
    """Define the flags that every subcommand has, and count them among those of the module `owner`."""
    flags.DEFINE_string(
        "compilation_cache",
        None,
        "folder that keeps compiled programs for later runs, or 'none' "
        "[JAX_COMPILATION_CACHE_DIR, or the user's cache]",
    )
    define(SweepConfig, ["plugins"])
    for name in ("compilation_cache", "plugin"):  # so that --help has them
        flags.FLAGS.register_key_flag_for_module(owner, flags.FLAGS[name])


def _usage(owner: str, about: str) -> str:
    """What `--help` prints: the docstring of a module, and its flags."""
    listed = flags.FLAGS.module_help(owner).replace(f"{owner}:", f"{command()}:", 1)
    return f"{as_started(about)}\nflags:\n{listed}"


def _leave(ended: BaseException) -> None:
    """Where this is one of several processes, end it here: Python would wait for the others."""
    if "ccalign_jax.processes" not in sys.modules:
        return
    from ccalign_jax.processes import leave

    if isinstance(ended, SystemExit):
        if ended.code:
            leave(ended.code if isinstance(ended.code, int) else 1)
        return
    traceback.print_exception(ended)
    leave(1)


def fail(message: object) -> NoReturn:
    """One line on stderr, exit status 2."""
    print(f"error: {one_line(' '.join(str(message).split()))}", file=sys.stderr)
    sys.exit(2)


def check_printed() -> None:
    """End with status 2 if what was printed could not be written."""
    if lost := streams.unwritten(sys.stdout):
        fail(f"stdout: {lost.strerror}; print elsewhere, or give --out where there is one")


def start_jax() -> None:
    """Initialise the devices of jax, before anything is computed or written.

    Raises:
        InputError: there is none of the requested platform.
    """
    import jax

    try:
        jax.devices()
    except (RuntimeError, AssertionError) as error:  # jax asserts that some platform came up
        asked = getattr(jax.config, "jax_platforms", None)
        where = f"JAX_PLATFORMS={asked}" if asked else "jax"
        reason = re.split(r"\n| \(set", str(error))[0] or "no such device here"
        raise InputError(f"{where}: {reason}; JAX_PLATFORMS=cpu runs without an accelerator") from None


def npz_output(given: str, *, overwrite: bool) -> Path:
    """The .npz that --out names; refused if it is there and not to be replaced."""
    from ccalign_jax.runs.output import output_path

    out = output_path(given)
    if out.suffix != ".npz":
        raise InputError(f"--out={out}: the name must end in .npz")
    if out.exists() and not overwrite:
        raise InputError(f"{out}: exists already; give --overwrite or another --out")
    return out
