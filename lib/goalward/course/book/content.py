"""What the book is made of: a copy of the chapters, and the pages that are written for it."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

from goalward.course.assignments.source import SUFFIX as EXERCISES
from goalward.course.book import api, gallery, pages, scoreboard, teaching
from goalward.course.errors import Problem

PACKAGE = Path(__file__).parents[2]
PAGES = {gallery.HOME: gallery.page, scoreboard.PAGE: scoreboard.page, **pages.PAGES}
"""The pages that are made for the book; the library's reference comes besides."""

_PICTURES = ("image/png", "image/jpeg", "image/svg+xml", "image/gif")
_COPIED = ("*.ipynb", "*.md", "*.bib", "*.png", "*.jpg", "*.svg", "*.webp")
_TO_EXERCISES = re.compile(rf"\[([^\]]+)\]\([^()\s]*{EXERCISES}\.ipynb\)")
_INSERT = re.compile(r"^<!-- goalward: (\S+) -->$", re.MULTILINE)


def pairs(root: Path) -> list[str]:
    """The chapters that have been run, as pages; assignments, which hold solutions, are none."""
    notebooks = root / "notebooks"
    found = (p.relative_to(notebooks).with_suffix("") for p in notebooks.glob("*/*.ipynb"))
    return sorted(p.as_posix() for p in found if not _is_readers(p))


def _is_readers(page: Path) -> bool:
    """Whether a reader works in it: exercises, and copies that `goalward restore` has kept."""
    return page.stem.endswith(EXERCISES) or ".mine" in page.name


def copy(root: Path, source: Path) -> None:
    """Copy chapters and pages; assignments, which hold solutions, stay out."""
    notebooks = root / "notebooks"
    for pattern in _COPIED:
        for path in notebooks.rglob(pattern):
            if ".ipynb_checkpoints" in path.parts or _is_readers(path):
                continue
            if path == gallery.lab_file(root):
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


def drop_links_to_exercises(notebook: dict[str, Any]) -> None:
    """Leave the words of links to exercise notebooks, which a reader has and the book has not."""
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            lines = cell["source"]
            text = lines if isinstance(lines, str) else "".join(lines)
            cell["source"] = _TO_EXERCISES.sub(r"\1", text)


def write(root: Path, source: Path) -> None:
    """Write the pages that are made for the book, and into others what they ask for."""
    made = {f"api/{k}": v for k, v in api.api_pages(PACKAGE).items()}
    made |= {name: make(root) for name, make in PAGES.items()}
    for name, text in made.items():
        path = source / f"{name}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    for path in source.glob("[0-9]_*/*.md"):
        text = fill(root, path.relative_to(source).as_posix(), path.read_text(encoding="utf-8"))
        path.write_text(text, encoding="utf-8")
    for index in source.glob("[0-9]_*/index.md"):
        text = index.read_text(encoding="utf-8") + pages.part_table(root, index.parent.name)
        index.write_text(text, encoding="utf-8")


def fill(root: Path, page: str, text: str) -> str:
    """A page with what its lines `<!-- goalward: … -->` stand for."""
    pieces = _INSERT.split(text)
    for place, wanted in enumerate(pieces):
        if place % 2:
            if wanted not in teaching.INSERTS:
                known = ", ".join(teaching.INSERTS)
                raise Problem(f"notebooks/{page} asks for {wanted!r}, which is none of {known}")
            pieces[place] = teaching.INSERTS[wanted](root)
    return "".join(pieces)
