"""A chapter in a real JupyterLab in a real browser: run all, play, edit, save."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright import sync_api as playwright

import toy
from goalward.course.run import notebook
from goalward.course.run.restore import restore
from lab import jupyter

pytestmark = pytest.mark.browser

CHAPTER = "notebooks/0_start/welcome.ipynb"
SETTLE = 90_000  # milliseconds: kernels start slowly on a busy machine
QUIET = {"fetchNews": "false", "checkForUpdates": False, "doNotDisturbMode": True}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, chromium: str) -> Path:
    """A copy of the repository's chapters, committed."""
    root = toy.repository(tmp_path_factory.mktemp("lab"))
    shutil.copytree(toy.ROOT / "notebooks", root / "notebooks", dirs_exist_ok=True)
    source = (root / CHAPTER).with_suffix(".py")
    if not (root / CHAPTER).exists():
        (root / CHAPTER).write_text(notebook.write_text(notebook.convert(source)))
    toy.commit(root)
    return root


@pytest.fixture(scope="module")
def address(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """JupyterLab, served on this machine with settings of its own."""
    home = tmp_path_factory.mktemp("home")
    settings = home / "settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    (settings / "notification.jupyterlab-settings").write_text(json.dumps(QUIET))
    environment = {
        "GOALWARD_SCALE": "smoke",
        "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
        "IPYTHONDIR": str(home / "ipython"),
    }
    with jupyter(root, home, environment) as url:
        yield url


@pytest.fixture
def page(address: str, browser: playwright.Browser) -> Iterator[playwright.Page]:
    """The chapter, open in JupyterLab."""
    page = browser.new_page(viewport={"width": 1200, "height": 1400})
    page.set_default_timeout(SETTLE)
    page.goto(f"{address}/lab/tree/{CHAPTER}?reset")
    page.wait_for_selector(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Cell")
    # Before it has a kernel the indicator says idle, and running asks which one to take.
    page.wait_for_selector(".jp-Toolbar-kernelName:has-text('Python 3')")
    page.wait_for_selector(".jp-NotebookPanel .jp-Notebook-ExecutionIndicator[data-status=idle]")
    yield page
    page.close()


def save(page: playwright.Page) -> None:
    """Save, and wait until it is done.

    The checkpoint after the file is part of it: until it is kept, JupyterLab passes over
    another save without a word.
    """

    def answers(method: str, ending: str) -> Callable[[playwright.Response], bool]:
        return lambda r: (
            "/api/contents/" in r.url
            and r.url.partition("?")[0].endswith(ending)
            and r.request.method == method
        )

    with (
        page.expect_response(answers("PUT", ".ipynb")) as saved,
        page.expect_response(answers("POST", "/checkpoints")) as kept,
    ):
        page.keyboard.press("Control+s")
    assert saved.value.ok
    assert kept.value.ok
    kept.value.finished()


def run_all(page: playwright.Page) -> None:
    """Run all cells, and wait until they have run."""
    # A cell that waits or runs has a star.
    prompts = "[...document.querySelectorAll('.jp-InputPrompt')]"
    busy = f"() => {prompts}.some(p => p.innerText.includes('*'))"
    page.click(".lm-MenuBar-item:has-text('Run')")
    page.click(".lm-Menu-item[data-command='runmenu:run-all']")
    page.wait_for_function(busy)
    page.wait_for_function(f"() => !({busy})()")


def picture(page: playwright.Page) -> tuple[str, str]:
    """The picture that the explorer shows, and its text."""
    shown = page.locator(".jp-OutputArea img:visible")
    assert shown.count() == 1
    return str(shown.get_attribute("src")), str(shown.get_attribute("alt"))


def test_a_reader_opens_runs_plays_edits_and_saves(page: playwright.Page, root: Path) -> None:
    source = (root / CHAPTER).with_suffix(".py")
    before = source.read_text(encoding="utf-8")

    page.click(".jp-NotebookPanel .jp-Cell >> nth=0")
    save(page)
    assert source.read_text(encoding="utf-8") == before, "saving alone touched the source"

    run_all(page)
    assert page.locator(".jp-OutputArea [data-mime-type*=error], .jp-mod-error").count() == 0
    first, told = picture(page)
    assert first.startswith("data:image/webp;base64,")
    page.locator(".noUi-handle").first.click()
    page.keyboard.press("ArrowRight")
    page.wait_for_timeout(300)
    second, told_then = picture(page)
    assert second != first, "the slider moved no picture"
    assert told_then != told
    save(page)
    assert source.read_text(encoding="utf-8") == before, "running and playing touched the source"

    page.click(".jp-CodeCell .cm-content >> nth=0")
    page.keyboard.press("Control+End")
    page.keyboard.press("Enter")
    page.keyboard.type("edited = 1")
    save(page)
    after = source.read_text(encoding="utf-8").splitlines()
    assert [line for line in after if line != "edited = 1"] == before.splitlines()
    assert "edited = 1" in after

    restore(root, source)
    assert source.read_text(encoding="utf-8") == before
    assert toy.git(root, "status", "--porcelain") == ""
