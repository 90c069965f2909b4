"""The pages that one looks at first: gallery, scoreboard, map, status; and folded code."""

import re
from pathlib import Path

import pytest
from playwright import sync_api as playwright

from goalward.course import claims, papers
from goalward.course.book import about, scoreboard
from visit import PHONE, WIDE, Visit

pytestmark = pytest.mark.browser
ROOT = Path(__file__).parents[2]
CHAPTERS = papers.chapters(ROOT)
BYTES = 1_500_000
ROWS = 700


def cpu(page: playwright.Page) -> float:
    """Seconds that the page has kept its processor busy, however many others want it too."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    metrics = session.send("Performance.getMetrics")["metrics"]
    return float(next(m["value"] for m in metrics if m["name"] == "TaskDuration"))


def test_the_gallery_says_all_without_a_script(browser: playwright.Browser, address: str) -> None:
    visit = Visit(browser, address, java_script_enabled=False)
    page = visit.page
    page.goto(f"{address}index.html")
    for viewport in (WIDE, PHONE):
        page.set_viewport_size(viewport)
        assert page.locator(".start a").is_visible()
        cards = page.locator("ul.cards > li")
        assert cards.count() == len(CHAPTERS)
        for place, (slug, source) in enumerate(CHAPTERS.items()):
            card = cards.nth(place)
            assert card.locator("a").get_attribute("href") == f"{source.parent.name}/{slug}.html"
            assert about.question(source) in card.inner_text()
            pictures = card.locator("img")
            assert pictures.count() == (about.picture(ROOT, slug) is not None)
            if pictures.count():
                assert pictures.get_attribute("loading") == "lazy"
            for marks in card.locator(".marks").all():
                label = str(marks.get_attribute("aria-label"))
                counted = sum(map(int, re.findall(r"\d+", label)))
                assert counted == len(marks.inner_text().strip())
        planned = page.locator("ul.planned > li")
        assert planned.count() == len(papers.places()) - len(CHAPTERS)
        assert planned.first.is_visible()
    visit.context.close()


def test_the_gallery_is_light_and_a_click_on_a_card_opens_its_chapter(visit: Visit) -> None:
    sizes: dict[str, int] = {}
    # What the browser has already comes without a length.
    length = "content-length"
    visit.page.on("response", lambda r: sizes.update({r.url: int(r.headers.get(length, 0))}))
    page = visit.open("index.html")
    for picture in page.locator("ul.cards img").all():
        picture.scroll_into_view_if_needed()
    page.wait_for_function("[...document.images].every(i => i.complete)")
    assert not visit.problems, visit.report()
    assert sum("gallery/" in url for url in sizes) == page.locator("ul.cards img").count()
    assert sum(sizes.values()) < BYTES
    page.locator("ul.cards > li", has_text="Where will I be?").locator(".question").click(
        force=True  # the title's link lies over it
    )
    page.wait_for_url("**/0_start/refresher.html")


def made_up(count: int) -> list[dict]:
    """So many rows of claims, of all chapters and all kinds."""
    slugs = list(CHAPTERS)
    rows = []
    for number in range(count):
        row = claims.judge(
            f"claim {number}",
            f"What the paper says, in our words, about its quantity number {number}",
            scale="laptop",
            paper="about 20 times as many",
            number=20.0 if number % 2 else None,
            bound=">= 10",
            bound_from=claims.SOURCES[number % 3],
            kind="statistical",
            interval=(15.0, *((5.0, 25.0), (12.0, 18.0), (22.0, 30.0))[number % 7 % 3]),
            seeds=5,
            covers="data",
            reason="A reason that takes a line or two, as the reasons that are given here do.",
        ).row()
        slug = slugs[number * len(slugs) // count]
        row |= {"slug": slug, "stale": False, "freshness": "current", "date": "2026-01-31"}
        rows.append(row | {"device": "a processor, 2 cores", "commit": None})
    return rows


@pytest.fixture
def long_board(visit: Visit, site: Path) -> str:
    """A scoreboard of very many rows, in the site's clothes; no file of the site."""
    text = scoreboard.of_rows(made_up(ROWS), CHAPTERS)
    raw = "\n".join(re.findall(r"```\{raw\} html\n(.*?)\n```", text, re.DOTALL))
    page = (site / "course" / "claims.html").read_text(encoding="utf-8")
    head, found, _ = page.partition('<article class="bd-article">')
    assert found
    body = f"{head}{found}<h1>Many</h1>{raw}</article></body></html>"
    visit.page.route(
        "**/course/long.html", lambda route: route.fulfill(body=body, content_type="text/html")
    )
    return "course/long.html"


