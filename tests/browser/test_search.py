"""The search page, as a user works with it."""

import threading

import pytest
from search_fixtures import make_searcher

from ccalign_jax.search.page import SearchPage
from ccalign_jax.search.server import SearchServer

READY = "!document.getElementById('results').hidden"
FIRST = "document.querySelector('section.after .images li')"


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    searcher = make_searcher(tmp_path_factory.mktemp("pictures"))
    with SearchServer(SearchPage(searcher)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.address
        server.shutdown()


def test_a_caption_is_typed_and_both_sides_are_shown_by_keys_alone(browser, address):
    browser.open(address)
    browser.call("Network.enable")
    assert browser.run("document.activeElement.id") == "query"
    browser.type("ein blaues Ding 14")
    browser.press("Enter")
    browser.wait(READY)
    assert browser.run(f"{FIRST}.querySelector('.captions').textContent").startswith("de ein blaues Ding 14")
    assert browser.run("document.querySelectorAll('li.hit').length") == 40
    assert browser.run("document.querySelector('.after p').textContent") == "through residual W = I + ΔW"
    assert browser.run("document.getElementById('status').textContent").startswith("Read as German.")
    assert browser.run(f"{FIRST}.querySelector('.change').textContent").startswith(("new", "up"))
    browser.wait(f"{FIRST}.querySelector('img').naturalWidth == 256")
    browser.press("Tab")  # to the language, then the button
    browser.press("Tab")
    assert browser.run("document.activeElement.textContent") == "Search"
    assert browser.errors() == []
    asked = [
        event["params"]["request"]["url"]
        for event in browser.chromium.events
        if event["method"] == "Network.requestWillBeSent"
    ]
    assert len(asked) > 2 and all(url.startswith((address, "data:")) for url in asked)


def test_examples_bad_queries_and_reloading(browser, address):
    browser.open(address)
    browser.click(".examples button")
    browser.wait(READY)
    query = browser.run("document.getElementById('query').value")
    assert query.startswith("ein ") and browser.run("document.getElementById('language').value") == "de"
    linked = browser.run("location.href")
    browser.open("data:text/html,elsewhere")
    browser.open(linked)
    browser.wait(f"document.getElementById('query').value == {query!r} && {READY}")
    browser.run("query.value = 'a cat'; form.requestSubmit()")
    browser.wait("document.getElementById('status').className == 'error'")
    assert "try other words" in browser.run("document.getElementById('status').textContent")
    browser.run("query.value = ' '; form.requestSubmit()")
    browser.wait("document.getElementById('status').textContent == 'Type a caption.'")
    assert browser.run("results.hidden && !examples.hidden")
    # The browser says of itself that a query was refused.
    assert [error for error in browser.errors() if "400" not in error] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_it_without_scrolling_sideways(browser, address, scheme):
    browser.resize(390)
    browser.show_as(scheme=scheme)
    browser.open(address)
    browser.type("a white tree 15")
    browser.press("Enter")
    browser.wait(READY)
    assert browser.run("document.documentElement.scrollWidth") == 390
    tops = "['after', 'before'].map(side => document.querySelector('section.' + side).getBoundingClientRect().top)"
    after, before = browser.run(tops)
    assert after < before and browser.errors() == []
