"""Results of thousands of worlds: rates with their own intervals, tests of uniformity, a table and a plot."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from scipy import stats

DIRECTIONS = ("t2i", "i2t", "both")
WORDS = {"t2i": "text to image", "i2t": "image to text", "both": "mean of both"}
ALPHA = 0.05
EXACT = 1e-9
GAINED = ("gain", "claimed gain")  # the latter under the seed protocol


def judge(worlds: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Every rate of docs/statistics.md, by kind of world."""
    kinds: dict[str, list[Any]] = {}
    for world in worlds:
        kinds.setdefault(world["kind"], []).append(world["result"])
    return {
        kind: _exchange(results) if kind.startswith("exchange") else _sweeps(results, seed="seed" in kind)
        for kind, results in kinds.items()
    }


def share(hits: Iterable[bool]) -> dict[str, float]:
    """A rate and its 95 % interval (Wilson); NaN of nothing, as of a trial that a race always dropped."""
    values = np.asarray(list(hits), bool)
    if not len(values):
        return {"share": np.nan, "low": np.nan, "high": np.nan, "n": 0}
    ends = stats.binomtest(int(values.sum()), len(values)).proportion_ci(0.95, method="wilson")
    return {"share": float(values.mean()), "low": float(ends.low), "high": float(ends.high), "n": len(values)}


def _exchange(results: Sequence[Mapping[str, Mapping[str, float]]]) -> dict[str, Any]:
    """p-values of arms that differ by chance alone.

    Those of R@1 come in steps, a query each, and a p-value holds the whole of its step: it is larger than uniform, as
    it should be. Those of MRR hardly do, and show whether the test itself is right.
    """
    found: dict[str, Any] = {}
    for metric in ("MRR", "R@1"):
        found[metric] = {}
        for direction in DIRECTIONS:
            p = np.array([one[metric][direction] for one in results])
            found[metric][direction] = {
                "kolmogorov_smirnov_p": float(stats.kstest(p, "uniform").pvalue),
                "smaller_than_uniform_p": float(stats.kstest(p, "uniform", alternative="greater").pvalue),
                "below_alpha": share(p < ALPHA),
                "curve": _curve(p),
            }
    return found


def _sweeps(results: Sequence[Mapping[str, Any]], *, seed: bool) -> dict[str, Any]:
    found: dict[str, Any] = {
        "claims": {
            "selected": share(one["verdict"]["both"] in GAINED for one in results),
            "selected, one direction at least": share(_gains_in_a_direction(one["verdict"]) for one in results),
            "any trial": share(any(v["both"] in GAINED for v in one["verdicts"]) for one in results),
            "any trial, one direction at least": share(
                any(_gains_in_a_direction(v) for v in one["verdicts"]) for one in results
            ),
        },
        "best mean above identity": share(one["selected"]["change"]["t2i"][0] > 0 for one in results),
    }
    found["change"] = {
        direction: {
            "reported": float(np.mean([one["selected"]["change"][direction][0] for one in results])),
            "true": float(np.mean([one["selected"]["change"][direction][3] for one in results])),
        }
        for direction in DIRECTIONS
    }
    if seed:
        for direction in DIRECTIONS:
            found["change"][direction]["chosen on the other folds"] = float(
                np.mean([one["optimism"][direction]["R@1"]["honest"] for one in results])
            )
    found["coverage"] = {
        name: {
            direction: share(
                _covers(claim[direction])
                for claim in map(get, results)
                if claim is not None and _moved(claim[direction])
            )
            for direction in DIRECTIONS
        }
        for name, get in {
            "identity, level": lambda one: one["identity"],
            "one trial, level": lambda one: one.get("trial", {}).get("level"),
            "one trial, change": lambda one: one.get("trial", {}).get("change"),
            "selected, level": lambda one: one["selected"]["level"],
            "selected, change": lambda one: one["selected"]["change"],
        }.items()
    }
    found["against_identity"] = {direction: _one_sided(results, direction) for direction in DIRECTIONS}
    return found


def _gains_in_a_direction(verdict: Mapping[str, str]) -> bool:
    return any(verdict[direction] in GAINED for direction in ("t2i", "i2t"))


