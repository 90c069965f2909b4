"""Build the book: the executed chapters and generated pages as a site that needs no other host.

Jupyter Book's Sphinx engine does the work, in a copy of the content with execution off. What it
needs and cannot say itself is done around it: the table of contents comes from `book.yml`,
pictures get their alternative text, a warning fails the build, and the finished site replaces the
old one only when all went well.
"""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from goalward.course.assignments.source import SUFFIX as EXERCISES
from goalward.course.book import api, pages, teaching
from goalward.course.errors import Problem
from goalward.course.papers import repository
from goalward.course.run.doctor import mend

STATIC = Path(__file__).parent / "static"
MARK = ".goalward-book"
_PICTURES = ("image/png", "image/jpeg", "image/svg+xml", "image/gif")
_COPIED = ("*.ipynb", "*.md", "*.bib", "*.png", "*.jpg", "*.svg", "*.webp")
# The engine's own entry point cannot choose where the site goes.
_ENGINE = """
import sys
from jupyter_book.sphinx import build_sphinx
source, out, config, toc, doctrees = sys.argv[1:]
result = build_sphinx(
    source, out, noconfig=True, path_config=config, doctreedir=doctrees, quiet=True,
    confoverrides={"external_toc_path": toc, "latex_individualpages": False},
)
sys.exit(1 if isinstance(result, BaseException) or result else 0)
"""
_WARNING = re.compile(r"^(?:(?P<place>.+?):\s+)?(?:WARNING|ERROR|CRITICAL):\s+(?P<text>.*)$")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_SIGNATURE_LIST = re.compile(r"<dl>((?:\s*<dd>.*?</dd>)+)\s*</dl>", re.DOTALL)
_INSERT = re.compile(r"^<!-- goalward: (\S+) -->$", re.MULTILINE)
# myst-nb numbers a notebook's lines as ten thousand times the cell, plus the line in it.
_CELL = 10_000
_TO_EXERCISES = re.compile(rf"\[([^\]]+)\]\([^()\s]*{EXERCISES}\.ipynb\)")


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
        _copy_content(root, source)
        _write_pages(root, source)
        _write_engine_files(config, toc, source)
        _run_engine(source, new)
        _finish(root, toc, new)
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
    if not isinstance(config, dict) or "root" not in (config.get("toc") or {}):
        raise Problem("book.yml needs a `toc:` with a `root:` page")
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


def _pairs(root: Path) -> list[str]:
    """The chapters that have been run, as pages; assignments, which hold solutions, are none."""
    notebooks = root / "notebooks"
    found = (p.relative_to(notebooks).with_suffix("") for p in notebooks.glob("*/*.ipynb"))
    return sorted(p.as_posix() for p in found if not _is_readers(p))


def _is_readers(page: Path) -> bool:
    """Whether a reader works in it: exercises, and copies that `goalward restore` has kept."""
    return page.stem.endswith(EXERCISES) or ".mine" in page.name


def _check_toc(toc: dict[str, Any], root: Path) -> None:
    named = toc_pages(toc)
    generated = {*pages.PAGES, "api/index"}
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
    for page in _pairs(root):
        if page not in named:
            raise Problem(f"book.yml's toc does not name {page}, which exists: add it there")


def _copy_content(root: Path, source: Path) -> None:
    notebooks = root / "notebooks"
    for pattern in _COPIED:
        for path in notebooks.rglob(pattern):
            if ".ipynb_checkpoints" in path.parts or _is_readers(path):
                continue
            target = source / path.relative_to(notebooks)
            target.parent.mkdir(parents=True, exist_ok=True)
            if path.suffix == ".ipynb":
                notebook = json.loads(path.read_text(encoding="utf-8"))
                add_alternative_text(notebook, path.relative_to(root).as_posix())
                drop_links_to_exercises(notebook)
                target.write_text(json.dumps(notebook), encoding="utf-8")
            else:
                shutil.copyfile(path, target)
    # Pages show a chapter's lead picture as ../../figures/<slug>/lead.png, as in the repository.
    for picture in (root / "figures").glob("*/lead.png"):
        target = source.parent / picture.relative_to(root)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(picture, target)


def drop_links_to_exercises(notebook: dict[str, Any]) -> None:
    """Leave the words of links to exercise notebooks, which a reader has and the book has not."""
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            lines = cell["source"]
            text = lines if isinstance(lines, str) else "".join(lines)
            cell["source"] = _TO_EXERCISES.sub(r"\1", text)


def add_alternative_text(notebook: dict[str, Any], name: str) -> None:
    """Copy each picture's alternative text from its output to the cell, where myst-nb reads it.

    Raises:
        Problem: a picture has none, or a cell has two pictures.
    """
    for number, cell in enumerate(notebook["cells"], 1):
        pictures = [o for o in cell.get("outputs", []) if set(_PICTURES) & set(o.get("data", {}))]
        if not pictures:
            continue
        where = f"{name}, cell {number}"
        if len(pictures) > 1:
            raise Problem(f"{where} shows two pictures: show one a cell, each has its own text")
        metadata = pictures[0].get("metadata", {})
        own: dict[str, Any] = next((metadata[m] for m in _PICTURES if m in metadata), {})
        text = own.get("alt") or metadata.get("alt")
        if not text:
            raise Problem(
                f"{where} shows a picture without alternative text: here.show(fig, alt=…)"
            )
        image = cell["metadata"].setdefault("mystnb", {}).setdefault("image", {})
        image["alt"] = text


