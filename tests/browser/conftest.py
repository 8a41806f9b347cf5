"""Pages in a real browser; without Chromium these tests are skipped."""

from collections.abc import Iterator

import pytest
from chromium import Chromium, Tab, find_chromium


@pytest.fixture(scope="session")
def chromium() -> Iterator[Chromium]:
    """One browser for all tests of a process."""
    program = find_chromium()
    if program is None:
        pytest.skip("Chromium is not installed (apt-get install chromium)")
    started = Chromium(program)
    yield started
    started.close()


@pytest.fixture
def browser(chromium: Chromium) -> Iterator[Tab]:
    """A new tab, 1440 pixels wide and light; see `Tab` in `tests/helpers/chromium.py`."""
    tab = Tab(chromium)
    tab.resize(1440)
    tab.show_as()
    yield tab
    tab.close()