def _moved(claim: Sequence[float]) -> bool:
    """Whether there is an interval: maps that equal identity in every fold have none."""
    return claim[2] - claim[1] > EXACT


def _covers(claim: Sequence[float]) -> bool:
    _, low, high, truth = claim
    return low <= truth <= high


def _one_sided(results: Sequence[Mapping[str, Any]], direction: str) -> dict[str, Any]:
    """p-values for a gain of every trial: whether they are ever smaller than uniform ones."""
    each = np.array([[(t[direction]["mean"], t[direction]["p"]) for t in one["trials"]] for one in results])
    p = np.where(each[..., 0] > 0, each[..., 1] / 2, 1 - each[..., 1] / 2)
    p = np.where(np.abs(each[..., 0]) < EXACT, 1.0, p)  # flips are never below a change of nothing
    found = {
        "below_alpha": share((p < ALPHA).ravel()),
        "smaller_than_uniform_p": [float(stats.kstest(one, "uniform", alternative="greater").pvalue) for one in p.T],
        "curve": _curve(p.ravel()),
    }
    folds = np.array([one["selected"]["p_folds"][direction] for one in results], float)
    mean = np.array([one["selected"]["change"][direction][0] for one in results])
    found["selected, folds"] = share((folds < ALPHA) & (mean > 0))
    return found


def _curve(p: np.ndarray) -> list[float]:
    """The share of p-values up to .01, .02, …, 1."""
    return [float(np.mean(p <= at + 1e-12)) for at in np.arange(1, 101) / 100]


def tables(found: Mapping[str, Any]) -> str:
    """Markdown tables of all estimates."""
    sweeps = {kind: one for kind, one in found.items() if not kind.startswith("exchange")}
    lines = ["| a gain is claimed of | " + " | ".join(sweeps) + " |", "|---|" + "---:|" * len(sweeps)]
    for name in next(iter(sweeps.values()))["claims"]:
        lines.append(f"| {name} | " + " | ".join(_rate(one["claims"][name]) for one in sweeps.values()) + " |")
    cells = [_rate(one["best mean above identity"]) for one in sweeps.values()]
    lines.append("| selected, t2i mean above identity's | " + " | ".join(cells) + " |")
    lines += ["", "| change of R@1, in points | " + " | ".join(sweeps) + " |", "|---|" + "---:|" * len(sweeps)]
    for direction in DIRECTIONS:
        for key in ("reported", "true", "chosen on the other folds"):
            each = [one["change"][direction].get(key) for one in sweeps.values()]
            cells = ["" if value is None else f"{100 * value:+.2f}" for value in each]
            if any(cells):
                lines.append(f"| {WORDS[direction]}, {key} | " + " | ".join(cells) + " |")
    lines += ["", "| covered by 95 % intervals | " + " | ".join(sweeps) + " |", "|---|" + "---:|" * len(sweeps)]
    for name in next(iter(sweeps.values()))["coverage"]:
        for direction in DIRECTIONS:
            cells = [_rate(one["coverage"][name][direction]) for one in sweeps.values()]
            lines.append(f"| {name}, {direction} | " + " | ".join(cells) + " |")
    heads = ("p-values", "direction", "below .05", "unlike uniform, p", "smaller than uniform, p")
    lines += ["", "| " + " | ".join(heads) + " |", "|---|---|---:|---:|---:|"]
    for kind, one in found.items():
        if kind.startswith("exchange"):
            tests = {f"{kind}, {metric}": one[metric] for metric in ("MRR", "R@1")}
        else:
            tests = {f"{kind}, gain over identity, R@1": one["against_identity"]}
        for name, each in tests.items():
            for direction in DIRECTIONS:
                test = each[direction]
                unlike = f"{test['kolmogorov_smirnov_p']:.3f}" if "kolmogorov_smirnov_p" in test else ""
                smaller = f"{np.min(test['smaller_than_uniform_p']):.3f}"
                lines.append(f"| {name} | {direction} | {_rate(test['below_alpha'])} | {unlike} | {smaller} |")
    return "\n".join(lines) + "\n"


