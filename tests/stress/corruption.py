"""Damages files of runs, checkpoints and embeddings at random: all that changes what is read must be refused.

`python tests/stress/corruption.py 1000` prints counts, and ends with status 1 if any damage went unseen.
"""

import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ccalign_jax.checkpoints import load_tree
from ccalign_jax.data import EmbeddingSet, load, save, synthetic, write_shards
from ccalign_jax.errors import InputError
from ccalign_jax.extraction import extract
from ccalign_jax.manifests import MANIFEST
from ccalign_jax.measurement.measure import IDENTITY
from ccalign_jax.runs.kinds import SWEEP_FOLDER
from ccalign_jax.runs.load import read_run
from ccalign_jax.runs.store import Store
from ccalign_jax.study import sweep

FLIP, CUT, DELETE, EXCHANGE = "byte changed", "cut off", "deleted", "two files exchanged"


class Target(NamedTuple):
    """Files to damage.

    Attributes:
        name: in the counts.
        folder: of the files.
        read: what is read of the folder, to compare with what was read before.
        kinds: of damage.
    """

    name: str
    folder: Path
    read: Callable[[], Any]
    kinds: tuple[str, ...]


def letters(captions: list[str]) -> np.ndarray:
    """An encoder of captions."""
    return np.array([[1 + caption.count(letter) for letter in "adegno0123456789"] for caption in captions], float)


def colours(images: list[np.ndarray]) -> np.ndarray:
    """An encoder of images."""
    return np.array([1 + image.reshape(-1, 3).mean(0) for image in images])


def write_photographs(place: Path) -> None:
    """Twelve photographs and their captions."""
    from PIL import Image

    (place / "images").mkdir(parents=True)
    random, lines = np.random.default_rng(0), ["image,en"]
    for number in range(12):
        Image.fromarray(random.integers(0, 255, (6, 6, 3), np.uint8)).save(place / "images" / f"{number}.png")
        lines.append(f"{number}.png,a dog and {number} geese")
    (place / "captions.csv").write_text("\n".join(lines) + "\n")


def embed(place: Path, **how: bool) -> None:
    """Embed them in shards of five, into the folder `out`."""
    given = {"images": place / "images", "captions": place / "captions.csv", "shard_images": 5}
    extract(**given, text_encoder=letters, image_encoder=colours, out=place / "out", **how)


def make_targets(place: Path) -> list[Target]:
    """A tiny finished sweep, its checkpoint by itself, its data in three formats, and an extraction."""
    data = synthetic(60, languages=("de", "en"), dimensions=8, seed=1)
    run = place / "run"
    hyper = {"epochs": 1, "steps_per_epoch": 1}
    sweep(data, aligners=["residual", "ridge"], hyper=hyper, folds=2, inner_folds=1, diagnostics=False, out=run)
    shutil.copytree(run / "best", place / "alone" / "best")
    embeddings = place / "embeddings" / "data.npz"
    embeddings.parent.mkdir()
    save(embeddings, data)
    rows = {"image": data.image, "text_en": data.text["en"][: len(data)]}
    for form in ("npz", "safetensors"):
        halves = ({key: each[at : at + 30].astype(np.float16) for key, each in rows.items()} for at in (0, 30))
        write_shards(place / form / "shards", halves, form=form)

    def read_finished() -> Any:
        store = Store(run, SWEEP_FOLDER)
        store.acquire(resume=True)  # what --resume does
        files = [file for file in run.rglob("*") if file.is_file() and file.name not in (MANIFEST, ".lock")]
        with store:
            return store.finished, [(file.relative_to(run), file.read_bytes()) for file in sorted(files)]

    def read_ranks() -> Any:
        found = read_run(run)
        names = [IDENTITY, *(one["name"] for one in found.summary["trials"])]
        return [fold.values for name in names for fold in found.measured_folds(name)]

    write_photographs(place / "extraction")
    embed(place / "extraction")

    def read_shards(form: str) -> Callable[[], Any]:
        return lambda: set_arrays(load(place / form / "shards"))

    every = (FLIP, CUT, DELETE, EXCHANGE)
    return [
        Target("run", run, read_finished, every),
        Target("ranks", run / "ranks", read_ranks, every),
        Target("checkpoint", place / "alone" / "best", lambda: load_tree(place / "alone" / "best"), every),
        Target("extraction", place / "extraction/out", lambda: set_arrays(load(place / "extraction/out")), every),
        Target("embeddings", embeddings.parent, lambda: set_arrays(load(embeddings)), (FLIP, CUT)),
        *(Target(f"shards .{form}", place / form / "shards", read_shards(form), (FLIP, CUT))
          for form in ("npz", "safetensors")),
    ]  # fmt: skip


