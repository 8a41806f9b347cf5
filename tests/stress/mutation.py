"""Mutation testing: `python tests/stress/mutation.py 100` tries so many random faults in losses, metrics, statistics,
splits and selection, each in a copy of the tree, and lists those that no test notices.

A fault is another operator, comparison, constant, condition or reduction in one expression. Faults of the same number
and seed are the same.
"""

from __future__ import annotations

import argparse
import ast
import os
import random
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from mutants import ROOT, try_source

PACKAGE = ROOT / "ccalign_jax"
# Files, and the tests that must notice a fault in them, quick ones first.
AREAS = {
    "losses": ("losses/*.py", ("losses/test_every_loss.py", "losses/test_contrastive.py", "losses")),
    "metrics": ("metrics/*.py", ("metrics/test_retrieval.py", "metrics/test_ranks.py", "metrics")),
    "statistics": ("statistics/*.py", ("statistics",)),
    "splits": ("data/splits.py", ("data/test_splits.py", "data/test_duplicates.py")),
    "selection": ("training/selection.py", ("training/test_selection.py", "training/test_cross_validation.py")),
    "choice": ("study/outcomes.py", ("study/test_summary.py", "study/test_optimism.py", "study/test_run.py")),
    "race": ("study/race.py", ("study/test_race.py",)),
}
SWAPS: dict[type[ast.AST], type[ast.AST]] = {
    **{ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult},
    **{ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq},
    **{ast.And: ast.Or, ast.Or: ast.And, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.Pow: ast.Mult},
}
NAMES = {
    **{"max": "min", "min": "max", "maximum": "minimum", "minimum": "maximum", "argmax": "argmin", "argmin": "argmax"},
    **{"sum": "mean", "mean": "sum", "any": "all", "all": "any", "pmax": "pmin", "logical_and": "logical_or"},
}


class Fault(NamedTuple):
    """One expression with a fault.

    Attributes:
        area: of `AREAS`.
        file: of the package.
        line: of the expression.
        before, after: the expression.
        source: the whole file with the fault.
    """

    area: str
    file: Path
    line: int
    before: str
    after: str
    source: str


def changed(node: ast.AST) -> ast.AST | None:
    """The expression with a fault; None if there is none for it."""
    copy = deepcopy(node)
    match copy:
        case ast.BinOp(op=op) | ast.BoolOp(op=op) if type(op) in SWAPS:
            copy.op = SWAPS[type(op)]()
        case ast.Compare(ops=[op]) if type(op) in SWAPS:
            copy.ops = [SWAPS[type(op)]()]
        case ast.UnaryOp(op=ast.USub() | ast.Invert() | ast.Not()):
            return copy.operand
        case ast.Constant(value=bool() as value):
            copy.value = not value
        case ast.Constant(value=int() | float() as value):
            copy.value = value + 1
        case ast.IfExp():
            copy.body, copy.orelse = copy.orelse, copy.body
        case ast.Call(func=ast.Attribute(attr=name)) if name in NAMES:
            copy.func.attr = NAMES[name]
        case _:
            return None
    return copy


def faults(area: str, file: Path) -> Iterator[Fault]:
    """Every fault of one file. Annotations, defaults, messages and documentation have none."""
    source = file.read_text()
    lines = source.splitlines(keepends=True)
    starts = [sum(map(len, (line.encode() for line in lines[:number]))) for number in range(len(lines) + 1)]
    encoded = source.encode()
    for node in bodies(ast.parse(source)):
        other = changed(node)
        if other is None:
            continue
        first, last = (
            starts[line - 1] + column
            for line, column in ((node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset))
        )
        before, after = encoded[first:last].decode(), f"({ast.unparse(other)})"
        yield Fault(
            area, file, node.lineno, before, after, (encoded[:first] + after.encode() + encoded[last:]).decode()
        )


def bodies(node: ast.AST) -> Iterator[ast.expr]:
    """Expressions that are computed: neither annotations nor defaults, nor what only goes into a message."""
    skipped: list[ast.AST | None] = []
    match node:
        case ast.FunctionDef():
            skipped = [node.args, node.returns, *node.decorator_list]
        case ast.AnnAssign():
            skipped = [node.annotation]
        case ast.Raise() | ast.JoinedStr() | ast.Import() | ast.ImportFrom():
            return
    if isinstance(node, ast.expr):
        yield node
    for child in ast.iter_child_nodes(node):
        if not any(child is one for one in skipped):
            yield from bodies(child)


def tests_of(fault: Fault) -> list[str]:
    """The tests that must notice a fault; first those of its file, where there are such, for they mostly do."""
    own = f"{fault.file.parent.name}/test_{fault.file.stem.strip('_')}.py"
    return [*[own][: (ROOT / "tests" / own).exists()], *AREAS[fault.area][1]]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("count", type=int, nargs="?", default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="leave out so many of these faults")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="faults tried at once")
    given = parser.parse_args()
    every = [
        fault
        for area, (pattern, _) in AREAS.items()
        for file in sorted(PACKAGE.glob(pattern))
        for fault in faults(area, file)
    ]
    chosen = random.Random(given.seed).sample(every, min(given.count, len(every)))[given.first :]
    caught = 0
    with tempfile.TemporaryDirectory(prefix="mutation-") as name:
        folder = Path(name)
        os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(folder / "compiled"))  # most programs are the same
        os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")

        def verdict(fault: Fault) -> str:
            return try_source(str(fault.file.relative_to(PACKAGE)), fault.source, tests_of(fault), folder)

        with ThreadPoolExecutor(given.jobs) as pool:
            for fault, outcome in zip(chosen, pool.map(verdict, chosen), strict=True):
                caught += not outcome.startswith("survived")
                where = f"{fault.file.relative_to(PACKAGE)}:{fault.line}"
                print(f"{outcome:<12.40} {where}: {fault.before} → {fault.after}", flush=True)
    print(f"{caught} of {len(chosen)} faults noticed ({caught / len(chosen):.0%}), of {len(every)} that there are")
    return 0


if __name__ == "__main__":
    sys.exit(main())
