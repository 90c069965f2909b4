"""What a student runs at home: their own notebook against its own visible tests."""

from dataclasses import dataclass
from pathlib import Path

from goalward.course.assignments import grading, sandbox
from goalward.course.assignments.classroom import notebook_of
from goalward.course.assignments.source import HIDDEN, SUFFIX, VISIBLE, grade_id, of_cells, role
from goalward.course.errors import Problem


@dataclass(frozen=True)
class Standing:
    """How an exercise stands."""

    title: str
    points: int
    hidden_points: int
    problem: str

    @property
    def attempted(self) -> bool:
        """Whether there is an answer at all."""
        return self.problem != grading.NOT_ATTEMPTED


def check(file: Path) -> list[Standing]:
    """Run the visible tests of a released notebook on its answers; nothing is written.

    Raises:
        Problem: if it is no notebook, or has no exercises.
    """
    if not file.is_file():
        raise Problem(f"there is no file {file}: give the path of your exercise notebook")
    try:
        cells = notebook_of(file).cells
    except Problem as error:
        raise Problem(f"{file.name}: {error}") from error
    assignment = of_cells(file.stem.removesuffix(SUFFIX), cells)
    if not assignment.exercises:
        raise Problem(f"{file.name} has no exercises: is it the notebook that you were given?")
    # It is the student's own code on the student's own machine: limits will do.
    answers = grading.student_cells(assignment, cells)
    with grading.Student(answers, sandbox.PLAIN) as student:
        visible = {grade_id(c) for c in cells if role(c) == "test" and HIDDEN not in grade_id(c)}
        marks = {mark.cell: mark for mark in grading.run_tests(assignment, student, visible)}
    standings = []
    for exercise in assignment.exercises:
        mark = marks.get(exercise.name + VISIBLE)
        problem = (
            mark.comment if mark else "its check cell is gone: copy it from the notebook given"
        )
        worth = int(mark.worth) if mark else 0
        standings.append(Standing(exercise.title, worth, exercise.points - worth, problem))
    return standings
