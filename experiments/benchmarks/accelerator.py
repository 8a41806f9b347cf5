"""An accelerator's sizes in one command: the seed sweep, losses of large batches, ranks of a million, shares of peak.

    python experiments/benchmarks/accelerator.py --out=runs/accelerator                   # on a GPU or TPU
    python experiments/benchmarks/accelerator.py --out=runs/small --images=100 --pairs=2048 --rows=4096 --square=1024

Each part is a command of its own, which is printed first, so that none finds memory in use. A share is of what one
large square product reaches on the same device at the same precision. `accelerator.json` names the device.
"""

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

from absl import app, flags

flags.DEFINE_string("out", None, "folder for accelerator.json and what the parts write", required=True)
flags.DEFINE_integer("images", None, "of the seed sweep [all]", lower_bound=10)
flags.DEFINE_list("pairs", ["65536", "262144"], "batches of the losses")
flags.DEFINE_integer("tile", 8192, "captions and images a tile of the losses", lower_bound=1)
flags.DEFINE_integer("rows", 1_000_000, "queries, and as many items, of the ranks", lower_bound=1)
flags.DEFINE_integer("memory", 2**34, "bytes that blocks of the ranks' rows may take", lower_bound=1)
flags.DEFINE_integer("square", 16_384, "rows and columns of the product that shares are of", lower_bound=1)
FLAGS = flags.FLAGS

# What a product of matrices is asked for: all bits of float32, what the device takes for float32, bfloat16.
PRECISIONS = {"exact": ("float32", "highest"), "usual": ("float32", "default"), "bfloat16": ("bfloat16", "default")}


class Part(NamedTuple):
    """A command that writes JSON, the key of its products' speed there, and their precision."""

    name: str
    command: list[str]
    rates: dict[str, str]


def main(argv: list[str]) -> None:
    """Run every part, then the products, and set them beside each other."""
    del argv
    out = Path(FLAGS.out)
    out.mkdir(parents=True, exist_ok=True)
    every = all_parts(out)
    parts = {part.name: run(part, out) for part in every}
    found = {**products(), "parts": parts, "shares": {}}
    for part in every:
        for place, precision in part.rates.items():
            if (rate := look_up(parts[part.name], place)) is not None:
                found["shares"][f"{part.name}, {place}"] = rate / found["product_gflop_per_s"][precision]
    text = json.dumps(found, indent=1)
    (out / "accelerator.json").write_text(text, encoding="utf-8")
    print(text)
    if lost := [name for name, result in parts.items() if "failed" in result]:
        sys.exit(f"error: without a result: {', '.join(lost)}; their last lines are in {out / 'accelerator.json'}")


def all_parts(out: Path) -> list[Part]:
    """The sweep, the losses in two precisions, the ranks."""
    sweep = [f"--out={out / 'sweep'}"] + ([f"--limit={FLAGS.images}"] if FLAGS.images else [])
    parts = [Part("seed sweep", ["seed_sweep.py", *sweep], {"parts/fits/gflop_per_s": "usual"})]
    for pairs in FLAGS.pairs:
        for dtype, precision in (("float32", "usual"), ("bfloat16", "bfloat16")):
            command = ["tiled_loss.py", f"--batch={pairs}", f"--tile={FLAGS.tile}", f"--dtype={dtype}"]
            place = f"batches/{pairs}/tiles of {FLAGS.tile}/gflop_per_s"
            parts.append(Part(f"loss of {pairs}, {dtype}", command, {place: precision}))
    ranks = [f"--queries={FLAGS.rows}", f"--gallery={FLAGS.rows}", f"--memory={FLAGS.memory}", "--dtype=float16"]
    command = ["large_ranks.py", *ranks, "--rounds=1", "--faiss=false", f"--folder={out}"]
    return [*parts, Part("ranks", command, {"gflop_per_s/ranks": "exact"})]


def run(part: Part, out: Path) -> dict[str, Any]:
    """Result of a part; the end of its output where it failed."""
    result = out / f"{part.name.replace(',', '').replace(' ', '_')}.json"
    script, *settings = part.command
    command = [sys.executable, str(Path(__file__).with_name(script)), *settings, f"--json={result}"]
    print(" ".join(command), flush=True)
    clock = time.perf_counter()
    done = subprocess.run(command, capture_output=True, encoding="utf-8")
    print(f"{part.name}: {time.perf_counter() - clock:.1f} s", flush=True)
    if done.returncode:
        return {"failed": done.stderr.strip().splitlines()[-3:]}
    return json.loads(result.read_text(encoding="utf-8"))


def products() -> dict[str, Any]:
    """The device, and what a large square product reaches on it."""
    import jax
    import jax.numpy as jnp

    rates = {}
    for name, (dtype, precision) in PRECISIONS.items():
        square = jnp.ones((FLAGS.square, FLAGS.square), dtype)
        multiply = jax.jit(lambda one, precision=precision: jnp.matmul(one, one, precision=precision))
        seconds = []
        for _ in range(6):
            clock = time.perf_counter()
            multiply(square).block_until_ready()
            seconds.append(time.perf_counter() - clock)
        rates[name] = 2 * FLAGS.square**3 / 1e9 / statistics.median(seconds[1:])
    device = jax.devices()[0]
    return {
        "device": device.device_kind,
        "devices": jax.device_count(),
        "jax": jax.__version__,
        "product_gflop_per_s": rates,
    }


def look_up(tree: Any, place: str) -> float | None:
    """Value at a/b/c of nested dictionaries, or None."""
    for key in place.split("/"):
        if not isinstance(tree, dict) or key not in tree:
            return None
        tree = tree[key]
    return tree


if __name__ == "__main__":
    app.run(main)
