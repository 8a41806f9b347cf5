"""Small summaries made by hand, and looks at tables and pages."""

from collections.abc import Callable
from html.parser import HTMLParser

import pytest
from made_evaluations import make_evaluation_summary, make_grams
from made_summaries import Summary, as_before, make_summary

from ccalign_jax.reporting.table import Table


@pytest.fixture(scope="session")
def row() -> Callable[[Table, str], tuple[str, ...]]:
    """`row(table, name)` is the cells of the only row of that name."""

    def find(table: Table, name: str) -> tuple[str, ...]:
        (found,) = [cells[1:] for cells in table.rows if cells[0] == name]
        return tuple(found)

    return find


@pytest.fixture(scope="session")
def block() -> Callable[[Table, str], dict[str, tuple[str, ...]]]:
    """`block(table, heading)` is the rows below a heading, up to the next one, by name."""

    def find(table: Table, heading: str) -> dict[str, tuple[str, ...]]:
        start, found = [cells[0] for cells in table.rows].index(heading) + 1, {}
        for name, *cells in table.rows[start:]:
            if not any(cells):
                break
            found[name] = tuple(cells)
        return found

    return find


@pytest.fixture
def before() -> Callable[[Summary], Summary]:
    """`before(summary)` is the same summary, written before there were intervals and tests; see `as_before`."""
    return as_before


@pytest.fixture
def make() -> Callable[..., Summary]:
    """`make(*families, ...)` is a summary; see `make_summary`."""
    return make_summary


@pytest.fixture
def evaluation() -> Callable[..., Summary]:
    """`evaluation(languages, ...)` is a summary; see `make_evaluation_summary`."""
    return make_evaluation_summary


@pytest.fixture
def grams() -> Callable[..., Summary]:
    """`grams(languages, ...)` go with it; see `make_grams`."""
    return make_grams


class Balance(HTMLParser):
    """Fails on a tag that is not closed in order."""

    empty = ("meta", "br", "use", "path", "rect", "link", "image", "img")

    def __init__(self):
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        if tag not in self.empty:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.add(tag)

    def handle_endtag(self, tag):
        if tag not in self.empty:
            assert self.open.pop() == tag


@pytest.fixture
def balanced_tags() -> Callable[[str], set[str]]:
    """The tags of a page, once it is certain that each is closed in order."""

    def parse(page: str) -> set[str]:
        parser = Balance()
        parser.feed(page)
        assert parser.open == []
        return parser.tags

    return parse
