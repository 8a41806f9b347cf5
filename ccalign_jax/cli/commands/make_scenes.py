"""Draw scenes, with correct captions in nine languages: raw data without licence restrictions.

ccalign make_scenes --out=scenes              # scenes/images/*.png and scenes/captions.jsonl
ccalign make_scenes --out=scenes --count=1000 --size=128 --captions=2 --languages=de,ja
"""

from pathlib import Path
from typing import Any

from absl import flags

FLAGS = flags.FLAGS


def define_flags() -> None:
    """Define the flags that `main` reads."""
    flags.DEFINE_string("out", None, "a new or empty folder", required=True)
    flags.DEFINE_integer("count", 300, "images; a larger set begins with the smaller one of the same seed")
    flags.DEFINE_integer("seed", 0, "seed of the sample")
    flags.DEFINE_integer("size", 256, "side of the images, in pixels")
    flags.DEFINE_integer("captions", 1, "captions of each image and language: 1, or 2 for a short one, too")
    flags.DEFINE_list("languages", None, "languages of the captions [all nine]")
    flags.DEFINE_bool("overwrite", False, "replace the scenes in --out")


def main() -> Path:
    """Draw, write, say where."""
    from ccalign_jax.scenes import LANGUAGES, make_scenes

    languages = FLAGS.languages or LANGUAGES
    options: dict[str, Any] = {name: FLAGS[name].value for name in ("count", "seed", "size", "captions", "overwrite")}
    table = make_scenes(FLAGS.out, languages=languages, **options)
    print(f"{FLAGS.count} images in {table.parent / 'images'}, their captions in {len(languages)} languages: {table}")
    return table
