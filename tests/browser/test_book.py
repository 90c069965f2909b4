"""The built book in a real headless browser: it opens, moves and can be read by everyone."""

import html.parser
import re
from pathlib import Path
from urllib.parse import unquote, urldefrag

import pytest
import yaml
from playwright import sync_api as playwright

from goalward.course.book.api import ROOMS, page_of
from goalward.course.book.build import toc_pages
from goalward.course.run import proof
from visit import PHONE, Visit

pytestmark = pytest.mark.browser
ROOT = Path(__file__).parents[2]
AXE = Path(__file__).parent / "static" / "axe.min.js"
TOC = toc_pages(yaml.safe_load((ROOT / "book.yml").read_text(encoding="utf-8"))["toc"])
# The library's pages are long and all made alike: a fifth a day.
ROOM_PAGES = [f"api/{page_of(room)}" for room in proof.turn(list(ROOMS), proof.today(ROOT))]
PAGES = [*TOC, *ROOM_PAGES, "search"]
CHAPTERS = [p for p in TOC if (ROOT / "notebooks" / f"{p}.ipynb").is_file()]

# What axe looks at takes it milliseconds each. Of what is made alike, one stays: of coloured words
# in code (the others become plain text), and of formulas, whose glyphs tell it nothing.
FEWER = """() => {
  const seen = new Set();
  const again = (kind) => seen.has(kind) || !seen.add(kind);
  for (const word of document.querySelectorAll(".highlight span")) {
    const box = word.closest("div.cell_input, div.cell_output, div.highlight");
    if (!word.children.length && again(`${word.className}|${box.className}`)) {
      word.replaceWith(word.textContent);
    }
  }
  for (const formula of document.querySelectorAll("mjx-container")) {
    if (again(`${formula.getAttribute("display")}|${formula.className}`)) {
      formula.replaceChildren();
    }
  }
}"""
# Elements with text, one of each kind. What decides their colours, and the ground they stand on,
# are tag, classes and style of each element on the way to them, and in tables odd or even.
KINDS = """
  const paths = new Map();
  const path = (e) => {
    if (!e || e === document.documentElement) return "";
    if (!paths.has(e)) {
      const row = e.tagName === "TR" ? [...e.parentNode.children].indexOf(e) % 2 : "";
      const own = [e.tagName, e.getAttribute("class"), e.getAttribute("style"), row].join("|");
      paths.set(e, `${path(e.parentElement)}>${own}`);
    }
    return paths.get(e);
  };
  const kinds = new Map();
  for (const e of document.querySelectorAll("body *")) {
    const says = [...e.childNodes].some((n) => n.nodeType === Node.TEXT_NODE && n.data.trim());
    if (says && e.checkVisibility() && !kinds.has(path(e))) kinds.set(path(e), e);
  }
"""
# Serious and critical only: what keeps somebody from reading the page.
TOLD = """
  const told = (found) => found.violations
    .filter(v => ["serious", "critical"].includes(v.impact))
    .flatMap(v => v.nodes.slice(0, 3).map(n => v.id + ": " + n.html.slice(0, 150) + " | "
      + n.failureSummary.replace(/\\s+/g, " ").slice(0, 200)));
  const options = {resultTypes: ["violations"], preload: false};
  const byColour = ["color-contrast", "link-in-text-block"];
"""
WHOLE = f"""async () => {{
  {TOLD} {KINDS}
  const rules = Object.fromEntries(byColour.map(rule => [rule, {{enabled: false}}]));
  return [...told(await axe.run(document, {{...options, rules}})),
    ...told(await axe.run({{include: [...kinds.values()]}}, {{...options, runOnly: byColour}}))];
}}"""
# What the colours and the width of a page can change.
BY_LOOKS = f"""async () => {{
  {TOLD} {KINDS}
  const scrolls = [...document.querySelectorAll("body *")].filter(e =>
    (e.scrollWidth > e.clientWidth + 1 || e.scrollHeight > e.clientHeight + 1)
    && /auto|scroll/.test(getComputedStyle(e).overflow));
  const include = [...kinds.values(), ...scrolls];
  const runOnly = [...byColour, "scrollable-region-focusable"];
  return told(await axe.run({{include}}, {{...options, runOnly}}));
}}"""
# Code and tables that need a wider column, once all that is folded is open.
SIDEWAYS = """() => {
  document.querySelectorAll("details").forEach(d => { d.open = true; });
  const boxes = "pre, .pst-scrollable-table-container, .cell_output .output, .text_html > div";
  return [...document.querySelectorAll(`.bd-content :is(${boxes})`)]
    .filter(e => e.scrollWidth > e.clientWidth + 1)
    .map(e => `${e.scrollWidth} > ${e.clientWidth} pixels: ${e.innerText.slice(0, 80)}`);
}"""
FACTS = """() => ({
  h1: [...document.querySelectorAll("article h1")].length,
  math: document.querySelectorAll("span.math, div.math").length,
  typeset: document.querySelectorAll("mjx-container").length,
  wrong: document.querySelectorAll("mjx-merror, .MathJax_Error, [data-mjx-error]").length,
  unnamed: [...document.images].filter(i => !i.hasAttribute("alt")
    || (!i.alt && i.closest("article"))).map(i => i.src.slice(0, 120)),
  broken: [...document.images].filter(i => i.complete && !i.naturalWidth && i.offsetParent)
    .map(i => i.src.slice(0, 120)),
  dollars: [...document.querySelectorAll("article p, article td, article li")]
    .filter(e => !e.querySelector("code, pre") && /\\$[^$]+\\$/.test(e.innerText))
    .map(e => e.innerText.slice(0, 120)),
})"""
SETTLED = "() => new Promise(done => requestAnimationFrame(() => setTimeout(done, 100, true)))"
OVERFLOW = "() => document.documentElement.scrollWidth - window.innerWidth"


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_whole_and_everyone_can_read_it(visit: Visit, site: Path, name: str) -> None:
    """All that is looked at on a page, in one load: each would cost another."""
    page = visit.open(f"{name}.html")
    if page.query_selector("script[type*='widget-view']"):
        page.wait_for_selector(".jupyter-widgets")
    check_facts(page, name)
    if name in CHAPTERS:
        check_notebook(page, visit, site, name)
        check_sliders(page, name)
    found = {"wide": page.evaluate(OVERFLOW), "sideways": page.evaluate(SIDEWAYS)}
    page.add_style_tag(content="* { transition: none !important; }")  # colours change at once
    page.add_script_tag(path=str(AXE))
    page.evaluate(FEWER)
    found["axe"] = page.evaluate(WHOLE)
    page.emulate_media(color_scheme="dark")
    page.set_viewport_size(PHONE)
    page.wait_for_function("document.documentElement.dataset.theme === 'dark'")
    page.evaluate(SETTLED)
    found |= {"narrow": page.evaluate(OVERFLOW), "looks": page.evaluate(BY_LOOKS)}
    assert found == {"wide": 0, "sideways": [], "axe": [], "narrow": 0, "looks": []}
    assert not visit.problems, visit.report()


