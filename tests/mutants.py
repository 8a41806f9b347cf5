"""Faults that the tests must catch: `python tests/mutants.py` tries each of them in a copy of the tree."""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
PATIENCE = 900  # seconds
FAILED = 1  # pytest's exit status where tests ran and some failed; others are no verdict on the fault


class Mutant(NamedTuple):
    """One line of the package with a fault.

    Attributes:
        file: in the package.
        before: the line as it is, without indentation; it must stand in the file once.
        after: the same with the fault.
        tests: files of which one at least must fail.
    """

    file: str
    before: str
    after: str
    tests: tuple[str, ...]


MUTANTS = (
    Mutant(  # known positives count as negatives
        "losses/_reductions.py",
        '"log_sum_of_rivals": _log_sum(lambda known, exists: exists & ~known),',
        '"log_sum_of_rivals": _log_sum(lambda known, exists: exists),',
        ("losses/test_contrastive.py",),
    ),
    Mutant(  # wrong sign
        "losses/_ranking.py",
        "return language_mean(jax.nn.relu(margin + hardest - direction.own), pairs, axis_name)",
        "return language_mean(jax.nn.relu(margin - hardest + direction.own), pairs, axis_name)",
        ("losses/test_ranking.py",),
    ),
    Mutant(  # each row is among its own neighbours
        "losses/_structure.py",
        "return everywhere[:, None, :] & ~itself",
        "return everywhere[:, None, :] & (itself | ~itself)",
        ("losses/test_structure.py",),
    ),
    Mutant(  # missing captions are summed
        "losses/_batch.py",
        "sums = jnp.sum(jnp.where(mask, terms, 0.0), axis=1)",
        "sums = jnp.sum(terms, axis=1)",
        ("losses/test_regression.py", "losses/test_contrastive.py"),
    ),
    Mutant(  # missing factor
        "losses/_uniformity.py",
        "spread = 0.5 * (uniformity(text, pairs) + uniformity(image[None], image_mask[None]))",
        "spread = uniformity(text, pairs) + uniformity(image[None], image_mask[None])",
        ("losses/test_uniformity.py",),
    ),
    Mutant(  # other gold answers that tie count as rivals
        "metrics/counts.py",
        "better, equal = jnp.where(known, better, 0), jnp.where(known, equal - tied, 0)",
        "better, equal = jnp.where(known, better, 0), jnp.where(known, equal - 1, 0)",
        ("metrics/test_ranks.py",),
    ),
    Mutant(  # drawn with replacement
        "metrics/retrieval.py",
        "left = xp.maximum(ranks.equal + ranks.tied - place, 1)",
        "left = xp.maximum(ranks.equal + ranks.tied, 1)",
        ("metrics/test_retrieval.py",),
    ),
    Mutant(  # the mean place of one gold answer, not of the first of several
        "metrics/retrieval.py",
        "return np.asarray(ranks.better + 1 + ranks.equal / (ranks.tied + 1))",
        "return np.asarray(ranks.better + 1 + ranks.equal / 2)",
        ("metrics/test_retrieval.py",),
    ),
    Mutant(  # off by one
        "metrics/gallery_size.py",
        "for hits in range(min(k, drawn + 1)):",
        "for hits in range(min(k + 1, drawn + 1)):",
        ("metrics/test_gallery_size.py",),
    ),
    Mutant(  # the mean of the wrong side
        "metrics/scoring.py",
        "centred_gallery = unit_rows(gallery - mean_row(banks.gallery, banks.gallery_mask))",
        "centred_gallery = unit_rows(gallery - mean_row(banks.queries, banks.query_mask))",
        ("metrics/test_scoring.py",),
    ),
    Mutant(  # images that show what a test image shows are trained on
        "data/splits.py",
        "rest = np.flatnonzero(~np.isin(data.groups, data.groups[test]))",
        'rest = np.flatnonzero(data.split != "test")',
        ("data/test_splits.py",),
    ),
    Mutant(  # parts are balanced by groups, not by images
        "data/splits.py",
        "filled[owner[group]] += sizes[group]",
        "filled[owner[group]] += 1",
        ("data/test_splits.py",),
    ),
    Mutant(  # the final choice is refitted on test images
        "data/splits.py",
        "return [Fold(train, (Inner(train, validation),), test, _sample(train, len(test), (seed, 0)), rest)]",
        "return [Fold(train, (Inner(train, validation),), test, _sample(train, len(test), (seed, 0)), "
        "np.arange(len(data)))]",
        ("data/test_splits.py",),
    ),
    Mutant(  # variance of a population
        "statistics/_folds.py",
        "error = np.where(same, 0.0, np.sqrt((1 / folds + test_share) * changes.var(0, ddof=1)))",
        "error = np.where(same, 0.0, np.sqrt((1 / folds + test_share) * changes.var(0, ddof=0)))",
        ("statistics/test_folds.py",),
    ),
    Mutant(  # a p-value of 0
        "statistics/_permutation.py",
        "p = reached / flips if complete else (1 + reached) / (1 + flips)",
        "p = reached / flips",
        ("statistics/test_permutation.py",),
    ),
    Mutant(  # one test fewer than there are
        "statistics/_multiplicity.py",
        "steps = (tests - np.arange(p.shape[-1])) * np.take_along_axis(p, order, axis=-1)",
        "steps = (tests - 1 - np.arange(p.shape[-1])) * np.take_along_axis(p, order, axis=-1)",
        ("statistics/test_multiplicity.py",),
    ),
    Mutant(  # < for <=
        "statistics/_medians.py",
        "below = np.sum((running <= place[some, None]) & (inside < length[some, None]), axis=1)",
        "below = np.sum((running < place[some, None]) & (inside < length[some, None]), axis=1)",
        ("statistics/test_bootstrap.py",),
    ),
    Mutant(  # of several best epochs the last
        "training/selection.py",
        "return jnp.argmax(jnp.where(diverged == 0, values, -jnp.inf))",
        "return len(values) - 1 - jnp.argmax(jnp.where(diverged == 0, values, -jnp.inf)[::-1])",
        ("training/test_selection.py",),
    ),
    Mutant(  # of two trials that differ in rounding the later
        "study/outcomes.py",
        "return int(np.argmax(scores >= scores.max() - ROUNDING))",
        "return int(np.argmax(scores))",
        ("study/test_summary.py",),
    ),
    Mutant(  # selection on the test fold
        "study/outcomes.py",
        "others = [np.delete(curve, fold, axis=0)[:, 1:, 0].mean(axis=0) for curve in curves]",
        "others = [curve[:, 1:, 0].mean(axis=0) for curve in curves]",
        ("study/test_optimism.py",),
    ),
)


