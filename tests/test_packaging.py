"""The wheel holds every file of the package, the source archive all that tests need, the changelog the version."""

import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from ccalign_jax import __version__

ROOT = Path(__file__).resolve().parents[1]
FILES = (
    *(".gitignore", "BUILD.md", "CHANGELOG.md", "LICENSE", "MANIFEST.in", "Makefile", "README.md", "mkdocs.yml"),
    *("SECURITY.md", "pyproject.toml", "requirements.txt", "requirements-hashes.txt", "setup.py"),
)
FOLDERS = (".ci", "ccalign_jax", "docs", "examples", "experiments", "tests")
BUILD = "from setuptools import build_meta as build; build.build_wheel('dist'); build.build_sdist('dist')"

pytest.importorskip("setuptools", minversion="77", reason="setuptools builds the archives")


def files_of(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def tree(tmp_path_factory) -> Path:
    """A copy of the project without what earlier builds left, with both archives in `dist`."""
    copy = tmp_path_factory.mktemp("tree") / "project"
    copy.mkdir()
    for name in FILES:
        shutil.copy(ROOT / name, copy)
    for name in FOLDERS:
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    done = subprocess.run([sys.executable, "-c", BUILD], cwd=copy, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return copy


def test_the_wheel_holds_the_package_its_licence_and_the_command(tree):
    with zipfile.ZipFile(*(tree / "dist").glob("*.whl")) as wheel:
        packed = {name for name in wheel.namelist() if ".dist-info/" not in name}
        about = {name.partition(".dist-info/")[2]: wheel.read(name) for name in wheel.namelist()}
    assert packed == {f"ccalign_jax/{name}" for name in files_of(tree / "ccalign_jax")}
    assert {"ccalign_jax/py.typed", "ccalign_jax/reporting/page.html", "ccalign_jax/scenes/lexicon/de.ini"} <= packed
    assert about["licenses/LICENSE"] == (ROOT / "LICENSE").read_bytes()
    assert b"ccalign = ccalign_jax.cli.main:main" in about["entry_points.txt"]
    assert b"\nLicense-Expression: Apache-2.0\n" in about["METADATA"]


def test_the_source_archive_holds_what_the_tests_need(tree):
    with tarfile.open(*(tree / "dist").glob("*.tar.gz")) as archive:
        packed = {name.partition("/")[2] for name in archive.getnames()}
    needed = {f"{folder}/{name}" for folder in FOLDERS for name in files_of(tree / folder)}
    assert needed | set(FILES) <= packed


def test_the_changelog_has_the_version_and_room_for_the_next():
    titles = [line for line in (ROOT / "CHANGELOG.md").read_text("utf-8").splitlines() if line.startswith("## ")]
    assert titles[0] == "## [Unreleased]" and titles[1].startswith(f"## [{__version__}] - ")
