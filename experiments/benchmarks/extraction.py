"""An extraction beside its encoders alone in a bare loop, as JSON: seconds of each, and their ratio.

The bare loop takes the same batches, of images that are decoded already and captions in memory: no thread, no file, no
check. `decode` is what decoding takes by itself. Each is timed in turn, `--repeats` times; the least counts. `cpu_` is
the time of all threads on all cores, which other programs on the machine disturb less.
"""

import json
import os
import tempfile
import time
from collections.abc import Callable
from itertools import islice

from absl import app, flags, logging

from ccalign_jax.encoders import Encoder
from ccalign_jax.extraction import plan_extraction, run_extraction
from ccalign_jax.options import ExtractConfig

flags.DEFINE_string("images", None, "a folder of photographs", required=True)
flags.DEFINE_string("captions", None, "their captions", required=True)
flags.DEFINE_string("text_encoder", "use-m3", "of the captions")
flags.DEFINE_string("image_encoder", "efficientnet-lite2", "of the photographs")
flags.DEFINE_integer("repeats", 2, "of every measurement")
FLAGS = flags.FLAGS


def main(argv: list[str]) -> None:
    """Prepare, then time the bare loops and the extraction in turn."""
    del argv
    logging.set_verbosity(logging.WARNING)
    config = ExtractConfig(
        images=FLAGS.images,
        captions=FLAGS.captions,
        text_encoder=FLAGS.text_encoder,
        image_encoder=FLAGS.image_encoder,
    )
    plan = plan_extraction(config)
    items = list(plan.source.items())
    decode = seconds(lambda: [plan.image.prepare(item.image) for item in items])
    images = [plan.image.prepare(item.image) for item in items]
    captions = {text for item in items for several in item.captions.values() for text in several if text.strip()}
    texts = sorted(map(plan.text.prepare, captions), key=plan.text.length, reverse=True)
    loop(plan.text, texts[:8], 8)  # the first call allocates
    loop(plan.image, images[:8], 8)
    found: dict[str, float] = {"decode": decode[0], "cpu_decode": decode[1]}
    for _ in range(FLAGS.repeats):
        timed = {
            "bare_text": seconds(lambda: loop(plan.text, texts, config.batch_captions)),
            "bare_images": seconds(lambda: loop(plan.image, images, config.batch_images)),
        }
        with tempfile.TemporaryDirectory() as folder:
            timed["extraction"] = seconds(lambda folder=folder: run_extraction(plan, folder))
        measured = {name: wall for name, (wall, _) in timed.items()}
        measured |= {f"cpu_{name}": cpu for name, (_, cpu) in timed.items()}
        found |= {name: min(value, found.get(name, value)) for name, value in measured.items()}
    for kind in ("", "cpu_"):
        found[f"{kind}ratio"] = found[f"{kind}extraction"] / (found[f"{kind}bare_text"] + found[f"{kind}bare_images"])
    rounded = {name: round(value, 3) for name, value in found.items()}
    counts = {"images": len(items), "distinct_captions": len(texts)}
    print(json.dumps({**counts, **rounded, "load": os.getloadavg()}))


def loop(encoder: Encoder, items: list, size: int) -> None:
    """The encoder on batches, one after the other."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        encoder.replicas[0](encoder.collate(batch))


def seconds(run: Callable[[], object]) -> tuple[float, float]:
    """What a call takes, by the clock, and of all cores together."""
    start, busy = time.perf_counter(), time.process_time()
    run()
    return time.perf_counter() - start, time.process_time() - busy


if __name__ == "__main__":
    app.run(main)
