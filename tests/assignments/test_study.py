"""A reader at home finds unsolved exercises beside each chapter, and solutions on request alone."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest

import toy
import toy_assignment
from goalward import cli
from goalward.course import papers
from goalward.course.assignments import check, release, source, study

ALL = source.sources(toy.ROOT)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with one chapter, and the small assignment for it."""
    root = toy.repository(tmp_path, welcome=toy.QUICK)
    teaching = root / "notebooks" / source.FOLDER
    teaching.mkdir()
    shutil.copyfile(toy_assignment.FILE, teaching / "welcome_exercises.py")
    toy.commit(root)
    monkeypatch.chdir(root)
    return root


def place(root: Path, *arguments: str) -> Path:
    assert cli.main(["assignments", "study", *arguments]) == 0
    return toy.source(root).with_name("welcome_exercises.ipynb")


def edited(file: Path, old: str, new: str) -> str:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    return file.read_text()


@pytest.mark.parametrize("slug", ALL)
def test_an_unsolved_notebook_holds_no_solution_and_its_links_work(slug: str) -> None:
    assignment = source.read(ALL[slug])
    nb = study.unsolved(assignment, ALL[slug])
    text = nbformat.writes(nb)
    assert release.leaks(assignment, nb) == []
    assert not any(mark in text for mark in (*source.SOLUTION_MARKS, *source.HIDDEN_MARKS))
    by_name = {source.grade_id(c): c.source for c in nb.cells}
    for exercise in assignment.exercises:
        assert by_name[exercise.name].count("raise NotImplementedError()") >= 1
        assert exercise.name + source.HIDDEN not in by_name
        compile(by_name[exercise.name], exercise.name, "exec")
    asked = [c.source for c in nb.cells if c.source.startswith(study.ASK)]
    assert len(asked) == len(assignment.exercises)
    assert len({cell.id for cell in nb.cells}) == len(nb.cells)
    nbformat.validate(nb)
    folder = papers.chapters(toy.ROOT)[slug].parent
    words = " ".join(c.source for c in nb.cells if c.cell_type == "markdown")
    for match in source._LINK.finditer(words):
        target = match[0].rpartition("(")[2].rstrip(")").partition("#")[0]
        assert (folder / target).is_file(), target


@pytest.mark.parametrize("slug", ALL)
def test_a_chapter_links_to_its_exercises(slug: str) -> None:
    text = papers.chapters(toy.ROOT)[slug].read_text(encoding="utf-8")
    assert f"]({slug}_exercises.ipynb)" in text
    assert "assignments/release/" not in text


