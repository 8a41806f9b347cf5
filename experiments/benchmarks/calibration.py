"""Calibration of intervals and tests in thousands of simulated worlds: false positives, coverage, power.

    python experiments/benchmarks/calibration.py --out=runs/calibration            # about an hour on two cores
    python experiments/benchmarks/calibration.py --out=runs/calibration --worlds=50 --gain_worlds=20   # a first look

Worlds that are finished stand in worlds.jsonl, and are not run again: a killed run goes on with the same command.
"""

import dataclasses
import json
import multiprocessing
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from absl import app, flags

flags.DEFINE_integer("worlds", 1000, "null worlds, and pairs of arms that differ by chance alone", lower_bound=1)
flags.DEFINE_integer("seed_worlds", 300, "null worlds under the seed protocol", lower_bound=1)
flags.DEFINE_integer("gain_worlds", 60, "worlds of each true gain, and with hubs", lower_bound=1)
flags.DEFINE_integer("replicates", 2000, "replicates, and as many sign flips", lower_bound=100)
flags.DEFINE_integer("processes", os.cpu_count(), "worlds at once, one core each", lower_bound=1)
flags.DEFINE_string("out", None, "folder for worlds, results, tables and the plot", required=True)
FLAGS = flags.FLAGS

# Distortions of the captions that a map can correct, and about how many points the sweep's choice then truly gains.
GAINS = {"gain 1": 0.37, "gain 2": 0.58, "gain 4": 0.93}
HUBS = {"exponent": 0.5, "leak": 1.0}  # beyond what is promised: images that are near to every caption
CHUNK = 5


def run_chunk(kind: str, seeds: list[int], replicates: int) -> list[dict]:
    """The results of some worlds of a kind, in a process of its own."""
    from calibration_worlds import NULL, exchange, simulate

    found = []
    for seed in seeds:
        if kind.startswith("exchange"):
            world = dataclasses.replace(NULL, **HUBS) if "hubs" in kind else NULL
            result = exchange(seed, world, replicates=replicates)
        else:
            change = HUBS if "hubs" in kind else {"distortion": GAINS.get(kind, 0.0)}
            protocol = "seed" if "seed" in kind else "nested"
            result = simulate(seed, dataclasses.replace(NULL, **change), protocol=protocol, replicates=replicates)
        found.append({"kind": kind, "seed": seed, "result": result})
    return found


def one_core_each() -> None:
    """A world is small: many at once beat one that is spread over cores."""
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"


def main(argv: list[str]) -> None:
    """Run what is missing, then judge."""
    del argv
    out = Path(FLAGS.out)
    out.mkdir(parents=True, exist_ok=True)
    log = out / "worlds.jsonl"
    known = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()] if log.exists() else []
    done = {(one["kind"], one["seed"]) for one in known}
    counts = {"null": FLAGS.worlds, "exchange": FLAGS.worlds}
    counts |= dict.fromkeys(GAINS, FLAGS.gain_worlds) | {"null, seed protocol": FLAGS.seed_worlds}
    counts |= {"hubs": FLAGS.gain_worlds, "exchange, hubs": FLAGS.gain_worlds}
    tasks = []
    for kind, count in counts.items():
        seeds = [seed for seed in range(count) if (kind, seed) not in done]
        tasks += [(kind, seeds[start : start + CHUNK]) for start in range(0, len(seeds), CHUNK)]
    one_core_each()
    began, finished = time.perf_counter(), 0
    with (
        ProcessPoolExecutor(FLAGS.processes, mp_context=multiprocessing.get_context("spawn")) as pool,
        log.open("a", encoding="utf-8") as file,
    ):
        for future in as_completed([pool.submit(run_chunk, *task, FLAGS.replicates) for task in tasks]):
            for one in future.result():
                file.write(json.dumps(one) + "\n")
            file.flush()
            finished += 1
            if finished % 20 == 0 or finished == len(tasks):
                left = (time.perf_counter() - began) / finished * (len(tasks) - finished) / 60
                print(f"{finished} of {len(tasks)} chunks, {left:.0f} min left", flush=True)
    from calibration_report import judge, plot, tables

    worlds = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    found = judge([one for one in worlds if one["seed"] < counts.get(one["kind"], 0)])
    (out / "calibration.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    text = tables(found)
    (out / "calibration.md").write_text(text, encoding="utf-8")
    for kind in ("png", "svg"):
        plot(found).savefig(out / f"calibration.{kind}", dpi=150)
    print(text)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    app.run(main)
