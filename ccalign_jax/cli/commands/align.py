"""Train or solve one map on pairs in shards, more of them than memory holds.

Shards are .npz (uncompressed), .safetensors or .pt files in a folder, each with `image` and `text_<language>`, row by
row, with optional `mask_<language>` and `image_groups`; or the folder of an extraction; or whatever a sweep reads. An
epoch is one pass over the pairs. `ccalign apply --checkpoint=RUN/best` applies the map.
"""

import dataclasses
import time
from pathlib import Path

from absl import flags

from ccalign_jax.cli.flags import define, given
from ccalign_jax.cli.lists import listed
from ccalign_jax.cli.runner import start_jax
from ccalign_jax.cli.signals import resumable
from ccalign_jax.options import AlignConfig

FLAGS = flags.FLAGS


def define_flags() -> None:
    """Define the flags that `main` reads."""
    define(AlignConfig)
    flags.DEFINE_bool("check", False, "check every row before training, to find bad ones now rather than on the way")
    flags.DEFINE_bool("tensorboard", False, "also write curves and more for TensorBoard, into the folder of --out")
    flags.DEFINE_string("out", None, "folder for the map [runs/align-DATA-TIME]")
    flags.DEFINE_bool("resume", False, "go on with the run in --out; flags not given are taken from it")
    flags.DEFINE_bool("overwrite", False, "replace the run in --out")


def main() -> Path | None:
    """Check, train, write."""
    if listed():
        return None
    from ccalign_jax.checkpoints import save_checkpoint
    from ccalign_jax.errors import InputError
    from ccalign_jax.plugins import load_plugin
    from ccalign_jax.reporting import count_words, progress_bar
    from ccalign_jax.reporting.format import plain
    from ccalign_jax.runs.kinds import MAP_FOLDER, read_config
    from ccalign_jax.runs.output import default_path
    from ccalign_jax.runs.store import Store
    from ccalign_jax.study.align import align, plan_align

    if FLAGS.resume and FLAGS.out is None:
        raise InputError("--resume needs --out, the folder of the run to go on with")
    store, asked = Store(FLAGS.out, MAP_FOLDER), given(AlignConfig)
    if FLAGS.resume and not store.config_path.is_file():
        raise InputError(f"{store.path}: holds no run to resume; leave --resume out")
    if FLAGS.resume:
        config = dataclasses.replace(read_config(store.config_path, MAP_FOLDER)[0], **asked)
        for plugin in config.plugins:
            load_plugin(plugin)
    elif FLAGS.data is None:
        raise InputError("--data must be given: embeddings, in any form of docs/data.md")
    else:
        config = AlignConfig(**asked)
    start_jax()
    with progress_bar("pairs") as progress:
        plan = plan_align(config, progress=progress)
    if FLAGS.out is None:
        store = Store(default_path(f"align-{plan.shards.name}"), MAP_FOLDER, new=True)
    with store:
        store.acquire(config, plan.shards.digests(), resume=FLAGS.resume, overwrite=FLAGS.overwrite)
        resumable(store.path)
        if store.finished:
            print(f"{store.path} is complete already: {store.path}/best")
            return store.path
        shards, held = plan.shards, plan.held_rows
        print(
            f"{shards.name}: {count_words(len(shards), 'pair')} in {count_words(len(shards.files), 'shard')}, "
            f"images [{shards.d_image}], captions [{shards.d_text}]: {', '.join(shards.languages)}; {held} held out"
        )
        for note in plan.notes:
            print(f"note: {note}")
        if FLAGS.check:
            with progress_bar("pairs") as progress:
                shards.check(progress)
        clock, seen = time.perf_counter(), []
        with progress_bar("pairs") as progress:

            def update(what: str, done: int, total: int) -> None:
                seen.append((time.perf_counter() - clock, done))
                (before, first), (now, last) = seen[0], seen[-1]
                speed = f", {(last - first) / (now - before):,.0f} pairs/s" if last > first else ""
                progress(f"{what}{speed}", done, total)

            found = align(plan, store, tensorboard=FLAGS.tensorboard, progress=update)
        with store.writing() as path:
            save_checkpoint(path / "best", found)
    if step := found.about["diverged"]:
        print(
            f"note: training diverged, a parameter is NaN or infinite after step {step}; the map is of an epoch before"
        )
    for note in found.about.get("notes", []):
        print(f"note: {note}")
    for when, scores in found.about.get("scores", {}).items():
        words = "  ".join(f"{name.replace('_', ' ')} {plain(value)}" for name, value in scores.items())
        print(f"{when:<7}{words}  ({held} held out)")
    epoch = "" if plan.stream is None else f", epoch {found.about['epoch']}"
    print(f"{found.about['trial']}{epoch}: {store.path}/best")
    return store.path
