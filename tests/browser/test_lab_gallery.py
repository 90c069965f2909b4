"""JupyterLab as `make lab` starts it: on the gallery, shown rather than edited."""

import shutil
from pathlib import Path

import pytest
from playwright import sync_api as playwright

import toy
from goalward.course.book import gallery
from lab import jupyter

pytestmark = pytest.mark.browser
SETTINGS = toy.ROOT / "lib" / "goalward" / "course" / "static" / "lab"


def test_a_first_start_shows_the_gallery_and_a_click_opens_a_pair(
    tmp_path: Path, browser: playwright.Browser
) -> None:
    root = toy.repository(tmp_path / "root")
    for name in ("notebooks", "figures"):
        shutil.copytree(toy.ROOT / name, root / name, dirs_exist_ok=True)
    start = gallery.write_lab_page(root).relative_to(root).as_posix()
    assert f"START ?= {start}\n" in (toy.ROOT / "Makefile").read_text(encoding="utf-8")
    # Else Jupyter serves the start page's folder, and no picture beside it.
    assert '--ServerApp.root_dir="$(CURDIR)"' in (toy.ROOT / "Makefile").read_text("utf-8")
    home = tmp_path / "home"
    home.mkdir()
    environment = {
        "JUPYTER_CONFIG_PATH": str(SETTINGS),
        "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
        "IPYTHONDIR": str(home / "ipython"),
    }
    with jupyter(root, home, environment) as url:
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(90_000)
        page.goto(f"{url}/lab/tree/{start}?reset")
        page.wait_for_selector(".jp-MarkdownViewer h1:has-text('Goalward')")
        page.wait_for_function(
            """() => { const all = [...document.querySelectorAll(".jp-MarkdownViewer img")];
              return all.length && all.every(i => i.naturalWidth && i.alt); }"""
        )
        page.locator(".jp-MarkdownViewer a", has_text="Welcome").first.click()
        page.wait_for_selector(".jp-NotebookPanel .jp-Cell")
        assert page.locator(".lm-TabBar-tabLabel:text-is('welcome.ipynb')").count() == 1
        page.close()
