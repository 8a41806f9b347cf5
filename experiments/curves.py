"""Where overfitting sets in: along the penalty, from the identity to an unconstrained map, and along the data.

The path takes one map from an infinite penalty to none; the learning curve trains on fewer images. Both report on the
outer folds of a sweep, and choose on their inner ones.
"""

from pathlib import Path

from _lists import listed
from _script import run, start_jax
from absl import flags

WHAT = ("path", "learning")

flags.DEFINE_string("data", "synthetic", "an .npz, a folder of .pt shards, or 'synthetic'")
flags.DEFINE_string("pivot", "image", "what captions align to, for both curves, or 'list'")
flags.DEFINE_alias("pivots", "pivot")
flags.DEFINE_string("aligner", "ridge", "whose path: 'ridge', or 'residual' under a prox penalty")
flags.DEFINE_alias("aligners", "aligner")
flags.DEFINE_string("learning_aligner", "residual", "whose learning curve: any aligner of a sweep, or 'list'")
flags.DEFINE_string("loss", "infonce", "of what is trained, or 'list'")
flags.DEFINE_alias("losses", "loss")
flags.DEFINE_multi_string("hyper", [], "NAME=VALUE[,VALUE]: overrides the settings; may be repeated; or 'list'")
flags.DEFINE_list("sizes", None, "images to train on [an eighth, a quarter, half and all of those there are]")
flags.DEFINE_list("what", list(WHAT), "which curves: path, learning")
flags.DEFINE_integer("folds", 5, "outer folds")
flags.DEFINE_integer("inner_folds", None, "that choose; 1: one part, a third of the work [the other folds in turn]")
flags.DEFINE_list("languages", None, "use these languages only")
flags.DEFINE_integer("limit", None, "use a random so many images: a quick run")
flags.DEFINE_integer("seed", 0, "of folds, subsets, training and replicates")
flags.DEFINE_string("out", None, "folder for the results [runs/curves-DATA-TIME]")
flags.DEFINE_bool("overwrite", False, "replace the curves in --out")
FLAGS = flags.FLAGS


def main() -> Path | None:
    """Check, measure, write, print."""
    if listed():
        return None
    from ccalign_jax.errors import InputError
    from ccalign_jax.reporting import CURVES, make_tables, print_table, progress_bar
    from ccalign_jax.study.config import SweepConfig, plan_folds, prepare_data, read_data
    from ccalign_jax.study.curves import curves_folder, make_curves, write_curves
    from ccalign_jax.study.learning import plan_learning
    from ccalign_jax.study.output_folder import default_path
    from ccalign_jax.study.regularisation import plan_path

    if unknown := [name for name in FLAGS.what if name not in WHAT]:
        raise InputError(f"--what={unknown[0]}: there are {' and '.join(WHAT)}")
    if FLAGS.sizes is not None and "learning" not in FLAGS.what:
        raise InputError("--sizes is of the learning curve; add it to --what, or leave --sizes out")
    sizes = None if FLAGS.sizes is None else [_whole(size) for size in FLAGS.sizes]

    def config(aligner: str) -> SweepConfig:
        return SweepConfig(
            data=FLAGS.data,
            pivots=(FLAGS.pivot,),
            aligners=(aligner,),
            losses=(FLAGS.loss,),
            hyper=tuple(FLAGS.hyper),
            folds=FLAGS.folds,
            languages=None if FLAGS.languages is None else tuple(FLAGS.languages),
            limit=FLAGS.limit,
            seed=FLAGS.seed,
            inner_folds=FLAGS.inner_folds,
        )

    out = FLAGS.out or default_path(f"curves-{Path(FLAGS.data).stem}")
    with curves_folder(out, new=FLAGS.out is None) as folder:
        folder.begin(overwrite=FLAGS.overwrite)
        start_jax()
        asked = config(FLAGS.aligner)
        data = prepare_data(read_data(asked.data, languages=asked.languages), asked)
        folds = plan_folds(data, asked)
        path = plan_path(data, asked, folds) if "path" in FLAGS.what else None
        learning = []
        if "learning" in FLAGS.what:
            learning = plan_learning(data, config(FLAGS.learning_aligner), folds, sizes=sizes)
        curves = make_curves(path=path, learning=learning, bar=progress_bar)
        write_curves(folder, curves)
    for note in curves["notes"]:
        print(f"note: {note}")
    for table in make_tables(CURVES, curves).values():
        print_table(table)
        print()
    print(f"everything: {folder.path}/plots, {folder.path}/tables, {folder.path}/curves.csv")
    return folder.path


def _whole(text: str) -> int:
    from ccalign_jax.errors import InputError

    try:
        return int(text)
    except ValueError:
        raise InputError(f"--sizes={text}: give whole numbers of images, such as --sizes=100,200,400") from None


if __name__ == "__main__":
    run(main)
