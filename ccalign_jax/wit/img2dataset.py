"""Images downloaded by img2dataset, a program of its own, and moved to where an extraction finds them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from ccalign_jax.errors import InputError
from ccalign_jax.files import put
from ccalign_jax.wit.captions import URLS
from ccalign_jax.wit.download import IMAGES, Downloaded, missing_images, read_urls
from ccalign_jax.wit.failures import FAILURES, Failure, FailureList
from ccalign_jax.wit.options import DownloadConfig
from ccalign_jax.wit.rows import import_polars

__all__ = ["PROGRAM", "img2dataset_command", "run_img2dataset"]

PROGRAM = "img2dataset"
SHARD = 1000  # images, which a killed run loses at most
SIDE = 1024  # pixels of the longer side; larger images are scaled down


def img2dataset_command(out: Path, config: DownloadConfig) -> list[str]:
    """The command that downloads the images of `urls.tsv` into the folder `img2dataset`."""
    options = {
        "url_list": out / URLS,
        "input_format": "tsv",
        "url_col": "url",
        "save_additional_columns": json.dumps(["image"]),
        "output_folder": out / PROGRAM,
        "output_format": "files",
        "resize_mode": "keep_ratio_largest",
        "resize_only_if_bigger": True,
        "image_size": SIDE,
        "processes_count": 1,
        "thread_count": config.per_host,
        "number_sample_per_shard": SHARD,
        "retries": 1,  # at once: it knows no pauses
        "timeout": max(int(config.timeout), 1),
        "user_agent_token": "ccalign_jax",
        "max_image_area": config.max_megapixels * 10**6,
    }
    return [PROGRAM, *(f"--{name}={value}" for name, value in options.items())]


def run_img2dataset(out: Path, config: DownloadConfig) -> Downloaded:
    """Run img2dataset, which goes on after its last whole shard, and move the images into the folder `images`.

    Raises:
        InputError: it is not on the PATH, or fails.
    """
    if shutil.which(PROGRAM) is None:
        raise InputError(
            f"--downloader={PROGRAM}: {PROGRAM} is not on the PATH; install it in an environment of its own"
        )
    done = subprocess.run(img2dataset_command(out, config), stdout=sys.stderr, check=False)
    if done.returncode:
        raise InputError(f"{PROGRAM} ended with status {done.returncode}; see above, and go on with --resume")
    urls = read_urls(out)
    before = missing_images(out, urls)
    _move_images(out)
    missing = missing_images(out, urls)
    reasons = _errors(sorted((out / PROGRAM).glob("*.parquet")))
    (out / FAILURES).unlink(missing_ok=True)
    with FailureList(out / FAILURES, ()) as failures:
        for image, url in missing.items():
            failures.add(Failure(image, url, reasons.get(image) or f"not downloaded by {PROGRAM}", False))
    return Downloaded(len(urls) - len(missing), len(before) - len(missing), dict(failures.reasons.most_common()))


def _move_images(out: Path) -> None:
    """Move images beside whose file a JSON says which they are; then the JSON has served."""
    for sidecar in (out / PROGRAM).glob("*/*.json"):
        key = json.loads(sidecar.read_text(encoding="utf-8"))["image"]
        to = out / IMAGES / f"{key}.jpg"
        to.parent.mkdir(parents=True, exist_ok=True)
        if (image := sidecar.with_suffix(".jpg")).is_file():
            put(image, to)
        sidecar.unlink()


def _errors(tables: Sequence[Path]) -> Mapping[str, str]:
    """Reasons of failures by the key of the image."""
    pl = import_polars()
    found: dict[str, str] = {}
    for table in tables:
        rows = pl.read_parquet(table, columns=["image", "error_message"]).drop_nulls()
        found.update(dict(rows.rows()))
    return found
