"""What nbgrader does for a course: student versions, the gradebook, feedback pages.

nbgrader is imported where it is used, since only teachers have it.
"""

import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from goalward.course.assignments.grading import Marks
from goalward.course.assignments.source import Assignment, grade_id, points, role
from goalward.course.errors import Problem

COURSE = "goalward"


@contextmanager
def opened(course: Path) -> Iterator[Any]:
    """nbgrader's gradebook of a course.

    Raises:
        Problem: if there is a file in its place that is none.
    """
    from nbgrader.api import Gradebook
    from sqlalchemy.exc import DatabaseError, SAWarning

    _let_find_tools()
    warnings.filterwarnings("ignore", category=SAWarning, module="nbgrader")
    file = course.resolve() / "gradebook.db"
    try:
        with Gradebook(f"sqlite:///{file}", course_id=COURSE) as book:
            yield book
    except DatabaseError as error:
        raise Problem(f"{file.name} is not a gradebook, or is damaged: {error.orig}") from error


def generate(course: Path, slug: str) -> None:
    """Let nbgrader make the student version in `release` from the notebook in `source`.

    Raises:
        Problem: if it does not succeed; the message is nbgrader's own last line.
    """
    outcome = _api(course).generate_assignment(slug, force=True, create=True)
    if not outcome["success"]:
        lines = str(outcome.get("error") or outcome.get("log") or "it gave no reason").splitlines()
        raise Problem(f"nbgrader could not release {slug}: {lines[-1]}")


def describe(book: Any, assignment: Assignment) -> None:
    """Enter an assignment's cells and what they are worth.

    Raises:
        Problem: if the gradebook has graded cells that the assignment has not.
    """
    book.update_or_create_assignment(assignment.slug)
    entry = book.update_or_create_notebook(assignment.file, assignment.slug)
    known = {grade_id(cell) for cell in assignment.tests}
    if gone := {cell.name for cell in entry.grade_cells} - known:
        raise Problem(
            f"the gradebook has marks for {min(gone)!r}, which {assignment.slug} no longer asks: "
            "start a new folder with --out"
        )
    for cell in assignment.cells:
        name, place = grade_id(cell), (assignment.file, assignment.slug)
        if not name:
            continue
        marks = cell.metadata["nbgrader"]
        book.update_or_create_source_cell(
            name, *place, source=cell.source, cell_type=cell.cell_type, locked=marks["locked"]
        )
        if role(cell) == "test":
            book.update_or_create_grade_cell(
                name, *place, max_score=points(cell), cell_type=cell.cell_type
            )
        elif role(cell) == "solution":
            book.update_or_create_solution_cell(name, *place)


def enter(book: Any, assignment: Assignment, student: str, marks: Marks) -> None:
    """Enter a student's marks; what a teacher has changed by hand stays, to be looked at again."""
    book.update_or_create_student(student)
    book.update_or_create_submission(assignment.slug, student)
    for mark in marks.marks:
        grade = book.find_grade(mark.cell, assignment.file, assignment.slug, student)
        grade.auto_score = mark.points
        grade.needs_manual_grade = grade.manual_score is not None
    book.db.commit()


class Feedback:
    """nbgrader's feedback pages, from the notebooks in `autograded`."""

    def __init__(self, course: Path) -> None:
        from nbconvert.exporters import HTMLExporter
        from nbgrader.converters import GenerateFeedback
        from nbgrader.preprocessors import GetGrades

        self._address = f"sqlite:///{course.resolve() / 'gradebook.db'}"
        settings = GenerateFeedback(coursedir=_directory(course)).config
        self._exporter = HTMLExporter(config=settings)
        self._exporter.sanitize_html = True
        self._exporter.register_preprocessor(GetGrades, enabled=True)

    def page(self, assignment: Assignment, student: str, nb: Any) -> str:
        """The page of a student, whose marks are in the gradebook already."""
        resources = {
            "nbgrader": {
                "notebook": assignment.file,
                "assignment": assignment.slug,
                "student": student,
                "db_url": self._address,
            }
        }
        html, _ = self._exporter.from_notebook_node(nb, resources=resources)
        return str(html)


def _api(course: Path) -> Any:
    from nbgrader.apps.api import NbGraderAPI

    _let_find_tools()
    directory = _directory(course)
    return NbGraderAPI(directory, config=directory.config)


def _directory(course: Path) -> Any:
    from nbgrader.coursedir import CourseDirectory
    from traitlets.config import Config

    logging.getLogger("traitlets").setLevel(logging.ERROR)
    config = Config()
    config.CourseDirectory.root = str(course.resolve())
    config.CourseDirectory.course_id = COURSE
    return CourseDirectory(config=config)


def _let_find_tools() -> None:
    """nbgrader calls `alembic` by name, and finds it only if our environment's tools come first."""
    tools = str(Path(sys.executable).parent)
    if tools not in os.environ.get("PATH", "").split(os.pathsep):
        os.environ["PATH"] = os.pathsep.join([tools, os.environ.get("PATH", "")])
