"""`ccalign`: what it lists, what it runs, and the scripts that are its subcommands."""

import pkgutil
import re
import runpy
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest
from absl import flags

import ccalign_jax
from ccalign_jax.cli import main as cli
from ccalign_jax.cli.program import as_started, command

EXPERIMENTS = Path(__file__).resolve().parents[2] / "experiments"


@pytest.fixture
def ccalign(monkeypatch, capsys):
    """`ccalign("--help")` is the exit status of the command, and what it printed on stdout and stderr."""
    monkeypatch.setattr("ccalign_jax.cli.streams.protect", lambda: None)

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["/somewhere/bin/ccalign", *arguments])
        status = 0
        try:
            cli.main()
        except SystemExit as ended:
            status = ended.code
        return status, *capsys.readouterr()

    return run


@pytest.fixture
def started(monkeypatch) -> list[str]:
    """The subcommands that are run, with `sys.argv`, in place of running them."""
    found: list[list[str]] = []
    monkeypatch.setattr(cli, "run_command", lambda name: found.append([name, *sys.argv]))
    return found


def test_every_subcommand_is_listed_with_the_first_line_of_its_module(ccalign):
    status, listed, said = ccalign("--help")
    assert (status, said) == (0, "") and ccalign() == ccalign("-h") == ccalign("help") == (0, listed, "")
    rows = dict(re.findall(r"^  (\w+)  +(\S.*)$", listed, flags=re.MULTILINE))
    assert rows.keys() >= {"align", "apply", "build_wit", "compare", "curves", "evaluate", "extract", "make_scenes"}
    for name, summary in rows.items():
        module = import_module(f"ccalign_jax.cli.commands.{name}")
        assert module.__doc__.startswith(f"{summary}\n") or module.__doc__ == summary
        assert summary.endswith(".") and len(f"  {name}  {summary}") < 110


def test_the_version_is_printed(ccalign):
    assert ccalign("--version") == (0, f"ccalign_jax {ccalign_jax.__version__}\n", "")


def test_a_subcommand_may_be_written_with_dashes(ccalign, started):
    assert ccalign("make-scenes", "--out=here")[0] == ccalign("sweep")[0] == 0
    assert started == [["make_scenes", "ccalign make_scenes", "--out=here"], ["sweep", "ccalign sweep"]]


def test_help_of_a_subcommand_is_its_own(ccalign, started):
    assert ccalign("help", "make-scenes")[0] == 0
    assert started == [["make_scenes", "ccalign make_scenes", "--help"]]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["swep"], "'swep': no such subcommand; did you mean sweep? (ccalign --help lists them)"),
        (["Build-Wiki"], "'Build-Wiki': no such subcommand; did you mean build_wit? (ccalign --help lists them)"),
        (["nothing at\nall"], "'nothing at\\nall': no such subcommand (ccalign --help lists them)"),
        (["--data=x", "sweep"], "--data=x: the subcommand comes first: ccalign sweep --data=x (ccalign --help"),
        (["--data=x"], "--data=x: the subcommand comes first: ccalign SUBCOMMAND --data=x (ccalign --help"),
    ],
)
def test_what_is_no_subcommand_is_one_line(arguments, said, ccalign, started):
    status, printed, error = ccalign(*arguments)
    assert (status, printed, error.count("\n")) == (2, "", 1) and error.startswith(f"error: {said}") and not started


def test_every_subcommand_is_a_script_too(monkeypatch):
    run = []
    monkeypatch.setattr(cli, "run_command", run.append)
    scripts = sorted(EXPERIMENTS.glob("*.py"))
    for script in scripts:
        runpy.run_path(str(script), run_name="__main__")
    assert run == [script.stem for script in scripts] == cli.names()


def said(*command: str, status: int) -> str:
    """What a command prints in a process of its own."""
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True, timeout=60)
    assert done.returncode == status and not (done.stdout and done.stderr), done
    return done.stdout + done.stderr


INSTALLED = ("-c", "from ccalign_jax.cli.main import main; main()")  # what an installed package starts


def test_a_subcommand_prints_what_its_script_prints():
    script = str(EXPERIMENTS / "make_scenes.py")
    mine = said(*INSTALLED, "make-scenes", "--help", status=0)
    assert mine == said(script, "--help", status=0).replace(f"python {script}", "ccalign make_scenes")
    assert "\nccalign make_scenes --out=scenes " in mine and "\nccalign make_scenes:\n" in mine
    listed = set(re.findall(r"^  --(?:\[no\])?(\w+):", mine, flags=re.MULTILINE))
    assert listed == {
        "captions",
        "compilation_cache",
        "count",
        "languages",
        "out",
        "overwrite",
        "plugin",
        "seed",
        "size",
    }
    mistake = said(*INSTALLED, "make_scenes", "--output=made", status=2)
    assert mistake == "error: --output: no such flag; did you mean --out?\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a full device is Linux's")
@pytest.mark.parametrize("arguments", [["--help"], ["make_scenes", "--help"]])
def test_a_list_that_cannot_be_printed_is_one_line(arguments):
    with open("/dev/full", "w") as full:
        command = [sys.executable, *INSTALLED, *arguments]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
    assert done.returncode == 2 and done.stderr.startswith("error: stdout: ") and done.stderr.count("\n") == 1


def test_importing_subcommands_defines_no_flag():
    before = set(flags.FLAGS)
    for name in cli.names():
        import_module(f"ccalign_jax.cli.commands.{name}")
    assert set(flags.FLAGS) == before


def test_commands_are_named_as_they_were_started(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["ccalign sweep"])
    assert (command(), command("apply")) == ("ccalign sweep", "ccalign apply")
    assert as_started("`ccalign rank --csls`") == "`ccalign rank --csls`"
    monkeypatch.setattr(sys, "argv", ["my experiments/sweep.py"])
    assert (command(), command("apply")) == ("python 'my experiments/sweep.py'", "python 'my experiments/apply.py'")
    assert as_started("`ccalign rank --csls`") == "`python 'my experiments/rank.py' --csls`"


def test_the_package_installs_the_command():
    scripts = tomllib.loads((EXPERIMENTS.parent / "pyproject.toml").read_text("utf-8"))["project"]["scripts"]
    assert pkgutil.resolve_name(scripts["ccalign"]) is cli.main
