"""nbgrader's formgrader shows a class that `goalward assignments grade` has graded."""

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from playwright import sync_api as playwright

import toy_assignment
from goalward.course.assignments import classroom, release, sandbox
from lab import jupyter

pytest.importorskip("nbgrader", reason="nbgrader not here")
pytestmark = pytest.mark.browser
SOURCES = {"small": toy_assignment.FILE}
SCRIPT = "<script>document.title = 'taken over'</script>"


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory, chromium: str) -> Path:
    """A graded class of two."""
    course = tmp_path_factory.mktemp("course")
    list(release.release(course, SOURCES))
    wrong = toy_assignment.answer(total=f"def total(x):\n    return 1  # {SCRIPT}")
    wrong.cells.append(nbformat.v4.new_markdown_cell(SCRIPT))
    for student, nb in {"ann": toy_assignment.answer(), "bob": wrong}.items():
        folder = course / "submitted" / student / "small"
        folder.mkdir(parents=True)
        nbformat.write(nb, folder / "small_exercises.ipynb")
    handed = course / "submitted"
    classroom.grade_class(
        course,
        handed,
        SOURCES,
        sandbox.strongest(),
        2,
        begin=lambda count: None,
        tick=lambda handed, marks, fresh: None,
    )
    return course


@pytest.fixture(scope="module")
def address(course: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    tools = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    extension = "{'nbgrader.server_extensions.formgrader': True}"
    home = tmp_path_factory.mktemp("home")
    with jupyter(
        course, home, {"PATH": tools}, f"--ServerApp.jpserver_extensions={extension}"
    ) as url:
        yield url


def test_formgrader_shows_the_class(address: str, browser: playwright.Browser) -> None:
    page = browser.new_page()
    page.set_default_timeout(60_000)
    page.goto(f"{address}/formgrader/manage_submissions/small")
    for student, score in {"ann": "20 / 20", "bob": "13 / 20"}.items():
        row = page.locator("tr", has_text=student)
        playwright.expect(row).to_contain_text(score)
        playwright.expect(row).to_contain_text("graded")
    page.goto(f"{address}/formgrader/gradebook/small/small_exercises")
    row = page.locator("tr", has_text="13 / 20")
    row.locator("a", has_text=re.compile("Submission")).click()
    playwright.expect(page.locator("body")).to_contain_text("the sum of four ones is 1")
    playwright.expect(page.locator("body")).to_contain_text(SCRIPT)
    assert page.title() != "taken over"
    page.close()
