"""Everything that an evaluation leaves in its folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ccalign_jax.evaluation.evaluate import Evaluation, retrieval_rows
from ccalign_jax.evaluation.evaluated_set import diagnostics_rows
from ccalign_jax.measurement.records import record_rows
from ccalign_jax.reporting import (
    EVALUATION,
    draw,
    make_plots,
    make_tables,
    render_evaluation,
    write_figures,
    write_tables,
)
from ccalign_jax.runs.kinds import EVALUATION_FOLDER
from ccalign_jax.runs.load import EXAMPLES
from ccalign_jax.runs.output import write_csv, write_json
from ccalign_jax.runs.store import Store
from ccalign_jax.study.summary import RECORDS

__all__ = ["write_evaluation"]


def write_evaluation(folder: Store, found: Evaluation, figures: Sequence[str] = ("svg",)) -> None:
    """Write tables, figures, page, CSV and `summary.json` of an evaluation, into its acquired folder.

    Raises:
        InputError: the disk is full.
    """
    summary = found.summary
    tables, plots = make_tables(EVALUATION, summary), make_plots(EVALUATION, {**summary, "grams": found.grams})
    drawings = draw(plots)
    with folder.writing() as path:
        write_tables(path / "tables", tables)
        write_csv(path / "retrieval.csv", retrieval_rows(found))
        write_csv(path / RECORDS, record_rows(found.arms))
        if "diagnostics" in summary:
            write_csv(path / "diagnostics.csv", diagnostics_rows(summary))
        (path / "report.html").write_text(render_evaluation(summary, tables, drawings), encoding="utf-8")
        write_figures(path / "figures", plots, figures, drawings)
        write_json(path / EXAMPLES, {"grams": _listed(found.grams)}, indent=None)
        write_json(path / EVALUATION_FOLDER.marker, summary)


def _listed(grams: Mapping[str, Mapping[str, np.ndarray]]) -> dict[str, dict[str, list[list[float]]]]:
    """Gram matrices for `examples.json`, with as many digits as their figure shows."""
    return {
        state: {name: np.round(rows.astype(float), 3).tolist() for name, rows in sets.items()}
        for state, sets in grams.items()
    }
