"""Train or solve one map on pairs in shards, more of them than memory holds; what comes out is what apply.py takes.

Shards are .npz (uncompressed), .safetensors or .pt files in a folder, each with `image` and `text_<language>`, row by
row; optional `mask_<language>` and `image_groups`. An epoch is one pass over them.
"""

import dataclasses
import time
from pathlib import Path

from _lists import listed
from _script import as_bytes, run, start_jax
from _signals import resumable
from absl import flags

flags.DEFINE_string("data", None, "a folder of shards, or one")
flags.DEFINE_string("pivot", "image", "what captions align to, or 'list'")
flags.DEFINE_alias("pivots", "pivot")
flags.DEFINE_string("aligner", "residual", "what to train or to solve, such as residual or ridge, or 'list'")
flags.DEFINE_alias("aligners", "aligner")
flags.DEFINE_string("loss", "infonce", "of what is trained, or 'list'")
flags.DEFINE_alias("losses", "loss")
flags.DEFINE_multi_string("hyper", [], "NAME=VALUE: a setting; may be repeated; or 'list'")
flags.DEFINE_integer("batch", 1024, "pairs a step")
flags.DEFINE_integer("epochs", 1, "passes over the pairs")
flags.DEFINE_integer("seed", 0, "of training, of the order of the pairs, and of which are held out")
flags.DEFINE_integer(
    "held", 2000, "pairs, at most a fifth and whole groups, that choose the epoch or the penalty; 0: none do"
)
flags.DEFINE_string("memory", "512MiB", "for the rows that are held and shuffled together, in bytes, MiB or GiB")
flags.DEFINE_list("languages", None, "use these languages only")
flags.DEFINE_bool("check", False, "check every row before training, to find bad ones now rather than on the way")
flags.DEFINE_string("out", None, "folder for the map [runs/align-DATA-TIME]")
flags.DEFINE_bool("resume", False, "go on with the run in --out; flags not given are taken from it")
flags.DEFINE_bool("overwrite", False, "replace the run in --out")
FLAGS = flags.FLAGS


def main() -> Path | None:
    """Check, train, write."""
    if listed():
        return None
    from ccalign_jax.errors import InputError
    from ccalign_jax.plugins import load_plugin
    from ccalign_jax.reporting import count_words, progress_bar
    from ccalign_jax.study.align import align, plan_align
    from ccalign_jax.study.align_folder import AlignConfig, AlignFolder
    from ccalign_jax.study.output_folder import default_path

    if FLAGS.resume and FLAGS.out is None:
        raise InputError("--resume needs --out, the folder of the run to go on with")
    folder = AlignFolder(FLAGS.out)
    if FLAGS.resume:
        config = given(AlignConfig.read(folder.config_path))
        for plugin in config.plugins:
            load_plugin(plugin)
    elif FLAGS.data is None:
        raise InputError("--data must be given: a folder of shards")
    else:
        config = given(AlignConfig(FLAGS.data))
    start_jax()
    with progress_bar("pairs") as progress:
        plan = plan_align(config, progress=progress)
    if FLAGS.out is None:
        folder = AlignFolder(default_path(f"align-{plan.shards.name}"), new=True)
    with folder:
        folder.claim(config, plan.shards.digests(), resume=FLAGS.resume, overwrite=FLAGS.overwrite)
        resumable(folder.path)
        if folder.finished:
            print(f"{folder.path} is complete already: {folder.path}/best")
            return folder.path
        shards, held = plan.shards, len(plan.shards) - plan.train_rows
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

            found = align(plan, folder, progress=update)
        folder.finish(found)
    if step := found.about["diverged"]:
        print(
            f"note: training diverged, a parameter is NaN or infinite after step {step}; the map is of an epoch before"
        )
    for when, scores in found.about.get("scores", {}).items():
        print(
            f"{when:<7}" + "  ".join(f"{name} {value:.3f}" for name, value in scores.items()) + f"  ({held} held out)"
        )
    print(f"{found.about['trial']}, epoch {found.about['epoch']}: {folder.path}/best")
    return folder.path


def given(config):
    """The config with every flag that was given on the command line."""
    names = ("data", "pivot", "aligner", "loss", "hyper", "batch", "epochs", "seed", "held", "memory", "languages")
    values = {name: FLAGS[name].value for name in names if FLAGS[name].present}
    if FLAGS["plugin"].present:
        values["plugins"] = FLAGS.plugin
    if "memory" in values:
        values["memory"] = as_bytes(values["memory"])
    return dataclasses.replace(
        config, **{name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    )


if __name__ == "__main__":
    run(main)
