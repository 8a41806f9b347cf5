"""The one exception that means "the input is wrong": scripts print it as one line and exit with status 2."""

import difflib
import errno
import os
import re
import sys
from collections.abc import Collection

__all__ = ["InputError", "check_path", "check_text", "nearest", "one_line", "reason", "suggest"]

# What other programs call it, and what it is called here, by the first of these that there is.
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
LONGEST = 2000  # characters of a message

# Commands stay as they are; lists of names are printed in a shell alone.
_FLAG = re.compile(
    r"(?P<list> \(--\w+=list[^)]*\))|(?P<command>\bccalign \w+(?: --?\S+)*)"
    r"|(?<![^\s(])--(?:hyper=(?P<setting>\w+)=(?P<values>[^\s;:]*)|(?P<switch>overwrite|resume)\b"
    r"|(?P<name>[a-z]\w*)(?P<several>=[\w.-]+(?:,[\w.-]+)+)?)"
)


class InputError(ValueError):
    """A mistake in what the user gave: names the file, the key or row, what is wrong, and how to fix it.

    Messages are written in flags, such as `--folds=1`; `str` has the arguments of the Python calls in their place. They
    may quote what data and flags hold: line ends and control characters are escaped, and the middle of what is very
    long is left out.

    Example:
        >>> error = InputError("--folds=1: at least 2 are needed, or --split=official")
        >>> str(error), error.in_flags
        ('folds=1: at least 2 are needed, or split=official', '--folds=1: at least 2 are needed, or --split=official')
    """

    @property
    def in_flags(self) -> str:
        """The message for the command line."""
        return one_line(super().__str__())

    def __str__(self) -> str:
        return _FLAG.sub(_as_argument, self.in_flags)


def _as_argument(flag: re.Match[str]) -> str:
    if flag["list"] or flag["command"]:
        return flag["command"] or ""
    if flag["setting"]:
        return f'hyper={{"{flag["setting"]}": {_literal(flag["values"])}}}'
    if flag["switch"]:
        return f"{flag['switch']}=True"
    return flag["name"] + (f"={_literal(flag['several'][1:])}" if flag["several"] else "")


def _literal(values: str) -> str:
    """Values of a flag as Python has them."""
    each = [value if re.fullmatch(r"[-+.\de]+", value) else f'"{value}"' for value in values.split(",")]
    return each[0] if len(each) == 1 else f"[{', '.join(each)}]"


def one_line(text: str) -> str:
    r"""Text that a terminal shows in one line of bearable length, whatever is quoted in it.

    Example:
        >>> one_line("a\nb\x1b[31m"), len(one_line("x" * 10_000))
        ('a\\nb\\x1b[31m', 2003)
    """
    if len(text) > LONGEST:
        text = f"{text[: LONGEST // 2]}...{text[-LONGEST // 2 :]}"
    return text if text.isprintable() else "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)


def nearest(name: str, known: Collection[str]) -> str | None:
    """The known name that was probably meant, if any: what other programs call so, or the most similar.

    Example:
        >>> nearest("lr", ["l2", "learning_rate"]), nearest("residul", ["residual", "linear"]), nearest("x", ["y"])
        ('learning_rate', 'residual', None)
    """
    near = difflib.get_close_matches(name, known, n=1, cutoff=NEAR)
    return next((other for other in (*OTHER_NAMES.get(name, ()), *near) if other in known), None)


def suggest(name: str, known: Collection[str]) -> str:
    """What to give in place of an unknown name.

    Example:
        >>> suggest("residul", ["residual", "linear"]), suggest("x", ["residual", "linear"])
        ('did you mean residual?', 'there are residual, linear')
    """
    near = nearest(name, known)
    return f"did you mean {near}?" if near else f"there are {', '.join(known)}"


def reason(error: BaseException) -> str:
    """What went wrong, as one line: the system's words, else the first line of the message, else the kind of error.

    Example:
        >>> reason(ValueError("no such model\\nlook at the hub")), reason(MemoryError())
        ('no such model', 'MemoryError')
    """
    said = error.in_flags if isinstance(error, InputError) else str(error)
    message = getattr(error, "strerror", None) or said.strip() or type(error).__name__
    return str(message).splitlines()[0]


def check_path(flag: str, path: str | os.PathLike[str]) -> None:
    """Refuse a path that no system takes, or that is not valid text (see `check_text`), which JSON cannot store.

    Args:
        flag: what gave the path, such as `--out=`.
        path: if relative, the working directory is checked too.

    Raises:
        InputError: as `check_text`, a name that is too long, or one with a NUL.
    """
    check_text(flag, os.fspath(path))
    check_text(flag, os.path.abspath(path))
    try:
        os.stat(path)
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise InputError(f"{flag}{os.fspath(path)}: file name too long; give a shorter path") from None
    except ValueError:
        raise InputError(f"{flag}{os.fspath(path)}: a path cannot hold this character; give another") from None


def check_text(flag: str, text: str) -> None:
    r"""Refuse text with undecodable bytes (surrogates), or with characters that file names cannot encode.

    Args:
        flag: what gave the text, such as `--out=`.
        text: such as a path.

    Raises:
        InputError: it is not UTF-8, or not of the encoding of file names.

    Example:
        >>> check_text("--out=", "caf\udce9")
        Traceback (most recent call last):
        ccalign_jax.errors.InputError: out=caf\udce9: not UTF-8; rename it (or set PYTHONUTF8=1, if it is)
    """
    try:
        for encoding in ("utf-8", sys.getfilesystemencoding()):
            text.encode(encoding)
    except UnicodeEncodeError:
        shown = text.encode("ascii", "backslashreplace").decode()
        raise InputError(f"{flag}{shown}: not UTF-8; rename it (or set PYTHONUTF8=1, if it is)") from None
