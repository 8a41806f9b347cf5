"""Rank rows among millions of others exactly, both ways, from .npy files larger than memory.

ccalign rank --queries=captions.npy --gallery=images.npy                # row i answers row i
ccalign rank --queries=captions.npy --gallery=images.npy --gold=gold.npy --csls --memory=4GiB
ccalign rank --queries=captions.npy --gallery=images.npy --checkpoint=runs/mine/best --language=de
"""

from pathlib import Path
from typing import Any

from absl import flags

from ccalign_jax.cli.flags import as_bytes
from ccalign_jax.cli.runner import npz_output, start_jax

FLAGS = flags.FLAGS


def define_flags() -> None:
    """Define the flags that `main` reads."""
    flags.DEFINE_string("queries", None, ".npy, [q, d], any float dtype; scaled to length one", required=True)
    flags.DEFINE_string("gallery", None, ".npy, [g, d], likewise", required=True)
    flags.DEFINE_string(
        "gold", None, ".npy, [q] or [q, k]: gallery rows that answer each query, -1 for none [row i: i]"
    )
    flags.DEFINE_string(
        "checkpoint", None, "map captions first: RUN/best, or the seed study's .pt; queries are captions"
    )
    flags.DEFINE_string("language", None, "language of the captions, where the map has a part of its own for each")
    flags.DEFINE_bool("csls", False, "take off the mean score of the ten nearest, on both sides: transductive")
    flags.DEFINE_string("memory", "1GiB", "memory that blocks of rows may take, in bytes, MiB or GiB")
    flags.DEFINE_string("out", None, "an .npz for the ranks of every row [only the figures are printed]")
    flags.DEFINE_bool("overwrite", False, "replace --out if it exists")


def main() -> Path | None:
    """Check, rank, write, print."""
    import numpy as np

    from ccalign_jax.data.fingerprints import recognise_rows
    from ccalign_jax.errors import InputError
    from ccalign_jax.evaluation import map_rows, read_map
    from ccalign_jax.files import whole_file
    from ccalign_jax.metrics import retrieval_metrics, stream_neighbours, stream_ranks
    from ccalign_jax.reporting import progress_bar

    out = None if FLAGS.out is None else npz_output(FLAGS.out, overwrite=FLAGS.overwrite)
    memory = as_bytes(FLAGS.memory)
    start_jax()
    queries, gallery = read_rows(FLAGS.queries), read_rows(FLAGS.gallery)
    gold = read_gold(len(queries), len(gallery))
    known = None
    if FLAGS.checkpoint is None:
        if FLAGS.language is not None:
            raise InputError("--language is of a map; give --checkpoint, too, or leave it out")
        settings: dict[str, Any] = {"memory": memory}
    else:
        checkpoint = read_map(FLAGS.checkpoint)
        known = checkpoint.training_images
        maps = map_rows(checkpoint, FLAGS.language, d_text=queries.shape[1], d_image=gallery.shape[1])
        settings = {"memory": memory, "map_queries": maps[0], "map_gallery": maps[1]}
    if FLAGS.checkpoint is None and queries.shape[1] != gallery.shape[1]:
        widths = f"{queries.shape[1]} and {gallery.shape[1]} wide"
        raise InputError(f"{FLAGS.queries} and {FLAGS.gallery}: {widths}; give rows of one space, or a --checkpoint")
    penalties = None
    try:
        if FLAGS.csls:
            with progress_bar("blocks") as progress:
                settings["progress"] = lambda done, total: progress("neighbourhoods", done, total)
                penalties = stream_neighbours(queries, gallery, **settings)
        with progress_bar("blocks") as progress:
            settings["progress"] = lambda done, total: progress("ranks", done, total)
            both = stream_ranks(queries, gallery, gold, penalties=penalties, **settings)
    except ValueError as error:  # a row with NaN, or all zero, is found on the way
        raise InputError(*error.args) from None
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        named = zip(("query", "gallery"), both, strict=True)
        with whole_file(out) as file:
            np.savez(
                file, **{f"{side}_{name}": leaf for side, ranks in named for name, leaf in ranks._asdict().items()}
            )
    if known is not None and (seen := int(recognise_rows(gallery, known).sum())):
        print(f"note: {seen} of {len(gallery)} gallery rows are training images of the map, on which it may overfit")
    score = "CSLS (transductive)" if FLAGS.csls else "cosine"
    for name, ranks in zip(("queries in the gallery", "gallery in the queries"), both, strict=True):
        if not (ranks.tied > 0).any():
            print(f"{name}, {score}: none has an answer")
            continue
        found = ", ".join(f"{metric} {value:.4f}" for metric, value in retrieval_metrics(ranks).items())
        print(f"{name}, {score}: {int((ranks.tied > 0).sum())} rows: {found}")
    if out is not None:
        print(f"the ranks of every row: {out}")
    return out


def read_rows(path: str):
    """A memory map of the rows of a file."""
    from ccalign_jax.data.npy import load_npy
    from ccalign_jax.errors import InputError

    rows = load_npy(path, mapped=True)
    if rows.ndim != 2 or 0 in rows.shape or rows.dtype.kind != "f":
        raise InputError(f"{path}: {rows.dtype}{list(rows.shape)}; it must hold floats [n, d]")
    return rows


def read_gold(queries: int, gallery: int):
    """Gallery rows of each query, `[q, k]`."""
    import numpy as np

    from ccalign_jax.data.npy import load_npy
    from ccalign_jax.errors import InputError

    if FLAGS.gold is None:
        if queries != gallery:
            raise InputError(f"{queries} queries and {gallery} items: say with --gold which item answers which query")
        return np.arange(queries)[:, None]
    gold = load_npy(FLAGS.gold)
    gold = gold[:, None] if gold.ndim == 1 else gold
    if gold.ndim != 2 or len(gold) != queries or gold.shape[1] == 0 or gold.dtype.kind not in "iu":
        shapes = f"[{queries}] or [{queries}, k], k at least 1"
        raise InputError(f"{FLAGS.gold}: {gold.dtype}{list(gold.shape)}; it must hold whole numbers, {shapes}")
    if gold.min() < -1 or gold.max() >= gallery:
        row = int(np.flatnonzero(((gold < -1) | (gold >= gallery)).any(axis=1))[0])
        raise InputError(f"{FLAGS.gold}: row {row} names {gold[row].tolist()}; the gallery has rows 0 to {gallery - 1}")
    return gold.astype(np.int64)
