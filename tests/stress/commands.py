"""Small inputs of the commands that write folders, and how a user runs and resumes them."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import local_images
import numpy as np

from ccalign_jax.checkpoints import load_tree
from ccalign_jax.data import save, synthetic, write_shards

OUT = "out"
LANGUAGES = ("de", "en")
TIMES = ("timing.json", "manifest.json", "report.html", "unfinished/config.json")  # what tells when a run was
ENCODERS = """
import time
import numpy as np
def text(captions):
    return np.array([[1 + caption.count(letter) for letter in "abdeghinotu"] for caption in captions], float)
def image(images):
    time.sleep(0.02 * len(images))
    return np.array([1 + image.reshape(-1, 3).mean(0) for image in images])
"""
WIT = ["language", "page_url", "image_url", "mime_type", "attribution_passes_lang_id"]
WIT += [f"caption_{kind}_description" for kind in ("reference", "attribution", "alt_text")]


class Command(NamedTuple):
    """A command that writes a folder.

    Attributes:
        name: of the command.
        flags: without `--out`.
        prepare: writes its inputs into a folder.
        pieces: patterns of what is never written again once it is there, until the command is done.
        out: the folder `out`, or one in it.
        program: what Python runs, before the name of the command.
    """

    name: str
    flags: Sequence[str]
    prepare: Callable[[Path], None]
    pieces: Sequence[str] = ()
    out: str = OUT
    program: Sequence[str] = ("-m", "ccalign_jax.cli")

    def start(self, place: Path, *more: str, shell: str = 'exec "$@"') -> subprocess.Popen:
        """The command in a process of its own, by a line of the shell, with the folder `out` in `place`."""
        environment = {**os.environ, "JAX_COMPILATION_CACHE_DIR": str(place.parent / "compiled")}
        python = [sys.executable, *self.program]
        return subprocess.Popen(
            ["sh", "-c", shell, "sh", *python, self.name, *self.flags, f"--out={self.out}", *more],
            cwd=place,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, place: Path, *more: str, shell: str = 'exec "$@"') -> tuple[int, str]:
        """Its exit status, and what it says on stderr."""
        return ended(self.start(place, *more, shell=shell))

    def stored(self, place: Path) -> dict[str, tuple[int, int]]:
        """Inode and time of each finished piece."""
        found = {}
        for pattern in self.pieces:
            with suppress(FileNotFoundError):  # removed meanwhile
                for path in (place / OUT).glob(pattern):
                    if ".draft" not in str(path.relative_to(place)):
                        about = path.stat()
                        found[path.relative_to(place / OUT).as_posix()] = (about.st_ino, about.st_mtime_ns)
        return found


def ended(process: subprocess.Popen) -> tuple[int, str]:
    """Status and stderr of a process, without progress bars."""
    said = process.communicate()[1]
    lines = [line.rpartition("\r")[2].strip() for line in said.splitlines()]
    return process.returncode, "\n".join(line for line in lines if line)


def results(place: Path) -> dict[str, bytes]:
    """The bytes of each file of a folder that does not tell when it was made; of a checkpoint, its parameters."""
    found, out = {}, place / OUT
    for path in sorted(out.rglob("*")):
        name = path.relative_to(out).as_posix()
        if path.is_dir() or name in TIMES or "tree" in path.relative_to(out).parts:
            continue
        found[name] = path.read_bytes()
        if path.name == "checkpoint.json":
            tree, about = load_tree(path.parent)
            found[name] = repr([sorted((key, value) for key, value in about.items() if key != "sha256")]).encode()
            found[name] += b"".join(np.asarray(leaf).tobytes() for _, leaf in sorted(flat(tree).items()))
    return found


def flat(tree: object, name: str = "") -> dict[str, object]:
    """The leaves of nested dicts and lists by their path."""
    if isinstance(tree, dict):
        return {key: leaf for part, each in tree.items() for key, leaf in flat(each, f"{name}/{part}").items()}
    if isinstance(tree, (list, tuple)):
        return flat(dict(enumerate(tree)), name)
    return {name: tree}


def write_data(place: Path) -> None:
    save(place / "data.npz", synthetic(60, languages=LANGUAGES, dimensions=16, seed=1))


def write_pairs(place: Path) -> None:
    random = np.random.default_rng(0)
    image, text = random.standard_normal((2, 20_000, 32)).astype(np.float16)
    rows = (slice(at, at + 2000) for at in range(0, 20_000, 2000))
    write_shards(place / "shards", ({"image": image[some], "text_en": text[some]} for some in rows))


def write_photographs(place: Path) -> None:
    from PIL import Image

    (place / "images").mkdir()
    (place / "mine.py").write_text(ENCODERS)
    random, lines = np.random.default_rng(0), ["image,en,de"]
    for number in range(60):
        Image.fromarray(random.integers(0, 255, (8, 8, 3), np.uint8)).save(place / "images" / f"{number:02d}.png")
        lines.append(f"{number:02d}.png,a dog and {number} birds,ein Hund und {number} V\u00f6gel")
    (place / "captions.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_wit(place: Path, *, images: int = 5000, address: str = "https://images.example.org") -> None:
    for file in range(4):
        lines = ["\t".join(WIT)]
        for number in range(images):
            for language in LANGUAGES:
                url, page = f"{address}/{number}.jpg", f"https://{language}.example.org/{number // 3}"
                text = f"{language} caption {number} of file {file}"
                lines.append("\t".join([language, page, url, "image/jpeg", "true", text, "", ""]))
        (place / f"wit-{file}.tsv").write_text("\n".join(lines) + "\n")


COMMANDS = {
    one.name: one
    for one in (
        Command(
            "sweep",
            ["--data=data.npz", "--quick", "--pivot=image", "--aligners=residual,linear,ridge,procrustes",
             "--losses=mse", "--hyper=epochs=20", "--figures=none"],
            write_data,
            ("unfinished/trials/*.npz",),
        ),
        Command(
            "extract",
            ["--images=images", "--captions=captions.csv", "--text_encoder=mine.py:text",
             "--image_encoder=mine.py:image", "--shard_images=4", "--batch_images=2"],
            write_photographs,
            ("shard-*.safetensors",),
        ),
        Command(
            "align",
            ["--data=shards", "--batch=256", "--epochs=6", "--held=500", "--hyper=learning_rate=0.1"],
            write_pairs,
        ),
        Command(
            "build_wit",
            ["--tsv=wit-*.tsv", f"--languages={','.join(LANGUAGES)}", "--noimages", "--captions=all"],
            write_wit,
            (".parts/*/*.parquet",),
        ),
    )
}  # fmt: skip
COMMANDS["build_wit_images"] = COMMANDS["build_wit"]._replace(
    flags=[
        "--tsv=wit-*.tsv",
        f"--languages={','.join(LANGUAGES)}",
        "--contact=nobody@example.org",
        "--downloader=own",
    ],
    prepare=lambda place: write_wit(place, images=200, address=local_images.serve()),
    pieces=("images/*/*.png",),
    program=(str(Path(local_images.__file__).resolve()),),
)


def prepared(command: Command, root: Path) -> Path:
    """An empty folder, always of the same path, with links to the inputs of a command, which are written once."""
    inputs, place = root / "inputs", root / "work"
    if not inputs.is_dir():
        inputs.mkdir(parents=True)
        command.prepare(inputs)
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    for path in inputs.iterdir():
        (place / path.name).symlink_to(path)
    return place
