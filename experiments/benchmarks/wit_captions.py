"""Captions of a generated file as large as WIT's: seconds, lines a second and peak memory of build_wit.py, as JSON.

Lines are short (some 400 bytes; WIT's have 2,200): what is measured is how memory grows with lines, images and groups.
"""

import gzip
import json
import os
import random
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from absl import app, flags

flags.DEFINE_string("folder", None, "for the file, some 30 MB a million lines, and the captions", required=True)
flags.DEFINE_integer("lines", 5_000_000, "of the file")
flags.DEFINE_integer("min_languages", 9, "as in build_wit.py; 1 keeps all lines of the nine languages")
FLAGS = flags.FLAGS

LANGUAGES = ["ar", "de", "en", "es", "fr", "it", "ja", "pt", "zh", "ru", "nl", "pl", "sv"]
COLUMNS = (
    "language page_url image_url page_title section_title hierarchical_section_title caption_reference_description "
    "caption_attribution_description caption_alt_text_description mime_type original_height original_width "
    "is_main_image attribution_passes_lang_id page_changed_recently context_page_description "
    "context_section_description"
)
BLOCK = 100_000  # lines, shuffled


def main(argv: list[str]) -> None:
    """Write the file unless it is there, then time the script in a process of its own."""
    del argv
    folder = Path(FLAGS.folder)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"wit-{FLAGS.lines}.tsv.gz"
    if not path.exists():
        write(path, FLAGS.lines)
    script = Path(__file__).resolve().parents[1] / "build_wit.py"
    options = [f"--tsv={path}", f"--out={folder / 'out'}", f"--min_languages={FLAGS.min_languages}"]
    start = time.perf_counter()
    subprocess.run([sys.executable, str(script), *options, "--noimages", "--overwrite"], check=True, stdout=sys.stderr)
    seconds = time.perf_counter() - start
    counts = json.loads((folder / "out" / "build.json").read_text("utf-8"))["counts"]
    found = {
        "lines": FLAGS.lines,
        "images": counts["images"],
        "seconds": round(seconds, 1),
        "lines_a_second": round(FLAGS.lines / seconds),
        "peak_MB": round(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1000),
        "load": os.getloadavg(),
    }
    print(json.dumps(found))


def write(path: Path, lines: int) -> None:
    """A file of so many lines."""
    draft, source, shuffle = path.with_suffix(".draft"), uses(), random.Random(0)
    with gzip.open(draft, "wt", compresslevel=1, encoding="utf-8") as file:
        file.write("\t".join(COLUMNS.split()) + "\n")
        for first in range(0, lines, BLOCK):
            block = [next(source) for _ in range(min(BLOCK, lines - first))]
            shuffle.shuffle(block)
            file.write("".join(block))
    draft.replace(path)


def uses() -> Iterator[str]:
    """Uses of images on pages, without end: a twentieth in all languages, others in one to six; 60 share a page."""
    choose, context = random.Random(1), "context of the page " * 6
    image = 0
    while True:
        image += 1
        languages = LANGUAGES if image % 20 == 0 else choose.sample(LANGUAGES, choose.randint(1, 6))
        for language in languages:
            yield (
                f"{language}\thttps://{language}.wikipedia.org/wiki/Page_{image // 60}\t"
                f"https://upload.wikimedia.org/wikipedia/commons/{image % 16:x}/{image % 256:02x}/Image_{image}.jpg\t"
                f"Page {image // 60}\tSection\tPage / Section\tcaption of {image} in {language}\t"
                f'attribution of "{image}"\t\timage/jpeg\t600\t800\tfalse\ttrue\ttrue\t{context}\t\n'
            )


if __name__ == "__main__":
    app.run(main)