def _write_pages(root: Path, source: Path) -> None:
    made = {f"api/{k}": v for k, v in api.api_pages(STATIC.parents[2]).items()}
    made |= {name: make(root) for name, make in pages.PAGES.items()}
    for name, text in made.items():
        path = source / f"{name}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    for path in source.glob("[0-9]_*/*.md"):
        text = _fill(root, path.relative_to(source).as_posix(), path.read_text(encoding="utf-8"))
        path.write_text(text, encoding="utf-8")
    for index in source.glob("[0-9]_*/index.md"):
        text = index.read_text(encoding="utf-8") + pages.part_table(root, index.parent.name)
        index.write_text(text, encoding="utf-8")


def _fill(root: Path, page: str, text: str) -> str:
    """A page with what its lines `<!-- goalward: … -->` stand for."""
    pieces = _INSERT.split(text)
    for place, wanted in enumerate(pieces):
        if place % 2:
            if wanted not in teaching.INSERTS:
                known = ", ".join(teaching.INSERTS)
                raise Problem(f"notebooks/{page} asks for {wanted!r}, which is none of {known}")
            pieces[place] = teaching.INSERTS[wanted](root)
    return "".join(pieces)


def _write_engine_files(config: dict[str, Any], toc: dict[str, Any], source: Path) -> None:
    rooms = [
        page for page in map(api.page_of, api.ROOMS) if (source / "api" / f"{page}.md").is_file()
    ]
    _attach(toc, "api/index", [{"file": f"api/{room}"} for room in rooms])
    if not (config.get("repository") or {}).get("url"):
        # Without a repository there is nothing for a button to open.
        config.pop("repository", None)
        config.pop("launch_buttons", None)
    else:
        config.setdefault("html", {})["use_repository_button"] = True
    sphinx = config.setdefault("sphinx", {}).setdefault("config", {})
    sphinx["html_static_path"] = [str(STATIC)]
    sphinx["html_css_files"] = ["book/goalward.css"]
    sphinx["html_favicon"] = str(STATIC / "book" / "favicon.svg")
    sphinx["html_js_files"] = [["book/goalward.js", {"defer": "defer"}]]
    for name, content in (("config", config), ("toc", toc)):
        text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
        (source / f"_{name}.yml").write_text(text, encoding="utf-8")


def _attach(node: Any, page: str, sections: list[dict[str, str]]) -> None:
    """Give `page`, somewhere below `node`, its sections."""
    for item in node.values() if isinstance(node, dict) else node:
        if isinstance(item, dict | list):
            _attach(item, page, sections)
    if sections and isinstance(node, dict) and node.get("file") == page:
        node["sections"] = sections


def _run_engine(source: Path, new: Path) -> None:
    files = [source, new, source / "_config.yml", source / "_toc.yml", source.parent / "doctrees"]
    done = subprocess.run(
        [sys.executable, "-c", _ENGINE, *map(str, files)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONWARNINGS": "ignore", "NO_COLOR": "1"},
    )
    output = _COLOUR.sub("", done.stderr)
    found = warnings(output, source)
    if found:
        raise Problem("\n".join([f"the book has {len(found)} warning(s):", *found]))
    if done.returncode:
        last = (output.strip() or done.stdout.strip()).splitlines()[-1:]
        raise Problem(f"Jupyter Book failed: {''.join(last)}")


def warnings(output: str, source: Path) -> list[str]:
    """What Sphinx warned of, one line each, with places as the author knows them."""
    found = []
    for line in output.splitlines():
        match = _WARNING.match(line)
        if match:
            place = _place(match["place"] or "", source)
            found.append(f"  {place}: {match['text']}" if place else f"  {match['text']}")
    return list(dict.fromkeys(found))


def _place(place: str, source: Path) -> str:
    path, _, line = place.partition(":")
    name = path.replace(f"{source}{os.sep}", "notebooks/")
    if not line.isdigit():
        return name
    if name.endswith(".ipynb"):
        return f"{name}, cell {int(line) // _CELL}"
    return f"{name}, line {line}"


def _finish(root: Path, toc: dict[str, Any], new: Path) -> None:
    """What Sphinx leaves to do: the front door, and the notebooks as `goalward run` wrote them."""
    front = f"{toc['root']}.html"
    (new / "index.html").write_text(
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>Goalward</title>\n'
        '<link rel="icon" href="data:,">\n'  # or browsers ask for a favicon that is not there
        f'<meta http-equiv="refresh" content="0; url={front}"></head>\n'
        f'<body><main><h1><a href="{front}">Goalward</a></h1></main></body></html>\n',
        encoding="utf-8",
    )
    for path in new.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        mended = mend_markup(text)
        if mended != text:
            path.write_text(mended, encoding="utf-8")
    for page in _pairs(root):
        shutil.copyfile(root / "notebooks" / f"{page}.ipynb", new / "_sources" / f"{page}.ipynb")
    (new / MARK).write_text("Built by `goalward book`; the next build replaces this folder.\n")


def mend_markup(page: str) -> str:
    """A page without two things that Sphinx writes and screen readers stumble over.

    The arguments of a long signature are a list of definitions without terms; bibliographies
    have a role whose children are not what it asks for.
    """

    def arguments(match: re.Match[str]) -> str:
        items = match[1].replace("<dd>", '<div class="argument">').replace("</dd>", "</div>")
        return f"<div>{items}</div>"

    page = page.replace(' role="list" class="citation-list"', ' class="citation-list"')
    page = page.replace(' role="doc-biblioentry"', "")
    return _SIGNATURE_LIST.sub(arguments, page)
