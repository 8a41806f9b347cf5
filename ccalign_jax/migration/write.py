"""The folder of a migration."""

from __future__ import annotations

from ccalign_jax.checkpoints import save_checkpoint
from ccalign_jax.measurement.records import record_rows
from ccalign_jax.migration.migrate import Migration
from ccalign_jax.reporting.drawings import size_for_paper
from ccalign_jax.reporting.panels.migration import curve_table, maps_table, recovery_plot
from ccalign_jax.reporting.report_files import draw, write_figures, write_tables
from ccalign_jax.runs.kinds import MIGRATION_FOLDER
from ccalign_jax.runs.output import write_csv, write_json
from ccalign_jax.runs.store import Store

__all__ = ["write_migration"]


def write_migration(folder: Store, found: Migration) -> None:
    """Write tables, plot, records, the map and `migration.json` into an acquired folder.

    Raises:
        InputError: the disk is full.
    """
    summary = found.summary
    plots = {"recovery": size_for_paper(recovery_plot(summary))}
    with folder.writing() as path:
        write_tables(path / "tables", {"curve": curve_table(summary), "maps": maps_table(summary)})
        write_figures(path / "figures", plots, ("svg", "png"), draw(plots))
        write_csv(path / "records.csv", record_rows(found.arms))
        save_checkpoint(path / "best", found.best)
        write_json(path / MIGRATION_FOLDER.marker, summary)
