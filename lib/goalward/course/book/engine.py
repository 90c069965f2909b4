"""Jupyter Book's Sphinx engine: the files that it reads, its run, and what it warned of."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from goalward.course.book import api
from goalward.course.errors import Problem

STATIC = Path(__file__).parent / "static"
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
# myst-nb numbers a notebook's lines as ten thousand times the cell, plus the line in it.
_CELL = 10_000


def write_files(config: dict[str, Any], toc: dict[str, Any], source: Path) -> None:
    """Write the two files that the engine reads: its settings and the table of contents."""
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


def run(source: Path, new: Path) -> None:
    """Make the site `new` from `source`.

    Raises:
        Problem: the engine failed, or warned.
    """
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
