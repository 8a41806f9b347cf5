"""Score a data set, untouched and through a checkpoint: retrieval both ways, every language."""

from pathlib import Path

from _script import run
from absl import flags

flags.DEFINE_string("data", None, "an .npz, a folder of .pt shards, or 'synthetic'", required=True)
flags.DEFINE_string("checkpoint", None, "a checkpoint, such as RUN/best; without it the data alone are scored")
flags.DEFINE_string("split", "all", "an official split of the data, such as test, or all")
flags.DEFINE_list("languages", None, "use these languages only")
flags.DEFINE_string("out", None, "folder for summary.json and tables; by default they are printed alone")
flags.DEFINE_bool("overwrite", False, "replace the files in --out")
FLAGS = flags.FLAGS


def main() -> None:
    """Check, score, print, write."""
    from ccalign_jax.checkpoints import load_aligner
    from ccalign_jax.errors import InputError
    from ccalign_jax.reporting import evaluation_table, print_table, to_latex, to_markdown
    from ccalign_jax.study import evaluate, read_data, take_split
    from ccalign_jax.study.folder import CONFIG, SUMMARY, write_json

    out = None if FLAGS.out is None else Path(FLAGS.out)
    if out is not None and (out / CONFIG).exists():
        raise InputError(f"{out}: holds a sweep, whose summary this would replace; give another --out")
    if out is not None and (out / SUMMARY).exists() and not FLAGS.overwrite:
        raise InputError(f"{out}: holds a {SUMMARY} already; give --overwrite or another --out")
    checkpoint = None if FLAGS.checkpoint is None else load_aligner(FLAGS.checkpoint)
    data = take_split(read_data(FLAGS.data, languages=FLAGS.languages), FLAGS.split)
    for note in data.notes:
        print(f"note: {note}")
    if data.d_text != data.d_image:
        print(
            f"note: captions have {data.d_text} dimensions, images {data.d_image}: identity cuts or pads, near chance"
        )
    summary = evaluate(data, checkpoint)
    summary["split"] = FLAGS.split
    table = evaluation_table(summary)
    if out is not None:
        (out / "tables").mkdir(parents=True, exist_ok=True)
        (out / "tables" / "evaluation.md").write_text(to_markdown(table), encoding="utf-8")
        (out / "tables" / "evaluation.tex").write_text(to_latex(table), encoding="utf-8")
        write_json(out / SUMMARY, summary)
    print_table(table)


if __name__ == "__main__":
    run(main)
