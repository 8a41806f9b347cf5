"""Time the seed study's linear recipe, from process start to finished retrieval metrics, in fresh processes.

The study's own program took 252 s for these five folds on two cores; give --reference another number to compare with.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from absl import app, flags

flags.DEFINE_string("data", None, "the seed study's data: its folder of .pt shards, or an .npz", required=True)
flags.DEFINE_integer("runs", 3, "fresh processes; the median is quoted")
flags.DEFINE_float("reference", 252.0, "seconds of the program compared with")
FLAGS = flags.FLAGS

SWEEP = Path(__file__).resolve().parents[1] / "sweep.py"


def main(argv: list[str]) -> None:
    """Run, and stop the clock when sweep.py prints that its metrics are finished."""
    del argv
    seconds = []
    for _ in range(FLAGS.runs):
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, str(SWEEP), "--pivot=image", "--aligners=residual", f"--data={FLAGS.data}"]
            command += ["--protocol=seed", "--grid=seed_recipe", f"--out={folder}/run"]
            clock = time.perf_counter()
            process = subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8")
            assert process.stdout is not None
            for line in process.stdout:
                if line.startswith("retrieval metrics finished"):
                    seconds.append(time.perf_counter() - clock)
                    print(f"{seconds[-1]:.1f} s", flush=True)
            if process.wait() != 0:
                sys.exit(process.returncode)
    middle = statistics.median(seconds)
    print(
        f"median {middle:.1f} s of {len(seconds)}; {FLAGS.reference / middle:.0f} x faster than {FLAGS.reference:g} s"
    )


if __name__ == "__main__":
    app.run(main)