def mutate(text: str, mutant: Mutant) -> str | None:
    """The text with the fault; None where the line does not stand in it exactly once."""
    line = re.compile(rf"^( *){re.escape(mutant.before)}$", re.MULTILINE)
    changed, count = line.subn(lambda found: found[1] + mutant.after, text)
    return changed if count == 1 else None


def verdict(mutant: Mutant, folder: Path) -> str:
    """What the tests of a mutant find."""
    source = ROOT / "ccalign_jax" / mutant.file
    changed = mutate(source.read_text(), mutant) if source.exists() else None
    return "not found exactly once" if changed is None else try_source(mutant.file, changed, mutant.tests, folder)


def try_source(file: str, source: str, tests: Sequence[str], folder: Path) -> str:
    """What tests find in a copy of the tree, in `folder`, where a file of the package has this source."""
    ignored = shutil.ignore_patterns(".*", "__pycache__", "build", "*.egg-info", "shared", "runs")
    copy = Path(shutil.copytree(ROOT, Path(tempfile.mkdtemp(dir=folder)) / "tree", ignore=ignored))
    (copy / "ccalign_jax" / file).write_text(source)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-x",
        "-q",
        "-p",
        "no:cacheprovider",
        *(f"tests/{name}" for name in tests),
    ]
    environment = os.environ | {"PYTHONPATH": str(copy)}
    try:
        ran = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        return f"caught, no end after {PATIENCE} seconds"
    finally:
        shutil.rmtree(copy.parent)
    if ran.returncode == FAILED:
        names = re.findall(r"^FAILED (\S+)", ran.stdout, re.MULTILINE)
        return f"caught by {names[0] if names else tests}"
    if ran.returncode == 0:
        return "survived"
    return f"no verdict, pytest ended with {ran.returncode}: {ran.stdout[-2000:]}{ran.stderr[-2000:]}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="mutants tested at once")
    with tempfile.TemporaryDirectory(prefix="mutants-") as name:
        folder = Path(name)
        # Most programs are the same in every copy.
        os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(folder / "compiled"))
        with ThreadPoolExecutor(parser.parse_args().jobs) as pool:
            found = pool.map(lambda mutant: verdict(mutant, folder), MUTANTS)
            caught = 0
            for number, (mutant, outcome) in enumerate(zip(MUTANTS, found, strict=True), 1):
                caught += outcome.startswith("caught")
                print(f"{number:2} {mutant.file}: {outcome}\n   {mutant.after}", flush=True)
    print(f"{caught} of {len(MUTANTS)} caught")
    return 0 if caught == len(MUTANTS) else 1


if __name__ == "__main__":
    sys.exit(main())
