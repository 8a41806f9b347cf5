"""Scaling of time and memory, with other libraries on the same machine: JSON, plots and exponents.

    python experiments/benchmarks/cost_curves.py --out=runs/cost                  # all curves
    python experiments/benchmarks/cost_curves.py --out=runs/cost --curves=loss,gallery

Every point is a process of its own: the median of some calls after the first, and the most memory that it ever had.
Libraries that are not installed (torch, faiss, scikit-learn) are left out. The exponent is that of the last two sizes.
"""

import json
import math
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from absl import app, flags
from cost_cases import CURVES

flags.DEFINE_string("out", None, "folder for cost.json and the plots")
flags.DEFINE_list("curves", list(CURVES), "which")
flags.DEFINE_float("seconds", 3.0, "a point is called until it took so long, three times at least")
flags.DEFINE_list("point", None, "curve, method and size of one point: what the processes are started with")
FLAGS = flags.FLAGS


def main(argv: list[str]) -> None:
    """One point, or all of them in processes of their own."""
    del argv
    if FLAGS.point:
        print(json.dumps(measure(*FLAGS.point)))
        return
    if FLAGS.out is None or set(FLAGS.curves) - set(CURVES):
        sys.exit(f"error: give --out=FOLDER, and --curves of {', '.join(CURVES)}")
    out = Path(FLAGS.out)
    out.mkdir(parents=True, exist_ok=True)
    found: dict[str, Any] = {"machine": machine(), "curves": {}}
    for name in FLAGS.curves:
        curve = CURVES[name]
        lines: dict[str, Any] = {}
        for method in curve.methods:
            points = [run_point(name, method, size) for size in curve.sizes]
            lines[method] = {"points": [point for point in points if point], "exponents": {}}
            for what in ("seconds", "bytes"):
                lines[method]["exponents"][what] = exponent(lines[method]["points"], what)
        found["curves"][name] = {"axis": curve.axis, "about": curve.about, "methods": lines}
        (out / "cost.json").write_text(json.dumps(found, indent=1), encoding="utf-8")
    draw(found["curves"], out)
    print(table(found["curves"]))


def measure(curve: str, method: str, size: str) -> dict[str, float]:
    """The median seconds of a call, and the most memory of this process less what it had when all was imported."""
    call = CURVES[curve].methods[method](int(size))
    first = time.perf_counter()
    call()
    first = time.perf_counter() - first
    seconds: list[float] = []
    while len(seconds) < 3 or (sum(seconds) < FLAGS.seconds and len(seconds) < 50):
        clock = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - clock)
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return {"size": int(size), "first": first, "seconds": statistics.median(seconds), "bytes": most}


def run_point(curve: str, method: str, size: int) -> dict[str, float] | None:
    """A point from a process of its own; None, and why, where that fails."""
    command = [sys.executable, __file__, f"--seconds={FLAGS.seconds}", f'--point={curve},"{method}",{size}']
    done = subprocess.run(command, capture_output=True, encoding="utf-8")
    if done.returncode:
        errors = done.stderr.strip().splitlines()
        print(f"{curve}, {method}, {size}: left out: {errors[-1] if errors else done.returncode}", flush=True)
        return None
    point = json.loads(done.stdout.strip().splitlines()[-1])
    print(f"{curve}, {method}, {size}: {point['seconds']:.4f} s, {point['bytes'] / 2**20:.0f} MiB", flush=True)
    return point


def exponent(points: list[dict[str, float]], what: str) -> float | None:
    """b of size^b between the last two points."""
    if len(points) < 2:
        return None
    one, other = points[-2:]
    return math.log(other[what] / one[what]) / math.log(other["size"] / one["size"])


def machine() -> dict[str, Any]:
    """Description of the machine."""
    import os
    import platform

    import jax

    return {"cores": os.cpu_count(), "platform": platform.platform(), "device": jax.devices()[0].device_kind}


def draw(curves: dict[str, Any], out: Path) -> None:
    """A picture a curve: time on the left, memory on the right."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from matplotlib.ticker import NullLocator

    for name, curve in curves.items():
        figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
        for side, what, scale, label in (
            (axes[0], "seconds", 1, "seconds"),
            (axes[1], "bytes", 2**20, "MiB, whole process"),
        ):
            for method, line in curve["methods"].items():
                sizes = [point["size"] for point in line["points"]]
                side.plot(sizes, [point[what] / scale for point in line["points"]], marker="o", label=method)
            side.set(xscale="log", yscale="log", xlabel=curve["axis"], ylabel=label)
            every = sorted({point["size"] for line in curve["methods"].values() for point in line["points"]})
            side.set_xticks(every, [f"{size:,}" for size in every])
            side.xaxis.set_minor_locator(NullLocator())
            side.grid(alpha=0.3)
        axes[0].legend(frameon=False, fontsize=8)
        figure.suptitle(curve["about"], fontsize=10)
        figure.savefig(out / f"{name}.png", dpi=130)
        plt.close(figure)


def table(curves: dict[str, Any]) -> str:
    """The largest size of each curve as Markdown."""
    rows = ["| work | method | size | seconds | MiB | time grows as | memory as |", "|---|---|--:|--:|--:|--:|--:|"]
    for curve in curves.values():
        for method, line in curve["methods"].items():
            if not line["points"]:
                continue
            last, powers = line["points"][-1], line["exponents"]
            grows = ["" if power is None else f"{curve['axis']}^{power:.1f}" for power in powers.values()]
            cells = [
                curve["about"],
                method,
                f"{last['size']:,}",
                f"{last['seconds']:.3f}",
                f"{last['bytes'] / 2**20:,.0f}",
            ]
            rows.append("| " + " | ".join([*cells, *grows]) + " |")
    return "\n".join(rows)


if __name__ == "__main__":
    app.run(main)
