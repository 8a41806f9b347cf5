"""Score a data set as it is and through a map: retrieval, score corrections, diagnostics, plots."""

from pathlib import Path

from absl import flags

from ccalign_jax.cli.figures import asked_figures, define_figures
from ccalign_jax.cli.runner import start_jax

FLAGS = flags.FLAGS


def define_flags() -> None:
    """Define the flags that `main` reads."""
    flags.DEFINE_string(
        "data", None, "a file or folder of embeddings, in any form of docs/data.md, or 'synthetic'", required=True
    )
    flags.DEFINE_string(
        "checkpoint", None, "a map: RUN/best, or the seed study's .pt; without it the data alone are scored"
    )
    flags.DEFINE_string("split", "all", "an official split of the data, such as test; seed:0 … seed:4; or all")
    flags.DEFINE_list("languages", None, "use these languages only")
    flags.DEFINE_list(
        "tasks", None, "between languages: t2t, via_image, via_image_soft, via_image_oracle, or none [all]"
    )
    flags.DEFINE_alias("routes", "tasks")  # the former name
    flags.DEFINE_bool("scores", True, "also rank by scores without parameters, such as CSLS")
    flags.DEFINE_bool("diagnostics", True, "also describe the sets and the map")
    flags.DEFINE_bool("nulls", False, "also say what the paired diagnostics read by chance: 200 permutations")
    define_figures()
    flags.DEFINE_string("out", None, "folder for everything that is found [runs/evaluation-DATA-SPLIT-TIME]")
    flags.DEFINE_bool("overwrite", False, "replace the evaluation in --out")


def main() -> Path | None:
    """Check, score, write, print."""
    from ccalign_jax.errors import InputError
    from ccalign_jax.evaluation import evaluate, read_map, take_split
    from ccalign_jax.evaluation.write import write_evaluation
    from ccalign_jax.metrics import PAIR_TASKS
    from ccalign_jax.reporting import EVALUATION, evaluation_headline, make_tables, print_table, progress_bar
    from ccalign_jax.runs.kinds import EVALUATION_FOLDER
    from ccalign_jax.runs.output import default_path
    from ccalign_jax.runs.store import Store
    from ccalign_jax.study import read_data

    tasks = PAIR_TASKS if FLAGS.tasks is None else [name for name in FLAGS.tasks if name not in ("", "none")]
    if unknown := [name for name in tasks if name not in PAIR_TASKS]:
        raise InputError(f"--tasks={unknown[0]}: there are {', '.join(PAIR_TASKS)} and none")
    figures = asked_figures()
    name = f"evaluation-{Path(FLAGS.data).stem}-{FLAGS.split.replace(':', '')}"
    with Store(FLAGS.out or default_path(name), EVALUATION_FOLDER, new=FLAGS.out is None) as store:
        store.acquire(overwrite=FLAGS.overwrite)
        start_jax()
        checkpoint = None if FLAGS.checkpoint is None else read_map(FLAGS.checkpoint)
        data, rest = take_split(read_data(FLAGS.data, languages=FLAGS.languages), FLAGS.split)
        for note in data.notes:
            print(f"note: {note}")
        with progress_bar("steps") as progress:
            found = evaluate(
                data,
                checkpoint,
                bank=rest,
                tasks=tasks,
                scores=FLAGS.scores,
                diagnostics=FLAGS.diagnostics,
                nulls=FLAGS.nulls,
                progress=progress,
            )
        found.summary["split"] = FLAGS.split
        write_evaluation(store, found, figures)
    for note in found.summary["notes"]:
        print(f"note: {note}")
    tables = make_tables(EVALUATION, found.summary)
    for name in ("retrieval", "text_to_text", "scores", "diagnostics", "map"):
        if name in tables:
            print_table(tables[name])
            print()
    for sentence in evaluation_headline(found.summary):
        print(sentence)
    print(f"everything: {store.path}/report.html")
    return store.path
