"""The faults of `mutants.py` are faults of lines that exist, with tests that exist."""

import runpy
from pathlib import Path

import ccalign_jax

TESTS = Path(__file__).parent
PACKAGE = Path(ccalign_jax.__file__).parent


def test_every_mutant_changes_one_line_and_names_tests():
    found = runpy.run_path(str(TESTS / "mutants.py"))
    for mutant in found["MUTANTS"]:
        source = PACKAGE / mutant.file
        assert source.exists() and found["mutate"](source.read_text(), mutant), f"{mutant.file}: {mutant.before}"
        assert all((TESTS / name).exists() for name in mutant.tests), mutant.tests