def test_a_scoreboard_of_700_rows_loads_and_filters_at_once(visit: Visit, long_board: str) -> None:
    page = visit.open(long_board)
    page.evaluate("document.body.offsetHeight")
    assert cpu(page) < 1
    rows = page.locator("tr[data-verdict]")
    assert rows.count() == ROWS
    before = cpu(page)
    page.select_option("select[name=verdict]", "not reproduced")
    page.select_option("select[name=from]", "paper")
    assert cpu(page) - before < 1
    said = page.locator(".filters output").inner_text()
    shown = page.locator("tr[data-verdict]:visible")
    assert said == f"{shown.count()} of {ROWS} claims"
    assert 0 < shown.count() < ROWS
    for row in (shown.first, shown.last):
        assert row.get_attribute("data-verdict") == "not reproduced"
        assert row.get_attribute("data-from") == "paper"
    page.select_option("select[name=part]", "9")
    assert page.locator("tbody:visible").count() <= 1
    # A mark leads to its row, which shows itself.
    mark = page.locator(".strips .marks a.good").first
    mark.click()
    target = page.locator(str(mark.get_attribute("href")))
    assert target.is_visible()
    assert page.locator(".filters output").inner_text() == f"{ROWS} of {ROWS} claims"
    assert not visit.problems, visit.report()


def test_on_a_phone_a_row_is_a_card(visit: Visit, long_board: str) -> None:
    visit.page.set_viewport_size(PHONE)
    page = visit.open(long_board)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    row = page.locator("tr[data-verdict]").nth(1)
    statement, verdict, *numbers = [c.bounding_box() for c in row.locator("th, td").all()]
    assert statement
    assert verdict
    assert len(numbers) == 4
    assert statement["y"] + statement["height"] <= verdict["y"] + 1
    for number in numbers:
        assert number
        assert verdict["y"] + verdict["height"] <= number["y"] + 1
    name = "getComputedStyle(e, '::before').content"
    assert row.locator("td").nth(1).evaluate(f"e => {name}").startswith('"Measured')
    assert page.get_by_role("row").count() > ROWS


def test_the_scoreboard_says_all_without_a_script(
    browser: playwright.Browser, address: str
) -> None:
    visit = Visit(browser, address, java_script_enabled=False)
    page = visit.page
    page.goto(f"{address}course/claims.html")
    assert not page.locator(".filters").is_visible()
    rows = page.locator("tr[data-verdict]")
    assert rows.count() > 100
    assert rows.last.is_visible()
    assert page.locator(".strips .marks a").count() == rows.count()
    visit.context.close()


def test_the_map_s_boxes_open_their_chapters(visit: Visit) -> None:
    page = visit.open("course/map.html")
    written = [p for p in papers.papers() if p.slug in CHAPTERS]
    assert page.locator(".prerequisites a.chapter").count() == len(written)
    page.locator(".prerequisites a.chapter.part-1").first.focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/1_predicting_the_future/*.html")
    assert not visit.problems, visit.report()


def test_the_status_page_fits_a_phone(visit: Visit) -> None:
    visit.page.set_viewport_size(PHONE)
    page = visit.open("course/status.html")
    wide = """() => [...document.querySelectorAll("article *")]
      .filter(e => e.scrollWidth > e.clientWidth + 1)
      .filter(e => /auto|scroll/.test(getComputedStyle(e).overflowX))
      .map(e => e.outerHTML.slice(0, 100))"""
    assert page.evaluate(wide) == []


def test_folded_code_is_a_key_away(visit: Visit) -> None:
    page = visit.open("0_start/welcome.html")
    for viewport in (WIDE, PHONE):
        page.set_viewport_size(viewport)
        fold = page.locator("details.above-input").first
        summary = fold.locator("summary")
        assert summary.inner_text().strip() == "Show code"
        assert summary.get_attribute("aria-label") is None
        assert not fold.locator("pre").is_visible()
        summary.focus()
        page.keyboard.press("Enter")
        assert fold.locator("pre").is_visible()
        assert summary.inner_text().strip() == "Hide code"
        summary.click()
        assert not fold.locator("pre").is_visible()
    assert not visit.problems, visit.report()
