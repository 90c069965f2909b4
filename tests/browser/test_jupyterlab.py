"""A chapter in a real JupyterLab in a real browser: run all, play, edit, save."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright import sync_api as playwright

import toy
from goalward.course.assignments import source, study
from goalward.course.run import notebook
from goalward.course.run.restore import restore
from lab import jupyter

pytestmark = pytest.mark.browser

CHAPTER = "notebooks/0_start/welcome.ipynb"
SETTLE = 90_000  # milliseconds: kernels start slowly on a busy machine
EXERCISES = "notebooks/1_predicting_the_future/td_infonce_exercises.ipynb"
SETTINGS = toy.ROOT / "lib/goalward/course/static/lab"  # what `make lab` names


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, chromium: str) -> Path:
    """A copy of the repository's chapters, committed."""
    root = toy.repository(tmp_path_factory.mktemp("lab"))
    shutil.copytree(toy.ROOT / "notebooks", root / "notebooks", dirs_exist_ok=True)
    chapter = (root / CHAPTER).with_suffix(".py")
    if not (root / CHAPTER).exists():
        (root / CHAPTER).write_text(notebook.write_text(notebook.convert(chapter)))
    toy.commit(root)
    list(study.study(root, source.sources(root, ["td_infonce"])))
    return root


@pytest.fixture(scope="module")
def address(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """JupyterLab, served on this machine with settings of its own."""
    home = tmp_path_factory.mktemp("home")
    environment = {
        "GOALWARD_SCALE": "smoke",
        "JUPYTER_CONFIG_PATH": str(SETTINGS),
        "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
        "IPYTHONDIR": str(home / "ipython"),
    }
    with jupyter(root, home, environment) as url:
        yield url


@pytest.fixture
def window(browser: playwright.Browser) -> Iterator[playwright.Page]:
    """An empty page of the browser."""
    page = browser.new_page(viewport={"width": 1200, "height": 1400})
    page.set_default_timeout(SETTLE)
    yield page
    page.close()


def open_notebook(page: playwright.Page, address: str, path: str) -> None:
    """Open a notebook in JupyterLab, and wait for its kernel."""
    page.goto(f"{address}/lab/tree/{path}?reset")
    wait_for_kernel(page)


def wait_for_kernel(page: playwright.Page) -> None:
    """Wait until the notebook in front can run."""
    front = ".jp-NotebookPanel:not(.lm-mod-hidden)"
    page.wait_for_selector(f"{front} .jp-Cell")
    # Before it has a kernel the indicator says idle, and running asks which one to take.
    page.wait_for_selector(f"{front} .jp-Toolbar-kernelName:has-text('Python 3')")
    page.wait_for_selector(f"{front} .jp-Notebook-ExecutionIndicator[data-status=idle]")


@pytest.fixture
def page(address: str, window: playwright.Page) -> playwright.Page:
    """The chapter, open in JupyterLab."""
    open_notebook(window, address, CHAPTER)
    return window


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
    # A folded cell has no prompt.
    page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status=idle]")


def picture(page: playwright.Page) -> tuple[str, str]:
    """The picture that the explorer shows, and its text."""
    shown = page.locator(".jp-OutputArea img:visible")
    assert shown.count() == 1
    return str(shown.get_attribute("src")), str(shown.get_attribute("alt"))


def test_a_reader_opens_runs_plays_edits_and_saves(page: playwright.Page, root: Path) -> None:
    text_file = (root / CHAPTER).with_suffix(".py")
    before = text_file.read_text(encoding="utf-8")

    page.click(".jp-NotebookPanel .jp-Cell >> nth=0")
    save(page)
    assert text_file.read_text(encoding="utf-8") == before, "saving alone touched the text_file"

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
    assert text_file.read_text(encoding="utf-8") == before, (
        "running and playing touched the text_file"
    )

    page.click(".jp-CodeCell .cm-content >> nth=0")
    page.keyboard.press("Control+End")
    page.keyboard.press("Enter")
    page.keyboard.type("edited = 1")
    save(page)
    after = text_file.read_text(encoding="utf-8").splitlines()
    assert [line for line in after if line != "edited = 1"] == before.splitlines()
    assert "edited = 1" in after

    restore(root, text_file)
    assert text_file.read_text(encoding="utf-8") == before
    assert toy.git(root, "status", "--porcelain") == ""


def files(root: Path) -> dict[str, bytes]:
    """The repository's files but for JupyterLab's own checkpoints."""
    return {name: data for name, data in toy.tree(root).items() if "checkpoint" not in name}


OPENED = (CHAPTER, "notebooks/1_predicting_the_future/td_infonce.ipynb", EXERCISES)


@pytest.mark.parametrize("path", OPENED)
def test_opening_changes_nothing_and_nothing_pops_up(
    path: str, address: str, window: playwright.Page, root: Path
) -> None:
    before = files(root)
    open_notebook(window, address, path)
    window.wait_for_timeout(3000)  # the kernel's names come after it is idle
    assert window.locator(".lm-TabBar-tab.jp-mod-dirty").count() == 0
    assert window.locator(".jp-Document.jp-mod-dirty, .jp-mod-dirty").count() == 0
    assert window.locator(".Toastify__toast").count() == 0
    assert files(root) == before


def test_exercises_open_from_the_chapter_and_stay_away_from_the_teachers_source(
    address: str, window: playwright.Page, root: Path
) -> None:
    before = files(root)
    open_notebook(window, address, EXERCISES.replace("_exercises", ""))
    window.locator("a[href*='td_infonce_exercises.ipynb']").first.click()
    window.wait_for_selector(".lm-TabBar-tab.lm-mod-current:has-text('td_infonce_exercises.ipynb')")
    wait_for_kernel(window)
    front = ".jp-NotebookPanel:not(.lm-mod-hidden)"
    window.locator(f"{front} .jp-CodeCell .cm-content").first.click()
    # What is given, the first exercise's text, its stub; past its check to the cell that asks.
    for key in ("Shift+Enter", "Shift+Enter", "Shift+Enter", "ArrowDown", "Shift+Enter"):
        window.keyboard.press(key)
    window.wait_for_selector(f"{front} .jp-OutputArea-output:has-text('try it first')")
    for key in ("ArrowUp", "ArrowUp", "ArrowUp", "Enter", "Control+a"):
        window.keyboard.press(key)
    window.keyboard.type("def weighed_future(target_logits, random_states, n_states):")
    window.keyboard.press("Enter")
    window.keyboard.type("return 7")
    for key in ("Shift+Enter", "ArrowDown", "Shift+Enter"):
        window.keyboard.press(key)
    window.wait_for_selector(f"{front} .jp-RenderedMarkdown code:has-text('np.eye(n_states)')")
    save(window)
    after = files(root)
    assert b"return 7" in after.pop(EXERCISES)
    before.pop(EXERCISES)
    assert after == before
