"""An extraction from a source and encoders to a folder: planned, then run."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from typing import Any, NamedTuple

import numpy as np

from ccalign_jax.encoders import Choices, Encoder, load_encoders
from ccalign_jax.errors import InputError
from ccalign_jax.extraction.ahead import ImagesAhead, ShardItems
from ccalign_jax.extraction.encode import EncoderPool
from ccalign_jax.extraction.folder import LEFT_OUT, Folder, Part
from ccalign_jax.extraction.items import Source
from ccalign_jax.extraction.shard import embed_shard, prepare_hashed
from ccalign_jax.extraction.sources import open_source
from ccalign_jax.options import ExtractConfig
from ccalign_jax.runs.output import output_path

__all__ = ["ExtractionPlan", "Function", "Progress", "plan_extraction", "run_extraction"]

ROW_OPTIONS = ("dtype", "batch_images", "batch_captions", "shard_images", "layers")  # that change bytes
BATCHES_AHEAD = 3  # of images, decoded beside the encoding

Function = Callable[[Any], Any]
Progress = Callable[[str, int, int], None]


class ExtractionPlan(NamedTuple):
    """An extraction that has been checked and not begun.

    Attributes:
        config: every choice.
        source: of the images and captions.
        text, image: the encoders.
    """

    config: ExtractConfig
    source: Source
    text: Encoder
    image: Encoder

    @property
    def description(self) -> dict[str, Any]:
        """What rows depend on, for JSON."""
        stored = dataclasses.asdict(self.config.absolute())
        return {
            "schema": 2,
            "config": stored,
            "encoders": {"text": dict(self.text.about), "image": dict(self.image.about)},
            "rows": {name: list(value) if isinstance(value := stored[name], tuple) else value for name in ROW_OPTIONS},
            "source": dict(self.source.about),
            "source_sha256": self.source.sha256,
        }

    def shards(self) -> Iterator[ShardItems]:
        """The items, in shards."""
        items, number = self.source.items(), 0
        while some := list(islice(items, self.config.shard_images)):
            yield ShardItems(number, some)
            number += 1


def plan_extraction(
    config: ExtractConfig,
    *,
    source: Source | None = None,
    text_encoder: Function | None = None,
    image_encoder: Function | None = None,
    devices: int | None = None,
) -> ExtractionPlan:
    """Open the source and load the encoders; all that can be wrong is found here.

    Args:
        config: every choice.
        source: in place of the config's images and captions.
        text_encoder, image_encoder: functions in place of the config's names.
        devices: to use; None for all accelerators, or one CPU.

    Raises:
        InputError: a mistake in the options, the captions or the encoders' names, or a library that is not installed.
    """
    if source is None:
        source = open_source(
            config.images, config.captions, config.languages, source=config.source, splits=config.splits
        )
    choices = Choices(
        pooling=config.pooling,
        image_pooling=config.image_pooling,
        prompt=config.prompt,
        layers=tuple(map(int, config.layers)),
        precision=config.precision,
        devices=devices,
    )
    text, image = load_encoders(text_encoder or config.text_encoder, image_encoder or config.image_encoder, choices)
    return ExtractionPlan(config, source, text, image)


def run_extraction(
    plan: ExtractionPlan,
    out: str | os.PathLike[str],
    *,
    part: Part | None = None,
    resume: bool = False,
    overwrite: bool = False,
    threads: int | None = None,
    begun: Callable[[Folder], None] = lambda folder: None,
    progress: Progress = lambda what, done, total: None,
) -> dict[str, Any]:
    """Embed everything, or one part, into a folder; a run that was killed goes on after its last whole shard.

    Args:
        plan: from `plan_extraction`.
        out: the folder.
        part: the share of this process, of several.
        resume, overwrite: go on with the extraction that is there, or replace it.
        threads: that decode images; None for as many as there are cores, at most 16.
        begun: called with the folder once it is locked and compared.
        progress: called with what goes on, rows done, and rows in all, as far as that is known.

    Returns:
        The folder's description, with the numbers of images, of captions by language, and of what was left out.

    Raises:
        InputError: the folder holds something else, an encoder fails, or no image is left.
    """
    config, part = plan.config, part or Part()
    folder = Folder(output_path(out), plan.description, part)
    try:
        folder.begin(resume=resume, overwrite=overwrite)
        begun(folder)
        total = _rows(plan, folder) if plan.source.size is not None else 0
        done, shards = 0, 0

        def count(rows: int) -> None:
            nonlocal done
            done += rows
            progress("embedding", done, max(done, total))

        def wanted() -> Iterator[ShardItems]:
            nonlocal shards
            for shard in plan.shards():
                shards = shard.number + 1
                if part.has(shard.number) and not folder.has(shard.number):
                    yield shard

        workers, most = threads or min(_cores(), 16), BATCHES_AHEAD * config.batch_images
        with (
            EncoderPool(plan.text, batch=config.batch_captions) as texts,
            EncoderPool(plan.image, batch=config.batch_images) as images,
            ImagesAhead(wanted(), partial(prepare_hashed, plan.image), threads=workers, most=most) as ahead,
        ):
            for shard in ahead.shards():
                embedded = embed_shard(shard, ahead, texts, images, dtype=np.dtype(config.dtype), progress=count)
                folder.write(shard.number, embedded)
        if not shards:
            raise InputError(f"{plan.source.name}: no images; compare --images and --captions")
        found = folder.finish(shards)
        if not found["images"] and all(map(folder.has, range(shards))):
            reasons = ", ".join(f"{reason} ({count})" for reason, count in found["left_out"].items())
            raise InputError(f"{plan.source.name}: all images are left out, see {folder.path / LEFT_OUT}: {reasons}")
        return found
    finally:
        folder.end()


def _rows(plan: ExtractionPlan, folder: Folder) -> int:
    """Images and captions of the shards that are still to be embedded."""
    return sum(
        1 + sum(map(len, item.captions.values()))
        for shard in plan.shards()
        if folder.part.has(shard.number) and not folder.has(shard.number)
        for item in shard.items
    )


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
