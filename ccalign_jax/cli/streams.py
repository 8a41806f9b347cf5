"""Standard streams that never raise: failed writes are dropped, and characters that cannot be encoded replaced."""

import codecs
import errno
import io
import os
import sys
from typing import Any, TextIO, cast

PLAIN = "ccalign_plain"


class _Lossy(io.RawIOBase):
    """A raw stream whose writes never fail.

    Attributes:
        failed: the first error of a write; None if there was none.
    """

    def __init__(self, raw: io.RawIOBase):
        self.inner = raw
        self.failed: OSError | None = None

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self.inner.fileno()

    def isatty(self) -> bool:
        return self.inner.isatty()

    def write(self, content: Any) -> int:
        try:
            return self.inner.write(content) or len(content)
        except OSError as error:
            self.failed = self.failed or error
            return len(content)


def lossy(stream: TextIO | None, errors: str) -> TextIO:
    """The same stream with writes that never raise; a closed one becomes the null device.

    Args:
        stream: such as `sys.stdout`, which is None where the process started without one.
        errors: handler for characters that the encoding lacks.
    """
    if stream is None:
        return open(os.devnull, "w", encoding="utf-8", errors=errors)
    text = cast(io.TextIOWrapper, stream)
    inner = cast(Any, text.buffer)
    buffered = hasattr(inner, "raw")  # not under python -u
    raw: Any = _Lossy(inner.raw if buffered else inner)
    return io.TextIOWrapper(
        io.BufferedWriter(raw) if buffered else raw,
        encoding=text.encoding,
        errors=errors,
        line_buffering=text.line_buffering,
        write_through=text.write_through,
    )


def protect() -> None:
    """Replace stdout and stderr by streams that never raise."""
    codecs.register_error(PLAIN, _plain)
    sys.stdout = lossy(sys.stdout, PLAIN)
    sys.stderr = lossy(sys.stderr, "backslashreplace")


def unwritten(stream: TextIO) -> OSError | None:
    """The first write error of a `lossy` stream, if any; a closed pipe, as behind `head`, does not count."""
    stream.flush()
    failed = getattr(getattr(stream.buffer, "raw", stream.buffer), "failed", None)
    return None if failed is None or failed.errno == errno.EPIPE else failed


def _plain(error: UnicodeError) -> tuple[str, int]:
    from ccalign_jax.reporting.console import to_ascii

    assert isinstance(error, UnicodeEncodeError)
    return to_ascii(error.object[error.start : error.end]), error.end
