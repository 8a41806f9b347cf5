"""The folder of a shortening."""

from __future__ import annotations

import numpy as np

from ccalign_jax.evaluation.shorten import Shortening
from ccalign_jax.files import whole_file
from ccalign_jax.measurement.records import record_rows
from ccalign_jax.reporting.drawings import size_for_paper
from ccalign_jax.reporting.panels.shortening import shortening_plot, shortening_table
from ccalign_jax.reporting.report_files import draw, write_figures, write_tables
from ccalign_jax.runs.kinds import SHORTENING_FOLDER
from ccalign_jax.runs.output import write_csv, write_json
from ccalign_jax.runs.store import Store

__all__ = ["write_shortening"]


def write_shortening(folder: Store, found: Shortening) -> None:
    """Write table, plot, records, reductions and `shortening.json` into an acquired folder.

    Raises:
        InputError: the disk is full.
    """
    summary = found.summary
    plots = {"shortening": size_for_paper(shortening_plot(summary))}
    with folder.writing() as path:
        write_tables(path / "tables", {"shortening": shortening_table(summary)})
        write_figures(path / "figures", plots, ("svg", "png"), draw(plots))
        write_csv(path / "records.csv", record_rows(found.arms))
        for name, reduction in found.reductions.items():
            if name != "truncation":
                text, image = reduction.mean["text"], reduction.mean["image"]
                with whole_file(path / f"{name}.npz") as file:
                    np.savez(file, rotation=reduction.rotation, mean_text=text, mean_image=image)
        write_json(path / SHORTENING_FOLDER.marker, summary)
