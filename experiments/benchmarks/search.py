"""Seconds until one query is answered among many rows, by how the rows are held, with and without faiss.

python experiments/benchmarks/search.py           # a million rows of 512 numbers; takes 1 GB of disk and 4 of memory
"""

import tempfile
import time
from pathlib import Path

from absl import app, flags

flags.DEFINE_integer("rows", 1_000_000, "that are searched", lower_bound=200)
flags.DEFINE_integer("width", 512, "of rows", lower_bound=1)
flags.DEFINE_integer("queries", 20, "one after the other", lower_bound=1)
flags.DEFINE_integer("top", 100, "nearest rows of each", lower_bound=1)
flags.DEFINE_string("folder", None, "where the rows are put; by default a temporary one")
FLAGS = flags.FLAGS
CHUNK = 50_000


def main(argv: list[str]) -> None:
    """Write rows, index them in each way, and time queries."""
    del argv
    import importlib.util

    import numpy as np

    from ccalign_jax.search import SearchIndex

    random = np.random.default_rng(0)
    queries = random.standard_normal((FLAGS.queries, 1, FLAGS.width)).astype(np.float32)
    print(
        f"{FLAGS.rows:,} rows of {FLAGS.width}, the {FLAGS.top} nearest; seconds: index, then median and longest query"
    )
    with tempfile.TemporaryDirectory(dir=FLAGS.folder) as folder:
        path = Path(folder, "rows.npy")
        rows = np.lib.format.open_memmap(path, "w+", np.float16, (FLAGS.rows, FLAGS.width))
        for start in range(0, FLAGS.rows, CHUNK):
            rows[start : start + CHUNK] = random.standard_normal(
                (len(rows[start : start + CHUNK]), FLAGS.width), np.float32
            )
        rows.flush()
        mapped = np.load(path, mmap_mode="r")
        holds = {
            "float16, memory-mapped": lambda: mapped,
            "float16, in memory": lambda: np.array(mapped),
            "float32, in memory": lambda: np.asarray(mapped, np.float32),
        }
        first = None
        for name, load in holds.items():
            held = load()
            for faiss in (False, True) if importlib.util.find_spec("faiss") else (False,):
                began = time.perf_counter()
                index = SearchIndex(held, faiss=faiss)
                built, times, found = time.perf_counter() - began, [], []
                index.search(queries[0], FLAGS.top)  # compiles
                for query in queries:
                    began = time.perf_counter()
                    found.append(index.search(query, FLAGS.top).rows[0])
                    times.append(time.perf_counter() - began)
                first = found if first is None else first
                pairs = zip(first, found, strict=True)
                same = np.mean([len(np.intersect1d(*pair)) / FLAGS.top for pair in pairs])
                how = f"{name:<24} {'faiss' if faiss else 'tiles'}"
                said = f"{built:5.1f} {np.median(times):.2f} {max(times):.2f}"
                print(f"{how}: {said}, the same {100 * same:.1f} %", flush=True)


if __name__ == "__main__":
    app.run(main)
