"""Functions that the subcommands share, called without one."""

import json
import subprocess
import sys

import jax
import pytest

from ccalign_jax.cli.flags import as_bytes
from ccalign_jax.cli.hints import hint
from ccalign_jax.cli.lists import LISTS, aligned
from ccalign_jax.cli.runner import start_jax
from ccalign_jax.settings import SETTINGS


def test_sizes_of_memory():
    sizes = [as_bytes(given) for given in ("1", "512MiB", "1.5 KiB", "1024GiB")]
    assert sizes == [1, 1 << 29, 1536, 1 << 40]


@pytest.mark.parametrize("given", ["0", "0.1", "-1", "1e9", "1TiB", "1" + "0" * 400, "9" * 300 + "GiB", ""])
def test_an_impossible_memory_size_is_one_line(given, one_line):
    one_line(lambda: as_bytes(given), f"--memory={given}")


@pytest.mark.parametrize("error", [AssertionError(), RuntimeError("Unable to initialize backend 'cuda': why\nmore")])
def test_a_missing_device_is_one_line(error, one_line, monkeypatch):
    def devices():
        raise error

    monkeypatch.setattr(jax, "devices", devices)
    one_line(start_jax, f"JAX_PLATFORMS={jax.config.jax_platforms}: ", "JAX_PLATFORMS=cpu")


@pytest.mark.parametrize(
    ("argument", "known", "said"),
    [
        ("--lr=0.1", ["hyper"], "--hyper=learning_rate=0.1"),
        ("--learning-rate", ["hyper"], "--hyper=learning_rate=VALUE"),
        ("--learnin_rate=1", ["hyper"], "--hyper=learning_rate=1"),
        ("--epochs=3", ["hyper"], "--hyper=epochs=3"),
        ("--temp=0.1", ["hyper"], "--hyper=temperature=0.1"),
        ("--batch_size=64", ["hyper"], "--hyper=batch_images=64"),
        ("--batch_size=64", ["hyper", "batch"], "did you mean --batch?"),
        ("--output=x", ["out", "hyper"], "did you mean --out?"),
        ("--lang=de", ["languages"], "did you mean --languages?"),
        ("--lang=de", ["language"], "did you mean --language?"),
        ("--inner-folds=1", ["inner_folds", "folds"], "did you mean --inner_folds?"),
        ("--pivott", ["pivot", "hyper"], "did you mean --pivot?"),
        ("--lr=0.1", ["out"], "see --help"),
        ("--nonsense", ["out", "hyper"], "see --help"),
    ],
)
def test_an_unknown_flag_gets_a_hint(argument, known, said):
    found = hint(argument, known)
    assert found.startswith(f"{argument.partition('=')[0]}: no such flag") and said in found and "\n" not in found


def test_lists_are_aligned_and_have_every_setting():
    lines = aligned(list(LISTS["hyper"]()))
    assert [line.split()[0] for line in lines] == ["setting", *SETTINGS]
    assert len({line.find(word) for line, word in zip(lines, ("default", "0.001", "0.0005"), strict=False)}) == 1


GIVEN = """
import dataclasses, json, sys
from ccalign_jax.cli.commands import sweep
from ccalign_jax.options import SweepConfig
sweep.define_flags()
for command in json.load(sys.stdin):
    sweep.FLAGS.unparse_flags()
    sweep.FLAGS(["sweep", *command])
    print(json.dumps(dataclasses.asdict(sweep.asked(SweepConfig()))))
"""


def test_flags_that_are_given_stand_before_those_of_a_quick_look():
    commands = [[], ["--quick"], ["--quick", "--folds=4", "--limit=50", "--hyper=epochs=3", "--grid=default"]]
    commands += [["--quick", "--protocol=seed", "--hyper=l2=0"], ["--quick", "--split=official"]]
    commands += [["--pivots=image,symmetric", "--aligner=dual(linear,shift),residual", "--loss=mse"]]
    arguments = [sys.executable, "-c", GIVEN]
    done = subprocess.run(arguments, input=json.dumps(commands), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    plain, quick, mixed, seed, official, aliases = map(json.loads, done.stdout.splitlines())
    different = {key for key in plain if quick[key] != plain[key]}
    assert different == {"limit", "folds", "inner_folds", "grid", "hyper"} and quick["hyper"] == ["epochs=10"]
    assert quick["limit"] == 300 and quick["inner_folds"] == 1 and quick["folds"] < plain["folds"]
    assert mixed == {**quick, "folds": 4, "limit": 50, "hyper": ["epochs=3"], "grid": "default"}
    assert seed == {**quick, "protocol": "seed", "inner_folds": None, "hyper": ["l2=0", "epochs=10"]}
    assert official == {**quick, "split": "official", "folds": plain["folds"], "inner_folds": None}
    names = {"pivots": ["image", "symmetric"], "aligners": ["dual(linear,shift)", "residual"], "losses": ["mse"]}
    assert aliases == {**plain, **names}
