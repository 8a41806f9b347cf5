"""Say what scores mean: probabilities of a match, thresholds, sets with guaranteed coverage.

ccalign calibrate --checkpoint=runs/mine/best                        # on images that the map was not trained on
ccalign calibrate --checkpoint=runs/mine/best --data=other.npz --thresholds=0.25,0.3
ccalign calibrate --data=embeddings.npz --gallery=1000000            # without a map, for a larger index
"""

from __future__ import annotations

from pathlib import Path

from absl import flags

from ccalign_jax.cli.runner import start_jax

FLAGS = flags.FLAGS


def define_flags() -> None:
    """Define the flags that `main` reads."""
    flags.DEFINE_string("checkpoint", None, "a map: RUN/best, or the seed study's .pt; without it the data alone")
    flags.DEFINE_string("data", None, "pairs, in any form of docs/data.md [the data of RUN]")
    flags.DEFINE_string("split", "all", "an official split of the data, such as test; or all")
    flags.DEFINE_list("languages", None, "use these languages only")
    flags.DEFINE_float(
        "precision", 0.5, "share of right results above the threshold to find", lower_bound=0.0, upper_bound=1.0
    )
    flags.DEFINE_float(
        "coverage", 0.9, "share of queries whose retrieval set holds the right image", lower_bound=0.0, upper_bound=1.0
    )
    flags.DEFINE_list("thresholds", None, "scores before the map to translate [those with 95, 80 and 50 % recall]")
    flags.DEFINE_integer("gallery", None, "images that will be searched [those of the data]", lower_bound=2)
    flags.DEFINE_string("out", None, "folder for everything that is found [runs/calibration-DATA-TIME]")
    flags.DEFINE_bool("overwrite", False, "replace the calibration in --out")


def main() -> Path | None:
    """Check, score, write, print."""
    from ccalign_jax.errors import InputError
    from ccalign_jax.evaluation import calibrate, take_split
    from ccalign_jax.evaluation.write_calibration import calibration_tables, write_calibration
    from ccalign_jax.reporting import print_table, progress_bar
    from ccalign_jax.reporting.panels.calibration import calibration_words
    from ccalign_jax.runs.kinds import CALIBRATION_FOLDER
    from ccalign_jax.runs.load import data_of_run
    from ccalign_jax.runs.output import default_path
    from ccalign_jax.runs.store import Store
    from ccalign_jax.study import read_data

    if FLAGS.data is None and FLAGS.checkpoint is None:
        raise InputError("--data is missing: give embeddings, or a --checkpoint of a run")
    place = FLAGS.data or data_of_run(FLAGS.checkpoint)
    try:
        thresholds = [float(value) for value in FLAGS.thresholds or ()]
    except ValueError:
        raise InputError(f"--thresholds={','.join(FLAGS.thresholds)}: give numbers") from None
    with Store(
        FLAGS.out or default_path(f"calibration-{Path(place).stem}"), CALIBRATION_FOLDER, new=FLAGS.out is None
    ) as store:
        store.acquire(overwrite=FLAGS.overwrite)
        start_jax()
        data, _ = take_split(read_data(place, languages=FLAGS.languages), FLAGS.split)
        with progress_bar("steps") as progress:
            found = calibrate(
                data,
                FLAGS.checkpoint,
                precision=FLAGS.precision,
                coverage=FLAGS.coverage,
                thresholds=thresholds,
                gallery=FLAGS.gallery,
                progress=progress,
            )
        write_calibration(store, found)
    for note in data.notes:
        print(f"note: {note}")
    for table in calibration_tables(found, languages=False).values():
        print_table(table)
        print()
    for sentence in calibration_words(found.summary):
        print(sentence)
    print(f"everything: {store.path}")
    return store.path
