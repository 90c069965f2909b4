"""A small assignment, notebooks that answer it, and the planted answers of all assignments."""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from goalward.course.assignments import source

FILE = Path(__file__).parent / "assignments" / "small_exercises.py"
SOLUTIONS = {
    "twice": "def twice(x):\n    return x + x\n",
    "total": "def total(x):\n    return x.sum()\n",
    "least": (
        "def least(numbers):\n"
        "    i = min(range(len(numbers)), key=lambda j: numbers[j])\n"
        "    return dict(place=i, value=numbers[i])\n"
    ),
}


def assignment() -> source.Assignment:
    """The small assignment."""
    return source.read(FILE)


def answer(**cells: str) -> NotebookNode:
    """A right notebook, with other code in some solution cells."""
    changed: Mapping[str, str] = {**SOLUTIONS, **cells}
    nb = nbformat.v4.new_notebook()
    for cell in assignment().cells:
        copy = nbformat.from_dict(dict(cell))
        if source.role(cell) == "solution":
            copy.source = changed[source.grade_id(cell)]
        if source.role(cell) == "test" and source.HIDDEN in source.grade_id(cell):
            copy.source = ""
        nb.cells.append(copy)
    return nb


_HEADING = re.compile(r"^# %% (\w+) (wrong|right): (.+)$", re.MULTILINE)


def planted_file(slug: str) -> Path:
    """Where the planted answers of an assignment lie."""
    return FILE.parent / "planted" / f"{slug}.py"


@cache
def planted(slug: str) -> tuple[tuple[str, str, str, str], ...]:
    """Exercise, kind, what it is, and code of each planted answer of an assignment."""
    _, *parts = _HEADING.split(planted_file(slug).read_text(encoding="utf-8"))
    return tuple(zip(parts[::4], parts[1::4], parts[2::4], parts[3::4], strict=True))
