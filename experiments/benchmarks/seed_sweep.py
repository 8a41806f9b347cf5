"""Time of each part of a sweep: the seed study's ten trials on five folds, with all metrics and diagnostics.

    python experiments/benchmarks/seed_sweep.py --out=runs/seed_sweep                 # 9 languages, 2,770 images, 512
    python experiments/benchmarks/seed_sweep.py --out=runs/quick --limit=500 --linear_only

Every part is timed on its own, what it calls taken off; JAX's asynchronous work is waited for. Fits, and what is
measured on test parts, run in threads beside other work, so that parts overlap: what the main thread spends in none of
them is everything else. Below stand products of the same shapes, alone in the same process.
"""

import functools
import json
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from absl import app, flags, logging
from seed_sweep_parts import BETWEEN, DIAGNOSTICS, FITS, IDENTITY, METRICS, RANKS, SCORES, watched

START = time.perf_counter()

flags.DEFINE_string("data", "synthetic", "an .npz, a folder of shards, or 'synthetic'")
flags.DEFINE_string("out", None, "folder for the run; replaced if it holds one", required=True)
flags.DEFINE_integer("limit", None, "use so many images")
flags.DEFINE_bool("linear_only", False, "leave the MLPs out")
flags.DEFINE_integer("devices", None, "that runs are spread over [one of a CPU, all of an accelerator]")
flags.DEFINE_float("reference", 79.0, "seconds a trial and fold of the program compared with, on two cores")
flags.DEFINE_string("json", None, "also write the figures into this file")
FLAGS = flags.FLAGS

SHARED = (FITS, SCORES, RANKS, BETWEEN, METRICS, DIAGNOSTICS, IDENTITY)  # that the program compared with does, too


