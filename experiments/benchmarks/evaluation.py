"""Time and memory of an evaluation before and after a map: every task, every diagnostic, on random unit rows.

    python experiments/benchmarks/evaluation.py                                # 9 x 2,770 x 512
    python experiments/benchmarks/evaluation.py --nulls                        # and what chance reads, at 554 rows
    python experiments/benchmarks/evaluation.py --images=25000 --tasks=none --diagnostics=false --runs=1

The second run of a process is timed, when everything is compiled. Peak memory is that of the whole process.
"""

import json
import resource
import statistics
import time
from pathlib import Path

from absl import app, flags

flags.DEFINE_integer("languages", 9, "languages, one caption an image each", lower_bound=1)
flags.DEFINE_integer("images", 2770, "images", lower_bound=5)
flags.DEFINE_integer("width", 512, "of captions and images", lower_bound=2)
flags.DEFINE_list("tasks", None, "between languages; none for text→image and image→text alone [all]")
flags.DEFINE_bool("diagnostics", True, "also the diagnostics")
flags.DEFINE_bool("nulls", False, "also their permutation nulls")
flags.DEFINE_integer("runs", 3, "timed runs", lower_bound=1)
flags.DEFINE_string("json", None, "also write the results into this file")
FLAGS = flags.FLAGS


def main(argv: list[str]) -> None:
    """Time one state, then the other, and print medians."""
    del argv
    import jax
    import numpy as np

    from ccalign_jax.diagnostics import diagnose
    from ccalign_jax.metrics import PAIR_TASKS, rank_tasks

    tasks = PAIR_TASKS if FLAGS.tasks is None else [name for name in FLAGS.tasks if name not in ("", "none")]
    images, width = FLAGS.images, FLAGS.width
    rng = np.random.default_rng(0)

    def unit(rows):
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    image = unit(rng.standard_normal((images, width), np.float32))
    noise = np.float32(3 / np.sqrt(width))
    text = [unit(image + noise * rng.standard_normal((images, width), np.float32)) for _ in range(FLAGS.languages)]
    turn = np.eye(width, dtype=np.float32) + 0.01 * rng.standard_normal((width, width), np.float32)
    place = np.arange(images, dtype=np.int32)
    seconds: dict[str, list[float]] = {"retrieval": [], "diagnostics": []}

    def block(name: str, rows: list) -> None:
        start = time.perf_counter()
        found = rank_tasks(rows, image, [place] * len(rows), [place[:, None]] * len(rows), tasks=tasks)
        jax.block_until_ready(found)
        seconds["retrieval"].append(time.perf_counter() - start)
        if FLAGS.diagnostics:
            start = time.perf_counter()
            diagnose(dict(enumerate(rows)), image, nulls=FLAGS.nulls)
            seconds["diagnostics"].append(time.perf_counter() - start)

    for run in range(FLAGS.runs + 1):
        if run == 1:  # the first one compiled
            seconds = {name: [] for name in seconds}
        block("before", text)
        if FLAGS.diagnostics:
            block("after", [unit(rows @ turn) for rows in text])
    medians = {name: statistics.median(each) for name, each in seconds.items() if each}
    result = {
        "shape": f"{FLAGS.languages} x {images} x {width}",
        "backend": jax.default_backend(),
        "device": jax.devices()[0].device_kind,
        "tasks": list(tasks),
        "nulls": FLAGS.nulls,
        "seconds_a_state": medians,
        "seconds_before_and_after": 2 * sum(medians.values()),
        "peak_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
    }
    print(json.dumps(result, indent=1))
    if FLAGS.json is not None:
        Path(FLAGS.json).write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    app.run(main)