def _rate(rate: Mapping[str, float]) -> str:
    if not rate["n"]:
        return ""
    return f"{100 * rate['share']:.1f} % [{100 * rate['low']:.1f}, {100 * rate['high']:.1f}]"


def plot(found: Mapping[str, Any]) -> Any:
    """Four panels: p-values, claims on null worlds, coverage, power."""
    from matplotlib import style

    from ccalign_jax.reporting.plots import BLUE, CYCLE, GREY, INK, ORANGE, STYLE, make_subplots

    with style.context(["default", STYLE]):
        figure, (values, claims, coverage, power) = make_subplots("calibration", 2, height=8.0, rows=2)
        at = np.arange(1, 101) / 100
        values.plot([0, 1], [0, 1], color=INK, linewidth=1, linestyle=":")
        for direction, colour in zip(DIRECTIONS, CYCLE, strict=False):
            curve = found["exchange"]["MRR"][direction]["curve"]
            values.plot(at, curve, color=colour, label=f"two equal arms, {WORDS[direction]}")
        values.plot(
            at, found["null"]["against_identity"]["both"]["curve"], color=GREY, label="gain over identity, all trials"
        )
        values.set(title="p-values where nothing is gained", xlabel="p", ylabel="share of worlds at or below")
        values.legend(loc="upper left", fontsize=8)
        names = list(found["null"]["claims"])
        for kind, shift, colour in (("null", -0.15, BLUE), ("null, seed protocol", 0.15, ORANGE)):
            rates = [found[kind]["claims"][name] for name in names]
            _dots(claims, rates, np.arange(len(names)) + shift, colour, "nested" if kind == "null" else "seed protocol")
        claims.axvline(5, color=INK, linestyle=":", linewidth=1)
        claims.set_yticks(range(len(names)), [name.replace(", ", ",\n") for name in names], fontsize=8)
        claims.invert_yaxis()
        claims.set(title="false claims of a gain (null worlds)", xlabel="% of worlds")
        claims.legend(loc="lower right", fontsize=8)
        rows = [row for row, each in found["null"]["coverage"].items() if each["both"]["n"]]
        coverage.axvspan(93, 97, color=GREY, alpha=0.2)
        for direction, shift, colour in zip(DIRECTIONS, (-0.2, 0.0, 0.2), CYCLE, strict=False):
            rates = [found["null"]["coverage"][row][direction] for row in rows]
            _dots(coverage, rates, np.arange(len(rows)) + shift, colour, WORDS[direction])
        coverage.set_yticks(range(len(rows)), rows, fontsize=8)
        coverage.set_ylim(len(rows) + 0.2, -0.5)  # space for the legend
        coverage.set(title="95 % intervals that cover the truth", xlabel="% of null worlds")
        coverage.legend(loc="lower center", fontsize=8, ncols=3)
        gains = [kind for kind in found if kind.startswith("gain")]
        points = [100 * found[kind]["change"]["both"]["true"] for kind in gains]
        for name, colour in (("selected", BLUE), ("any trial", ORANGE)):
            rates = [found[kind]["claims"][name] for kind in ("null", *gains)]
            power.plot([0, *points], [100 * one["share"] for one in rates], "o-", color=colour, label=name)
            power.fill_between(
                [0, *points],
                [100 * one["low"] for one in rates],
                [100 * one["high"] for one in rates],
                color=colour,
                alpha=0.15,
                linewidth=0,
            )
        power.set(title="power", xlabel="true gain of what is selected, points of R@1", ylabel="% of worlds: gain")
        power.set_ylim(0, 100)
        power.legend(fontsize=8)
    return figure


def _dots(axes: Any, rates: Sequence[Mapping[str, float]], rows: np.ndarray, colour: str, label: str) -> None:
    middle = 100 * np.array([one["share"] for one in rates])
    ends = 100 * np.array([[one["low"] for one in rates], [one["high"] for one in rates]])
    axes.errorbar(middle, rows, xerr=np.abs(ends - middle), fmt="o", color=colour, label=label, markersize=4)
