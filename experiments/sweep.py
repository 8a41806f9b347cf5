"""Train every pivot x aligner x loss x setting on every fold, side by side, and say which gain holds.

Without --data it runs on the built-in synthetic set. For what there is: --pivot=list, --aligners=list,
--losses=list, --grid=list, --hyper=list.
"""

import dataclasses
import time
from collections.abc import Collection
from pathlib import Path

from _lists import listed
from _script import run, start_jax
from _signals import resumable
from absl import flags

START = time.perf_counter()

flags.DEFINE_string("data", "synthetic", "an .npz, a folder of .pt shards, or 'synthetic'")
flags.DEFINE_list("pivot", ["image"], "what captions align to: a comma list, 'all', or 'list'")
flags.DEFINE_alias("pivots", "pivot")
flags.DEFINE_string("aligners", None, "a comma list, or 'list'; by default the ones that suit each pivot")
flags.DEFINE_alias("aligner", "aligners")
flags.DEFINE_list("losses", ["infonce"], "a comma list, or 'list'")
flags.DEFINE_alias("loss", "losses")
flags.DEFINE_string("grid", "default", "a built-in grid, a YAML file, or 'list'")
flags.DEFINE_multi_string("hyper", [], "NAME=VALUE[,VALUE]: overrides the grid; may be repeated; or 'list'")
flags.DEFINE_string("protocol", "nested", "'nested', or 'seed' for the seed study's own way")
flags.DEFINE_integer("folds", 5, "outer folds")
flags.DEFINE_integer("inner_folds", None, "that choose; 1: one part, a third of the work [the other folds in turn]")
flags.DEFINE_integer("repeats", 1, "how often the images are divided into folds anew")
flags.DEFINE_float("duplicate_cosine", 0.999, "images closer than this are duplicates and stay in one split")
flags.DEFINE_bool("race", True, "drop trials early from folds whose inner parts show them to be beaten")
flags.DEFINE_string("precision", "float32", "of products in training and epoch scores; 'bfloat16' is faster with AMX")
flags.DEFINE_string("split", "kfold", "'kfold' over all images, or the file's 'official' split")
flags.DEFINE_list("languages", None, "use these languages only")
flags.DEFINE_string("heldout_language", None, "train without this language, and report on it")
flags.DEFINE_integer("limit", None, "use a random so many images")
flags.DEFINE_bool(
    "quick", False, "a quick look: few images, folds and epochs, no diagnostics, but for flags that are given"
)
flags.DEFINE_integer("seed", 0, "of folds, samples, training and replicates")
flags.DEFINE_bool("diagnostics", True, "also describe the sets of rows before and after, on the holdouts")
flags.DEFINE_string("out", None, "folder for the results; by default a new one below runs/")
flags.DEFINE_bool("resume", False, "go on with the run in --out; flags not given are taken from it")
flags.DEFINE_bool("overwrite", False, "replace the run in --out")
flags.DEFINE_integer("devices", None, "of this process to use [all of an accelerator, one of a CPU]")
flags.DEFINE_string("coordinator", None, "HOST:PORT of process 0, where no cluster tells [TPU, GKE, SLURM are found]")
flags.DEFINE_integer("processes", None, "how many there are; 1: look for no cluster")
flags.DEFINE_integer("process", None, "number of this one, from 0")
flags.DEFINE_integer("lost_after", 60, "seconds without a sign of life after which a process is lost")
FLAGS = flags.FLAGS
QUICK = {"limit": 300, "folds": 2, "inner_folds": 1, "grid": "quick"}
QUICK_EPOCHS = "epochs=10"
QUICK_NOTE = "a quick look at few images, folds, settings and epochs, not for conclusions; leave --quick out for those"


