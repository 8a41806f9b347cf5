"""The page of a sweep as it is shown: wide, on a phone, dark and printed."""

import json
import re
import time
from pathlib import Path

import pytest
from made_extras import make_extras
from made_summaries import make_summary

from ccalign_jax.reporting import render_report

FAMILIES = (
    ("image", "linear", "infonce", -0.27, -0.25),
    ("image", "residual", "infonce", 0.041, 0.02),
    ("text:en", "per_language(residual_mlp)", "infonce", 0.03, 0.01),
    ("symmetric", "dual(per_language(residual_mlp))", "infonce", 0.061, 0.04),
)
LANGUAGES = ("ar", "de", "en", "he", "ja", "zh")
FORMS = [(1440, "light"), (1440, "dark"), (390, "light"), (390, "dark")]
CONFIG = {"config": {"data": "toy-with-a-rather-long-name.npz", "pivots": ["image"]}, "data_sha256": "0123456789" * 6}

# Boxes of texts of one drawing, or of the cells of one table, that overlap by more than a pixel or two.
OVERLAPS = """(() => {
  const found = [];
  const groups = [...document.querySelectorAll('svg')].map(svg => [...svg.querySelectorAll('text')]);
  for (const table of document.querySelectorAll('table'))
    groups.push([...table.querySelectorAll('th, td')].filter(cell => getComputedStyle(cell).position !== 'sticky')
      .map(cell => { const range = document.createRange(); range.selectNodeContents(cell); return range; }));
  for (const group of groups) {
    const boxes = group.map(one => [one.getBoundingClientRect(), one.textContent || String(one)])
      .filter(([box]) => box.width && box.height);
    boxes.forEach(([a, said], n) => { for (const [b, other] of boxes.slice(n + 1)) {
      const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      if (wide > 1.5 && high > 3) found.push(`${said.trim()} | ${other.trim()}`);
    } });
  }
  return found;
})()"""

# Texts whose contrast with what is behind them is below 4.5 to 1, or 3 to 1 where they are large.
PALE = """(() => {
  const parse = text => { const n = text.match(/[\\d.]+/g).map(Number); return n.length < 4 ? [...n, 1] : n; };
  const over = (a, b) => [0, 1, 2].map(i => a[i] * a[3] + b[i] * (1 - a[3])).concat(1);
  const light = c => { const [r, g, b] = c.slice(0, 3).map(v => v / 255)
    .map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4); return .2126 * r + .7152 * g + .0722 * b; };
  const behind = node => {
    const layers = [];
    for (let each = node; each; each = each.parentElement) layers.push(parse(getComputedStyle(each).backgroundColor));
    return layers.reverse().reduce((below, above) => over(above, below), [255, 255, 255, 1]);
  };
  const found = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !node.checkVisibility() || node.closest('script')) continue;
    const style = getComputedStyle(node), back = behind(node);
    const ink = over(parse(node.closest('svg') ? style.fill : style.color), back);
    const [a, b] = [light(ink), light(back)].sort((x, y) => y - x), ratio = (a + .05) / (b + .05);
    const size = parseFloat(style.fontSize), large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
    if (ratio < (large ? 3 : 4.5)) found.push(`${ratio.toFixed(2)} ${walker.currentNode.data.trim().slice(0, 40)}`);
  }
  return [...new Set(found)];
})()"""
OPEN_ALL = "document.querySelectorAll('details').forEach(one => { one.open = true; })"


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Path:
    """The page of a sweep with pivots, languages, subgroups, examples and notes."""
    summary = make_summary(
        *FAMILIES, languages=LANGUAGES, where=True, notes=("שתי תמונות חסרות", "no caption: 3 images")
    )
    path = tmp_path_factory.mktemp("page") / "report.html"
    extras = make_extras(LANGUAGES, count=3)
    path.write_text(render_report(summary, CONFIG, folder="runs/mine", extras=extras), encoding="utf-8")
    return path


@pytest.mark.parametrize(("width", "scheme"), FORMS)
def test_nothing_overlaps_scrolls_sideways_or_is_pale(browser, page, width, scheme):
    browser.resize(width)
    browser.show_as(scheme=scheme)
    browser.open(page)
    assert browser.errors() == []
    for _ in range(2):  # as it is opened, and with all that is folded
        assert browser.run("document.documentElement.scrollWidth") <= width
        assert browser.run(OVERLAPS) == []
        assert browser.run(PALE) == []
        browser.run(OPEN_ALL)


def test_every_column_of_a_table_is_seen_on_a_wide_screen(browser, page):
    browser.open(page)
    browser.run(OPEN_ALL)
    hidden = "[...document.querySelectorAll('.table')].filter(one => one.scrollWidth > one.clientWidth + 1).length"
    assert browser.run("document.querySelectorAll('details[open] .table').length") > 8
    assert browser.run(hidden) == 0


