"""Plot where overfitting sets in: a regularisation path and a learning curve.

The path takes one map from an infinite penalty to none; the learning curve trains on fewer images. Both report on the
outer folds of a sweep, and choose on their inner ones.
"""

from pathlib import Path

from absl import flags

from ccalign_jax.cli.figures import asked_figures, define_figures
from ccalign_jax.cli.flags import define, given
from ccalign_jax.cli.lists import listed
from ccalign_jax.cli.runner import start_jax
from ccalign_jax.options import SweepConfig

WHAT = ("path", "learning")

FLAGS = flags.FLAGS


def define_flags() -> None:
    """Define the flags that `main` reads."""
    define(SweepConfig, ["data", "hyper", "folds", "inner_folds", "languages", "limit", "seed"])
    flags.DEFINE_string("pivot", "image", "what captions align to, for both curves, or 'list'")
    flags.DEFINE_alias("pivots", "pivot")
    flags.DEFINE_string("aligner", "ridge", "aligner whose path is drawn: 'ridge', or 'residual' under a prox penalty")
    flags.DEFINE_alias("aligners", "aligner")
    flags.DEFINE_string(
        "learning_aligner", "residual", "aligner whose learning curve is drawn: any aligner of a sweep, or 'list'"
    )
    flags.DEFINE_string("loss", "infonce", "the loss of what is trained, or 'list'")
    flags.DEFINE_alias("losses", "loss")
    flags.DEFINE_list("sizes", None, "images to train on [an eighth, a quarter, half and all of those there are]")
    flags.DEFINE_list("what", list(WHAT), "curves to draw: path, learning")
    define_figures()
    flags.DEFINE_string("out", None, "folder for the results [runs/curves-DATA-TIME]")
    flags.DEFINE_bool("overwrite", False, "replace the curves in --out")


def main() -> Path | None:
    """Check, measure, write, print."""
    if listed():
        return None
    from ccalign_jax.errors import InputError
    from ccalign_jax.reporting import CURVES, make_tables, print_table, progress_bar
    from ccalign_jax.runs.kinds import CURVES_FOLDER
    from ccalign_jax.runs.output import default_path
    from ccalign_jax.runs.store import Store
    from ccalign_jax.study.curve_runs import plan_learning, plan_path
    from ccalign_jax.study.curves import make_curves, write_curves
    from ccalign_jax.study.inputs import prepare_data, read_data
    from ccalign_jax.study.plan import plan_folds

    if unknown := [name for name in FLAGS.what if name not in WHAT]:
        raise InputError(f"--what={unknown[0]}: there are {' and '.join(WHAT)}")
    if FLAGS.sizes is not None and "learning" not in FLAGS.what:
        raise InputError("--sizes is of the learning curve; add it to --what, or leave --sizes out")
    figures = asked_figures()
    sizes = None if FLAGS.sizes is None else [_whole(size) for size in FLAGS.sizes]

    def config(aligner: str) -> SweepConfig:
        names = {"pivots": (FLAGS.pivot,), "aligners": (aligner,), "losses": (FLAGS.loss,)}
        return SweepConfig(**given(SweepConfig) | names)

    out = FLAGS.out or default_path(f"curves-{Path(FLAGS.data).stem}")
    with Store(out, CURVES_FOLDER, new=FLAGS.out is None) as store:
        store.acquire(overwrite=FLAGS.overwrite)
        start_jax()
        asked = config(FLAGS.aligner)
        data = prepare_data(read_data(asked.data, languages=asked.languages), asked)
        folds = plan_folds(data, asked)
        path = plan_path(data, asked, folds) if "path" in FLAGS.what else None
        learning = []
        if "learning" in FLAGS.what:
            learning = plan_learning(data, config(FLAGS.learning_aligner), folds, sizes=sizes)
        curves = make_curves(path=path, learning=learning, bar=progress_bar)
        write_curves(store, curves, figures)
    for note in curves.summary["notes"]:
        print(f"note: {note}")
    for table in make_tables(CURVES, curves.summary).values():
        print_table(table)
        print()
    print(f"everything: {store.path}/report.html")
    return store.path


def _whole(text: str) -> int:
    from ccalign_jax.errors import InputError

    try:
        return int(text)
    except ValueError:
        raise InputError(f"--sizes={text}: give whole numbers of images, such as --sizes=100,200,400") from None
