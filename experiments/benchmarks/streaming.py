"""Training from disk beside training from memory: pairs a second, and the memory that each takes, as JSON.

Each run is a process of its own. `stream` reads shards through Grain, `batches` takes the same steps on batches from
arrays in memory, `fit` is the package's own training in memory, one compiled scan with all rows on the device, and
`solve` gathers the moments of all pairs in one pass and solves a ridge regression.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from absl import app, flags, logging

flags.DEFINE_string("folder", None, "of the shards; written if it is not there", required=True)
flags.DEFINE_integer("pairs", 5_000_000, "on disk")
flags.DEFINE_integer("dimensions", 512, "of both sides, float16")
flags.DEFINE_integer("shard_pairs", 100_000, "in a shard")
flags.DEFINE_integer("held_pairs", 200_000, "in memory, for the runs that hold them")
flags.DEFINE_integer("batch", 1024, "pairs a step")
flags.DEFINE_integer("steps", 1000, "that are timed, after as many as a tenth to get going")
flags.DEFINE_integer("memory", 512, "MB for the rows that a stream holds")
flags.DEFINE_string("aligner", "residual", "that is trained")
flags.DEFINE_list("runs", ["stream", "batches", "fit", "solve"], "which")
flags.DEFINE_bool("cold", True, "drop the shards from the system's cache before each run")
flags.DEFINE_string("only", None, "internal: do this run in this process")
FLAGS = flags.FLAGS


def main(argv: list[str]) -> None:
    """Write the shards, then run, each in a fresh process."""
    del argv
    logging.set_verbosity(logging.WARNING)
    if FLAGS.only:
        print(json.dumps({"run": FLAGS.only, **RUNS[FLAGS.only](), "peak_MB": peak_megabytes()}))
        return
    folder = Path(FLAGS.folder)
    if not folder.is_dir():
        # In a process of its own, for this one is to stay small.
        spread("write")
    found = {}
    for name in FLAGS.runs:
        if FLAGS.cold:
            drop_cache(folder)
        found[name] = spread(name)
        print(json.dumps(found[name]), flush=True)
    if "stream" in found:
        for name in ("batches", "fit"):
            if name in found:
                ratio = found["stream"]["pairs_per_second"] / found[name]["pairs_per_second"]
                print(json.dumps({"ratio": f"stream / {name}", "is": round(ratio, 3), "load": os.getloadavg()}))


def spread(name: str) -> dict:
    """One run in a process of its own."""
    done = subprocess.run([sys.executable, *sys.argv, f"--only={name}"], stdout=subprocess.PIPE, encoding="utf-8")
    if done.returncode:
        sys.exit(done.returncode)
    return json.loads(done.stdout.splitlines()[-1])


def drop_cache(folder: Path) -> None:
    """Drop the shards from the system's cache."""
    for path in folder.iterdir():
        file = os.open(path, os.O_RDONLY)
        os.fsync(file)
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(file)


def peak_megabytes() -> int:
    """The most memory that this process had at one time."""
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) // 1024
    raise RuntimeError("this system does not report the memory of a process")


def write() -> dict:
    """Captions are their images turned, and noise."""
    import numpy as np

    from ccalign_jax.data import write_shards

    def shards() -> Iterator[dict]:
        for number, start in enumerate(range(0, FLAGS.pairs, FLAGS.shard_pairs)):
            random = np.random.default_rng(number)
            shape = (min(FLAGS.shard_pairs, FLAGS.pairs - start), FLAGS.dimensions)
            image = random.standard_normal(shape, np.float32)
            text = 0.5 * image[:, ::-1] + random.standard_normal(shape, np.float32)
            yield {"image": image.astype(np.float16), "text_en": text.astype(np.float16)}

    began = time.perf_counter()
    return {"pairs": len(write_shards(FLAGS.folder, shards())), "seconds": time.perf_counter() - began}


