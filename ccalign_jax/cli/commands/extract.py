"""Embed photographs and captions with frozen encoders, into a folder that --data reads.

Captions are .jsonl, .csv, .tsv or .parquet with `image` and a column for each language, or with `image`, `language`,
`caption`; `split` is optional. Other forms: `--source=list`. Encoders: `--text_encoder=list`.
"""

import dataclasses
import time
from pathlib import Path

from absl import flags

from ccalign_jax.cli.flags import define, given
from ccalign_jax.cli.lists import listed
from ccalign_jax.cli.program import command
from ccalign_jax.cli.signals import resumable
from ccalign_jax.options import ExtractConfig

FLAGS = flags.FLAGS


def define_flags() -> None:
    """Define the flags that `main` reads."""
    define(ExtractConfig)
    flags.DEFINE_string("out", None, "folder for the embeddings")
    flags.DEFINE_string("part", "1/1", "i/n: embed one of n shares, for several machines and one folder, or several")
    flags.DEFINE_bool("resume", False, "go on with the extraction in --out; flags not given are taken from it")
    flags.DEFINE_bool("overwrite", False, "replace the extraction in --out")
    flags.DEFINE_integer("devices", None, "accelerators to use [all]")
    flags.DEFINE_integer("threads", None, "threads that decode images [one a core, at most 16]")


def main() -> Path | None:
    """Check, embed, count what was left out."""
    if listed():
        return None
    from ccalign_jax.data.extracted import read_description
    from ccalign_jax.errors import InputError
    from ccalign_jax.extraction import plan_extraction, run_extraction
    from ccalign_jax.extraction.folder import DUPLICATES, LEFT_OUT, Folder, Part
    from ccalign_jax.reporting import count_words, progress_bar

    if FLAGS.out is None:
        raise InputError("--out must be given: the folder to write")
    out, part = Path(FLAGS.out), Part.parse(FLAGS.part)
    for name in ("devices", "threads"):
        if (value := FLAGS[name].value) is not None and value < 1:
            raise InputError(f"--{name}={value}: it must be at least 1")
    config = ExtractConfig()
    if FLAGS.resume and (stored := read_description(out)) is not None:
        config = ExtractConfig.of(stored["config"], out)
    plan = plan_extraction(dataclasses.replace(config, **given(ExtractConfig)), devices=FLAGS.devices)
    for note in plan.source.notes:
        print(f"note: {note}")

    def begun(folder: Folder) -> None:
        for note in folder.notes:
            print(f"note: {note}")
        resumable(f"{out}" + f" --part={FLAGS.part}" * (part.total > 1))
        share = f", part {FLAGS.part}" * (part.total > 1)
        images = "images" if plan.source.size is None else count_words(plan.source.size, "image")
        print(
            f"{plan.source.name}: {images}{share}; captions by {plan.text.name}, "
            f"images by {plan.image.name}, into {out}"
        )

    clock, seen = time.perf_counter(), []
    with progress_bar("rows") as progress:

        def update(what: str, done: int, total: int) -> None:
            seen.append((time.perf_counter() - clock, done))
            (before, first), (now, last) = seen[0], seen[-1]
            progress(f"{what}, {(last - first) / (now - before):,.0f} rows/s" if last > first else what, done, total)

        found = run_extraction(
            plan,
            out,
            part=part,
            resume=FLAGS.resume,
            overwrite=FLAGS.overwrite,
            threads=FLAGS.threads,
            begun=begun,
            progress=update,
        )
    captions = ", ".join(f"{language} {count}" for language, count in found["captions"].items())
    print(
        f"{count_words(found['images'], 'image')} [{found.get('d_image', 0)}], "
        f"captions [{found.get('d_text', 0)}]: {captions}"
    )
    for reason, count in found["left_out"].items():
        print(f"note: left out {count}: {reason}")
    if found["left_out"]:
        print(f"note: what was left out is listed in {out}/{LEFT_OUT}")
    copies = found["duplicates"]
    if copies.get("same_pixels") or copies.get("near"):
        left = f", {copies['not_joined']} not joined" * bool(copies["not_joined"])
        print(
            f"note: {copies['same_pixels']} images have the pixels of another, {copies['near']} are near copies: kept, "
            f"in {count_words(copies['groups'], 'group')} that stay in one split{left}; see {out}/{DUPLICATES}"
        )
    there = len(list(out.glob("shard-*.safetensors")))
    if there < found["shards"]:
        print(f"{there} of {found['shards']} shards are in {out}; the other parts are to follow")
    else:
        print(f"{out} is complete: {command('sweep')} --data={out}")
    return out
