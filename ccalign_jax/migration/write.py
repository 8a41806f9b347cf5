"""The folder of a migration."""

from __future__ import annotations

from ccalign_jax.checkpoints import save_checkpoint
from ccalign_jax.measurement.records import record_rows
from ccalign_jax.migration.migrate import Migration
from ccalign_jax.reporting import (
    MIGRATION,
    draw,
    make_plots,
    make_tables,
    render_migration,
    write_figures,
    write_tables,
)
from ccalign_jax.runs.kinds import MIGRATION_FOLDER
from ccalign_jax.runs.output import write_csv, write_json
from ccalign_jax.runs.store import Store

__all__ = ["write_migration"]


def write_migration(folder: Store, found: Migration) -> None:
    """Write page, tables, plot, records, the map and `migration.json` into an acquired folder.

    Raises:
        InputError: the disk is full.
    """
    summary = found.summary
    tables, plots = make_tables(MIGRATION, summary), make_plots(MIGRATION, summary)
    drawings = draw(plots)
    with folder.writing() as path:
        (path / "report.html").write_text(render_migration(summary, tables, drawings), encoding="utf-8")
        write_tables(path / "tables", tables)
        write_figures(path / "figures", plots, ("svg", "png"), drawings)
        write_csv(path / "records.csv", record_rows(found.arms))
        save_checkpoint(path / "best", found.best)
        write_json(path / MIGRATION_FOLDER.marker, summary)
