"""Page, tables and figures of finished results, made again from the JSON files of their folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ccalign_jax.errors import InputError
from ccalign_jax.reporting.pages import ADAPTER, CURVES, EVALUATION, MIGRATION, SWEEP
from ccalign_jax.reporting.paper import PAPER
from ccalign_jax.reporting.report_files import draw, write_figures, write_tables
from ccalign_jax.reporting.reports import (
    make_plots,
    make_tables,
    render_adapter,
    render_curves,
    render_evaluation,
    render_migration,
    render_report,
)
from ccalign_jax.reporting.results_folder import (
    ADAPTER_RESULTS,
    CURVES_RESULTS,
    EVALUATION_RESULTS,
    MIGRATION_RESULTS,
    SWEEP_RESULTS,
    Results,
)
from ccalign_jax.reporting.side_by_side import render_runs, runs_table
from ccalign_jax.reporting.table import Table

if TYPE_CHECKING:
    pass

__all__ = ["write_report", "write_runs"]

PAGE = "report.html"
PANELS = {
    SWEEP_RESULTS: [*SWEEP, *PAPER],
    EVALUATION_RESULTS: EVALUATION,
    CURVES_RESULTS: CURVES,
    MIGRATION_RESULTS: MIGRATION,
    ADAPTER_RESULTS: ADAPTER,
}
RENDER = {CURVES_RESULTS: render_curves, MIGRATION_RESULTS: render_migration, ADAPTER_RESULTS: render_adapter}


def write_report(results: Results, folder: Path, formats: Sequence[str]) -> list[str]:
    """Write page, tables and figures of results into a folder.

    Returns:
        The files, relative to the folder.

    Raises:
        InputError: the summary lacks what a table or figure needs, as those of old versions may.
    """
    shown = results.shown
    try:
        tables, figures = make_tables(PANELS[results.kind], shown), make_plots(PANELS[results.kind], shown)
        drawings = draw(figures)
        page = _page(results, tables, drawings)
    except (KeyError, TypeError, AttributeError, StopIteration) as error:
        raise InputError(
            f"{results.path / results.file}: of another version, or damaged ({type(error).__name__}: {error}); "
            "the page cannot be made from it, run it again"
        ) from error
    folder.mkdir(parents=True, exist_ok=True)
    (folder / PAGE).write_text(page, encoding="utf-8")
    written = [PAGE, *(f"tables/{name}" for name in write_tables(folder / "tables", tables))]
    return written + [f"figures/{name}" for name in write_figures(folder / "figures", figures, formats, drawings)]


def _page(results: Results, tables: Mapping[str, Table], drawings: Mapping[str, str]) -> str:
    summary, extras = results.summary, results.extras
    if results.kind == SWEEP_RESULTS:
        place, timing = str(results.path), results.timing
        return render_report(summary, results.config, folder=place, timing=timing, extras=extras, drawings=drawings)
    if results.kind == EVALUATION_RESULTS:
        return render_evaluation(summary, tables, drawings, extras=extras)
    return RENDER[results.kind](summary, tables, drawings)


def write_runs(runs: Sequence[Results], folder: Path) -> tuple[list[str], Table]:
    """Write the page and the table of several runs side by side; returns the files, and the table."""
    table = runs_table(runs)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / PAGE).write_text(render_runs(runs, table), encoding="utf-8")
    return [PAGE, *(f"tables/{name}" for name in write_tables(folder / "tables", {"runs": table}))], table