def test_faults_are_seen(visit: Visit) -> None:
    """What is looked at by sample, and after much was taken out, is still looked at."""
    page = visit.open("course/status.html")
    page.add_script_tag(path=str(AXE))
    page.evaluate(FEWER)
    page.evaluate(
        """() => document.querySelector("article").insertAdjacentHTML("beforeend", `
             <p>Good.</p> <p style="color: #bbb">Pale.</p> <img src="data:,"> <select></select>
             <p>Some words <a href="#x" style="color: #333; text-decoration: none">lead</a> on.</p>
             <table><tr><td>Good.</td></tr><tr style="background: #777"><td>Dark.</td></tr></table>
           `)"""
    )
    found = "\n".join(page.evaluate(WHOLE))
    for fault in ('color-contrast: <p style="color: #bbb', "color-contrast: <td", "image-alt"):
        assert fault in found
    assert "select-name" in found
    assert "link-in-text-block" in found
    page.evaluate(
        """() => document.querySelector("article").insertAdjacentHTML("beforeend", `
             <div style="overflow: auto; height: 3em; color: #bbb"><p>One</p><p>Two</p><p>Three</p>
             </div>`)"""
    )
    looks = "\n".join(page.evaluate(BY_LOOKS))
    assert "color-contrast: <p>One" in looks
    assert page.evaluate(SIDEWAYS) == []
    page.evaluate(
        """() => document.querySelector("article").insertAdjacentHTML("beforeend",
             `<details><div class="cell_input"><div class="highlight"><pre>${"x".repeat(150)}</pre>
              </div></div></details>`)"""
    )
    assert len(page.evaluate(SIDEWAYS)) == 1


