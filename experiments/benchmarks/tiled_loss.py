"""Time and memory of InfoNCE and its gradient in tiles, in batches that the matrix of scores would not fit for.

python experiments/benchmarks/tiled_loss.py                                    # 65,536 pairs, 512 wide
python experiments/benchmarks/tiled_loss.py --batch=262144 --tile=8192 --dtype=bfloat16      # on a GPU
python experiments/benchmarks/tiled_loss.py --batch=8192 --whole               # beside the matrix of scores
"""

import json
import resource
import statistics
import sys
import time
from functools import partial
from pathlib import Path

from absl import app, flags

flags.DEFINE_integer("batch", 65_536, "pairs", lower_bound=1)
flags.DEFINE_integer("width", 512, "of rows", lower_bound=1)
flags.DEFINE_integer("tile", 1024, "captions and images a tile", lower_bound=1)
flags.DEFINE_enum("dtype", "float32", ["float32", "bfloat16"], "of the rows; sums are float32")
flags.DEFINE_integer("calls", 3, "timed; the median is quoted", lower_bound=1)
flags.DEFINE_bool("whole", False, "also time the loss that holds the matrix of scores, and say how they differ")
flags.DEFINE_string("json", None, "also write the figures into this file")
FLAGS = flags.FLAGS


def main(argv: list[str]) -> None:
    """Compile, call, print."""
    del argv
    import jax
    import jax.numpy as jnp

    from ccalign_jax.losses import clip_loss
    from ccalign_jax.numerics import unit_rows

    shape = FLAGS.batch, FLAGS.width
    image = unit_rows(jax.random.normal(jax.random.key(0), shape)).astype(FLAGS.dtype)
    text = unit_rows(image + 0.1 * jax.random.normal(jax.random.key(1), shape)).astype(FLAGS.dtype)
    found = {}
    for name, tile in {"tiles": FLAGS.tile, **({"whole": None} if FLAGS.whole else {})}.items():
        loss = jax.jit(jax.value_and_grad(partial(clip_loss, temperature=0.05, tile=tile), argnums=(0, 1)))
        program = loss.lower(text, image).compile()
        seconds = []
        for _ in range(FLAGS.calls + 1):
            clock = time.perf_counter()
            value, gradients = jax.block_until_ready(program(text, image))
            seconds.append(time.perf_counter() - clock)
        middle = statistics.median(seconds[1:])
        products = 4 if tile else 3  # in tiles the scores are formed twice
        found[name] = {
            "value": float(value),
            "gradient_norm": float(jnp.linalg.norm(gradients[0].astype(jnp.float32))),
            "seconds": middle,
            "gflop_per_s": products * 2 * FLAGS.batch**2 * FLAGS.width / 1e9 / middle,
            "scratch_bytes": program.memory_analysis().temp_size_in_bytes,
            "most_bytes_of_the_process": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            * (1 if sys.platform == "darwin" else 1024),
        }
    said = json.dumps(
        {
            "shape": f"{FLAGS.batch} x {FLAGS.width}, {FLAGS.dtype}, tiles of {FLAGS.tile}",
            "device": jax.devices()[0].device_kind,
            "matrix_bytes": 4 * FLAGS.batch**2,
            **found,
        },
        indent=1,
    )
    print(said)
    if FLAGS.json:
        Path(FLAGS.json).write_text(said, encoding="utf-8")


if __name__ == "__main__":
    app.run(main)