class Clock:
    """Seconds of each part, without those of the parts that it calls."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.main: dict[str, float] = defaultdict(float)  # of the main thread alone
        self.calls: dict[str, int] = defaultdict(int)
        self.threads: dict[int, list[list[float]]] = defaultdict(list)  # compilation has one of its own

    def time(self, part: str, call: Callable[..., Any], *args: Any) -> Any:
        """The result of a call, timed as this part."""
        self.watch(holder := SimpleNamespace(call=call), "call", part)
        return holder.call(*args)

    def watch(self, owner: Any, name: str, part: str, *, outermost: bool = False) -> None:
        """Time every call of `owner.name` as this part; or only those that no other part has made."""
        import jax

        from ccalign_jax.measurement.measure import Measurement
        from ccalign_jax.study.summary import Summary

        call: Callable[..., Any] = getattr(owner, name)

        @functools.wraps(call)
        def timed(*args: Any, **settings: Any) -> Any:
            inside = self.threads[threading.get_ident()]
            if outermost and inside:
                return call(*args, **settings)
            inside.append([0.0])
            clock = time.perf_counter()
            found = call(*args, **settings)
            # Neither of them has keys that jax can sort.
            leaves = jax.tree.leaves(found, is_leaf=lambda node: isinstance(node, Measurement | Summary))
            jax.block_until_ready([leaf for leaf in leaves if isinstance(leaf, jax.Array)])
            spent = time.perf_counter() - clock
            within = inside.pop()[0]
            self.seconds[part] += spent - within
            if threading.current_thread() is threading.main_thread():
                self.main[part] += spent - within
            self.calls[part] += 1
            if inside:
                inside[-1][0] += spent
            return found

        setattr(owner, name, timed)


def main(argv: list[str]) -> None:
    """Run the sweep under the clock, and print the table."""
    del argv
    logging.set_verbosity(logging.WARNING)  # Orbax logs a page a checkpoint
    import jax
    import numpy as np

    from ccalign_jax.options import SweepConfig
    from ccalign_jax.runs.kinds import SWEEP_FOLDER
    from ccalign_jax.runs.store import Store
    from ccalign_jax.study import measure_maps, plan, run, write
    from ccalign_jax.study.inputs import prepare_data, read_data
    from ccalign_jax.study.plan import plan_folds
    from ccalign_jax.training import make_mesh

    clock = Clock()
    for owner, name, part in watched():
        clock.watch(owner, name, part)
    clock.watch(Future, "result", "waiting for threads", outermost=True)
    clock.seconds["start of Python and imports"] = clock.main["start of Python and imports"] = (
        time.perf_counter() - START
    )
    aligners = ("residual",) if FLAGS.linear_only else ("residual", "residual_mlp")
    config = SweepConfig(data=FLAGS.data, protocol="seed", grid="seed", aligners=aligners, limit=FLAGS.limit)
    data = clock.time("data", read_data, config.data)
    data = clock.time("search for duplicates", prepare_data, data, config)
    planned = clock.time("plan", lambda: plan.plan_sweep(data, config, plan_folds(data, config)))
    kept = Store(FLAGS.out, SWEEP_FOLDER)
    digest = clock.time("digest of the data", data.sha256)
    kept.acquire(config, {"data_sha256": digest}, overwrite=Path(FLAGS.out).exists())
    ready = time.perf_counter()
    result = run.run_sweep(planned, kept, mesh=make_mesh(FLAGS.devices))
    trained = time.perf_counter()
    result = measure_maps.measure_test_parts(result)
    measured = time.perf_counter()
    write.write_results(kept, result)
    done = time.perf_counter()
    fits = len(planned.trials) * len(planned.folds)
    stages = {
        "start": ready - START,
        "trials": trained - ready,
        "holdouts": measured - trained,
        "files": done - measured,
    }
    work, alone = products_of(planned, data), products(np, jax, data)
    found = {
        "shape": f"{len(planned.trials)} trials x {len(planned.folds)} folds, {len(data.languages)} languages x "
        f"{len(data)} images x {data.d_text}",
        "device": f"{make_mesh(FLAGS.devices).size} x {jax.devices()[0].device_kind}",
        "seconds": done - START,
        "times_reference": FLAGS.reference * fits / (done - START),
        "stages": stages,
        "parts": {
            part: {
                "seconds": seconds,
                "main_seconds": clock.main[part],
                "calls": clock.calls[part],
                "share": seconds / (done - START),
                "gflop_per_s": work[part] / 1e9 / seconds if part in work else None,
            }
            for part, seconds in sorted(clock.seconds.items(), key=lambda item: -item[1])
        },
        "products_gflop_per_s": alone,
        "products_seconds": sum(work[part] / 1e9 / rate for part, rate in zip(work, alone.values(), strict=True)),
    }
    print(table(found))
    if FLAGS.json:
        Path(FLAGS.json).write_text(json.dumps(found, indent=1), encoding="utf-8")


def products_of(planned: Any, data: Any) -> dict[str, float]:
    """Floating point operations of the matrix products of some parts, without all else that they do."""
    languages, width, images = len(data.languages), data.d_text, len(data)
    report, train = images / len(planned.folds), images - images / len(planned.folds)
    found = {FITS: 0.0, SCORES: 0.0, RANKS: 0.0}
    for trial in planned.trials:
        recipe, rows = trial.recipe, trial.recipe.batch_images * languages
        layers = 2 * recipe.hidden * width if trial.aligner == "residual_mlp" else width**2
        backward = 3 / 2 if trial.aligner == "residual_mlp" else 1  # what captions themselves would get is not formed
        step = 2 * rows * layers * (1 + backward) + 3 * 2 * rows * recipe.batch_images * width
        step += 3 * 2 * width**3 * (trial.hyper.ortho != 0)
        found[FITS] += recipe.epochs * recipe.steps_per_epoch * step
        maps, scores = 2 * languages * report * layers, 2 * languages * report**2 * width
        found[SCORES] += (recipe.epochs + 1) * (maps + scores)
        found[RANKS] += maps * images / report + scores + 2 * languages * train**2 * width
    return {part: len(planned.folds) * each for part, each in found.items()}


def products(np: Any, jax: Any, data: Any) -> dict[str, float]:
    """Speed of products of the shapes of fits, scores and ranks alone: through W, and captions against images."""
    languages, width, images = len(data.languages), data.d_text, len(data)
    shapes = {
        "batch x W": (32 * languages, width, width),
        "test x images": (images // 5, width, images // 5),
        "train x images": (images - images // 5, width, images - images // 5),
    }
    found = {}
    multiply = jax.jit(lambda left, right: left @ right)
    for name, (rows, inner, columns) in shapes.items():
        left, right = np.ones((rows, inner), np.float32), np.ones((inner, columns), np.float32)
        left, right = jax.device_put((left, right))
        multiply(left, right).block_until_ready()
        seconds = []
        for _ in range(20):
            clock = time.perf_counter()
            multiply(left, right).block_until_ready()
            seconds.append(time.perf_counter() - clock)
        found[f"{name}: {rows} x {inner} x {columns}"] = 2 * rows * inner * columns / 1e9 / min(seconds)
    return found


def table(found: dict[str, Any]) -> str:
    """The parts as Markdown, the longest first."""
    whole, listed = found["seconds"], 0.0
    rows = [f"{found['shape']}, {found['device']}: {whole:.1f} s, {found['times_reference']:.0f} x the reference", ""]
    rows += ["| part | seconds | share | calls | GFLOP/s of products |", "|---|--:|--:|--:|--:|"]
    for part, one in found["parts"].items():
        rate = "" if one["gflop_per_s"] is None else f"{one['gflop_per_s']:.0f}"
        rows.append(f"| {part} | {one['seconds']:.1f} | {one['share']:.0%} | {one['calls']} | {rate} |")
        listed += one["main_seconds"]
    rows.append(f"| everything else | {whole - listed:.1f} | {(whole - listed) / whole:.0%} | | |")
    same = sum(one["seconds"] for part, one in found["parts"].items() if part in SHARED)
    rows += ["", f"parts that the reference has, too: {same:.1f} s, {found['times_reference'] * whole / same:.0f} x"]
    rows += ["", *(f"{name}: {rate:.0f} GFLOP/s" for name, rate in found["products_gflop_per_s"].items())]
    rows.append(
        f"products of fits, scores and ranks at these speeds, and nothing else: {found['products_seconds']:.0f} s"
    )
    return "\n".join(rows)


if __name__ == "__main__":
    app.run(main)
