"""Mark one student's notebook: their functions run locked in, the tests outside, on plain data.

The tests are the teacher's, whatever the student's notebook holds. In their names, each function
that was asked for is a stand-in that sends its arguments to the worker and returns what comes back.
"""

import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from nbformat import NotebookNode

from goalward.course.assignments.files import one_line
from goalward.course.assignments.sandbox import DEFAULT, Died, Failed, Limits, Worker
from goalward.course.assignments.source import Assignment, defined, grade_id, points, role

NOT_ATTEMPTED = "not attempted yet"
LONGEST_COMMENT = 500


@dataclass(frozen=True)
class Mark:
    """What a graded cell gave, and why it did not give all."""

    cell: str
    points: float
    worth: float
    comment: str = ""


@dataclass(frozen=True)
class Marks:
    """What a notebook got, cell by cell, and what that took."""

    marks: tuple[Mark, ...]
    seconds: float = 0.0
    peak: int = 0  # bytes

    @property
    def points(self) -> float:
        """All points together."""
        return sum(mark.points for mark in self.marks)


class CellFailed(Failed):
    """The cell that should have defined a function failed; the message says how."""

    def __init__(self, message: str) -> None:
        Exception.__init__(self, message)
        self.kind = "CellFailed"


class Student:
    """A student's cells, in a worker that starts when needed, and again after it has died.

    A cell that a worker died of is left out of the next one.
    """

    def __init__(
        self, cells: Sequence[tuple[str, str]], isolation: str, limits: Limits = DEFAULT
    ) -> None:
        self._cells = self._first_cells = list(cells)
        self._isolation, self._limits = isolation, limits
        self._worker: Worker | None = None
        self._deadly: set[int] = set()
        self._excuses: dict[str, str] = {}
        self._left = limits.total_seconds
        self.peak = 0

    def __enter__(self) -> "Student":
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def call(self, name: str, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        """Call one of the student's functions.

        Raises:
            Died: if it, or the cell that defines it, took too long or too much, or left.
            Failed: if it raised an exception, or the cell that defines it did.
        """
        worker = self._ready()
        try:
            with self._clock(self._limits.call_seconds) as seconds:
                return worker.call(name, args, kwargs, seconds)
        except Died:
            self._stop()
            raise
        except Failed as failure:
            if failure.kind == "NameError" and (said := self._excuse(name, str(failure))):
                raise CellFailed(said) from None
            raise

    def _excuse(self, name: str, message: str) -> str:
        """Why a name is not there, if a cell that failed should have defined it."""
        if name in self._excuses:
            return f"its cell failed: {self._excuses[name]}"
        missing = re.search(r"name '(\w+)' is not defined", message)
        if missing and missing[1] in self._excuses:
            return f"it uses {missing[1]}, whose cell failed: {self._excuses[missing[1]]}"
        return ""

    def replace(self, name: str, code: str) -> None:
        """Put other code into one cell, the first into all others; start from nothing."""
        self._cells = [(n, code if n == name else c) for n, c in self._first_cells]
        self._deadly.clear()
        self._excuses.clear()
        self._left = self._limits.total_seconds
        if self._worker is not None:
            try:
                self._worker.fresh()
                self._run_cells(self._worker)
            except Died:
                self._stop()

    def _ready(self) -> Worker:
        while self._worker is None:
            with self._clock(self._limits.start_seconds):
                worker = Worker(self._isolation, self._limits)
            self._worker = worker
            try:
                self._run_cells(worker)
            except Died:
                self._stop()
        return self._worker

    def _run_cells(self, worker: Worker) -> None:
        for i, (name, code) in enumerate(self._cells):
            if i in self._deadly:
                continue
            try:
                with self._clock(self._limits.cell_seconds) as seconds:
                    worker.cell(code, name, seconds)
            except (Failed, Died) as error:
                self._excuses |= dict.fromkeys(defined(code), str(error))
                if isinstance(error, Died):
                    self._deadly.add(i)
                    raise

    @contextmanager
    def _clock(self, seconds: float) -> Iterator[float]:
        """Take what a step lasts from the time that is left for all."""
        if self._left <= 0:
            raise Died(f"all cells together took longer than {self._limits.total_seconds:g} s")
        begun = time.monotonic()
        try:
            yield min(seconds, self._left)
        finally:
            self._left -= time.monotonic() - begun

    def _stop(self) -> None:
        if self._worker is not None:
            self.peak = max(self.peak, self._worker.peak)
            self._worker.close()
            self._worker = None


def grade(
    assignment: Assignment,
    answer: Iterable[NotebookNode],
    isolation: str,
    limits: Limits = DEFAULT,
) -> Marks:
    """Mark the cells of a student's notebook by the tests of an assignment."""
    begun = time.monotonic()
    with Student(student_cells(assignment, answer), isolation, limits) as student:
        marks = tuple(run_tests(assignment, student))
    return Marks(marks, time.monotonic() - begun, student.peak)


def nothing(assignment: Assignment, why: str) -> Marks:
    """The marks of a notebook that cannot be read."""
    return Marks(tuple(Mark(grade_id(t), 0, points(t), why) for t in assignment.tests))


def student_cells(assignment: Assignment, answer: Iterable[NotebookNode]) -> list[tuple[str, str]]:
    """The code that makes up an answer, in its order: name and code of each cell.

    What is given stands as the teacher gave it, wherever it was moved to; tests are left out.
    """
    given = {grade_id(c): c.source for c in assignment.cells if role(c) == "given"}
    cells: list[tuple[str, str]] = []
    tests = {grade_id(cell) for cell in assignment.tests}
    for cell in answer:
        name = grade_id(cell)
        if cell.cell_type != "code" or name in tests:
            continue
        if name in given:
            cells.append((name, given.pop(name)))
        else:
            cells.append((name or "own cell", cell.source))
    return [*given.items(), *cells]


def run_tests(
    assignment: Assignment, student: Student, only: Iterable[str] | None = None
) -> Iterator[Mark]:
    """Run the graded cells, or only those of some names, against a student's functions."""
    names: dict[str, Any] = {"__name__": "__grader__"}
    names |= {name: _stand_in(name, student) for name in assignment.functions}
    for cell in assignment.cells:
        name = grade_id(cell)
        if role(cell) == "given":
            exec(compile(cell.source, name, "exec"), names)
        elif role(cell) == "test" and (only is None or name in only):
            comment = _run_test(compile(cell.source, name, "exec"), names)
            worth = points(cell)
            told = one_line(comment)[:LONGEST_COMMENT]
            yield Mark(name, 0 if comment else worth, worth, told)


def _run_test(code: Any, names: dict[str, Any]) -> str:
    """What is wrong, in one line; empty if nothing is."""
    try:
        exec(code, names)
    except AssertionError as error:
        return _first_line(error) or "a check failed"
    except CellFailed as failure:
        return str(failure)
    except Failed as failure:
        if failure.kind == "NotImplementedError":
            return NOT_ATTEMPTED
        return f"it raised {failure}"
    except Died as death:
        return str(death)
    except Exception as error:
        return f"the answer cannot be used: {type(error).__name__}: {_first_line(error)}"
    return ""


def _stand_in(name: str, student: Student) -> Callable[..., Any]:
    def function(*args: Any, **kwargs: Any) -> Any:
        return student.call(name, args, kwargs)

    function.__name__ = name
    return function


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [""])[0]
