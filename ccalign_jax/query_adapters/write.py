"""The folder of a query adapter."""

from __future__ import annotations

from ccalign_jax.checkpoints import save_checkpoint
from ccalign_jax.measurement.records import record_rows
from ccalign_jax.query_adapters.adapt import Adapted
from ccalign_jax.reporting import ADAPTER, draw, make_plots, make_tables, render_adapter, write_figures, write_tables
from ccalign_jax.runs.kinds import ADAPTER_FOLDER
from ccalign_jax.runs.output import write_csv, write_json
from ccalign_jax.runs.store import Store

__all__ = ["write_adapter"]


def write_adapter(folder: Store, found: Adapted) -> None:
    """Write page, tables, plot, records, the map and `adapter.json` into an acquired folder.

    Raises:
        InputError: the disk is full.
    """
    summary = found.summary
    tables, plots = make_tables(ADAPTER, summary), make_plots(ADAPTER, summary)
    drawings = draw(plots)
    with folder.writing() as path:
        (path / "report.html").write_text(render_adapter(summary, tables, drawings), encoding="utf-8")
        write_tables(path / "tables", tables)
        write_figures(path / "figures", plots, ("svg", "png"), drawings)
        write_csv(path / "records.csv", record_rows(found.arms))
        save_checkpoint(path / "best", found.best)
        write_json(path / ADAPTER_FOLDER.marker, summary)
