"""Time the intervals and tests of one trial against identity: 10,000 replicates of 9 languages x 2,770 images.

    python experiments/benchmarks/intervals.py
    python experiments/benchmarks/intervals.py --medians      # median ranks, too, in 1,000 replicates

Every metric, both directions and their mean, every language; replicates and signs are drawn anew in each run.
"""

import json
import statistics
import time
from pathlib import Path

from absl import app, flags

flags.DEFINE_integer("languages", 9, "languages, one caption an image each", lower_bound=1)
flags.DEFINE_integer("images", 2770, "images", lower_bound=5)
flags.DEFINE_integer("folds", 5, "parts that the images are ranked in", lower_bound=1)
flags.DEFINE_bool("medians", False, "also median ranks")
flags.DEFINE_integer("runs", 5, "timed runs", lower_bound=1)
flags.DEFINE_string("json", None, "also write the results into this file")
FLAGS = flags.FLAGS


def main(argv: list[str]) -> None:
    """Draw ranks of two arms once, then time everything that is made of them."""
    del argv
    import numpy as np

    from ccalign_jax.measurement.inference import bounds, change_tests
    from ccalign_jax.measurement.measure import Measurement, measure
    from ccalign_jax.measurement.metric_replicates import minus_replicates, replicate_metrics
    from ccalign_jax.measurement.replicates import draw_replicates
    from ccalign_jax.metrics import Ranks
    from ccalign_jax.training import Part

    rng = np.random.default_rng(0)
    languages = [f"l{number}" for number in range(FLAGS.languages)]

    def ranks(count: int) -> Ranks:
        better = rng.geometric(0.4, count) - 1
        reciprocal = 1 / (better + 1)
        gain = np.where(better < 10, 1 / np.log2(better + 2), 0)
        return Ranks(better, np.zeros(count, int), np.ones(count, int), reciprocal, reciprocal, gain)

    def arm() -> list[Measurement]:
        folds = []
        for images in np.array_split(np.arange(FLAGS.images), FLAGS.folds):
            places = np.arange(len(images))
            many = len(languages)
            part = Part(images, (places,) * many, (places,) * many, (places[:, None],) * many)
            found = tuple((ranks(len(images)), ranks(len(images))) for _ in languages)
            folds.append(measure(found, part, languages))
        return folds

    mine, base = arm(), arm()
    seconds: dict[str, list[float]] = {name: [] for name in ("weights", "replicates", "intervals", "tests", "all")}
    for run in range(FLAGS.runs):
        clock = [time.perf_counter()]
        drawn = draw_replicates(np.arange(FLAGS.images), seed=run)
        drawn = drawn if FLAGS.medians else drawn._replace(medians=0)
        clock.append(time.perf_counter())
        levels = [replicate_metrics(folds, drawn) for folds in (mine, base)]
        changes = minus_replicates(*levels)
        clock.append(time.perf_counter())
        for each in levels:
            bounds(each, "level")
        bounds(changes, "change")
        clock.append(time.perf_counter())
        change_tests(changes, drawn)
        clock.append(time.perf_counter())
        for name, value in zip(seconds, [*np.diff(clock), clock[-1] - clock[0]], strict=True):
            seconds[name].append(float(value))
    result = {
        "languages": FLAGS.languages,
        "images": FLAGS.images,
        "replicates": len(drawn.weights),
        "flips": len(drawn.signs),
        "medians": drawn.medians,
        "seconds": {name: round(statistics.median(values), 3) for name, values in seconds.items()},
    }
    print(json.dumps(result, indent=1))
    if FLAGS.json is not None:
        Path(FLAGS.json).write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    app.run(main)
