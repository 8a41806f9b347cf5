"""Train every pivot x aligner x loss x setting on every fold, and test which gains hold.

Without --data it runs on the built-in synthetic set. For what there is: --pivot=list, --aligners=list,
--losses=list, --grid=list, --hyper=list.
"""

import dataclasses
import time
from pathlib import Path
from typing import Any

from absl import flags

from ccalign_jax.cli.figures import asked_figures, define_figures
from ccalign_jax.cli.flags import define, given
from ccalign_jax.cli.lists import listed
from ccalign_jax.cli.runner import start_jax
from ccalign_jax.cli.signals import resumable
from ccalign_jax.options import SweepConfig

START = time.perf_counter()

FLAGS = flags.FLAGS
QUICK: dict[str, Any] = {"limit": 300, "folds": 2, "inner_folds": 1, "grid": "quick"}
QUICK_EPOCHS = "epochs=10"
QUICK_NOTE = "a quick look at few images, folds, settings and epochs, not for conclusions; leave --quick out for those"


def define_flags() -> None:
    """Define the flags that `main` reads."""
    define(SweepConfig)
    flags.DEFINE_bool(
        "quick", False, "a quick look: few images, folds and epochs, no diagnostics, but for flags that are given"
    )
    flags.DEFINE_bool("diagnostics", True, "also describe the sets of rows before and after, on the test parts")
    define_figures()
    flags.DEFINE_bool("tensorboard", False, "also write curves and more for TensorBoard, into the folder of --out")
    flags.DEFINE_string("out", None, "folder for the results; by default a new one below runs/")
    flags.DEFINE_bool("resume", False, "go on with the run in --out; flags not given are taken from it")
    flags.DEFINE_bool("overwrite", False, "replace the run in --out")
    flags.DEFINE_integer("devices", None, "devices of this process to use [all of an accelerator, one of a CPU]")
    flags.DEFINE_string(
        "coordinator", None, "HOST:PORT of process 0, where no cluster tells [TPU, GKE, SLURM are found]"
    )
    flags.DEFINE_integer("processes", None, "how many there are; 1: look for no cluster")
    flags.DEFINE_integer("process", None, "number of this one, from 0")
    flags.DEFINE_integer("lost_after", 60, "seconds without a heartbeat after which a process is lost")


def main() -> Path | None:
    """Check, run, write the folder, print the table."""
    if listed():
        return None
    from ccalign_jax.errors import InputError
    from ccalign_jax.plugins import load_plugin
    from ccalign_jax.processes import check, join
    from ccalign_jax.reporting import Preview, baselines_words, main_table, print_table, progress_bar
    from ccalign_jax.runs.kinds import SWEEP_FOLDER, read_config
    from ccalign_jax.runs.output import default_path
    from ccalign_jax.runs.store import Store
    from ccalign_jax.study.api import plan_study, run_study
    from ccalign_jax.study.workers import work
    from ccalign_jax.training import make_mesh

    numbers = (FLAGS.coordinator, FLAGS.processes, FLAGS.process)
    check(*numbers)
    figures = asked_figures()

    if FLAGS.resume and FLAGS.out is None:
        raise InputError("--resume needs --out, the folder of the run to go on with")
    if FLAGS.split == "official" and FLAGS["folds"].present:
        raise InputError("--split=official is one fold of its own; leave --folds out")
    config, store = asked(SweepConfig()), Store(FLAGS.out, SWEEP_FOLDER)
    if FLAGS.resume and store.config_path.is_file():
        config = asked(read_config(store.config_path, SWEEP_FOLDER)[0])
        for plugin in config.plugins:
            load_plugin(plugin)
    if FLAGS.out is None:
        store = Store(default_path(f"{Path(config.data).stem}-{config.protocol}"), SWEEP_FOLDER, new=True)
    plan = plan_study(config)
    if FLAGS.quick:
        plan = plan._replace(notes=[QUICK_NOTE, *plan.notes])
    processes = join(*numbers, lost_after=FLAGS.lost_after)
    start_jax()
    mesh = make_mesh(FLAGS.devices)
    if processes.number:
        work(plan, processes, mesh)
        processes.end()
        return None
    with store:
        store.acquire(config, {"data_sha256": plan.data.sha256()}, resume=FLAGS.resume, overwrite=FLAGS.overwrite)
        out = store.path
        resumable(out)
        complete = store.finished
        if not complete:
            print_plan(plan, processes.count, mesh.size, out)
        result = run_study(
            plan,
            store,
            diagnostics=FLAGS.diagnostics if FLAGS["diagnostics"].present else not FLAGS.quick,
            tensorboard=FLAGS.tensorboard,
            processes=processes,
            mesh=mesh,
            bar=progress_bar,
            preview=Preview(),
            ranked=print_ranked,
            figures=figures,
        )
    summary = result.summary
    print_table(main_table(summary))
    if complete:
        print(f"{out} is complete already; best: {summary['best']}, in {out}/best")
    else:
        for path in store.damaged:
            print(f"note: {path}: was damaged, and was computed again")
        if found := baselines_words(summary):
            print(f"{found} All baselines: {out}/tables/baselines.md")
        for note in summary["notes"]:
            if note == QUICK_NOTE or note not in plan.notes:  # those were printed before
                print(f"note: {note}")
        refitted = "" if summary["best"] == "identity" else ", refitted"
        print(f"best: {summary['best']}{refitted}, in {out}/best; everything else: {out}/report.html")
    processes.end()
    return out


def print_ranked() -> None:
    """How long it took until all trials were ranked."""
    print(f"retrieval metrics finished {time.perf_counter() - START:.1f} s after the start", flush=True)


def print_plan(plan, processes: int, devices: int, out: Path | None) -> None:
    """What is run, on what data, and where."""
    from ccalign_jax._names import CLOSED
    from ccalign_jax.reporting import count_words

    data = plan.data
    captions = ", ".join(f"{language} {len(rows)}" for language, rows in sorted(data.text.items()))
    print(f"{data.name}: {count_words(len(data), 'image')} [{data.d_image}], captions [{data.d_text}]: {captions}")
    for note in plan.notes:
        print(f"note: {note}")
    trials, folds = count_words(len(plan.trials), "trial"), count_words(len(plan.folds), "fold")
    programs = count_words(sum(group.loss != CLOSED for group in plan.groups), "compiled program")
    spread = f", {processes} processes" if processes > 1 else ""
    spread += f", {devices} devices" + " each" * bool(spread) if devices > 1 else ""
    print(f"{trials} x {folds}, {programs}{spread}, into {out}")


def asked(config: SweepConfig) -> SweepConfig:
    """The config with every flag that was given, and with --quick where flags, protocol and split leave it open."""
    named = given(SweepConfig)
    config = dataclasses.replace(config, **named)
    if not FLAGS.quick:
        return config
    fixed = {"official": {"folds", "inner_folds"}, "seed": {"inner_folds"}}
    kept = {*named}.union(*(fixed.get(choice, set()) for choice in (config.split, config.protocol)))
    chosen = {key: value for key, value in QUICK.items() if key not in kept}
    if not any(setting.startswith("epochs=") for setting in config.hyper):
        chosen["hyper"] = (*config.hyper, QUICK_EPOCHS)
    return dataclasses.replace(config, **chosen)
