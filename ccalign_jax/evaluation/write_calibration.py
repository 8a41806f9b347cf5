"""The folder of a calibration."""

from __future__ import annotations

from ccalign_jax.evaluation.calibrate import ScoreCalibration
from ccalign_jax.reporting.drawings import size_for_paper
from ccalign_jax.reporting.panels.calibration import calibration_plot, probability_table, set_table, threshold_table
from ccalign_jax.reporting.report_files import draw, write_figures, write_tables
from ccalign_jax.reporting.table import Table
from ccalign_jax.runs.kinds import CALIBRATION_FOLDER
from ccalign_jax.runs.output import write_json
from ccalign_jax.runs.store import Store

__all__ = ["calibration_tables", "write_calibration"]


def calibration_tables(found: ScoreCalibration, *, languages: bool = True) -> dict[str, Table]:
    """Its tables, by name; thresholds by language or of all captions alone."""
    summary = found.summary
    tables = {"probabilities": probability_table(summary), "sets": set_table(summary)}
    thresholds = threshold_table(summary, languages=languages)
    return tables if thresholds is None else {**tables, "thresholds": thresholds}


def write_calibration(folder: Store, found: ScoreCalibration) -> None:
    """Write tables, plot and `calibration.json` into an acquired folder.

    Raises:
        InputError: the disk is full.
    """
    plots = {"calibration": size_for_paper(calibration_plot(found.summary))}
    with folder.writing() as path:
        write_tables(path / "tables", calibration_tables(found))
        write_figures(path / "figures", plots, ("svg", "png"), draw(plots))
        write_json(path / CALIBRATION_FOLDER.marker, found.summary)
