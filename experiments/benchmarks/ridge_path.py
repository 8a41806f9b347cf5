"""Time of a path of ridge maps with exact leave-one-out errors against that of a single map, on random unit rows.

    python experiments/benchmarks/ridge_path.py                       # 100 penalties, 25,000 rows of 512
    python experiments/benchmarks/ridge_path.py --rows=5000 --runs=11

Both begin with the moments at hand, "solve", or with the rows, "end to end"; they take turns, and medians are printed.
A quiet machine is needed: the ratio of two short times is what a busy one changes most.
"""

import json
import os
import statistics
import time
from pathlib import Path

from absl import app, flags

flags.DEFINE_integer("rows", 25_000, "pairs of rows", lower_bound=2)
flags.DEFINE_integer("width", 512, "of captions and images", lower_bound=1)
flags.DEFINE_integer("penalties", 100, "on the path", lower_bound=1)
flags.DEFINE_integer("runs", 5, "timed runs of each", lower_bound=1)
flags.DEFINE_string("json", None, "also write the results into this file")
FLAGS = flags.FLAGS


def main(argv: list[str]) -> None:
    """Time the one, then the other, and print medians and their ratio."""
    del argv
    import numpy as np

    from ccalign_jax import solvers

    rng = np.random.default_rng(0)

    def unit(rows):
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    text = unit(rng.standard_normal((FLAGS.rows, FLAGS.width), np.float32))
    noise = np.float32(1 / np.sqrt(FLAGS.width)) * rng.standard_normal((FLAGS.rows, FLAGS.width), np.float32)
    image = unit(text + noise)

    def gather():
        return solvers.add_rows(solvers.empty_moments(FLAGS.width, FLAGS.width), text, image)

    def single(moments):
        path = solvers.ridge_path(moments)
        lam = 0.1 * path.mean_eigenvalue
        return solvers.ridge_map(path, lam), solvers.leave_one_out(path, text, image, [lam])

    def whole(moments):
        path = solvers.ridge_path(moments)
        lambdas = np.geomspace(1e3, 1e-4, FLAGS.penalties) * path.mean_eigenvalue
        errors = solvers.leave_one_out(path, text, image, lambdas)
        return solvers.ridge_map(path, lambdas[errors.mean(axis=0).argmin()]), errors

    moments = gather()
    seconds: dict[str, list[float]] = {"gather": [], "single": [], "path": []}
    for run in range(FLAGS.runs + 1):
        for name, call in (("gather", gather), ("single", lambda: single(moments)), ("path", lambda: whole(moments))):
            start = time.perf_counter()
            call()
            if run:  # the first one warms up
                seconds[name].append(time.perf_counter() - start)
    gathering, alone, path = (statistics.median(each) for each in seconds.values())
    result = {
        "shape": f"{FLAGS.rows} x {FLAGS.width}, {FLAGS.penalties} penalties",
        "load_average": os.getloadavg()[0],
        "seconds_to_gather": gathering,
        "solve": {"seconds_single": alone, "seconds_path": path, "ratio": path / alone},
        "end_to_end": {
            "seconds_single": gathering + alone,
            "seconds_path": gathering + path,
            "ratio": (gathering + path) / (gathering + alone),
        },
    }
    print(json.dumps(result, indent=1))
    if FLAGS.json is not None:
        Path(FLAGS.json).write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    app.run(main)
