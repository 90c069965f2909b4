"""Build the book: the executed chapters and generated pages as a site that needs no other host.

Jupyter Book's Sphinx engine does the work, in a copy of the content with execution off. What it
needs and cannot say itself is done around it: the table of contents comes from `book.yml`,
pictures get their alternative text, a warning fails the build, and the finished site replaces the
old one only when all went well.
"""

import importlib.util
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from goalward.course.assignments.source import SUFFIX as EXERCISES
from goalward.course.book import content, engine, finish, gallery
from goalward.course.errors import Problem
from goalward.course.papers import repository
from goalward.course.run.doctor import mend

MARK = ".goalward-book"


def build(out: Path | None = None, quiet: bool = False, root: Path | None = None) -> Path:
    """Build the site; return its folder.

    Args:
        out: the site's folder; `_build/html` in the repository, if left out. What it held is
            replaced, once the new site is complete.
        quiet: say nothing while building.
        root: the repository; found from the current folder, if left out.

    Raises:
        Problem: Jupyter Book is missing, `out` holds something else, the table of contents and the
            chapters disagree, a picture lacks alternative text, or Jupyter Book warns. The site
            that was there stays.
    """
    root = root or repository()
    site = Path(out) if out is not None else root / "_build" / "html"
    _check_can_build(site)
    config = _read_config(root)
    toc = config.pop("toc")
    _check_toc(toc, root)
    if not quiet:
        print(f"Building the book from {root / 'notebooks'}", flush=True)
    site.parent.mkdir(parents=True, exist_ok=True)
    # Beside the site: the last step is then one rename.
    with tempfile.TemporaryDirectory(prefix=f".{site.name}-", dir=site.parent) as folder:
        work = Path(folder)
        source, new = work / "source", work / "html"
        content.copy(root, source)
        content.write(root, source)
        engine.write_files(config, toc, source)
        engine.run(source, new)
        finish.finish(root, new)
        (new / MARK).write_text("Built by `goalward book`; the next build replaces this folder.\n")
        if site.exists():
            site.rename(work / "old")
        new.rename(site)
    return site


def _check_can_build(site: Path) -> None:
    if importlib.util.find_spec("jupyter_book") is None:
        raise Problem(f"the book needs Jupyter Book: {mend('book')}")
    if site.exists() and not (site / MARK).exists() and (site.is_file() or any(site.iterdir())):
        raise Problem(f"{site} holds something that is no book: name a new or empty folder")


def _read_config(root: Path) -> dict[str, Any]:
    path = root / "book.yml"
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Problem(f"there is no {path}: build the book in a clone of the repository") from None
    except yaml.YAMLError as error:
        raise Problem(f"book.yml is no YAML: {' '.join(str(error).split())}") from None
    if not isinstance(config, dict) or (config.get("toc") or {}).get("root") != gallery.HOME:
        raise Problem(f"book.yml needs a `toc:` whose `root:` is {gallery.HOME}, the gallery")
    return config


def toc_pages(toc: dict[str, Any]) -> list[str]:
    """The pages that a table of contents names, in its order."""

    def walk(node: Any) -> Iterator[str]:
        if isinstance(node, dict):
            yield from (node[key] for key in ("root", "file") if key in node)
            for value in node.values():
                yield from walk(value)
        elif isinstance(node, list):
            for item in node:
                yield from walk(item)

    return list(walk(toc))


def _check_toc(toc: dict[str, Any], root: Path) -> None:
    named = toc_pages(toc)
    generated = {*content.PAGES, "api/index"}
    notebooks = root / "notebooks"
    for page in named:
        if page.endswith(EXERCISES):
            raise Problem(f"book.yml's toc names {page}: solutions stay out of the book")
        if page in generated or any(
            (notebooks / f"{page}{suffix}").is_file() for suffix in (".ipynb", ".md")
        ):
            continue
        if (notebooks / f"{page}.py").is_file():
            raise Problem(f"{page} has not been run yet: `goalward run {page.split('/')[-1]}`")
        raise Problem(f"book.yml's toc names {page}, which does not exist")
    for page in content.pairs(root):
        if page not in named:
            raise Problem(f"book.yml's toc does not name {page}, which exists: add it there")