def stream() -> dict:
    """Batches from disk."""
    from ccalign_jax.data import BatchStream, open_shards

    shards = open_shards(FLAGS.folder)
    wanted = (FLAGS.steps + FLAGS.steps // 10) * FLAGS.batch
    batches = BatchStream(shards, batch=FLAGS.batch, memory=FLAGS.memory * 2**20, epochs=-(-wanted // len(shards)) + 1)
    found = timed_steps(iter(batches))
    return {**found, "pairs": len(shards), "window_pairs": batches.window_rows}


def batches() -> dict:
    """The same steps on rows in memory."""
    import numpy as np

    from ccalign_jax.data import open_shards
    from ccalign_jax.pivots import Batch

    shards = open_shards(FLAGS.folder)
    rows = shards.read(0, min(FLAGS.held_pairs, len(shards)))

    def shuffled() -> Iterator[Batch]:
        random = np.random.default_rng(0)
        there, numbers = np.ones(FLAGS.batch, bool), np.arange(FLAGS.batch, dtype=np.int32)
        while True:
            order = random.permutation(len(rows.image))
            for chosen in order[: len(order) // FLAGS.batch * FLAGS.batch].reshape(-1, FLAGS.batch):
                yield Batch(rows.text[:, chosen], rows.mask[:, chosen], rows.image[chosen], there, numbers)

    return {**timed_steps(shuffled()), "pairs": len(rows.image)}


def timed_steps(source: Iterator) -> dict:
    """Pairs a second of `fit_stream`, after compilation."""
    import jax

    from ccalign_jax.losses import LOSSES
    from ccalign_jax.pivots import make_pivot
    from ccalign_jax.training import Hyper, Recipe, Space, fit_stream

    space, recipe = Space(FLAGS.dimensions, FLAGS.dimensions, ("en",)), Recipe()
    warm = FLAGS.steps // 10
    total, clocks, losses = warm + FLAGS.steps, [], []
    run = fit_stream(
        space.aligner(FLAGS.aligner, recipe),
        make_pivot("image", space.languages),
        LOSSES["infonce"],
        Hyper(),
        jax.random.key(0),
        source,
        recipe=recipe,
        total=total,
        points=(warm, total),
    )
    for point in run:
        clocks.append(time.perf_counter())
        losses.append(point.loss)
    return {"pairs_per_second": round(FLAGS.steps * FLAGS.batch / (clocks[1] - clocks[0])), "objective": losses[-1]}


def fit() -> dict:
    """Training as a sweep does it: a scan over rows on the device."""
    import jax
    import jax.numpy as jnp
    import numpy as np

    from ccalign_jax.data import open_shards
    from ccalign_jax.losses import LOSSES
    from ccalign_jax.numerics import unit_float32
    from ccalign_jax.pivots import make_pivot
    from ccalign_jax.training import Embeddings, Hyper, Recipe, Space
    from ccalign_jax.training import fit as fit_in_memory

    shards = open_shards(FLAGS.folder)
    rows = shards.read(0, min(FLAGS.held_pairs, len(shards)))
    count = len(rows.image)
    numbers = np.arange(count, dtype=np.int32)
    data = Embeddings(
        unit_float32(rows.text[0]),
        unit_float32(rows.image),
        numbers[None, :, None],
        np.ones((1, count), np.int32),
        numbers,
    )
    data = jax.tree.map(jnp.asarray, data)
    recipe = Recipe(epochs=1, steps_per_epoch=FLAGS.steps, batch_images=FLAGS.batch)
    space = Space(FLAGS.dimensions, FLAGS.dimensions, ("en",))
    aligner, pivot = space.aligner(FLAGS.aligner, recipe), make_pivot("image", space.languages)

    def program(embeddings, images, key):
        return fit_in_memory(aligner, pivot, LOSSES["infonce"], Hyper(), key, embeddings, images, count, recipe=recipe)

    compiled = jax.jit(program).lower(data, data.groups, jax.random.key(0)).compile()
    clock = time.perf_counter()
    run = jax.block_until_ready(compiled(data, data.groups, jax.random.key(0)))
    seconds = time.perf_counter() - clock
    return {
        "pairs_per_second": round(FLAGS.steps * FLAGS.batch / seconds),
        "objective": float(run.losses[-1]),
        "pairs": count,
    }


def solve() -> dict:
    """The moments of all pairs, and a ridge path."""
    from ccalign_jax.options import AlignConfig
    from ccalign_jax.study.align import align, plan_align

    plan = plan_align(AlignConfig(FLAGS.folder, aligner="ridge"))
    clock = time.perf_counter()
    found = align(plan)
    seconds = time.perf_counter() - clock
    return {
        "pairs_per_second": round(plan.train_rows / seconds),
        "pairs": plan.train_rows,
        "seconds": round(seconds, 1),
        "scores": found.about["scores"],
    }


RUNS = {"write": write, "stream": stream, "batches": batches, "fit": fit, "solve": solve}

if __name__ == "__main__":
    app.run(main)
