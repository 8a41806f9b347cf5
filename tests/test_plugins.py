"""Plugins: how they are found, that each is imported once, and the one line for one that cannot be."""

import sys
from pathlib import Path

import pytest

import ccalign_jax as cc
from ccalign_jax.aligners import ALIGNERS
from ccalign_jax.plugins import load_installed, load_plugin

pytestmark = pytest.mark.usefixtures("as_before")
CODE = """
import ccalign_jax as cc
from ccalign_jax.aligners import identity
cc.register_aligner("{name}", lambda d_text, d_out, sizes: identity(d_text, d_out), summary="x")
"""


def written(folder: Path, name: str, code: str | None = None) -> Path:
    path = folder / f"{name}.py"
    path.parent.mkdir(exist_ok=True)
    path.write_text(CODE.format(name=name) if code is None else code)
    return path


def test_a_file_is_loaded_once_whatever_it_is_called(tmp_path, monkeypatch):
    path = written(tmp_path, "maps_a")
    module = cc.load_plugin(path)
    assert "maps_a" in ALIGNERS and module.__name__ == "maps_a"
    monkeypatch.chdir(tmp_path)
    for again in (str(path), "maps_a.py", "./maps_a.py", "maps_a"):
        assert load_plugin(again) is module
    link = tmp_path / "elsewhere"
    link.symlink_to(tmp_path)
    assert load_plugin(link / "maps_a.py") is module


def test_a_module_is_found_here_and_on_the_path(tmp_path, monkeypatch):
    written(tmp_path / "here", "maps_b")
    written(tmp_path / "there", "maps_c")
    (tmp_path / "there" / "pack").mkdir()
    written(tmp_path / "there" / "pack", "maps_d")
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.syspath_prepend(tmp_path / "there")
    for name in ("maps_b", "maps_c", "pack.maps_d"):
        load_plugin(name)
        assert name.rpartition(".")[2] in ALIGNERS


def test_a_plugin_finds_its_neighbours(tmp_path):
    written(tmp_path, "neighbour_e", "name = 'maps_e'")
    load_plugin(written(tmp_path, "maps_e", "from neighbour_e import name" + CODE.format(name="maps_e")))
    assert "maps_e" in ALIGNERS


@pytest.mark.parametrize(
    ("code", "parts"),
    [
        ("import nothing_of_this_name", ["ModuleNotFoundError", "nothing_of_this_name", "broken.py:1"]),
        ("x = 1\n1 / 0", ["ZeroDivisionError: division by zero", "broken.py:2"]),
        ("def f(:", ["SyntaxError"]),
        ("raise SystemExit(3)", ["SystemExit: 3"]),
        ("raise ValueError('two\\nlines')", ["ValueError: two lines"]),
        (CODE.format(name="residual"), ["aligner 'residual' is registered already"]),
    ],
)
def test_a_plugin_that_fails_is_one_line(code, parts, tmp_path, monkeypatch, one_line):
    path = written(tmp_path, "broken", code)
    one_line(lambda: load_plugin(path), f"--plugin={path}: ", *parts)
    assert "broken" not in sys.modules
    monkeypatch.chdir(tmp_path)
    one_line(lambda: load_plugin("broken"), "--plugin=broken: ", *parts)
    written(tmp_path, "broken", "# mended, and it has another size")
    assert load_plugin(path)


def test_what_is_no_plugin(tmp_path, one_line):
    one_line(lambda: load_plugin("nowhere_at_all"), "--plugin=nowhere_at_all: no such module")
    one_line(lambda: load_plugin("nowhere.at.all"), "no such module")
    one_line(lambda: load_plugin("no/where"), "no such module", ".py file")
    one_line(lambda: load_plugin(tmp_path / "no.py"), "no.py: no such file")
    one_line(lambda: load_plugin(""), "no such module")
    for name in ("numpy", "json", "wave", "my.maps"):
        one_line(lambda name=name: load_plugin(written(tmp_path, name)), f"{name} is the name of another module")


def installed(folder: Path, **points: str) -> None:
    """What pip leaves of a package with these entry points."""
    (about := folder / "my_package-1.0.dist-info").mkdir(exist_ok=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1.0\n")
    lines = [f"{name} = {value}" for name, value in points.items()]
    (about / "entry_points.txt").write_text("\n".join(["[ccalign_jax.plugins]", *lines]))


def test_installed_plugins_are_loaded_once(tmp_path, monkeypatch, one_line):
    written(tmp_path, "maps_f")
    installed(tmp_path, first="maps_f", again="maps_f")
    monkeypatch.syspath_prepend(tmp_path)
    load_installed()
    load_installed()
    assert "maps_f" in ALIGNERS and load_plugin("maps_f") is sys.modules["maps_f"]
    installed(tmp_path, first="maps_f", broken="maps_g")
    one_line(load_installed, "installed plugin broken (maps_g): ModuleNotFoundError", "maps_g")
