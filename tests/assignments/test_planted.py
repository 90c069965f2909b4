"""Planted answers: each wrong one loses points, each right one gets them all.

They run through the real worker. One worker serves an assignment: the cell of one exercise is
replaced, and only that exercise's tests run.
"""

from pathlib import Path

import pytest

from goalward.course.assignments import grading, hidden, sandbox, source
from toy_assignment import planted

ROOT = Path(__file__).parents[2]
SOURCES = source.sources(ROOT)
SECRET = "a teacher's secret"
AT_LEAST = {"wrong": 5, "right": 2}


@pytest.mark.parametrize("slug", SOURCES)
def test_there_are_enough(slug: str) -> None:
    for exercise in source.read(SOURCES[slug]).exercises:
        for kind, least in AT_LEAST.items():
            found = [
                what for name, k, what, _ in planted(slug) if (name, k) == (exercise.name, kind)
            ]
            assert len(found) >= least, f"{exercise.name}: {len(found)} {kind} answers"
            assert len(set(found)) == len(found)


@pytest.mark.parametrize("slug", SOURCES)
def test_wrong_answers_lose_points_and_right_ones_do_not(
    slug: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(hidden.VARIABLE, SECRET)
    assignment = source.read(SOURCES[slug])
    misjudged = []
    cells = grading.student_cells(assignment, assignment.cells)
    with grading.Student(cells, sandbox.strongest()) as student:
        for mark in grading.run_tests(assignment, student):
            assert mark.points == mark.worth, f"the reference: {mark}"
        for exercise, kind, what, code in planted(slug):
            student.replace(exercise, code)
            tests = {exercise + source.VISIBLE, exercise + source.HIDDEN}
            marks = list(grading.run_tests(assignment, student, only=tests))
            full = all(mark.points == mark.worth for mark in marks)
            if full != (kind == "right"):
                misjudged.append(f"{exercise}, {kind}, {what}: {marks}")
    assert misjudged == []
