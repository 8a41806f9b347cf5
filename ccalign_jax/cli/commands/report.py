"""Make page, tables and figures of finished results again: RUN; or put several side by side: RUN RUN.

Nothing is computed: what is written comes from summary.json and the other JSON files of the folder, which stay as they
are. Several runs get one page with a row each. Whether one is better than another, paired by image, is a question for
ccalign compare.
"""

import time
from pathlib import Path

from absl import flags

from ccalign_jax.cli.figures import FORMATS, asked_figures, define_figures

FLAGS = flags.FLAGS


def define_flags() -> None:
    """Define the flags that `main` reads."""
    define_figures(FORMATS)
    flags.DEFINE_string("out", None, "folder for them [that of RUN; of several runs/report-TIME]")
    flags.DEFINE_bool("overwrite", False, "replace the report in --out")


def main(*run: str) -> Path | None:
    """Read, render, write, print."""
    from ccalign_jax.files import drafted
    from ccalign_jax.manifests import add_files
    from ccalign_jax.reporting import print_table
    from ccalign_jax.reporting.rebuild import write_report, write_runs
    from ccalign_jax.reporting.results_folder import read_results

    figures = asked_figures()
    results = [read_results(path) for path in run]
    if len(results) == 1 and FLAGS.out is None:
        folder = results[0].path
        with drafted(folder) as draft:
            written = write_report(results[0], draft, figures)
            add_files(folder, written, of=draft)
        print(f"{folder}: {_counted(written)}")
        return folder
    from ccalign_jax.runs.kinds import REPORT_FOLDER
    from ccalign_jax.runs.output import default_path, write_json
    from ccalign_jax.runs.store import Store

    with Store(FLAGS.out or default_path("report"), REPORT_FOLDER, new=FLAGS.out is None) as store:
        store.acquire(overwrite=FLAGS.overwrite)
        with store.writing() as folder:
            if len(results) == 1:
                written = write_report(results[0], folder, figures)
            else:
                written, table = write_runs(results, folder)
                print_table(table)
            about = {"runs": [str(one.path) for one in results], "written": time.strftime("%Y-%m-%dT%H:%M:%S")}
            write_json(folder / REPORT_FOLDER.marker, about)
    print(f"{store.path}: {_counted(written)}")
    return store.path


def _counted(written: list[str]) -> str:
    """What was written, such as `report.html, 30 tables, 12 figures`."""
    counts = [(name, sum(file.startswith(f"{name}/") for file in written)) for name in ("tables", "figures")]
    files = [f"{count} files in {name}/" for name, count in counts if count]
    return ", ".join([*(file for file in written if "/" not in file), *files])
