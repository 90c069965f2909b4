"""An assignment as its teacher writes it: `notebooks/teaching/<slug>_exercises.py`.

Its code cells carry nbgrader's metadata. For an exercise `name` there is a cell `name` with the
reference solution between markers, a cell `name-visible` with the tests that students see, and a
cell `name-hidden` with those that they do not. Cells before and between them are given to all.
"""

import ast
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from nbformat import NotebookNode

from goalward.course import papers
from goalward.course.errors import Problem, Usage
from goalward.course.run import notebook

SUFFIX = "_exercises"
FOLDER = "teaching"
"""Where they lie, below `notebooks`: out of the way of readers, since solutions stand in them."""
POINTS = 20
VISIBLE, HIDDEN = "-visible", "-hidden"
SOLUTION_MARKS = ("### BEGIN SOLUTION", "### END SOLUTION")
HIDDEN_MARKS = ("### BEGIN HIDDEN TESTS", "### END HIDDEN TESTS")
_HEADING = re.compile(r"^## (?:\d+\. )?(.+)$", re.MULTILINE)
_EFFORT = re.compile(r"^\*(easy|medium|hard) · (\d+) minutes · (\d+) points?\*$", re.MULTILINE)
_LINK = re.compile(
    r"(?<!!)\[([^\]]+)\]\((?![a-z]+:|#)[^()\s]+\.(?:ipynb|md|py|html)(?:#[^()\s]*)?\)"
)


@dataclass(frozen=True)
class Exercise:
    """What is asked, how hard it is, and what it is worth."""

    name: str
    title: str
    difficulty: str
    minutes: int
    points: int
    functions: tuple[str, ...]


@dataclass(frozen=True)
class Assignment:
    """The cells of an assignment, and its exercises in order."""

    slug: str
    cells: tuple[NotebookNode, ...]
    exercises: tuple[Exercise, ...]

    @property
    def file(self) -> str:
        """The name of its notebook, without suffix."""
        return self.slug + SUFFIX

    @property
    def tests(self) -> tuple[NotebookNode, ...]:
        """Its graded cells."""
        return tuple(cell for cell in self.cells if role(cell) == "test")

    @property
    def functions(self) -> tuple[str, ...]:
        """The functions that are asked of a student."""
        return tuple(name for exercise in self.exercises for name in exercise.functions)


def sources(root: Path, slugs: Iterable[str] = ()) -> dict[str, Path]:
    """The assignments that exist, or those of the named chapters: slug and source file.

    Raises:
        Usage: if a name is no chapter's, or its chapter has no assignment.
    """
    slugs = tuple(slugs)
    found = {slug: source_of(root, slug) for slug in papers.choose(root, slugs)}
    existing = {slug: path for slug, path in found.items() if path.is_file()}
    if slugs and (missing := found.keys() - existing.keys()):
        have = ", ".join(sources(root)) or "none"
        raise Usage(f"{', '.join(sorted(missing))} has no assignment; those that have: {have}")
    return existing


def source_of(root: Path, slug: str) -> Path:
    """Where the assignment of a chapter is written, if there is one."""
    return root / "notebooks" / FOLDER / f"{slug}{SUFFIX}.py"


def without_links(text: str) -> str:
    """A text whose links to files, which lie beside the chapter alone, are plain words."""
    return _LINK.sub(r"\1", text)


def grade_id(cell: NotebookNode) -> str:
    """nbgrader's name of a cell; empty where it has none."""
    return str(cell.metadata.get("nbgrader", {}).get("grade_id", ""))


def role(cell: NotebookNode) -> str:
    """What a cell is for: `prose`, `given`, `solution`, `test`, or `extra` (a student's own)."""
    if cell.cell_type != "code":
        return "prose"
    marks = cell.metadata.get("nbgrader")
    if not marks:
        return "extra"
    if marks.get("solution"):
        return "solution"
    return "test" if marks.get("grade") else "given"