def test_a_reader_gets_it_once_and_it_is_no_matter_of_git(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = place(root)
    assert capsys.readouterr().out == "notebooks/0_start/welcome_exercises.ipynb\n"
    assert toy.git(root, "status", "--porcelain") == ""
    nb = nbformat.read(file, as_version=4)
    assert nb.metadata.jupytext.formats == "ipynb"
    before = file.read_bytes()
    place(root)
    assert (capsys.readouterr().out, file.read_bytes()) == ("", before)
    assert [s.attempted for s in check.check(file)] == [False] * 3


def test_work_is_never_written_over(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = place(root)
    worked = edited(file, "raise NotImplementedError()", "return 7")
    place(root)
    teachers = root / "notebooks" / source.FOLDER / "welcome_exercises.py"
    edited(teachers, "# Exercises", "# More exercises")
    capsys.readouterr()
    place(root)
    (line,) = capsys.readouterr().out.splitlines()
    assert "is of an older version" in line
    assert "`goalward assignments study welcome --fresh`" in line
    assert file.read_text() == worked
    place(root, "welcome", "--fresh")
    said = capsys.readouterr().out
    assert said.endswith("(yours is kept as welcome_exercises.mine.ipynb)\n")
    assert file.with_name("welcome_exercises.mine.ipynb").read_text() == worked
    assert "More exercises" in file.read_text()
    assert "return 7" not in file.read_text()
    edited(file, "raise NotImplementedError()", "return 8")
    place(root, "welcome", "--fresh")
    assert "return 7" in file.with_name("welcome_exercises.mine.ipynb").read_text()
    assert "return 8" in file.with_name("welcome_exercises.mine.2.ipynb").read_text()
    toy.git(root, "checkout", "notebooks")
    assert toy.git(root, "status", "--porcelain") == ""


def test_what_nobody_has_touched_follows_the_source(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = place(root)
    edited(root / "notebooks" / source.FOLDER / "welcome_exercises.py", "# Exercises", "# Anew:")
    place(root)
    assert "Anew:" in file.read_text()
    assert not list(file.parent.glob("*.mine*"))


def test_what_is_no_notebook_is_kept_too(root: Path) -> None:
    file = toy.source(root).with_name("welcome_exercises.ipynb")
    file.write_text("my notes")
    place(root)
    assert file.read_text() == "my notes"


def test_fresh_needs_a_name_and_a_fault_stops_no_other(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["assignments", "study", "--fresh"]) == 2
    assert "study SLUG --fresh" in capsys.readouterr().err
    edited(root / "notebooks" / source.FOLDER / "welcome_exercises.py", "6 points*", "5 points*")
    assert cli.main(["assignments", "study"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "promise" in line


def test_check_at_home_runs_the_hidden_tests(root: Path) -> None:
    file = place(root)
    nb = nbformat.read(file, as_version=4)
    for cell in nb.cells:
        if source.role(cell) == "solution":
            cell.source = toy_assignment.SOLUTIONS[source.grade_id(cell)]
        if source.grade_id(cell) == "total":
            cell.source = "def total(x):\n    return 4 if len(x) == 4 else 0"
    nbformat.write(nb, file)
    first, second, third = check.check(file)
    assert (first.passes, first.problem, first.points, first.hidden_points) == (
        "all tests pass",
        "",
        2,
        4,
    )
    assert second.problem.startswith("visible tests pass; a hidden test says: ")
    assert third.problem == ""


def define(tmp_path: Path, code: str) -> Callable[..., Any]:
    """A function as a notebook defines it: its source can be found."""
    file = tmp_path / f"cell{len(list(tmp_path.iterdir()))}.py"
    file.write_text(code)
    names: dict[str, Any] = {}
    exec(compile(code, str(file), "exec"), names)
    return names["twice"]  # type: ignore[no-any-return]


GIVEN = 'def twice(x):\n    """Twice."""\n    # YOUR CODE HERE\n    raise NotImplementedError()\n'


@pytest.mark.parametrize(
    ("code", "tried"),
    [
        (GIVEN, False),
        ("def twice(x):\n    pass", False),
        ("def twice(x):\n    ...", False),
        ("def twice(x):\n    return", False),
        ("def twice(x):\n    return None", False),
        (GIVEN + "    return 2 * x", True),
        ("def twice(x):\n    return x", True),
        ("def twice(x):\n    raise ValueError(x)", True),
        ("def twice(x):\n    y = x\n    raise NotImplementedError()", True),
        ("twice = lambda x: x + x", True),
    ],
)
def test_an_attempt_is_more_than_what_was_given(code: str, tried: bool, tmp_path: Path) -> None:
    assert study.attempted(define(tmp_path, code)) is tried


def test_what_is_no_function_is_no_attempt() -> None:
    assert not study.attempted(None)
    assert study.attempted(len)


def test_a_solution_is_shown_on_request_after_an_attempt(
    root: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shown: list[str] = []
    monkeypatch.setattr(study, "display", lambda what: shown.append(what.data))
    cells = tmp_path_factory.mktemp("cells")
    study.solution("welcome", define(cells, GIVEN))
    assert capsys.readouterr().out.startswith("… twice: try it first")
    assert shown == []
    tried = define(cells, "def twice(x):\n    return x")
    study.solution("welcome", tried)
    assert "    return GIVEN * x" in shown[0]
    assert "SOLUTION" not in shown[0]
    assert "total" not in shown[0]
    edited(root / "notebooks" / source.FOLDER / "welcome_exercises.py", "GIVEN * x", "x * GIVEN")
    study.solution("welcome", tried)
    assert "    return x * GIVEN" in shown[1]
    study.solution("notation", tried)
    assert "not here" in capsys.readouterr().out
    study.solution("welcome", len)
    assert "asks for twice, total, least" in capsys.readouterr().out


def test_no_solution_is_asked_for_in_a_classroom(tmp_path: Path) -> None:
    pytest.importorskip("nbgrader", reason="nbgrader not here")
    ((_, file, _),) = release.release(tmp_path, {"small": toy_assignment.FILE})
    assert "study" not in json.dumps(nbformat.read(file, as_version=4))
