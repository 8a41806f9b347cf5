"""Runs commands where the disk is full, files may not grow, or the folder is read-only, then with room.

`python tests/stress/disk.py 10` prints counts, and ends with status 1 if an end was not one line with the file's name
and status 2, or a run did not go on to the bytes of an undisturbed one. Small file systems need the right to mount.
"""

import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from commands import COMMANDS, OUT, Command, prepared, results

from ccalign_jax.aligners import residual
from ccalign_jax.checkpoints import save_checkpoint
from ccalign_jax.learned_map import LearnedMap

FULL, LIMIT, READ_ONLY = "full file system", "limit on file sizes", "read-only folder"
GOOD = ("one line, then the same bytes", "enough room, the same bytes")
BLOCK = 512  # bytes, of ulimit -f


def write_map(place: Path) -> None:
    """A map that moves captions and images of 64 dimensions."""
    about = {"aligner": "residual", "trial": "residual", "languages": ["de", "en"], "d_text": 64, "d_image": 64}
    delta = np.random.default_rng(0).normal(size=(64, 64)).astype(np.float32)
    save_checkpoint(place / "map", LearnedMap(residual(64, 64), {"delta": delta}, about))


EXPORTS = {
    f"export {to}": Command("export", ["--checkpoint=map", f"--to={to}"], write_map, out=f"{OUT}/map")
    for to in ("safetensors", "numpy", "onnx", "torch", "faiss")
}


@contextmanager
def small_disk(place: Path, size: int) -> Iterator[None]:
    """A file system of so many bytes at the folder `out`; it is unmounted in the end.

    Raises:
        PermissionError: it cannot be mounted.
    """
    (place / OUT).mkdir()
    if not mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place / OUT)):
        (place / OUT).rmdir()
        raise PermissionError("file systems cannot be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", str(place / OUT)], check=True)


def mount(*arguments: str) -> bool:
    """Whether it could be mounted."""
    return not subprocess.run(["mount", *arguments], check=False, stderr=subprocess.DEVNULL).returncode


def outcome(command: Command, place: Path, kind: str, size: int, known: dict[str, bytes]) -> str:
    """What comes of a command that has too little room, and of the same with room."""
    out = str(place / OUT)
    if kind == LIMIT:
        status, said = command.run(place, shell=f'ulimit -f {max(size // BLOCK, 1)}; exec "$@"')
        return judged(command, place, status, said, known)
    with small_disk(place, size if kind == FULL else 1 << 28):
        if kind == READ_ONLY:
            assert mount("-o", "remount,ro", out)
        status, said = command.run(place)
        assert mount("-o", "remount,rw,size=256m", out)
        return judged(command, place, status, said, known)


def judged(command: Command, place: Path, status: int, said: str, known: dict[str, bytes]) -> str:
    """What a run said, and what the same leaves with room."""
    errors = [line for line in said.splitlines() if line.startswith("error: ")]
    if status and (status != 2 or len(errors) != 1 or "Traceback" in said or OUT not in errors[0]):
        return f"NOT ONE LINE, status {status}: {said[-400:]}"
    if status:
        again, words = command.run(place, "--resume")
        if again == 2 and ("leave --resume out" in words or ("resume" in words and command.name == "export")):
            again, words = command.run(place)
        if again:
            return f"DOES NOT GO ON: {words[-300:]} (after {errors[0]})"
    found = results(place)
    if different := sorted(name for name in {*known, *found} if found.get(name) != known.get(name)):
        return f"DIFFERENT: {', '.join(different)}"
    return GOOD[status == 0]


def stress(names: list[str], count: int, *, seed: int = 0) -> Counter[tuple[str, str, str]]:
    """So many runs of each command with each kind of too little room: counts by command, kind and outcome."""
    random, counts = np.random.default_rng(seed), Counter[tuple[str, str, str]]()
    for name in names:
        command = {**COMMANDS, **EXPORTS}[name]
        with tempfile.TemporaryDirectory() as folder:
            place = prepared(command, Path(folder))
            status, said = command.run(place)
            assert status == 0, said
            known = results(place)
            sizes = [path.stat().st_size for path in (place / OUT).rglob("*") if path.is_file()]
            for kind, most, times in ((LIMIT, max(sizes), count), (FULL, sum(sizes), count), (READ_ONLY, 1, 1)):
                for _ in range(times):
                    place = prepared(command, Path(folder))
                    try:
                        found = outcome(command, place, kind, int(random.uniform(0, most)), known)
                    except PermissionError as error:
                        print(f"{name}: {kind}: skipped, {error}", flush=True)
                        break
                    counts[name, kind, found] += 1
                    if found not in GOOD:
                        print(f"{name}: {kind}: {found}", flush=True)
    return counts


if __name__ == "__main__":
    names = sys.argv[2:] or [*COMMANDS, *EXPORTS]
    found = stress(names, int(sys.argv[1]) if len(sys.argv) > 1 else 10)
    for (name, kind, what), times in sorted(found.items()):
        print(f"{name:<20} {kind:<20} {times:>4}  {what}")
    bad = sum(times for (_, _, what), times in found.items() if what not in GOOD)
    print(f"{sum(found.values())} runs, {bad} not one line and then the same bytes")
    sys.exit(bad > 0)
