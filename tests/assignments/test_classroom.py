"""A class's notebooks become marks, whatever they hold, and nothing is lost or done twice."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest

import toy_assignment
from goalward.course.assignments import classroom, gradebook, reading, release, sandbox
from goalward.course.errors import Problem

pytest.importorskip("nbgrader", reason="nbgrader not here")
SOURCES = {"small": toy_assignment.FILE}
WRONG = {"twice": "def twice(x):\n    return x"}


@pytest.fixture(scope="module")
def empty_gradebook(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """nbgrader takes seconds to make one."""
    folder = tmp_path_factory.mktemp("course")
    with gradebook.opened(folder):
        return folder / "gradebook.db"


@pytest.fixture
def course(empty_gradebook: Path, tmp_path: Path) -> Path:
    shutil.copy(empty_gradebook, tmp_path)
    return tmp_path


@pytest.fixture(autouse=True)
def _no_secret_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOALWARD_SECRET", "for tests")


def hand_in(course: Path, student: str, text: str) -> Path:
    file = course / "submitted" / student / "small" / "small_exercises.ipynb"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def right(**cells: str) -> str:
    return nbformat.writes(toy_assignment.answer(**cells))


def grade(course: Path) -> tuple[dict[str, float], int]:
    """Points by student, and how many notebooks were graded just now."""
    fresh = []
    students = classroom.grade_class(
        course,
        course / "submitted",
        SOURCES,
        sandbox.strongest(),
        2,
        begin=lambda count: None,
        tick=lambda handed, marks, is_fresh: fresh.append(is_fresh),
    )
    return {name: by_slug["small"].points for name, by_slug in students.items()}, sum(fresh)


def test_a_class_is_graded_and_recorded(course: Path) -> None:
    hand_in(course, "ann", right())
    hand_in(course, "bob", right(**WRONG))
    hand_in(course, "=cmd()", right(least="def least(x):\n    raise ValueError('=1+1')"))
    points, fresh = grade(course)
    assert points == {"ann": 20, "bob": 14, "=cmd()": 13}
    assert fresh == 3

    rows = list(csv.reader((course / "gradebook.csv").read_text().splitlines()))
    assert rows == [
        ["student", "small", "total"],
        ["'=cmd()", "13", "13"],
        ["ann", "20", "20"],
        ["bob", "14", "14"],
    ]
    details = list(csv.DictReader((course / "marks.csv").read_text().splitlines()))
    assert len(details) == 18
    assert sum(float(row["points"]) for row in details) == 47
    with gradebook.opened(course) as book:
        assert book.find_submission("small", "bob").score == 14
        assert book.find_submission("small", "bob").max_score == 20
        grades = book.find_submission_notebook("small_exercises", "small", "bob").grades
        assert {g.name: g.auto_score for g in grades if "twice" in g.name} == {
            "twice-visible": 0,
            "twice-hidden": 0,
        }


def test_a_page_says_what_was_wrong_and_runs_nothing(course: Path) -> None:
    nb = toy_assignment.answer(**WRONG)
    nb.cells.append(nbformat.v4.new_markdown_cell("<script>alert('me')</script> <img src=x>"))
    code = nbformat.v4.new_code_cell("pass")
    code.outputs = [
        nbformat.v4.new_output("display_data", data={"text/html": "<script>alert('out')</script>"})
    ]
    nb.cells.append(code)
    hand_in(course, "bob", nbformat.writes(nb))
    grade(course)
    page = (course / "feedback/bob/small/small_exercises.html").read_text()
    assert "Score: 14.0 / 20.0" in " ".join(page.split())
    assert "the double of 0, 1, 2 is 2 at index (2,) and should be 4" in page
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    for line in release.secret_lines(toy_assignment.assignment()):
        assert line not in page
    made = nbformat.read(course / "autograded/bob/small/small_exercises.ipynb", as_version=4)
    assert "alert('out')" not in json.dumps(made)


MALFORMED = {
    "nothing": "",
    "no JSON": "{",
    "other JSON": "[1, 2]",
    "a dictionary": "{}",
    "no cells": json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}}),
    "cells of another kind": json.dumps(
        {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [1, None]}
    ),
    "a version to come": json.dumps({"nbformat": 99, "nbformat_minor": 0, "cells": []}),
    "deep": "[" * 100_000,
    "a long number": '{"nbformat": ' + "9" * 10_000 + "}",
    "large": " " * (11 << 20),
}


@pytest.mark.parametrize("what", MALFORMED)
def test_a_malformed_notebook_gets_nothing_and_a_reason(what: str, tmp_path: Path) -> None:
    file = tmp_path / "small_exercises.ipynb"
    file.write_text(MALFORMED[what])
    with pytest.raises(Problem, match=r"the notebook has|not a notebook") as problem:
        reading.notebook_of(file)
    assert "\n" not in str(problem.value)


def test_malformed_notebooks_do_not_stop_a_class(course: Path) -> None:
    for what, text in MALFORMED.items():
        hand_in(course, what, text)
    hand_in(course, "binary", "").write_bytes(bytes(range(256)))
    hand_in(course, "linked", "").unlink()
    secret = course / "secret.ipynb"
    secret.write_text(right())
    (course / "submitted/linked/small/small_exercises.ipynb").symlink_to(secret)
    hand_in(course, "pipe", "").unlink()
    os.mkfifo(course / "submitted/pipe/small/small_exercises.ipynb")
    hand_in(course, "folder", "").unlink()
    (course / "submitted/folder/small/small_exercises.ipynb").mkdir()
    hand_in(course, "ann", right())
    points, _ = grade(course)
    assert points.pop("ann") == 20
    assert set(points.values()) == {0}
    assert len(points) == len(MALFORMED) + 4
    assert (course / "feedback/pipe/small/small_exercises.html").is_file()


def test_half_a_surrogate_pair_stops_nobody(course: Path) -> None:
    nb = json.loads(right(twice="def twice(x):\n    raise ValueError(chr(0xD83D))"))
    nb["cells"].append({"cell_type": "markdown", "id": "z", "metadata": {}, "source": "\ud83d"})
    hand_in(course, "bob", json.dumps(nb))
    nb = json.loads(right(twice="def twice(x):\n    return x + x  # \ud83d"))
    hand_in(course, "ann", json.dumps(nb))
    hand_in(course, os.fsdecode(b"eve\xff"), right())
    for fresh in (3, 0):
        assert grade(course) == ({"bob": 14, "ann": 20, r"eve\xff": 20}, fresh)
    for file in ("gradebook.csv", "marks.csv", "feedback/bob/small/small_exercises.html"):
        text = (course / file).read_text(encoding="utf-8")
        assert "ValueError: \ufffd" in text or file == "gradebook.csv"


def test_a_notebook_in_the_wrong_place_is_named_and_the_others_are_graded(
    course: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hand_in(course, "ann", right())
    (course / "submitted" / "bob.ipynb").write_text(right())
    assert grade(course) == ({"ann": 20}, 1)
    assert capsys.readouterr().out == (
        "bob.ipynb is not graded: rename it to bob/small/small_exercises.ipynb\n"
    )


def test_cells_and_metadata_that_were_deleted_or_moved(course: Path) -> None:
    """The tests are the teacher's: a student's copy of them means nothing."""
    without_tests = toy_assignment.answer()
    without_tests.cells = [
        c
        for c in without_tests.cells
        if "nbgrader" not in c.metadata or not c.metadata.nbgrader.grade
    ]
    hand_in(course, "no tests", nbformat.writes(without_tests))
    without_metadata = toy_assignment.answer()
    for cell in without_metadata.cells:
        cell.metadata = nbformat.from_dict({})
        if "expect" in cell.source or "assert" in cell.source:
            cell.source = ""
    hand_in(course, "no metadata", nbformat.writes(without_metadata))
    lying = toy_assignment.answer(**WRONG)
    for cell in lying.cells:
        if cell.metadata.get("nbgrader", {}).get("grade"):
            cell.metadata.nbgrader.points = 100
            cell.source = "pass"
    hand_in(course, "lying", nbformat.writes(lying))
    twisted = toy_assignment.answer()
    twisted.cells.reverse()
    hand_in(course, "reversed", nbformat.writes(twisted))
    odd = toy_assignment.answer()
    odd.cells[1].metadata = nbformat.from_dict({"nbgrader": {"grade_id": ["given"], "grade": 1}})
    hand_in(course, "odd", nbformat.writes(odd))
    missing = toy_assignment.answer()
    missing.cells = [c for c in missing.cells if "def twice" not in c.source]
    hand_in(course, "missing", nbformat.writes(missing))
    points, _ = grade(course)
    assert points == {
        "no tests": 20,
        "no metadata": 20,
        "lying": 14,
        "reversed": 20,
        "odd": 20,
        "missing": 14,
    }


def test_only_what_changed_is_graded_again(course: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ann", "bob"):
        hand_in(course, name, right())
    assert grade(course) == ({"ann": 20, "bob": 20}, 2)
    assert grade(course) == ({"ann": 20, "bob": 20}, 0)
    hand_in(course, "bob", right(**WRONG))
    assert grade(course) == ({"ann": 20, "bob": 14}, 1)
    (course / "grades/ann/small/small_exercises.json").write_text("{")
    (course / "feedback/bob/small/small_exercises.html").unlink()
    assert grade(course) == ({"ann": 20, "bob": 14}, 1)
    assert (course / "feedback/bob/small/small_exercises.html").is_file()
    monkeypatch.setenv("GOALWARD_SECRET", "another")
    assert grade(course) == ({"ann": 20, "bob": 14}, 2)


def test_what_a_teacher_changed_by_hand_stays(course: Path) -> None:
    hand_in(course, "bob", right(**WRONG))
    grade(course)
    with gradebook.opened(course) as book:
        mark = book.find_grade("twice-hidden", "small_exercises", "small", "bob")
        mark.manual_score = 3
        book.db.commit()
    hand_in(course, "bob", right(total="def total(x):\n    return 0"))
    grade(course)
    with gradebook.opened(course) as book:
        mark = book.find_grade("twice-hidden", "small_exercises", "small", "bob")
        assert (mark.manual_score, mark.auto_score, mark.needs_manual_grade) == (3, 4, True)


def test_grading_that_was_killed_goes_on(course: Path) -> None:
    slow = "import time\ntime.sleep(0.5)\ndef twice(x):\n    return x + x"
    names = [f"student{i}" for i in range(8)]
    for name in names:
        hand_in(course, name, right(twice=slow))
    script = (
        "import sys; sys.path.insert(0, sys.argv[2])\nfrom pathlib import Path\n"
        "from goalward.course.assignments import classroom, sandbox\nimport toy_assignment\n"
        "folder = Path(sys.argv[1])\nclassroom.grade_class(folder, folder / 'submitted', "
        "{'small': toy_assignment.FILE}, sandbox.strongest(), 1, begin=print, tick=print)"
    )
    tests = str(Path(toy_assignment.__file__).parent)
    process = subprocess.Popen([sys.executable, "-c", script, str(course), tests])
    pages = course / "feedback"
    while process.poll() is None and len(list(pages.rglob("*.html"))) < 3:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = {p: p.read_bytes() for p in (course / "grades").rglob("*.json")}
    assert 3 <= len(done) < 8
    points, fresh = grade(course)
    assert points == dict.fromkeys(names, 20)
    assert fresh == 8 - len(done)
    assert {p: p.read_bytes() for p in done} == done
    assert len(list(pages.rglob("*.html"))) == 8


def test_two_graders_do_not_meet(course: Path) -> None:
    hand_in(course, "ann", right())
    with classroom._alone(course), pytest.raises(Problem, match="is grading"):
        grade(course)


def test_an_empty_folder_says_what_it_should_hold(course: Path) -> None:
    (course / "submitted").mkdir()
    with pytest.raises(Problem, match="STUDENT/SLUG"):
        grade(course)


def test_a_damaged_gradebook_is_not_written_over(course: Path) -> None:
    hand_in(course, "ann", right())
    (course / "gradebook.db").write_text("not a database at all")
    with pytest.raises(Problem, match="damaged"):
        grade(course)
    assert (course / "gradebook.db").read_text() == "not a database at all"
