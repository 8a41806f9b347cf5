"""What benchmarks time is still there."""

import runpy
from pathlib import Path

BENCHMARKS = Path(__file__).resolve().parents[1] / "experiments" / "benchmarks"


def test_the_functions_that_a_benchmark_times_are_there():
    watched = runpy.run_path(str(BENCHMARKS / "seed_sweep_parts.py"))["watched"]()
    assert len(watched) > 20
    for owner, name, _ in watched:
        assert callable(getattr(owner, name)), f"{owner.__name__}.{name}"
