"""The functions that `seed_sweep.py` times, and the parts of a sweep that they are."""

from typing import Any

FITS, SCORES = "fits", "scores of every epoch"
RANKS = "ranks, captions and images, test and train"
BETWEEN, METRICS = "ranks between languages, direct and through images", "metrics of every trial and fold"
DIAGNOSTICS, IDENTITY = "diagnostics", "identity"
INTERVALS, CHECKPOINTS = "intervals and p-values", "checkpoints"
CORRECTIONS = "score corrections"


def watched() -> list[tuple[Any, str, str]]:
    """Owner and name of each function, and its part."""
    from ccalign_jax.measurement import inference
    from ccalign_jax.runs.store import Store
    from ccalign_jax.study import measure_maps, plan, run, summary, sweep_result, write
    from ccalign_jax.training import cross_validation, sweep

    return [
        (sweep.Program, "compile", "compile fits (beside other work)"),
        (sweep.Program, "__call__", FITS),
        (cross_validation, "score_epochs", SCORES),
        (cross_validation, "test_ranks", RANKS),
        (run, "_baseline", IDENTITY),
        (sweep_result, "summarise", "summary"),
        (run, "keep_ranks", METRICS),
        (measure_maps, "rank_tasks", BETWEEN),
        (measure_maps, "measure_pairs", METRICS),
        (measure_maps, "correct_mapped", CORRECTIONS),
        (measure_maps, "_describe", DIAGNOSTICS),
        (summary, "gain_by_subgroup", "gain by subgroup"),
        (measure_maps, "map_part", "maps of test parts and banks"),
        (summary, "summarise_corrections", "tables of score corrections"),
        (measure_maps, "draw_replicates", "drawing of replicates"),
        (inference.Inference, "__init__", INTERVALS),
        (inference.Inference, "levels", INTERVALS),
        (inference.Inference, "measure", INTERVALS),
        (inference.Inference, "entry", INTERVALS),
        (inference.Inference, "bound_folds", INTERVALS),
        (plan.Plan, "arrays", "arrays of the data and folds"),
        (plan.Plan, "part", "parts of folds"),
        (summary, "seed_optimism", "summary"),
        (Store, "save_result", "trials kept for --resume"),
        (write, "write_csv", "results.csv"),
        (write, "render_report", "report"),
        (write, "make_tables", "report"),
        (write, "make_plots", "figures"),
        (write, "write_figures", "figures"),
        (sweep_result, "find_examples", "examples"),
        (write, "write_tables", "report"),
        (write, "refit", "refit of the best"),
        (write, "_rank_arrays", "ranks of every query"),
        (write, "save_ranks", "ranks of every query"),
        (write, "_save_group", CHECKPOINTS),
        (write, "save_checkpoint", CHECKPOINTS),
        (write, "write_json", "summary.json"),
    ]
