"""Time of every closed form, its whole path from the captions on, on random unit rows.

    python experiments/benchmarks/closed_forms.py                                  # 2,000 images, 5 languages, 512 wide
    python experiments/benchmarks/closed_forms.py --images=25000 --languages=2

CPU seconds of all cores are printed beside those of the clock: decompositions use as many cores as there are.
"""

import json
import time
from pathlib import Path

from absl import app, flags

flags.DEFINE_integer("images", 2_000, "images, each with a caption in every language", lower_bound=2)
flags.DEFINE_integer("languages", 5, "languages", lower_bound=2)
flags.DEFINE_integer("width", 512, "of captions and images", lower_bound=1)
flags.DEFINE_string("json", None, "also write the results into this file")
FLAGS = flags.FLAGS


def main(argv: list[str]) -> None:
    """Solve each form once, and print its seconds."""
    del argv
    import numpy as np

    from ccalign_jax.solvers.closed_forms import CLOSED_FORMS
    from ccalign_jax.solvers.paths import Pairs

    rng = np.random.default_rng(0)

    def unit(rows):
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    shape = (FLAGS.images, FLAGS.width)
    image = unit(rng.standard_normal(shape, np.float32))
    noise = np.float32(1 / np.sqrt(FLAGS.width)) * rng.standard_normal((FLAGS.languages, *shape), np.float32)
    text = tuple(unit(image + one) for one in noise)
    owners, weights = (np.arange(FLAGS.images),) * FLAGS.languages, (np.ones(FLAGS.images),) * FLAGS.languages
    masks = np.ones((FLAGS.languages + 1, FLAGS.images), bool)
    pairs = Pairs(text, owners, (image,) * FLAGS.languages, weights, (*text, image), masks)
    seconds = {}
    for name, form in CLOSED_FORMS.items():
        clock, cpu = time.perf_counter(), time.process_time()
        form.path(pairs, penalty=1.0)
        seconds[name] = {"clock": time.perf_counter() - clock, "cpu": time.process_time() - cpu}
    found = json.dumps({"shape": f"{FLAGS.languages} x {FLAGS.images} x {FLAGS.width}", "seconds": seconds}, indent=1)
    print(found)
    if FLAGS.json:
        Path(FLAGS.json).write_text(found, encoding="utf-8")


if __name__ == "__main__":
    app.run(main)
