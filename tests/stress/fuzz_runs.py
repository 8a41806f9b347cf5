"""Random options of runs that are gone on with."""

import dataclasses
import json
from pathlib import Path
from typing import Any

from fuzz_changes import Make, Random, Read, as_json, change_files, pick, strange

from ccalign_jax.options import AlignConfig, SweepConfig
from ccalign_jax.runs.kinds import MAP_FOLDER, SWEEP_FOLDER, read_config
from ccalign_jax.wit import DownloadConfig, WitConfig
from ccalign_jax.wit.build import read_build


def changed(content: dict[str, Any], part: str, random: Random) -> bytes:
    """JSON with one strange value, mostly in a part of it."""
    content = json.loads(json.dumps(content))
    if random.random() < 0.8:
        return as_json({**content, part: strange(content[part], random)})
    return as_json(strange(content, random))


def make_run(folder: Path, random: Random) -> Read:
    """The options of a sweep or an alignment."""
    options, kind = pick(random, ((SweepConfig(data="d.npz"), SWEEP_FOLDER), (AlignConfig(data="d"), MAP_FOLDER)))
    stored = {"config": dataclasses.asdict(options), "data_sha256": "0" * 64, "versions": {}, "backend": "cpu"}
    (folder / "config.json").write_bytes(changed(stored, "config", random))
    change_files(folder, random)

    def read() -> None:
        found, _ = read_config(folder / "config.json", kind)
        assert isinstance(found.differences(options), list) and isinstance(found.arguments(), list)

    return read


def make_build(folder: Path, random: Random) -> Read:
    """The options of a data set made of WIT's files."""
    config, download = (dataclasses.asdict(one) for one in (WitConfig(tsv=("a.tsv",)), DownloadConfig()))
    stored = {"config": config, "download": download, "files": {"captions.jsonl": 3}, "counts": {"images": 3}}
    (folder / "build.json").write_bytes(changed(stored, pick(random, ("config", "download")), random))
    change_files(folder, random)

    def read() -> None:
        found = read_build(folder)
        assert found is not None
        assert WitConfig.of(found["config"], folder).needed and DownloadConfig.of(found["download"], folder)

    return read


READERS: dict[str, Make] = {"run_config": make_run, "build_config": make_build}