def main() -> Path | None:
    """Check, run, write the folder, print the table."""
    if listed():
        return None
    from ccalign_jax.errors import InputError
    from ccalign_jax.plugins import load_plugin
    from ccalign_jax.processes import check, join
    from ccalign_jax.reporting import Preview, baselines_words, count_words, main_table, print_table, progress_bar
    from ccalign_jax.study.combinations import CLOSED
    from ccalign_jax.study.config import SweepConfig, plan_folds, prepare_data, read_data
    from ccalign_jax.study.folder import RunFolder
    from ccalign_jax.study.measure_maps import measure_test_parts
    from ccalign_jax.study.output_folder import default_path
    from ccalign_jax.study.plan import plan_sweep
    from ccalign_jax.study.run import run_sweep
    from ccalign_jax.study.workers import Distributed, work
    from ccalign_jax.study.write import write_results
    from ccalign_jax.training import make_mesh

    numbers = (FLAGS.coordinator, FLAGS.processes, FLAGS.process)
    check(*numbers)

    if FLAGS.resume and FLAGS.out is None:
        raise InputError("--resume needs --out, the folder of the run to go on with")
    if FLAGS.split == "official" and FLAGS["folds"].present:
        raise InputError("--split=official is one fold of its own; leave --folds out")
    config = given(SweepConfig())
    folder = RunFolder(FLAGS.out)
    if FLAGS.resume and folder.config_path.is_file():
        config = given(SweepConfig.read(folder.config_path))
        for plugin in config.plugins:
            load_plugin(plugin)
    if FLAGS.out is None:
        folder = RunFolder(default_path(f"{Path(config.data).stem}-{config.protocol}"), new=True)
    data = prepare_data(read_data(config.data, languages=config.languages), config)
    plan = plan_sweep(data, config, plan_folds(data, config))
    if FLAGS.quick:
        plan = plan._replace(notes=[QUICK_NOTE, *plan.notes])
    processes = join(*numbers, lost_after=FLAGS.lost_after)
    start_jax()
    mesh = make_mesh(FLAGS.devices)
    if processes.number:
        work(plan, processes, mesh)
        processes.end()
        return None
    with folder:
        folder.claim(config, data.sha256(), resume=FLAGS.resume, overwrite=FLAGS.overwrite)
        out = folder.path
        resumable(out)
        summary = folder.finished()
        if summary is not None:
            print_table(main_table(summary))
            print(f"{out} is complete already; best: {summary['best']}, in {out}/best")
            if processes.count > 1:
                Distributed(processes, plan).assign({}, last=True)
            processes.end()
            return out

        captions = ", ".join(f"{language} {len(rows)}" for language, rows in sorted(data.text.items()))
        print(f"{data.name}: {count_words(len(data), 'image')} [{data.d_image}], captions [{data.d_text}]: {captions}")
        for note in plan.notes:
            print(f"note: {note}")
        trials, folds = count_words(len(plan.trials), "trial"), count_words(len(plan.folds), "fold")
        programs = count_words(sum(group.loss != CLOSED for group in plan.groups), "compiled program")
        spread = f", {processes.count} processes" if processes.count > 1 else ""
        spread += f", {mesh.size} devices" + " each" * bool(spread) if mesh.size > 1 else ""
        print(f"{trials} x {folds}, {programs}{spread}, into {out}")
        with progress_bar("‰ of the work") as progress:
            result = run_sweep(plan, folder, processes=processes, mesh=mesh, progress=progress, preview=Preview())
        print(f"retrieval metrics finished {time.perf_counter() - START:.1f} s after the start", flush=True)
        diagnostics = FLAGS.diagnostics if FLAGS["diagnostics"].present else not FLAGS.quick
        with progress_bar("holdouts") as progress:
            result = measure_test_parts(result, diagnostics=diagnostics, progress=progress)
        write_results(folder, result)
    print_table(main_table(result.summary))
    if said := baselines_words(result.summary):
        print(f"{said} All baselines: {out}/tables/baselines.md")
    for note in result.summary["notes"]:
        if note == QUICK_NOTE or note not in plan.notes:  # those were printed before
            print(f"note: {note}")
    refitted = "" if result.summary["best"] == "identity" else ", refitted"
    print(f"best: {result.summary['best']}{refitted}, in {out}/best; everything else: {out}/report.html")
    processes.end()
    return out


def given(config):
    """The config with every flag that was given on the command line."""
    names = {"data": "data", "pivots": "pivot", "aligners": "aligners", "losses": "losses", "plugins": "plugin"}
    same = ("grid", "hyper", "protocol", "folds", "split", "languages", "heldout_language", "limit", "seed")
    names |= {name: name for name in (*same, "inner_folds", "repeats", "duplicate_cosine", "race", "precision")}
    values = {key: FLAGS[flag].value for key, flag in names.items() if FLAGS[flag].present}
    if "aligners" in values:
        from ccalign_jax.aligners import list_names

        values["aligners"] = list_names(values["aligners"])  # a comma inside brackets is part of a name
    config = dataclasses.replace(
        config, **{key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
    )
    return quick(config, values) if FLAGS.quick else config


def quick(config, named: Collection[str]):
    """The config with the choices of --quick where flags make none and the protocol or split leaves them open."""
    fixed = {"official": {"folds", "inner_folds"}, "seed": {"inner_folds"}}
    kept = {*named}.union(*(fixed.get(choice, set()) for choice in (config.split, config.protocol)))
    chosen = {key: value for key, value in QUICK.items() if key not in kept}
    if not any(setting.startswith("epochs=") for setting in config.hyper):
        chosen["hyper"] = (*config.hyper, QUICK_EPOCHS)
    return dataclasses.replace(config, **chosen)


if __name__ == "__main__":
    run(main)
