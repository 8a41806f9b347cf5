"""Random maps, checkpoints and grids."""

import hashlib
import json
import pickle
import shutil
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
import torch
import yaml
from fuzz_changes import TEXTS, VALUES, Make, Payload, Random, Read, as_json, change_files, maybe_strange, pick, strange

from ccalign_jax.checkpoints import _sha256, load_aligner, save_checkpoint
from ccalign_jax.exporting import export
from ccalign_jax.learned_map import LearnedMap
from ccalign_jax.search.exported import read_any_map
from ccalign_jax.seed_maps import load_seed_map
from ccalign_jax.study.grids import load_grid

EXPORTS = ("numpy", "safetensors")


def make_seed_map(folder: Path, random: Random) -> Read:
    weight = torch.eye(3)
    layers = {"fc1.weight": torch.ones(4, 3), "fc1.bias": torch.ones(4), "fc2.weight": torch.ones(3, 4)}
    content: dict[str, Any] = {"kind": "linear", "W": weight, "langs": ["de", "en"]}
    if random.random() < 0.5:
        state = {**layers, "fc2.bias": torch.ones(3), "eye_rect": torch.eye(3)}
        content = {"kind": "mlp", "head": "mlp_residual", "state_dict": state, "langs": ["en"]}
    for holder in (content, content.get("state_dict", content)):
        if random.random() < 0.4:
            values = (
                *VALUES,
                Payload(),
                torch.zeros(0),
                torch.full((3, 3), torch.nan),
                torch.ones(3, dtype=torch.complex64),
            )
            holder[pick(random, [*holder, "other"])] = pick(random, values)
    torch.save(content, folder / "W.pt")
    if random.random() < 0.1:
        (folder / "W.pt").write_bytes(pickle.dumps(Payload()))
    change_files(folder, random)
    return partial(use_map, load_seed_map, folder / "W.pt")


def use_map(read: Callable[[Path], LearnedMap], path: Path) -> None:
    found = read(path)
    arrays = jax.tree.leaves(found.params)
    assert repr(found) and all(np.isfinite(each).all() for each in arrays)
    assert arrays[0].shape[0] == found.about["d_text"] or found.about["aligner"] != "linear"


@cache
def maps() -> Path:
    """Folders of a checkpoint and of its exports, which are written once."""
    import atexit
    import tempfile

    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    torch.save({"kind": "linear", "W": torch.eye(3), "langs": ["de", "en"]}, folder / "W.pt")
    save_checkpoint(folder / "checkpoint", load_seed_map(folder / "W.pt"))
    for form in EXPORTS:
        export(folder / "checkpoint", to=form, out=folder / form)
    return folder


def make_checkpoint(folder: Path, random: Random) -> Read:
    """Of one whose bytes were changed, or whose description was, and signed again."""
    shutil.copytree(maps() / "checkpoint", folder / "best")
    about = json.loads((folder / "best" / "checkpoint.json").read_text())
    if random.random() < 0.5:
        about = strange(about, random)
        if isinstance(about, dict):
            try:
                about["sha256"] = _sha256(folder / "best", about)
            except ValueError:
                about["sha256"] = hashlib.sha256(b"").hexdigest()
        (folder / "best" / "checkpoint.json").write_bytes(as_json(about))
    change_files(folder, random)
    return partial(use_map, load_aligner, folder / "best")


def make_export(folder: Path, random: Random) -> Read:
    """Of a folder whose bytes were changed, or whose description was."""
    shutil.copytree(maps() / pick(random, EXPORTS), folder / "map")
    about = folder / "map" / "config.json"
    if random.random() < 0.5:
        content = json.loads(about.read_text())
        part = random.random() < 0.7 and "map" in content
        about.write_bytes(
            as_json({**content, "map": strange(content["map"], random)} if part else strange(content, random))
        )
    change_files(folder, random)
    return partial(use_map, read_any_map, folder / "map")


YAMLS = (
    b"- &a {temperature: [0.03, 0.07], aligners: [residual]}\n- <<: *a\n  learning_rate: 1e-3\n",
    b"- &a\n  <<: *a\n  l2: 0\n",
    b"- temperature: !!python/object/apply:os.system ['touch MARK']\n",
    b"- {l2: !!timestamp x, prox: !!bool x, clip: !!binary '%', warmup: !!int '', epochs: !!set {a}}\n",
    b"- {l2: !!float x}\n- {prox: !!int 0o}\n- {clip: !!null x}\n- {warmup: 2026-99-99}\n",
    b"- {criterion: !!binary aGk=, start_counts: [on, yes, true], learning_rate: .inf, precision: ~}\n",
    b"&a [&b [*a, *b], *a]",
    b"- " + b"[" * 500 + b"]" * 500,
)
TAGS = (
    "timestamp",
    "bool",
    "binary",
    "int",
    "float",
    "null",
    "str",
    "omap",
    "pairs",
    "set",
    "seq",
    "map",
    "merge",
    "value",
)


def make_grid(folder: Path, random: Random) -> Read:
    content = pick(random, YAMLS)
    if random.random() < 0.3:
        block = {"temperature": [0.03, 0.07], "aligners": ["residual"], "epochs": 3, "criterion": "mean"}
        content = yaml.safe_dump(maybe_strange([block, block], random), allow_unicode=True).encode("utf-8", "replace")
    if random.random() < 0.3:
        value = pick(random, TEXTS).replace("'", "").encode("utf-8", "replace")
        content = b"- {l2: !!" + pick(random, TAGS).encode() + b" '" + value + b"'}\n"
    (folder / "grid.yaml").write_bytes(content)
    change_files(folder, random)

    def read() -> None:
        for block in load_grid(folder / "grid.yaml"):
            assert all(isinstance(values, list) and values for values in block.values())

    return read


READERS: dict[str, Make] = {
    "seed_map": make_seed_map,
    "checkpoint": make_checkpoint,
    "export": make_export,
    "grid": make_grid,
}