def test_the_first_screen_is_short_and_has_answer_and_plot(browser, page):
    browser.resize(1440, 900)
    browser.open(page)
    bottom = "document.querySelector('{}').getBoundingClientRect().bottom"
    assert browser.run(bottom.format("h1")) < 200 and browser.run(bottom.format("header figure svg")) < 600
    assert browser.run("document.querySelectorAll('header .next').length") <= 3
    words = "document.body.innerText.split(/\\s+/).length"
    assert browser.run(words) <= 1200
    browser.run(OPEN_ALL)
    assert browser.run(words) > 2000


def test_a_link_to_a_folded_section_opens_it(browser, page):
    browser.open(page)
    section = "document.querySelector('#retrieval-examples').closest('details')"
    assert browser.run(f"{section}.open") is False
    browser.click("nav a[href='#retrieval-examples']")
    browser.wait(f"{section}.open")
    browser.run("document.querySelector('#geometry').scrollIntoView()")
    browser.click("#geometry")
    assert browser.run("document.querySelector('figure[data-name=spectra]').checkVisibility()")


def test_all_that_can_be_used_is_reached_by_tab_and_shows_it(browser, page):
    browser.open(page)
    usable = "[...document.querySelectorAll('a[href], button, summary')].filter(one => one.checkVisibility()).length"
    expected = browser.run(usable)
    reached = set()
    for _ in range(expected + 20):
        browser.press("Tab")
        place = browser.run(
            "(() => { const at = document.activeElement; if (at === document.body) return null;"
            "if (!at.matches(':focus-visible') || getComputedStyle(at).outlineStyle === 'none') return 'unseen';"
            "return at.matches('a, button, summary') ? [...document.querySelectorAll('*')].indexOf(at) : -1; })()"
        )
        assert place != "unseen"
        reached.add(place)
    assert len(reached - {None, -1}) == expected > 30


def test_a_table_sorts_by_a_click_and_by_a_key_and_goes_back(browser, page):
    browser.open(page)
    browser.run(OPEN_ALL)
    first = "document.querySelector('.table table')"
    names = f"[...{first}.tBodies].flatMap(body => [...body.rows].slice(1).map(row => row.cells[0].textContent))"
    browser.run(f"{first}.querySelector('th[data-column=\"2\"] button').id = 'key'")
    before = browser.run(f"[...{first}.tBodies].map(body => [...body.rows].map(row => row.cells[0].textContent))")
    image = next(rows for rows in before if rows[0] == "image pivot")
    assert image[1:] == ["linear W (unconstrained)", "residual W = I + ΔW"]
    rows = f"[...{first}.tBodies].map(body => [...body.rows].map(row => row.cells[0].textContent))"
    sort = f"{first}.querySelector('th[aria-sort]')?.getAttribute('aria-sort')"
    browser.click("#key")
    assert browser.run(sort) == "descending"
    assert ["image pivot", *image[:0:-1]] in browser.run(rows)
    browser.run("document.querySelector('#key').focus()")
    browser.press("Enter")
    assert browser.run(sort) == "ascending" and browser.run(rows) == before
    browser.press(" ")
    assert browser.run(sort) is None and browser.run(rows) == before and browser.run(names)


def test_figures_are_saved_as_svg_and_png(browser, page, tmp_path):
    browser.chromium.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    browser.open(page)
    for place in (1, 2):
        browser.click(f"figure[data-name=overview] .save button:nth-child({place})")
        time.sleep(0.1)
    svg, png = tmp_path / "overview.svg", tmp_path / "overview.png"
    deadline = time.monotonic() + 20
    while not (svg.exists() and png.exists() and svg.stat().st_size and png.stat().st_size):
        assert time.monotonic() < deadline, sorted(tmp_path.iterdir())
        time.sleep(0.1)
    assert svg.read_text("utf-8").startswith("<svg") and "selected on" in svg.read_text("utf-8")
    assert png.read_bytes().startswith(b"\x89PNG") and browser.errors() == []


def test_print_shows_what_is_folded_and_no_buttons(browser, page, tmp_path):
    browser.open(page)
    browser.show_as(media="print")
    assert browser.run("getComputedStyle(document.querySelector('.save')).display") == "none"
    browser.show_as()
    opened = "document.querySelectorAll('details[open]').length"
    before = browser.run(opened)
    browser.run("dispatchEvent(new Event('beforeprint'))")
    assert browser.run("document.querySelectorAll('details:not([open]):not(.long)').length") == 0
    browser.run("dispatchEvent(new Event('afterprint'))")
    assert browser.run(opened) == before
    browser.pdf(tmp_path / "page.pdf")
    assert 4 <= len(re.findall(rb"/Type /Page\b", (tmp_path / "page.pdf").read_bytes())) <= 30


def test_scripts_that_run_from_right_to_left_do_not_turn_the_page(browser, page):
    browser.open(page)
    side = json.loads(
        browser.run(
            "JSON.stringify([...document.querySelectorAll('.run-notes li')].map(li => getComputedStyle(li).direction))"
        )
    )
    assert side == ["rtl", "ltr"] and browser.run("getComputedStyle(document.body).direction") == "ltr"
