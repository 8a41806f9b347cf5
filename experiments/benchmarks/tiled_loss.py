"""Time and memory of InfoNCE and its gradient in tiles, also in batches that the matrix of scores would not fit for.

python experiments/benchmarks/tiled_loss.py                                    # 65,536 pairs, 512 wide
python experiments/benchmarks/tiled_loss.py --batch=262144 --tile=8192 --dtype=bfloat16      # on a GPU
python experiments/benchmarks/tiled_loss.py --batch=8192 --whole               # beside the matrix of scores
python experiments/benchmarks/tiled_loss.py --batch=512,1024,1536,2048,3072,4096 --tile=512,1024,2048 --whole

The last says from which batch on tiles are faster, which `losses.auto_tile` decides by.
"""

import json
import resource
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from absl import app, flags

flags.DEFINE_list("batch", ["65536"], "pairs, one number or several")
flags.DEFINE_list("tile", ["1024"], "captions and images a tile, one number or several")
flags.DEFINE_integer("languages", 1, "of captions", lower_bound=1)
flags.DEFINE_integer("width", 512, "of rows", lower_bound=1)
flags.DEFINE_enum("dtype", "float32", ["float32", "bfloat16"], "of the rows; sums are float32")
flags.DEFINE_integer("calls", 3, "timed, of all variants in turn; the median is quoted", lower_bound=1)
flags.DEFINE_bool("whole", False, "also time the loss that holds the matrix of scores, and say how they differ")
flags.DEFINE_string("json", None, "also write the results into this file")
FLAGS = flags.FLAGS


def main(argv: list[str]) -> None:
    """Measure every batch, print."""
    del argv
    import jax

    variants: dict[str, int | None] = {f"tiles of {tile}": int(tile) for tile in FLAGS.tile}
    if FLAGS.whole:
        variants["whole"] = None
    found: dict[str, Any] = {
        "shape": f"{FLAGS.languages} x {FLAGS.width}, {FLAGS.dtype}",
        "device": jax.devices()[0].device_kind,
        "batches": {},
    }
    for batch in map(int, FLAGS.batch):
        found["batches"][str(batch)] = one = measure(batch, variants)
        for variant, results in one.items():
            ratios = [results.get(key) for key in ("times_whole", "cpu_times_whole")]
            ratio = f", {ratios[0]:.2f} times whole ({ratios[1]:.2f} on the CPU's clock)" if all(ratios) else ""
            print(
                f"{batch} pairs, {variant}: {1e3 * results['seconds']:.1f} ms, {results['gflop_per_s']:.0f} GFLOP/s, "
                f"{results['scratch_bytes'] / 2**20:.1f} MiB of scratch{ratio}",
                flush=True,
            )
    text = json.dumps(found, indent=1)
    print(text)
    if FLAGS.json:
        Path(FLAGS.json).write_text(text, encoding="utf-8")


def measure(batch: int, variants: dict[str, int | None]) -> dict[str, dict[str, float]]:
    """Compile and call each variant, in turn, so that what else the machine does meets all alike."""
    import jax
    import jax.numpy as jnp

    from ccalign_jax.losses import clip_loss
    from ccalign_jax.numerics import unit_rows

    shape = batch, FLAGS.width
    image = unit_rows(jax.random.normal(jax.random.key(0), shape)).astype(FLAGS.dtype)
    noise = jax.random.normal(jax.random.key(1), (FLAGS.languages, *shape))
    text = unit_rows(image + 0.1 * noise).astype(FLAGS.dtype)
    programs: dict[str, Callable] = {}
    found: dict[str, dict[str, float]] = {}
    for variant, tile in variants.items():
        loss = jax.jit(jax.value_and_grad(partial(clip_loss, temperature=0.05, tile=tile), argnums=(0, 1)))
        programs[variant] = program = loss.lower(text, image).compile()
        value, gradients = jax.block_until_ready(program(text, image))
        found[variant] = {
            "value": float(value),
            "gradient_norm": float(jnp.linalg.norm(gradients[0].astype(jnp.float32))),
            "scratch_bytes": program.memory_analysis().temp_size_in_bytes,
            "most_bytes_of_the_process": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            * (1 if sys.platform == "darwin" else 1024),
        }
    seconds: dict[str, list[float]] = {variant: [] for variant in variants}
    cpu_seconds: dict[str, list[float]] = {variant: [] for variant in variants}
    for _ in range(FLAGS.calls):
        for variant, program in programs.items():
            clock, cpu = time.perf_counter(), time.process_time()
            jax.block_until_ready(program(text, image))
            seconds[variant].append(time.perf_counter() - clock)
            cpu_seconds[variant].append(time.process_time() - cpu)
    for variant, tile in variants.items():
        middle = statistics.median(seconds[variant])
        products = 4 if tile else 3  # in tiles the scores are formed twice
        work = products * 2 * FLAGS.languages * batch**2 * FLAGS.width
        found[variant] |= {"seconds": middle, "gflop_per_s": work / 1e9 / middle}
        if tile and "whole" in seconds:
            found[variant]["times_whole"] = median_ratio(seconds[variant], seconds["whole"])
            found[variant]["cpu_times_whole"] = median_ratio(cpu_seconds[variant], cpu_seconds["whole"])
    return found


def median_ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median ratio of calls that stood next to each other."""
    return statistics.median(one / other for one, other in zip(ours, theirs, strict=True))


if __name__ == "__main__":
    app.run(main)
