"""Small TSV files as WIT has them."""

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

COLUMNS = (
    "language", "page_url", "image_url", "page_title", "section_title", "hierarchical_section_title",
    "caption_reference_description", "caption_attribution_description", "caption_alt_text_description", "mime_type",
    "original_height", "original_width", "is_main_image", "attribution_passes_lang_id", "page_changed_recently",
    "context_page_description", "context_section_description",
)  # fmt: skip


@pytest.fixture(scope="session")
def line() -> Callable[..., str]:
    """`line("de", "Hund", "dog", reference="ein Hund")` is a line: a use of an image on a page, with its captions."""

    def write(language, page, image, reference="", attribution="", alt="", own="true", mime="image/jpeg") -> str:
        cells = dict.fromkeys(COLUMNS, "") | {
            "language": language,
            "page_url": f"https://{language}.example.org/wiki/{page}",
            "image_url": f"https://images.example.org/{image}" if ":" not in image else image,
            "caption_reference_description": reference,
            "caption_attribution_description": attribution,
            "caption_alt_text_description": alt,
            "mime_type": mime,
            "attribution_passes_lang_id": own,
            "context_page_description": 'a single " in a cell',
        }
        return "\t".join(cells.values())

    return write


@pytest.fixture
def tsv(tmp_path) -> Callable[..., Path]:
    """`tsv(line, ..., name=)` is a file of these lines below a header; gzip if the name says so."""

    def write(*lines: str, name: str = "wit.tsv", header: str = "\t".join(COLUMNS)) -> Path:
        content = "".join(f"{each}\n" for each in (header, *lines)).encode()
        path = tmp_path / name
        path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
        return path

    return write
