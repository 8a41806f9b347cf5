"""Write a learned map in a format of other programs.

ccalign export --checkpoint=runs/mine/best --to=onnx --out=exported
ccalign export --checkpoint=runs/mine/best --to=safetensors --language=de --out=exported
ccalign export --checkpoint=runs/mine/best --to=sentence-transformers --text_encoder=ORG/NAME --out=model
ccalign export --to=list
"""

from pathlib import Path

from absl import flags

from ccalign_jax.cli.lists import listed
from ccalign_jax.cli.runner import start_jax

FLAGS = flags.FLAGS
MOST_NAMED = 12  # files


def define_flags() -> None:
    """Define the flags that `main` reads."""
    flags.DEFINE_string("checkpoint", None, "the map: RUN/best, or the seed study's .pt")
    flags.DEFINE_string("to", None, "a format; 'list' prints all")
    flags.DEFINE_string("out", None, "the folder to write, or the file for formats of one file")
    flags.DEFINE_string(
        "language", None, "language of the captions, where the map has a part of its own for each [all]"
    )
    flags.DEFINE_enum("side", None, ["captions", "images"], "the map of one side alone [both]")
    flags.DEFINE_string("index", None, "a filled faiss index of images, to stand behind the map of its queries")
    flags.DEFINE_string(
        "text_encoder", None, "encoder of the captions, as for extract; sentence-transformers alone [of the run]"
    )
    flags.DEFINE_string(
        "image_encoder", None, "encoder of the images, or 'none'; sentence-transformers alone [of the run]"
    )
    flags.DEFINE_string("data", None, "the folder of extract that the map was learned from [that of the run]")
    flags.DEFINE_bool("overwrite", False, "replace what an earlier export wrote to --out")


def main() -> Path | None:
    """Check, export, print."""
    if listed():
        return None
    from ccalign_jax.errors import InputError
    from ccalign_jax.exporting import export
    from ccalign_jax.runs.output import output_path

    for name in ("checkpoint", "to", "out"):
        if FLAGS[name].value is None:
            raise InputError(f"--{name} is missing; give it, or --to=list for the formats")
    out = output_path(FLAGS.out)
    start_jax()
    done = export(
        FLAGS.checkpoint,
        to=FLAGS.to,
        out=out,
        language=FLAGS.language,
        side=FLAGS.side,
        overwrite=FLAGS.overwrite,
        index=FLAGS.index,
        text_encoder=FLAGS.text_encoder,
        image_encoder=FLAGS.image_encoder,
        data=FLAGS.data,
    )
    for note in done.notes:
        print(f"note: {note}")
    names = ", ".join(file.name for file in done.files) if len(done.files) <= MOST_NAMED else f"{len(done.files)} files"
    print(f"{FLAGS.checkpoint} exported to {done.path}: {names}")
    return done.path
