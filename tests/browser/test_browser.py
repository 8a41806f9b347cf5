"""The browser that tests use does what its methods say."""

PAGE = """<!doctype html><meta charset="utf-8"><title>t</title><button onclick="console.error('pressed', 3)">x</button>
<input onkeydown="window.keys = (window.keys || '') + event.key + '|'"><p>שלום</p>"""


def test_a_page_is_opened_run_resized_and_its_errors_are_read(browser, tmp_path):
    (tmp_path / "page.html").write_text(PAGE, "utf-8")
    browser.open(tmp_path / "page.html")
    assert browser.run("document.querySelector('p').textContent") == "שלום" and browser.errors() == []
    browser.resize(390)
    browser.show_as(scheme="dark")
    assert browser.run("[innerWidth, matchMedia('(prefers-color-scheme: dark)').matches]") == [390, True]
    browser.click("button")
    assert browser.errors() == ["pressed 3"]
    browser.press("Tab")
    browser.press("a")
    browser.type("bc")
    assert browser.run("[document.activeElement.value, window.keys]") == ["abc", "a|"]
    browser.press("Tab", shift=True)
    browser.press("Enter")
    assert len(browser.errors()) == 2


def test_a_page_is_printed_and_photographed(browser, tmp_path):
    browser.open("data:text/html,<p>hello")
    browser.pdf(tmp_path / "page.pdf")
    browser.screenshot(tmp_path / "page.png", whole=True)
    assert (tmp_path / "page.pdf").read_bytes().startswith(b"%PDF")
    assert (tmp_path / "page.png").read_bytes().startswith(b"\x89PNG")