def points(test: NotebookNode) -> int:
    """What a graded cell is worth."""
    return int(test.metadata["nbgrader"].get("points", 0))


def defined(code: str) -> tuple[str, ...]:
    """The functions that a cell defines at its top level, also where it does not parse."""
    try:
        body = ast.parse(code).body
    except (SyntaxError, ValueError, RecursionError):
        return tuple(re.findall(r"^def (\w+)", code, re.MULTILINE))
    return tuple(node.name for node in body if isinstance(node, ast.FunctionDef))


def read(source: Path) -> Assignment:
    """Read and check an assignment's source.

    Raises:
        Problem: if it is not built as this module says; the message names what is missing.
    """
    slug = source.stem.removesuffix(SUFFIX)
    assignment = of_cells(slug, notebook.convert(source).cells)
    if problem := _fault(assignment):
        raise Problem(f"{source.name}: {problem}")
    return assignment


def of_cells(slug: str, cells: Iterable[NotebookNode]) -> Assignment:
    """The assignment that a notebook's cells make, a teacher's or a released one."""
    cells = tuple(cells)
    worth: dict[str, int] = {}
    for cell in cells:
        if role(cell) == "test":
            name = grade_id(cell).removesuffix(VISIBLE).removesuffix(HIDDEN)
            worth[name] = worth.get(name, 0) + points(cell)
    exercises, prose = [], ""
    for cell in cells:
        if role(cell) == "prose":
            prose = cell.source
        elif role(cell) == "solution":
            name = grade_id(cell)
            heading, effort = _HEADING.search(prose), _EFFORT.search(prose)
            exercises.append(
                Exercise(
                    name,
                    heading[1] if heading else name,
                    effort[1] if effort else "",
                    int(effort[2]) if effort else 0,
                    worth.get(name, 0),
                    defined(cell.source),
                )
            )
    return Assignment(slug, cells, tuple(exercises))


def _fault(assignment: Assignment) -> str:
    """What is wrong with an assignment, in one line; empty if nothing is."""
    names = [grade_id(cell) for cell in assignment.cells if grade_id(cell)]
    if twice := {name for name in names if names.count(name) > 1}:
        return f"two cells have the grade_id {min(twice)!r}: give one another name"
    if not 3 <= len(assignment.exercises) <= 5:
        return f"it has {len(assignment.exercises)} exercises and should have 3 to 5"
    cells = {grade_id(cell): cell for cell in assignment.cells}
    for exercise in assignment.exercises:
        name = exercise.name
        if not exercise.functions:
            return f"cell {name!r} defines no function: an exercise asks for one"
        if not exercise.minutes:
            return (
                f"the text before cell {name!r} lacks its line of the form "
                "*easy · 10 minutes · 4 points*"
            )
        for wanted in (name + VISIBLE, name + HIDDEN):
            if wanted not in cells or role(cells[wanted]) != "test":
                return f"there is no graded cell {wanted!r}"
        for cell, marks in ((name, SOLUTION_MARKS), (name + HIDDEN, HIDDEN_MARKS)):
            lines = [line.strip() for line in cells[cell].source.splitlines()]
            if any(mark not in lines for mark in marks):
                return f"cell {cell!r} needs the lines {marks[0]!r} and {marks[1]!r}"
    if extra := [c for c in assignment.cells if role(c) == "extra"]:
        return f"a code cell has no nbgrader metadata: {extra[0].source.splitlines()[0]!r}"
    total = sum(exercise.points for exercise in assignment.exercises)
    stated = [
        int(effort[3])
        for cell in assignment.cells
        if role(cell) == "prose" and (effort := _EFFORT.search(cell.source))
    ]
    if stated != [exercise.points for exercise in assignment.exercises]:
        return f"the texts promise {stated} points, the cells give others"
    if total != POINTS:
        return f"its points add up to {total} and should to {POINTS}"
    return ""
