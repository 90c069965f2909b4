"""Student versions of assignments, made by nbgrader from the teacher's sources.

A course's folder is laid out as nbgrader wants it, so that its own commands and formgrader work
there: `source` (the teacher's notebooks), `release` (the students'), `submitted`, `autograded`,
`feedback`, `gradebook.db`. The teacher's secret lies beside them.
"""

import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat

from goalward.course.assignments import gradebook, hidden
from goalward.course.assignments.files import replace
from goalward.course.assignments.source import (
    HIDDEN,
    HIDDEN_MARKS,
    SOLUTION_MARKS,
    Assignment,
    grade_id,
    read,
    without_links,
)
from goalward.course.errors import Problem
from goalward.course.run import notebook

CONFIG = """# What nbgrader's own commands and formgrader read.
c = get_config()  # noqa: F821
c.CourseDirectory.course_id = "goalward"
c.ExecutePreprocessor.timeout = 120
"""
# Shorter lines, and brackets and `return` alone, give nothing away.
TELLING = 8
_SAYS_NOTHING = re.compile(r"^return\b|[\s()\[\]{},:]")


def release(course: Path, sources: dict[str, Path]) -> Iterator[tuple[str, Path, bool]]:
    """Write student versions into a course's folder: slug, file, and whether it was written.

    A student version that somebody has worked in is left as it is.

    Raises:
        Problem: if an assignment is not sound, or its student version would hold a solution.
    """
    set_up(course)
    with TemporaryDirectory() as workshop:
        for slug, path in sources.items():
            assignment = read(path)
            text = student_version(assignment, path, Path(workshop))
            teacher = course / "source" / slug / f"{assignment.file}.ipynb"
            replace(teacher, nbformat.writes(_teachers(path)) + "\n")
            student = course / "release" / slug / f"{assignment.file}.ipynb"
            kept = student.is_file() and is_worked_in(student)
            if not kept:
                replace(student, text)
            with gradebook.opened(course) as book:
                gradebook.describe(book, assignment)
            yield slug, student, not kept


def set_up(course: Path) -> None:
    """Make a course's folder, with nbgrader's settings and a secret of its own."""
    course.mkdir(parents=True, exist_ok=True)
    if not (course / "nbgrader_config.py").exists():
        replace(course / "nbgrader_config.py", CONFIG)
    if not (course / hidden.FILE).exists():
        replace(course / hidden.FILE, secrets.token_hex(16) + "\n", mode=0o600)


def student_version(assignment: Assignment, path: Path, workshop: Path) -> str:
    """The text of an assignment's student notebook, made by nbgrader in an empty folder.

    Raises:
        Problem: if nbgrader fails, or leaves a line of a solution or a hidden test in it.
    """
    folder = workshop / "source" / assignment.slug
    folder.mkdir(parents=True)
    nbformat.write(_teachers(path), folder / f"{assignment.file}.ipynb")
    gradebook.generate(workshop, assignment.slug)
    made = workshop / "release" / assignment.slug / f"{assignment.file}.ipynb"
    nb = nbformat.read(made, as_version=4)
    if leak := leaks(assignment, nb):
        raise Problem(
            f"{path.name}: its student version would still say {leak[0]!r}, a line of a solution "
            "or a hidden test: word the text and the given cells differently"
        )
    nb.metadata["goalward"] = {"released": digest(nb)}
    return str(nbformat.writes(nb)) + "\n"


def _teachers(path: Path) -> nbformat.NotebookNode:
    """An assignment with its solutions, to lie in a course's folder, where no chapter is."""
    nb = notebook.convert(path)
    for cell in nb.cells:
        if cell.cell_type == "markdown":
            cell.source = without_links(cell.source)
    return nb


def secret_lines(assignment: Assignment) -> list[str]:
    """The telling lines between the marks of solutions, and those of hidden tests alone.

    A line that hidden tests share with visible ones is no secret.
    """
    solution, hidden_tests = (
        _between(assignment, marks) for marks in (SOLUTION_MARKS, HIDDEN_MARKS)
    )
    visible = "\n".join(c.source for c in assignment.tests if not grade_id(c).endswith(HIDDEN))
    return solution + [line for line in hidden_tests if line not in visible]


def _between(assignment: Assignment, marks: tuple[str, str]) -> list[str]:
    lines, inside = [], False
    for cell in assignment.cells:
        for line in map(str.strip, cell.source.splitlines()):
            if line in marks:
                inside = line == marks[0]
            elif inside and _is_telling(line):
                lines.append(line)
    return lines


def _is_telling(line: str) -> bool:
    if len(line) < TELLING or line.startswith(("from ", "import ")):
        return False
    return bool(_SAYS_NOTHING.sub("", line))


def leaks(assignment: Assignment, nb: nbformat.NotebookNode) -> list[str]:
    """The secret lines of an assignment that a notebook holds: in cells, outputs or metadata."""
    text = "\n".join(_strings(nb))
    return [line for line in secret_lines(assignment) if line in text]


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield str(key)
            yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)
    else:
        yield str(value)


def is_worked_in(file: Path) -> bool:
    """Whether somebody has changed a notebook since it was released."""
    try:
        nb = nbformat.read(file, as_version=4)
        return bool(nb.metadata.get("goalward", {}).get("released") != digest(nb))
    except Exception:
        return True  # whatever it is, it is not ours to overwrite


def digest(nb: nbformat.NotebookNode) -> str:
    """A hash of what stands in a notebook's cells."""
    return notebook.hash_text(
        *(text for cell in nb.cells for text in (cell.cell_type, cell.source))
    )
