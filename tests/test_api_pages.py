"""The API pages name every public name of their package, once, and the site has every page."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = ROOT / "docs" / "api"
PACKAGES = [
    "losses",
    "aligners",
    "pivots",
    "metrics",
    "data",
    "study",
    "evaluation",
    "calibration",
    "compression",
    "solvers",
    "statistics",
    "diagnostics",
    "exporting",
    "extraction",
    "encoders",
    "search",
    "migration",
    "query_adapters",
]


def public_names(package: str) -> Iterator[str]:
    """What `__init__.py` re-exports, and the modules beside it whose names it takes as a whole; nothing is imported."""
    folder = ROOT / "ccalign_jax" / package
    body = ast.parse((folder / "__init__.py").read_text("utf-8")).body
    for node in [*body, *(each for block in body if isinstance(block, ast.If) for each in block.body)]:
        for alias in node.names if isinstance(node, ast.ImportFrom) else ():
            if alias.name == "*":
                whole = ast.parse((folder / f"{str(node.module).split('.')[-1]}.py").read_text("utf-8")).body
                listed = [each.value for each in whole if isinstance(each, ast.Assign) and is_all(each)]
                aliases = [one.asname for each in whole if isinstance(each, ast.ImportFrom) for one in each.names]
                yield from ast.literal_eval(listed[0]) if listed else filter(None, aliases)
            elif alias.asname:
                yield alias.asname


def is_all(node: ast.Assign) -> bool:
    return ast.unparse(node.targets[0]) == "__all__"


@pytest.mark.parametrize("package", PACKAGES)
def test_the_page_of_a_package_has_all_its_names(package):
    page = (PAGES / f"{package}.md").read_text("utf-8")
    named, wanted = re.findall(r"^::: (.+)$", page, flags=re.MULTILINE), sorted(public_names(package))
    assert len(wanted) > 3 and sorted(named) == [f"ccalign_jax.{package}.{name}" for name in wanted]


def test_the_site_has_every_page():
    site = (ROOT / "mkdocs.yml").read_text("utf-8")
    listed = re.findall(r"^ +- ([\w/]+\.md)$", site, flags=re.MULTILINE)
    pages = [page.relative_to(ROOT / "docs").as_posix() for page in (ROOT / "docs").rglob("*.md")]
    assert sorted(listed) == sorted([*pages, "README.md", "BUILD.md", "CHANGELOG.md"]), "list each page in mkdocs.yml"
