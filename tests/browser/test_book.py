"""The built book in a real headless browser: it opens, moves and can be read by everyone."""

import fcntl
import functools
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from playwright import sync_api as playwright

from goalward.course.book.api import ROOMS, page_of
from goalward.course.book.build import MARK, build, toc_pages

pytestmark = pytest.mark.browser
ROOT = Path(__file__).parents[2]
AXE = Path(__file__).parent / "static" / "axe.min.js"
WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
TOC = toc_pages(yaml.safe_load((ROOT / "book.yml").read_text(encoding="utf-8"))["toc"])
ROOM_PAGES = [f"api/{page_of(room)}" for room in ROOMS]
PAGES = [*TOC, *ROOM_PAGES, "search"]
CHAPTERS = [p for p in TOC if (ROOT / "notebooks" / f"{p}.ipynb").is_file()]

# Of code, thousands of coloured words, one of each kind on each ground stays a word of its own:
# the others would take axe most of its time and tell it nothing.
PLAIN_CODE = """() => {
  const seen = new Set();
  const more = [...document.querySelectorAll(".highlight span")].filter(word => {
    const box = word.closest("div.cell_input, div.cell_output, div.highlight");
    const kind = word.className + "|" + box.className;
    return !word.children.length && (seen.has(kind) || !seen.add(kind));
  });
  more.forEach(word => word.replaceWith(word.textContent));
}"""
# Serious and critical only: what keeps somebody from reading the page.
RUN_AXE = """async (rules) => {
  const found = await axe.run(document,
    {resultTypes: ["violations"], preload: false, ...(rules && {runOnly: rules})});
  return found.violations
    .filter(v => ["serious", "critical"].includes(v.impact))
    .flatMap(v => v.nodes.slice(0, 3).map(n => v.id + ": " + n.html.slice(0, 150) + " | "
      + n.failureSummary.replace(/\\s+/g, " ").slice(0, 200)));
}"""
# What the colours and the width of a page can change. A room's page, long and made like the
# others, is held against these only when it is dark and narrow.
BY_LOOKS = ["color-contrast", "link-in-text-block", "scrollable-region-focusable"]
READY = """() => !window.MathJax || !MathJax.startup || MathJax.startup.promise.then(() => true)"""
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


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, chromium: str) -> Path:
    """The book of this repository, built once however many workers test it."""
    shared = tmp_path_factory.getbasetemp()
    if shared.name.startswith("popen-"):
        shared = shared.parent
    with (shared / "book.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        folder = shared / "book"
        return folder if (folder / MARK).exists() else build(folder, quiet=True, root=ROOT)


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    """The site, served on this machine."""

    class Silent(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Silent, directory=str(site))
    )
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


class Visit:
    """A page, and all that went wrong while it was open."""

    def __init__(self, browser: playwright.Browser, home: str) -> None:
        self.home = home
        self.context = browser.new_context(viewport=WIDE, color_scheme="light")
        self.page = self.context.new_page()
        self.problems: list[str] = []
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.problems.append(f"error: {error}"))
        self.page.on("requestfailed", lambda r: self.problems.append(f"failed: {r.url}"))
        self.page.on("response", self._answered)
        self.page.on("request", self._asked)

    def _said(self, message: playwright.ConsoleMessage) -> None:
        if message.type == "error":
            self.problems.append(f"console: {message.text}")

    def _answered(self, response: playwright.Response) -> None:
        if response.status >= 400:
            self.problems.append(f"{response.status}: {response.url}")

    def _asked(self, request: playwright.Request) -> None:
        if not request.url.startswith((self.home, "data:", "blob:")):
            self.problems.append(f"foreign: {request.url}")

    def report(self) -> str:
        return "\n".join(self.problems)

    def open(self, path: str) -> playwright.Page:
        self.page.goto(self.home + path, wait_until="load")
        self.page.evaluate(READY)
        return self.page


@pytest.fixture
def visit(browser: playwright.Browser, address: str) -> Iterator[Visit]:
    visit = Visit(browser, address)
    yield visit
    visit.context.close()


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_whole_and_everyone_can_read_it(visit: Visit, name: str) -> None:
    page = visit.open(f"{name}.html")
    if page.query_selector("script[type*='widget-view']"):
        page.wait_for_selector(".jupyter-widgets")
    facts = page.evaluate(FACTS)
    assert facts["typeset"] >= facts["math"]
    assert {k: facts[k] for k in ("wrong", "unnamed", "broken", "dollars")} == {
        "wrong": 0,
        "unnamed": [],
        "broken": [],
        "dollars": [],
    }
    assert facts["h1"] == 1 or name == "search"
    page.add_script_tag(path=str(AXE))
    page.evaluate(PLAIN_CODE)
    assert page.evaluate(OVERFLOW) <= 0
    assert not (found := page.evaluate(RUN_AXE)), "\n".join(found)
    page.emulate_media(color_scheme="dark")
    page.set_viewport_size(PHONE)
    page.wait_for_function("document.documentElement.dataset.theme === 'dark'")
    page.evaluate(SETTLED)
    rules = BY_LOOKS if name in ROOM_PAGES else None
    assert page.evaluate(OVERFLOW) <= 0
    assert not (found := page.evaluate(RUN_AXE, rules)), "\n".join(found)
    assert not visit.problems, visit.report()


def shown(page: playwright.Page) -> list[tuple[str, str]]:
    """The pictures of explorers that can be seen: their text, the end of their data."""
    return page.evaluate(
        """() => [...document.querySelectorAll(".jupyter-widgets img")]
             .filter(i => i.offsetParent).map(i => [i.alt, i.src.slice(-80)])"""
    )


@pytest.mark.parametrize("name", CHAPTERS)
def test_sliders_move_their_figures_without_a_kernel(visit: Visit, name: str) -> None:
    page = visit.open(f"{name}.html")
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
    assert not visit.problems, visit.report()


def test_the_front_door_leads_to_the_first_page(visit: Visit) -> None:
    page = visit.page
    page.goto(visit.home + "index.html")
    page.wait_for_url(f"**/{TOC[0]}.html")
    assert not visit.problems, visit.report()


def test_search_finds_a_chapter(visit: Visit) -> None:
    page = visit.open("search.html?q=discount")
    page.wait_for_selector("#search-results li a")
    links = page.eval_on_selector_all("#search-results li a", "all => all.map(a => a.href)")
    assert any(f"{name}.html" in link for link in links for name in CHAPTERS)
    assert not visit.problems, visit.report()


@pytest.mark.parametrize("name", CHAPTERS)
def test_a_page_offers_its_notebook_as_it_is_in_the_repository(
    site: Path, visit: Visit, name: str
) -> None:
    page = visit.open(f"{name}.html")
    link = page.eval_on_selector(".btn-download-source-button", "a => a.href")
    served = site / link.removeprefix(visit.home)
    assert served.read_bytes() == (ROOT / "notebooks" / f"{name}.ipynb").read_bytes()


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
