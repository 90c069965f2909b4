"""What a student runs at home: their own notebook against its tests, hidden ones too where known.

The notebook is read as grading reads it. Where it has lost its cells' marks, its exercises are
found by the functions that they ask for.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from nbformat import NotebookNode

from goalward.course.assignments import grading, sandbox
from goalward.course.assignments.reading import notebook_of
from goalward.course.assignments.source import (
    HIDDEN,
    SUFFIX,
    VISIBLE,
    Assignment,
    Exercise,
    defined,
    grade_id,
    of_cells,
    read,
    role,
    sources,
)
from goalward.course.errors import Problem
from goalward.course.papers import repository

GONE = "its check cell is gone: copy it from the notebook given"
PASSES_VISIBLE, PASSES = "visible tests pass", "all tests pass"


@dataclass(frozen=True)
class Standing:
    """How an exercise stands: `passes` says which tests it passes, if there is no problem."""

    title: str
    points: int
    hidden_points: int
    problem: str
    passes: str = PASSES_VISIBLE

    @property
    def attempted(self) -> bool:
        """Whether there is an answer at all."""
        return self.problem != grading.NOT_ATTEMPTED


def check(file: Path) -> list[Standing]:
    """Run a notebook's tests on its answers; nothing is written.

    The visible tests are those of the notebook; the hidden ones are those of this repository, for
    exercises that are the repository's.

    Raises:
        Problem: if it is no notebook, or has no exercises.
    """
    if not file.is_file():
        raise Problem(f"there is no file {file}: give the path of your exercise notebook")
    try:
        cells = notebook_of(file).cells
    except Problem as error:
        raise Problem(f"{file.name}: {error}") from error
    own = of_cells(file.stem.removesuffix(SUFFIX), cells)
    teachers = _repositorys(cells)
    assignment = own if own.exercises else teachers
    if assignment is None:
        raise Problem(f"{file.name} has no exercises: is it the notebook that you were given?")
    # It is the student's own code on the student's own machine: limits will do.
    answers = grading.student_cells(assignment, cells)
    hidden = _hidden_tests(assignment, teachers)
    tests = tuple(_with_hidden(assignment.cells, hidden))
    wanted = {*hidden, *(e.name + VISIBLE for e in assignment.exercises)}
    with grading.Student(answers, sandbox.PLAIN) as student:
        run = grading.run_tests(replace(assignment, cells=tests), student, wanted)
        marks = {mark.cell: mark for mark in run}
    return [_standing(exercise, marks) for exercise in assignment.exercises]


def _with_hidden(
    cells: Iterable[NotebookNode], hidden: dict[str, NotebookNode]
) -> Iterator[NotebookNode]:
    """The cells with each hidden test after its visible one."""
    for cell in cells:
        if grade_id(cell) not in hidden:
            yield cell
        if grade_id(cell).endswith(VISIBLE):
            name = grade_id(cell).removesuffix(VISIBLE)
            yield from (hidden[known] for known in [name + HIDDEN] if known in hidden)


def _hidden_tests(assignment: Assignment, teachers: Assignment | None) -> dict[str, NotebookNode]:
    """The repository's hidden tests, by name, of the exercises whose visible ones are the same."""
    if teachers is None:
        return {}
    here, there = (
        {grade_id(c): c for c in a.cells if role(c) == "test"} for a in (assignment, teachers)
    )
    return {
        name: there[name]
        for exercise in assignment.exercises
        for name in [exercise.name + HIDDEN]
        for visible in [exercise.name + VISIBLE]
        if name in there and visible in here
        if here[visible].source.strip() == there[visible].source.strip()
    }


def _standing(exercise: Exercise, marks: dict[str, grading.Mark]) -> Standing:
    visible, hidden = (marks.get(exercise.name + which) for which in (VISIBLE, HIDDEN))
    worth = int(visible.worth) if visible else 0
    problem = visible.comment if visible else GONE
    if not problem and hidden and hidden.comment:
        problem = f"{PASSES_VISIBLE}; a hidden test says: {hidden.comment}"
    passes = PASSES if hidden else PASSES_VISIBLE
    rest = int(hidden.worth) if hidden else exercise.points - worth
    return Standing(exercise.title, worth, rest, problem, passes)


def _repositorys(cells: Iterable[NotebookNode]) -> Assignment | None:
    """The repository's assignment that asks for most of the functions that some cells define."""
    try:
        found = sources(repository())
    except Problem:  # no repository here
        return None
    functions = {f for c in cells if c.cell_type == "code" for f in defined(c.source)}
    best, most = None, 0
    for path in found.values():
        text = path.read_text(encoding="utf-8")
        if not any(f"def {function}(" in text for function in functions):
            continue
        assignment = read(path)
        if (shared := len(functions & set(assignment.functions))) > most:
            best, most = assignment, shared
    return best
