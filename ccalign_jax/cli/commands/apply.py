"""Map a data set through a checkpoint: unit rows in the shared space, as --data reads them.

Rows are float32, and written in the order of the input.
"""

from pathlib import Path

from absl import flags

from ccalign_jax.cli.runner import npz_output, start_jax

FLAGS = flags.FLAGS


def define_flags() -> None:
    """Define the flags that `main` reads."""
    flags.DEFINE_string("checkpoint", None, "a map: RUN/best, or the seed study's .pt", required=True)
    flags.DEFINE_string(
        "data", None, "a file or folder of embeddings, in any form of docs/data.md, or 'synthetic'", required=True
    )
    flags.DEFINE_string("out", None, "the .npz to write", required=True)
    flags.DEFINE_list("languages", None, "use these languages only")
    flags.DEFINE_bool("overwrite", False, "replace --out if it exists")


def main() -> Path:
    """Check, map, write."""
    from ccalign_jax.data import save
    from ccalign_jax.evaluation import apply, read_map
    from ccalign_jax.study import read_data

    out = npz_output(FLAGS.out, overwrite=FLAGS.overwrite)
    start_jax()
    checkpoint = read_map(FLAGS.checkpoint)
    data = read_data(FLAGS.data, languages=FLAGS.languages)
    for note in data.notes:
        print(f"note: {note}")
    mapped = apply(checkpoint, data)
    out.parent.mkdir(parents=True, exist_ok=True)
    save(out, mapped)
    rows = sum(map(len, mapped.text.values()))
    print(f"{checkpoint.about['trial']}: {len(mapped)} images and {rows} captions of {data.name} mapped into {out}")
    return out
