"""Measure shorter rows: recall by width, by reduction, and as float32, int8 or single bits.

ccalign shorten --data=embeddings.npz                               # rows as they are
ccalign shorten --checkpoint=runs/mine/best                         # rows after the map, on images that it has not seen
ccalign shorten --data=embeddings.npz --widths=256,128,64 --accept=0.02
"""

from __future__ import annotations

from pathlib import Path

from absl import flags

from ccalign_jax.cli.runner import start_jax

FLAGS = flags.FLAGS


def define_flags() -> None:
    """Define the flags that `main` reads."""
    flags.DEFINE_string("data", None, "embeddings, in any form of docs/data.md, or 'synthetic' [the data of RUN]")
    flags.DEFINE_string("checkpoint", None, "a map: RUN/best, or the seed study's .pt; without it the rows as they are")
    flags.DEFINE_list("languages", None, "use these languages only")
    flags.DEFINE_list("widths", None, "numbers of a row [a half, a quarter, …, down to 16]")
    flags.DEFINE_float("accept", 0.01, "loss of R@1, mean of both directions, that is accepted", lower_bound=0.0)
    flags.DEFINE_integer("seed", 0, "seed of folds and bootstrap replicates", lower_bound=0)
    flags.DEFINE_string("out", None, "folder for everything that is found [runs/shortening-DATA-TIME]")
    flags.DEFINE_bool("overwrite", False, "replace the shortening in --out")


def main() -> Path | None:
    """Check, measure, write, print."""
    from ccalign_jax.errors import InputError
    from ccalign_jax.evaluation import shorten
    from ccalign_jax.evaluation.write_shortening import write_shortening
    from ccalign_jax.reporting import print_table, progress_bar
    from ccalign_jax.reporting.panels.shortening import shortening_table, shortening_words
    from ccalign_jax.runs.kinds import SHORTENING_FOLDER
    from ccalign_jax.runs.load import data_of_run
    from ccalign_jax.runs.output import default_path
    from ccalign_jax.runs.store import Store
    from ccalign_jax.study import read_data

    if FLAGS.data is None and FLAGS.checkpoint is None:
        raise InputError("--data is missing: give embeddings, or a --checkpoint of a run")
    place = FLAGS.data or data_of_run(FLAGS.checkpoint)
    try:
        widths = [int(width) for width in FLAGS.widths or ()]
    except ValueError:
        raise InputError(f"--widths={','.join(FLAGS.widths)}: give whole numbers") from None
    with Store(
        FLAGS.out or default_path(f"shortening-{Path(place).stem}"), SHORTENING_FOLDER, new=FLAGS.out is None
    ) as store:
        store.acquire(overwrite=FLAGS.overwrite)
        start_jax()
        data = read_data(place, languages=FLAGS.languages)
        with progress_bar("splits") as progress:
            found = shorten(
                data, FLAGS.checkpoint, widths=widths, accept=FLAGS.accept, seed=FLAGS.seed, progress=progress
            )
        write_shortening(store, found)
    for note in data.notes:
        print(f"note: {note}")
    print_table(shortening_table(found.summary))
    print()
    for sentence in shortening_words(found.summary):
        print(sentence)
    print(f"everything: {store.path}")
    return store.path
