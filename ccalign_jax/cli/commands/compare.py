"""Compare two finished runs on the same data, paired by image: RUN_A RUN_B.

What each fold selected is compared, or a trial by name; the same run twice compares two of its trials. A change is
that of RUN_B against RUN_A. Runs on other data, or whose folds report other images, are refused.
"""

from pathlib import Path

from absl import flags

FLAGS = flags.FLAGS


def define_flags() -> None:
    """Define the flags that `main` reads."""
    flags.DEFINE_string(
        "trial_a", "selected", "trial of RUN_A: what each fold 'selected', a trial's name, or 'identity'"
    )
    flags.DEFINE_string("trial_b", "selected", "the same of RUN_B")
    flags.DEFINE_integer("seed", 0, "seed of the replicates", lower_bound=0)
    flags.DEFINE_string("out", None, "folder for the comparison as .json, .csv, .md and .tex [none is written]")
    flags.DEFINE_bool("overwrite", False, "replace the comparison in --out")


def main(run_a: str, run_b: str) -> Path | None:
    """Check, compare, write, print."""
    from ccalign_jax.evaluation.compare import compare, write_comparison
    from ccalign_jax.reporting import comparison_table, comparison_words, print_table
    from ccalign_jax.runs.kinds import COMPARISON_FOLDER
    from ccalign_jax.runs.store import Store

    with Store(FLAGS.out, COMPARISON_FOLDER) as store:
        store.acquire(overwrite=FLAGS.overwrite)
        found = compare(run_a, run_b, trial_a=FLAGS.trial_a, trial_b=FLAGS.trial_b, seed=FLAGS.seed)
        write_comparison(store, found)
    for note in found.summary["notes"]:
        print(f"note: {note}")
    print_table(comparison_table(found.summary))
    for sentence in comparison_words(found.summary):
        print(sentence)
    if store.path is not None:
        print(f"everything: {store.path}")
    return store.path