def check_facts(page: playwright.Page, name: str) -> None:
    """Mathematics is set, pictures are there and described, there is one heading."""
    facts = page.evaluate(FACTS)
    assert facts["typeset"] >= facts["math"]
    assert {k: facts[k] for k in ("wrong", "unnamed", "broken", "dollars")} == {
        "wrong": 0,
        "unnamed": [],
        "broken": [],
        "dollars": [],
    }
    assert facts["h1"] == 1 or name == "search"


def check_notebook(page: playwright.Page, visit: Visit, site: Path, name: str) -> None:
    """A page offers its notebook as it is in the repository."""
    link = page.eval_on_selector(".btn-download-source-button", "a => a.href")
    served = site / link.removeprefix(visit.home)
    assert served.read_bytes() == (ROOT / "notebooks" / f"{name}.ipynb").read_bytes()


def shown(page: playwright.Page) -> list[tuple[str, str]]:
    """The pictures of explorers that can be seen: their text, the end of their data."""
    return page.evaluate(
        """() => [...document.querySelectorAll(".jupyter-widgets img")]
             .filter(i => i.offsetParent).map(i => [i.alt, i.src.slice(-80)])"""
    )


def check_sliders(page: playwright.Page, name: str) -> None:
    """Sliders move their figures without a kernel, and say where they stand."""
    if not page.query_selector("script[type*='widget-view']"):
        assert name.startswith("0_"), "a chapter of a paper has an explorer"
        return
    page.wait_for_selector(".jupyter-widgets .noUi-handle")
    for handle in page.query_selector_all(".jupyter-widgets .noUi-handle"):
        assert handle.get_attribute("aria-label")
        handle.focus()
        before, value = shown(page), handle.get_attribute("aria-valuetext")
        last = handle.get_attribute("aria-valuenow") == handle.get_attribute("aria-valuemax")
        page.keyboard.press("ArrowLeft" if last else "ArrowRight")
        page.wait_for_timeout(100)
        after = shown(page)
        assert after != before
        assert all(text for text, _ in after)
        assert handle.get_attribute("aria-valuetext") != value


def test_links_and_pictures_of_the_site_lead_somewhere(site: Path) -> None:
    """Without a browser: the pages that are made here are not checked by Sphinx."""
    wrong = []
    pages = {path: Links(path) for path in site.rglob("*.html") if "_static" not in path.parts}
    for path, links in pages.items():
        for link in links.found:
            place, fragment = urldefrag(link)
            target = (path.parent / unquote(place)).resolve() if place else path
            there = target.is_file() and (
                not fragment or target not in pages or unquote(fragment) in pages[target].anchors
            )
            if not there:
                wrong.append(f"{path.relative_to(site)}: {link}")
    assert wrong == []


class Links(html.parser.HTMLParser):
    """The places inside the site that a page leads to, and those in it that one can lead to."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.anchors: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id" and value:
                self.anchors.add(value)
            elif name in ("href", "src") and value and not re.match(r"\w+:|#!", value):
                self.found.add(re.sub(r"\?[^#]*", "", value))


def test_search_finds_a_chapter(visit: Visit) -> None:
    page = visit.open("search.html?q=discount")
    page.wait_for_selector("#search-results li a")
    links = page.eval_on_selector_all("#search-results li a", "all => all.map(a => a.href)")
    assert any(f"{name}.html" in link for link in links for name in CHAPTERS)
    assert not visit.problems, visit.report()


def test_the_site_opens_from_a_folder_without_a_server(
    browser: playwright.Browser, site: Path
) -> None:
    visit = Visit(browser, site.as_uri() + "/")
    page = visit.open(f"{CHAPTERS[-1]}.html")
    page.wait_for_selector(".jupyter-widgets .noUi-handle")
    facts = page.evaluate(FACTS)
    assert facts["typeset"] >= facts["math"] > 0
    assert not visit.problems, visit.report()
    visit.context.close()


def test_the_reader_can_choose_the_dark_page(visit: Visit) -> None:
    page = visit.open(f"{CHAPTERS[-1]}.html")
    for _ in range(3):
        if page.evaluate("document.documentElement.dataset.mode") == "dark":
            break
        page.click("button.theme-switch-button:visible")
    colours = page.evaluate(
        """() => [document.body, document.querySelector(".cell_output img")].map(
             e => getComputedStyle(e).backgroundColor.match(/\\d+/g).slice(0, 3).map(Number))"""
    )
    assert max(colours[0]) < 80, "the page is dark"
    assert min(colours[1]) == 255, "its pictures keep a white ground"
