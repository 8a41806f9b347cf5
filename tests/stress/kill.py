"""Kills a command at random moments and resumes it: what it leaves must be what an undisturbed run leaves.

`python tests/stress/kill.py 50 --command=sweep` prints counts, and ends with status 1 if anything was lost, done twice
or left behind. `--signal=TERM` and `--signal=INT` stop it as a user does: one line that says how to go on.
"""

import argparse
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
from commands import COMMANDS, OUT, Command, ended, prepared, results

GOOD = ("same bytes",)
POLL = 0.005  # seconds


def watched(command: Command, place: Path, before: dict, *, resume: bool) -> tuple[int, str, set[str]]:
    """Run a command to its end: status, stderr, and the pieces of `before` that it wrote again."""
    process = command.start(place, *["--resume"] * resume)
    again: set[str] = set()
    while process.poll() is None:
        now = command.stored(place)
        again |= {name for name, written in before.items() if now.get(name, written) != written}
        time.sleep(POLL)
    return *ended(process), again


def interrupted(command: Command, place: Path, seconds: float, number: int, *, resume: bool) -> str:
    """Start a command, send it a signal after so many seconds; what is wrong with its end, or nothing."""
    process = command.start(place, *["--resume"] * resume)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(number)
    status, said = ended(process)
    if number == signal.SIGKILL or status == 0 or (resume and status == 2 and "leave --resume out" in said):
        return ""
    if status == -number:
        return ""  # before Python could catch it
    if status != 128 + number or "Traceback" in said:
        return f"status {status}: {said[-200:]}"
    last = said.splitlines()[-1]
    return "" if last.startswith("stopped") else f"says {last!r}"


def stress(name: str, count: int, *, seed: int = 0, number: int = signal.SIGKILL) -> Counter[tuple[str, str]]:
    """So many interruptions of a command: counts by when it was interrupted and by what came of it."""
    command, random, counts = COMMANDS[name], np.random.default_rng(seed), Counter[tuple[str, str]]()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        known, other, seconds = {}, {}, 0.0
        for _ in range(2):  # the first compiles
            place, clock = prepared(command, root), time.monotonic()
            status, said = command.run(place)
            assert status == 0, said
            seconds, other, known = time.monotonic() - clock, known, results(place)
        if differing := [name for name in known if other.get(name) != known[name]]:
            raise AssertionError(f"two undisturbed runs differ in {', '.join(differing)}")
        print(f"{name}: {seconds:.1f} s undisturbed, {len(known)} files compared", flush=True)
        for at in range(count):
            place = prepared(command, root)
            wrong = interrupted(command, place, random.uniform(0, seconds), number, resume=False)
            when = moment(command, place)
            if not wrong and random.random() < 0.3:  # the resumed run, too
                wrong = interrupted(command, place, random.uniform(0, seconds), number, resume=True)
            found = wrong or outcome(command, place, known)
            counts[when, found] += 1
            print(f"{name} {at + 1}/{count}: {when}: {found}", flush=True)
    return counts


def moment(command: Command, place: Path) -> str:
    """When a command was interrupted, by what is in its folder."""
    if not (place / OUT).exists():
        return "before its folder"
    pieces = len(command.stored(place))
    if pieces:
        return f"with {pieces} pieces"
    finished = (place / OUT / "best").exists() or (place / OUT / "captions.jsonl").exists()
    return "when results were there" if finished else "with no piece" if command.pieces else "while it worked"


def outcome(command: Command, place: Path, known: dict[str, bytes]) -> str:
    """What comes of a resumed run."""
    before = command.stored(place)
    status, said, again = watched(command, place, before, resume=True)
    if status == 2 and "leave --resume out" in said:
        status, said, again = watched(command, place, before, resume=False)
    if status:
        return f"cannot go on: {said[-300:]}"
    if again:
        return f"DONE TWICE: {', '.join(sorted(again))}"
    found = results(place)
    if left := sorted(found.keys() - known.keys()):
        return f"LEFT BEHIND: {', '.join(left)}"
    different = sorted(name for name in known if found.get(name) != known[name])
    return f"DIFFERENT: {', '.join(different)}" if different else GOOD[0]


def main() -> int:
    """Print counts; 1 if anything went wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int, nargs="?", default=50)
    parser.add_argument("--command", choices=[*COMMANDS, "all"], default="all")
    parser.add_argument("--signal", choices=["KILL", "TERM", "INT"], default="KILL")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    bad = 0
    for name in COMMANDS if given.command == "all" else [given.command]:
        number = signal.Signals[f"SIG{given.signal}"]
        found = stress(name, given.count, seed=given.seed, number=number)
        for (when, what), times in sorted(found.items()):
            print(f"{name:<10} {when:<26} {times:>4}  {what}")
        wrong = sum(times for (_, what), times in found.items() if what not in GOOD)
        print(f"{name}: {given.count} times SIG{given.signal}, {wrong} not resumed to the same bytes", flush=True)
        bad += wrong
    return bad > 0


if __name__ == "__main__":
    sys.exit(main())
