"""Pages of the root on the site, and links between them and those of docs/ as they are in the repository."""

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
PAGES = ("README.md", "BUILD.md", "CHANGELOG.md")
LINK = re.compile(r"(\]\()([^)#\s:]+)")  # relative ones


def on_files(files: Files, config: MkDocsConfig, **_: Any) -> Files:
    """Add the root's pages, and what pages link to beside them."""
    examples = (path.relative_to(ROOT).as_posix() for path in sorted((ROOT / "examples").iterdir()) if path.is_file())
    for name in (*PAGES, "LICENSE", *examples):
        files.append(File.generated(config, name, abs_src_path=str(ROOT / name)))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Lead links to where a page is on the site: docs/ is its root."""
    here = page.file.src_uri
    folder = posixpath.dirname(here if here in PAGES else f"docs/{here}")

    def moved(link: re.Match[str]) -> str:
        place = posixpath.normpath(posixpath.join(folder, link[2])).removeprefix("docs/")
        return link[1] + posixpath.relpath(place, posixpath.dirname(here) or ".")

    return LINK.sub(moved, markdown)
