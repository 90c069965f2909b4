"""What makes up an answer, and what a mark says of it."""

import toy_assignment
from goalward.course.assignments import grading, sandbox, source


def test_a_given_cell_that_was_deleted_stands_before_the_answers() -> None:
    assignment = toy_assignment.assignment()
    answer = [c for c in toy_assignment.answer().cells if source.grade_id(c) != "given"]
    names, codes = zip(*grading.student_cells(assignment, answer), strict=True)
    assert names == ("given", "twice", "total", "least")
    assert codes == (
        "import numpy as np\n\nGIVEN = 2.0",
        *(toy_assignment.SOLUTIONS[name] for name in names[1:]),
    )


def test_a_comment_holds_nothing_that_steers_a_terminal() -> None:
    assignment = toy_assignment.assignment()
    code = r"def twice(x): raise ValueError('\x1b[2J\x9b31mall\x07 right\x7f')"
    cells = grading.student_cells(assignment, toy_assignment.answer(twice=code).cells)
    with grading.Student(cells, sandbox.PLAIN) as student:
        (mark,) = grading.run_tests(assignment, student, only={"twice-visible"})
    assert mark == grading.Mark("twice-visible", 0, 2, "it raised ValueError:  [2J 31mall  right")
