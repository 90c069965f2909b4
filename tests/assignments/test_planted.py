"""Planted answers: each wrong one loses points, each right one gets them all.

They run through the real worker. One worker serves an assignment: the cell of one exercise is
replaced, and only that exercise's tests run.
"""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import toy_assignment
from goalward.course.assignments import grading, hidden, sandbox, source
from goalward.course.run import proof
from goalward.course.run.fingerprint import (
    LIBRARY,
    code_cells,
    hash_text,
    reached,
    tree_text,
    trees,
)
from goalward.course.run.record import versions
from toy_assignment import planted

ROOT = Path(__file__).parents[2]
SOURCES = source.sources(ROOT)
PASSED = Path(__file__).with_name("passed.json")
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


GRADER = ["from goalward.course.assignments import grading, hidden, sandbox, source, worker"]
FILES = [Path(__file__), Path(toy_assignment.__file__)]


def judged_by(slug: str, library: Path = LIBRARY) -> str:
    """The hash of all that decides how an assignment's planted answers are judged."""
    cells = [*code_cells(SOURCES[slug].read_text("utf-8")), *GRADER]
    answers = toy_assignment.planted_file(slug)
    return hash_text(
        *map(tree_text, cells),
        *trees(reached(cells, library, left_out=()), library),
        *(path.read_text("utf-8") for path in [answers, *FILES]),
        json.dumps(versions()),
    )


@pytest.fixture(scope="module")
def on_record(request: pytest.FixtureRequest) -> dict[str, str]:
    """The assignments that are taken on their record today, and their fingerprints."""
    if os.environ.get("ALL") or request.config.getoption("--record"):
        return {}
    known = json.loads(PASSED.read_text("utf-8")) if PASSED.exists() else {}
    proven = [slug for slug in SOURCES if known.get(slug) == judged_by(slug)]
    again = proof.turn(proven, proof.today(ROOT))
    return {slug: known[slug] for slug in proven if slug not in again}


def test_whatever_decides_brings_an_assignment_back(tmp_path: Path) -> None:
    library = tmp_path / "goalward"
    shutil.copytree(LIBRARY, library, ignore=shutil.ignore_patterns("static", "__pycache__"))
    before = {slug: judged_by(slug, library) for slug in SOURCES}
    assert before == {slug: judged_by(slug) for slug in SOURCES}
    assert len(set(before.values())) == len(before)
    # A method that hidden tests hold answers against, and the grader.
    for module, everybody in (("tabular/paths.py", False), ("course/assignments/expect.py", True)):
        path = library / module
        text = path.read_text("utf-8")
        path.write_text(text + "\nCHANGED = 1\n", "utf-8")
        back = {slug for slug in SOURCES if judged_by(slug, library) != before[slug]}
        assert len(back) > 0
        assert (len(back) == len(before)) == everybody
        path.write_text(text, "utf-8")


@pytest.mark.parametrize("slug", SOURCES)
def test_wrong_answers_lose_points_and_right_ones_do_not(
    slug: str,
    on_record: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    record_property: Callable[[str, object], None],
) -> None:
    record_property("assignments", "on record" if slug in on_record else "ran")
    if slug in on_record:
        return
    record_property("judged", f"{slug} {judged_by(slug)}")
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
