"""Exact ranks in both directions, gallery on disk, beside faiss IndexFlatIP's ten nearest in memory: one run.

    python experiments/benchmarks/large_ranks.py                                   # 10,000 queries, 1,000,000 items
    python experiments/benchmarks/large_ranks.py --queries=4000 --gallery=100000 --rounds=5 --csls

faiss is left out where it is not installed (`pip install faiss-cpu`).
"""

import json
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from absl import app, flags

flags.DEFINE_integer("queries", 10_000, "rows that look for their item", lower_bound=1)
flags.DEFINE_integer("gallery", 1_000_000, "rows to look among", lower_bound=1)
flags.DEFINE_integer("width", 512, "of rows", lower_bound=1)
flags.DEFINE_integer("memory", 2**30, "bytes that blocks of rows may take", lower_bound=1)
flags.DEFINE_enum("dtype", "float32", ["float16", "float32"], "of the rows on disk")
flags.DEFINE_integer("rounds", 3, "each method is timed so often, in turn", lower_bound=1)
flags.DEFINE_bool("faiss", True, "also time faiss, where it is installed")
flags.DEFINE_bool("csls", False, "also time the neighbourhoods that CSLS takes off")
flags.DEFINE_string("folder", None, "where the rows are put; by default a temporary one")
flags.DEFINE_string("json", None, "also write the results into this file")
FLAGS = flags.FLAGS
CHUNK = 65_536


def main(argv: list[str]) -> None:
    """Write rows, time each method in turn, and say how they compare."""
    del argv
    import jax
    import numpy as np

    from ccalign_jax.metrics import recall_at, stream_neighbours, stream_ranks

    with tempfile.TemporaryDirectory(dir=FLAGS.folder) as folder:
        queries, gallery, gold = write_rows(Path(folder))
        products = 2 * FLAGS.queries * FLAGS.gallery * FLAGS.width
        base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        ranks = []
        methods: dict[str, Callable[[], object]] = {
            "ranks": lambda: ranks.append(stream_ranks(queries, gallery, gold, memory=FLAGS.memory)[0])
        }
        if FLAGS.csls:
            methods["neighbourhoods"] = lambda: stream_neighbours(queries, gallery, memory=FLAGS.memory)
        first = timed(methods["ranks"])  # compiles
        seconds: dict[str, list[float]] = {}
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        index = faiss_index(np.asarray(gallery, np.float32)) if FLAGS.faiss else None
        if index is not None:
            rows = np.asarray(queries, np.float32)
            found = []
            back = faiss_index(rows)
            methods["faiss"] = lambda: found.append(index.search(rows, 10)[1])
            methods["faiss_back"] = lambda: back.search(np.asarray(gallery, np.float32), 10)
        for _ in range(FLAGS.rounds):
            for name, method in methods.items():
                seconds.setdefault(name, []).append(timed(method))
                print(f"{name}: {seconds[name][-1]:.1f} s", flush=True)
        results = {
            "shape": f"{FLAGS.queries} x {FLAGS.gallery} x {FLAGS.width}, {FLAGS.dtype}",
            "device": jax.devices()[0].device_kind,
            "first_seconds": first,
            "seconds": {name: statistics.median(each) for name, each in seconds.items()},
            "gflop_per_s": {name: products / 1e9 / statistics.median(each) for name, each in seconds.items()},
            "recall_at_10": float(recall_at(ranks[0], 10).mean()),
            "peak_bytes": 1024 * peak,
            "peak_bytes_before": 1024 * base,
            "memory_flag": FLAGS.memory,
        }
        if index is not None:
            results["faiss_recall_at_10"] = float((found[0] == gold).any(axis=1).mean())
            each = list(zip(seconds["faiss"], seconds["faiss_back"], seconds["ranks"], strict=True))
            results["times_faiss"] = statistics.median(theirs / ours for theirs, _, ours in each)
            results["times_faiss_both_directions"] = statistics.median(
                (one + other) / ours for one, other, ours in each
            )
    text = json.dumps(results, indent=1)
    print(text)
    if FLAGS.json:
        Path(FLAGS.json).write_text(text, encoding="utf-8")


def write_rows(folder: Path):
    """Unit rows on disk, as memory maps, and the item of each query: itself with noise."""
    import numpy as np

    rng = np.random.default_rng(0)
    shape = (FLAGS.gallery, FLAGS.width)
    gallery = np.lib.format.open_memmap(folder / "gallery.npy", mode="w+", dtype=FLAGS.dtype, shape=shape)
    for start in range(0, FLAGS.gallery, CHUNK):
        rows = rng.standard_normal((min(CHUNK, FLAGS.gallery - start), FLAGS.width), np.float32)
        gallery[start : start + CHUNK] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    gallery.flush()
    gold = rng.integers(0, FLAGS.gallery, (FLAGS.queries, 1))
    noise = rng.standard_normal((FLAGS.queries, FLAGS.width), np.float32) / np.sqrt(FLAGS.width)
    queries = np.asarray(gallery[gold[:, 0]], np.float32) + 4.0 * noise
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    np.save(folder / "queries.npy", queries.astype(FLAGS.dtype))
    del gallery
    return np.load(folder / "queries.npy", mmap_mode="r"), np.load(folder / "gallery.npy", mmap_mode="r"), gold


def faiss_index(rows):
    """An exact index of inner products, or None without faiss."""
    try:
        import faiss
    except ImportError:
        print("faiss is not installed; pip install faiss-cpu to compare with it")
        return None
    index = faiss.IndexFlatIP(rows.shape[1])
    index.add(rows)
    return index


def timed(call: Callable[[], object]) -> float:
    """Seconds of a call."""
    clock = time.perf_counter()
    call()
    return time.perf_counter() - clock


if __name__ == "__main__":
    app.run(main)
