"""Compiled programs kept between runs, in a folder of the user's cache."""

import hashlib
import os
import platform
import sys
import warnings
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

NONE = "none"
FOLDER, MIN_SECONDS, MIN_BYTES = (
    "JAX_COMPILATION_CACHE_DIR",
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS",
    "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES",
)
MAX_BYTES = 1 << 30


def keep(given: str | None) -> None:
    """Tell jax, which must not be imported yet, where compiled programs are kept.

    A folder that cannot be written is left out, with a line on stderr; a run never fails for it.

    Args:
        given: a folder, or "none" for no folder; None for that of `JAX_COMPILATION_CACHE_DIR`, or `default_folder`.
    """
    if given == NONE:
        os.environ.pop(FOLDER, None)
        return
    if given is None and FOLDER in os.environ:
        return
    try:
        folder = default_folder() if given is None else Path(given).absolute()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(None, "cannot be written", str(folder))
        trim(folder)
    except (OSError, RuntimeError) as error:  # no home
        where = getattr(error, "filename", None) or given or "the home folder"
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        print(
            f"note: compiled programs are not kept, {where}: {reason}; --compilation_cache=PATH keeps them elsewhere",
            file=sys.stderr,
        )
        return
    os.environ[FOLDER] = str(folder)
    os.environ.setdefault(MIN_SECONDS, "0")
    os.environ.setdefault(MIN_BYTES, "-1")
    # A program that another process is writing, or a disk that is full: it is compiled, as without a folder.
    warnings.filterwarnings("ignore", message=r"Error (reading|writing) persistent compilation cache")


def default_folder(environment: Mapping[str, str] = os.environ, system: str = sys.platform) -> Path:
    """The platform's folder for what can be made again; one for each kind of processor, for a home may serve several.

    Example:
        >>> default_folder({"XDG_CACHE_HOME": "/tmp/cache"}, "linux").parts[-3:-1]
        ('ccalign_jax', 'compiled')
    """
    if system == "win32":
        base = Path(environment.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif system == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(environment.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "ccalign_jax" / "compiled" / f"{platform.machine()}-{_processor()}"


def trim(folder: Path, *, most_bytes: int = MAX_BYTES) -> None:
    """Remove the programs that were used longest ago until the others take `most_bytes` at most."""
    entries = []
    for path in folder.glob("*-cache"):
        with suppress(OSError):  # another process removes some, too
            entries.append((path.stat(), path))
    total = 0
    for stat, path in sorted(entries, key=lambda entry: -max(entry[0].st_atime, entry[0].st_mtime)):
        total += stat.st_size
        if total > most_bytes:
            with suppress(OSError):
                path.unlink()


def _processor() -> str:
    """A digest of the processor's features, where the system lists them."""
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        kept = [line for line in lines if line.partition("\t")[0].strip() in ("flags", "Features", "model name")]
        return hashlib.sha256("\n".join(sorted(set(kept))).encode()).hexdigest()[:8]
    return hashlib.sha256(platform.processor().encode()).hexdigest()[:8]