def set_arrays(data: EmbeddingSet) -> Any:
    """All that results depend on."""
    return data.sha256(), data.keys.tolist(), data.groups.tolist()


@contextmanager
def damaged(target: Target, random: np.random.Generator) -> Iterator[tuple[str, tuple[Path, ...]]]:
    """One random damage, undone at the end: its kind, and the files."""
    files = sorted(file for file in target.folder.rglob("*") if file.is_file() and file.name != ".lock")
    kind = str(random.choice(target.kinds))
    file = files[random.integers(len(files))]
    content = file.read_bytes()
    others = [other for other in files if other.read_bytes() != content]
    touched, before = (file,), {file: content}
    if kind == EXCHANGE and others:
        other = others[random.integers(len(others))]
        touched, before[other] = (file, other), other.read_bytes()
        file.write_bytes(before[other])
        other.write_bytes(content)
    elif kind == DELETE or not content:
        kind = DELETE
        file.unlink()
    elif kind == CUT:
        file.write_bytes(content[: random.integers(len(content))])
    else:
        kind, place = FLIP, random.integers(len(content))
        changed = bytes([content[place] ^ random.integers(1, 256)])
        file.write_bytes(content[:place] + changed + content[place + 1 :])
    try:
        yield kind, touched
    finally:
        for each, original in before.items():
            each.write_bytes(original)


def outcome(target: Target, known: Any, touched: tuple[Path, ...]) -> str:
    """What reading comes to: refused with the name of a file that was touched, or of its folder."""
    try:
        found = target.read()
    except InputError as error:
        names = [str(target.folder), *(file.name for file in touched)]
        return "refused" if any(name in str(error) for name in names) else f"refused without its name: {error}"
    return "same content" if text_of(found) == text_of(known) else "NOT SEEN"


def text_of(value: Any) -> str:
    """All digits of a nest of arrays."""
    with np.printoptions(threshold=sys.maxsize, floatmode="unique"):
        return repr(value)


def corrupt(count: int, *, seed: int = 0) -> Counter[tuple[str, str, str]]:
    """So many damages of all targets in turn: counts by target, kind and outcome."""
    random, counts = np.random.default_rng(seed), Counter[tuple[str, str, str]]()
    with tempfile.TemporaryDirectory() as place:
        targets = make_targets(Path(place))
        known = {target.name: target.read() for target in targets}
        for number in range(count):
            target = targets[number % len(targets)]
            with damaged(target, random) as (kind, touched):
                found = outcome(target, known[target.name], touched)
                if found not in ("refused", "same content"):
                    found += f" ({', '.join(file.name for file in touched)})"
                counts[target.name, kind, found] += 1
    return counts


if __name__ == "__main__":
    found = corrupt(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
    for (target, kind, what), times in sorted(found.items()):
        print(f"{target:<22} {kind:<20} {times:>5}  {what}")
    bad = sum(times for (_, _, what), times in found.items() if what not in ("refused", "same content"))
    print(f"{sum(found.values())} damages, {bad} not refused with the file's name")
    sys.exit(bad > 0)
