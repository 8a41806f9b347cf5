"""Keep a filled index under a new encoder: learn the map, and say what re-embedding would add.

ccalign migrate --old=old.npy --new=new.npy                                  # the same documents by both encoders
ccalign migrate --old=old.npy --new=sample.npy --old_ids=all.txt --new_ids=sample.txt \\
    --queries=queries_new.npy --relevant=relevant.jsonl
ccalign migrate --old=texts_old.npy --new=texts_new.npy --index=images_old.npy \\
    --queries=queries_new.npy --old_queries=queries_old.npy --relevant=relevant.jsonl
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from absl import flags

from ccalign_jax.cli.runner import start_jax

if TYPE_CHECKING:
    from ccalign_jax.migration import Task

FLAGS = flags.FLAGS


def define_flags() -> None:
    """Define the flags that `main` reads."""
    flags.DEFINE_string("old", None, ".npy of rows by the old encoder, of which --new has pairs", required=True)
    flags.DEFINE_string("new", None, ".npy of rows of the same documents or texts by the new encoder", required=True)
    flags.DEFINE_string("old_ids", None, "ids of the rows of --old, one a line [paired by row]")
    flags.DEFINE_string("new_ids", None, "ids of the rows of --new, one a line [paired by row]")
    flags.DEFINE_string("index", None, ".npy of the documents to search by the old encoder [--old]")
    flags.DEFINE_string("index_ids", None, "ids of the rows of --index, one a line [their numbers, from 0]")
    flags.DEFINE_string("new_index", None, ".npy of the rows of --index by the new encoder [not at hand]")
    flags.DEFINE_string("queries", None, ".npy of queries by the new encoder [documents held out of the pairs]")
    flags.DEFINE_string("old_queries", None, ".npy of the same queries by the old encoder [not at hand]")
    flags.DEFINE_string("relevant", None, 'JSON lines {"query": row, "positive_ids": [ids]}, or .npy of rows')
    flags.DEFINE_enum("direction", "queries", ["queries", "documents"], "what is mapped: new queries, or the old index")
    flags.DEFINE_list("maps", None, "kinds of maps to choose among, such as procrustes,ridge [all]")
    flags.DEFINE_float(
        "enough", 0.95, "recovery of R@10 from which on a map suffices", lower_bound=0.0, upper_bound=1.0
    )
    flags.DEFINE_integer("draws", 3, "samples of each number of pairs", lower_bound=1)
    flags.DEFINE_integer("seed", 0, "seed of samples and bootstrap replicates", lower_bound=0)
    flags.DEFINE_string("out", None, "folder for everything that is found [runs/migration-TIME]")
    flags.DEFINE_bool("overwrite", False, "replace the migration in --out")


def main() -> Path | None:
    """Check, measure, write, print."""
    from ccalign_jax.migration import MAPS, migrate
    from ccalign_jax.migration.write import write_migration
    from ccalign_jax.reporting import print_table, progress_bar
    from ccalign_jax.reporting.panels.migration import curve_table, maps_table, migration_words
    from ccalign_jax.runs.kinds import MIGRATION_FOLDER
    from ccalign_jax.runs.output import default_path
    from ccalign_jax.runs.store import Store

    task = _read_task()
    with Store(FLAGS.out or default_path("migration"), MIGRATION_FOLDER, new=FLAGS.out is None) as store:
        store.acquire(overwrite=FLAGS.overwrite)
        start_jax()
        with progress_bar("samples") as progress:
            found = migrate(
                task,
                direction=FLAGS.direction,
                maps=FLAGS.maps or list(MAPS),
                draws=FLAGS.draws,
                enough=FLAGS.enough,
                seed=FLAGS.seed,
                name=f"{Path(FLAGS.old).name} and {Path(FLAGS.new).name}",
                progress=progress,
            )
        write_migration(store, found)
    for table in (curve_table(found.summary), maps_table(found.summary)):
        print_table(table)
        print()
    for sentence in migration_words(found.summary):
        print(sentence)
    print(f"everything: {store.path}/report.html; the map: ccalign export --checkpoint={store.path}/best --to=faiss")
    return store.path


def _read_task() -> Task:
    from ccalign_jax.errors import InputError
    from ccalign_jax.migration import make_task
    from ccalign_jax.migration.inputs import pair_by_id, read_ids, read_relevant, read_rows

    files = ("old", "new", "index", "new_index", "queries", "old_queries")
    rows = {name: read_rows(str(FLAGS[name].value)) for name in files if FLAGS[name].value is not None}
    for name, needed in (("relevant", "queries"), ("new_index", "index"), ("index_ids", "index")):
        if FLAGS[name].value is not None and needed not in rows:
            raise InputError(f"--{name}: --{needed} is missing; give it, too")
    if (FLAGS.old_ids is None) != (FLAGS.new_ids is None):
        raise InputError("--old_ids and --new_ids: give both, or neither")
    ids: list[str] | None = None
    elsewhere: set[str] = set()
    if FLAGS.old_ids is not None:
        old, new = (read_ids(str(FLAGS[f"{side}_ids"].value), len(rows[side]), f"--{side}") for side in ("old", "new"))
        kept_old, kept_new = pair_by_id(old, new)
        print(f"pairs: {len(kept_old):,} of {len(old):,} old and {len(new):,} new rows have the same id")
        rows["old"], rows["new"] = rows["old"][kept_old], rows["new"][kept_new]
        ids, elsewhere = [old[row] for row in kept_old], set(old)
    if "index" in rows:
        ids, elsewhere = None, set()
        if FLAGS.index_ids is not None:
            ids = read_ids(FLAGS.index_ids, len(rows["index"]), "--index")
    relevant = None
    if FLAGS.relevant is not None:
        count = len(rows.get("index", rows["old"]))
        relevant = read_relevant(FLAGS.relevant, len(rows["queries"]), ids, count, elsewhere=elsewhere)
        if lost := int((relevant < 0).all(axis=1).sum()):
            print(f"left out: {lost:,} of {len(relevant):,} queries, without a relevant document among the {count:,}")
    return make_task(**rows, relevant=relevant, seed=FLAGS.seed)
