"""Products of matrices in float32 and, in two ways, of factors rounded to bfloat16: GFLOP/s on this device.

    python experiments/benchmarks/bfloat16.py
    python experiments/benchmarks/bfloat16.py --shapes=512x512x512,4096x512x4096 --rounds=20

`native` multiplies bfloat16 arrays, `rounded` float32 arrays whose digits are those of bfloat16. Sweeps in bfloat16
take the first on accelerators and CPUs with AMX, the second on other CPUs (`ccalign_jax/precision.py`).
"""

import functools
import json
import math
import re
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from absl import app, flags

# Of a sweep: maps of a batch and of a part, their gradients, and scores.
SHAPES = ["160x512x512", "2500x512x512", "512x160x512", "160x512x32", "2500x512x500"]
# No side is transposed for a map, the left one for its gradient, the right one for scores; b: of several languages.
FORMS = ("mk,kn", "km,kn", "mk,nk", "bmk,bkn", "bmk,kn")
BATCH = 5
flags.DEFINE_list("shapes", SHAPES, "products of [m, k] with [k, n], as MxKxN")
flags.DEFINE_integer("rounds", 50, "each product is timed so often, in turn", lower_bound=1)
flags.DEFINE_string("json", None, "also write the results into this file")
FLAGS = flags.FLAGS


def main(argv: list[str]) -> None:
    """Time each product of each shape, and print what it reaches."""
    del argv
    import jax

    from ccalign_jax.precision import is_emulated

    results = {
        "device": jax.devices()[0].device_kind,
        "instructions": sorted(set(re.findall(r"\b(?:amx|avx512)_bf16\b", cpu_flags()))),
        "sweeps_take": "rounded" if is_emulated() else "native",
        "gflop_per_s": {
            f"{shape} {form}": time_product(dict(zip("mkn", map(int, shape.split("x")), strict=True)), form)
            for shape in FLAGS.shapes
            for form in FORMS
        },
    }
    text = json.dumps(results, indent=1)
    print(text)
    if FLAGS.json:
        Path(FLAGS.json).write_text(text, encoding="utf-8")


def cpu_flags() -> str:
    """What Linux says of the processor."""
    path = Path("/proc/cpuinfo")
    return path.read_text() if path.exists() else ""


def products(form: str) -> dict[str, Callable]:
    """Products of two float32 arrays, by name."""
    import jax
    import jax.numpy as jnp

    exact = functools.partial(jnp.einsum, f"{form}->{'b' * ('b' in form)}mn", preferred_element_type=jnp.float32)

    def native(left, right):
        return exact(left.astype(jnp.bfloat16), right.astype(jnp.bfloat16))

    def rounded(left, right):
        return exact(*(jax.lax.reduce_precision(side, exponent_bits=8, mantissa_bits=7) for side in (left, right)))

    return {"float32": exact, "native": native, "rounded": rounded}


def time_product(sizes: dict[str, int], form: str) -> dict[str, float]:
    """Median GFLOP/s of each product, rounding included."""
    import jax

    sizes = {**sizes, "b": BATCH}
    shapes = [tuple(sizes[axis] for axis in side) for side in form.split(",")]
    sides = [jax.random.normal(jax.random.key(number), shape) for number, shape in enumerate(shapes)]
    compiled = {name: jax.jit(product).lower(*sides).compile() for name, product in products(form).items()}
    seconds: dict[str, list[float]] = {name: [] for name in compiled}
    for _ in range(FLAGS.rounds):
        for name, product in compiled.items():
            clock = time.perf_counter()
            product(*sides).block_until_ready()
            seconds[name].append(time.perf_counter() - clock)
    operations = 2 * math.prod(sizes[axis] for axis in {*form} - {","})
    return {name: round(1e-9 * operations / statistics.median(each), 1) for name, each in seconds.items()}


if __name__ == "__main__":
    app.run(main)
