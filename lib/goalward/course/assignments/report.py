"""What a graded notebook looks like: to its student, to formgrader, and in a table."""

import csv
import io
from collections.abc import Iterable

import nbformat
from nbformat import NotebookNode

from goalward.course.assignments.grading import Mark, Marks
from goalward.course.assignments.source import HIDDEN, Assignment, grade_id, role, without_links

HIDDEN_TEXT = "# Hidden tests"


def graded_notebook(
    assignment: Assignment, answer: Iterable[NotebookNode], marks: Marks
) -> NotebookNode:
    """A student's cells in their order, the teacher's around them, marks as the tests' outputs.

    Nothing of a student's is left that a browser would run: their text is shown as they wrote it,
    their outputs are dropped.
    """
    nb = nbformat.v4.new_notebook()
    teachers = {grade_id(cell): cell for cell in assignment.cells if grade_id(cell)}
    prose = {without_links(cell.source) for cell in assignment.cells if role(cell) == "prose"}
    results = {mark.cell: mark for mark in marks.marks}
    for cell in answer:
        name = grade_id(cell)
        if name in teachers:
            nb.cells.append(_cell(teachers.pop(name), cell, results))
        elif cell.cell_type == "code":
            nb.cells.append(nbformat.v4.new_code_cell(cell.source))
        elif (text := without_links(cell.source)) in prose:
            nb.cells.append(nbformat.v4.new_markdown_cell(text))
        else:
            quoted = "\n".join("    " + line for line in cell.source.splitlines())
            nb.cells.append(nbformat.v4.new_markdown_cell(quoted))
    nb.cells += [_cell(cell, None, results) for cell in teachers.values()]
    return nb


def _cell(
    teacher: NotebookNode, student: NotebookNode | None, results: dict[str, Mark]
) -> NotebookNode:
    name = grade_id(teacher)
    text = teacher.source
    if role(teacher) == "solution":
        text = student.source if student is not None else "# This cell was missing."
    elif name.endswith(HIDDEN):
        text = HIDDEN_TEXT
    cell = nbformat.v4.new_code_cell(text)
    # nbgrader's own metadata, whatever the student's says.
    cell.metadata["nbgrader"] = dict(teacher.metadata["nbgrader"]) | {"cell_type": "code"}
    if name in results and results[name].comment:
        comment = results[name].comment
        cell.outputs = [
            nbformat.v4.new_output(
                "error", ename="AssertionError", evalue=comment, traceback=[comment]
            )
        ]
    return cell


def table(students: dict[str, dict[str, Marks]], slugs: list[str]) -> str:
    """The gradebook as CSV: a student a row, an assignment a column; empty where none was given."""
    rows: list[list[object]] = [["student", *slugs, "total"]]
    for student, by_slug in sorted(students.items()):
        given = [by_slug[slug].points if slug in by_slug else "" for slug in slugs]
        rows.append([student, *given, sum(marks.points for marks in by_slug.values())])
    return _csv(rows)


def details(students: dict[str, dict[str, Marks]]) -> str:
    """Every mark as CSV: student, assignment, cell, points, what it is worth, and the comment."""
    rows: list[list[object]] = [["student", "assignment", "cell", "points", "worth", "comment"]]
    for student, by_slug in sorted(students.items()):
        for slug, marks in sorted(by_slug.items()):
            for mark in marks.marks:
                rows.append([student, slug, mark.cell, mark.points, mark.worth, mark.comment])
    return _csv(rows)


def _csv(rows: list[list[object]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([map(_harmless, row) for row in rows])
    return text.getvalue()


def _harmless(value: object) -> object:
    """A spreadsheet would run a text that begins like a formula."""
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return "'" + value
    return f"{value:g}" if isinstance(value, float) else value
