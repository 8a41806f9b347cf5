"""Learn a map of queries to the documents that answer them; documents stay as they are.

ccalign adapt_queries --queries=queries.npy --documents=documents.npy --relevant=relevant.jsonl
ccalign adapt_queries --queries=queries.npy --documents=documents.npy --relevant=relevant.jsonl \\
    --document_ids=ids.txt --aligners=residual,residual_mlp --hyper=learning_rate=0.001,0.0003
"""

from __future__ import annotations

from pathlib import Path

from absl import flags

from ccalign_jax.cli.runner import start_jax

FLAGS = flags.FLAGS


def define_flags() -> None:
    """Define the flags that `main` reads."""
    flags.DEFINE_string("queries", None, ".npy of rows of the queries", required=True)
    flags.DEFINE_string("documents", None, ".npy of rows of all documents that are searched", required=True)
    flags.DEFINE_string(
        "relevant", None, 'JSON lines {"query": row, "positive_ids": [ids]}, or .npy of rows', required=True
    )
    flags.DEFINE_string("document_ids", None, "ids of the rows of --documents, one a line [their numbers, from 0]")
    flags.DEFINE_list("aligners", None, "maps to train beside closed forms [residual; between widths linear]")
    flags.DEFINE_list("losses", ["infonce"], "losses to train them by")
    flags.DEFINE_multi_string("hyper", [], "a setting, such as learning_rate=0.001,0.0003; repeatable")
    flags.DEFINE_integer(
        "negatives", 4, "hard negatives of each document in a batch; 0 trains without alone", lower_bound=0
    )
    flags.DEFINE_integer("folds", 5, "folds of queries", lower_bound=3)
    flags.DEFINE_integer("seed", 0, "seed of folds, training and bootstrap replicates", lower_bound=0)
    flags.DEFINE_string("out", None, "folder for everything that is found [runs/adapter-TIME]")
    flags.DEFINE_bool("overwrite", False, "replace the adapter in --out")


def main() -> Path | None:
    """Check, measure, write, print."""
    from ccalign_jax.migration.inputs import read_ids, read_relevant, read_rows
    from ccalign_jax.query_adapters import adapt_queries, make_query_task
    from ccalign_jax.query_adapters.write import write_adapter
    from ccalign_jax.reporting import print_table, progress_bar
    from ccalign_jax.reporting.panels.query_adapter import adapter_table, adapter_words
    from ccalign_jax.runs.kinds import ADAPTER_FOLDER
    from ccalign_jax.runs.output import default_path
    from ccalign_jax.runs.store import Store

    queries, documents = read_rows(FLAGS.queries), read_rows(FLAGS.documents)
    ids = None if FLAGS.document_ids is None else read_ids(FLAGS.document_ids, len(documents), "--documents")
    relevant = read_relevant(FLAGS.relevant, len(queries), ids, len(documents))
    task = make_query_task(queries, documents, relevant)
    if lost := len(queries) - len(task.queries):
        print(f"left out: {lost:,} of {len(queries):,} queries, without a relevant document")
    with Store(FLAGS.out or default_path("adapter"), ADAPTER_FOLDER, new=FLAGS.out is None) as store:
        store.acquire(overwrite=FLAGS.overwrite)
        start_jax()
        with progress_bar("folds") as progress:
            found = adapt_queries(
                task,
                aligners=FLAGS.aligners,
                losses=FLAGS.losses,
                hyper=FLAGS.hyper,
                negatives=FLAGS.negatives,
                folds=FLAGS.folds,
                seed=FLAGS.seed,
                name=f"{Path(FLAGS.queries).name} and {Path(FLAGS.documents).name}",
                progress=progress,
            )
        write_adapter(store, found)
    print_table(adapter_table(found.summary))
    print()
    for sentence in adapter_words(found.summary):
        print(sentence)
    print(f"everything: {store.path}/report.html; the map: ccalign export --checkpoint={store.path}/best --to=faiss")
    return store.path
