"""`goalward assignments`, as it is typed."""

from pathlib import Path

import nbformat
import pytest

import toy_assignment
from goalward import cli
from goalward.course.assignments import check, commands, sandbox, source


def write(folder: Path, **cells: str) -> Path:
    file = folder / "small_exercises.ipynb"
    nbformat.write(toy_assignment.answer(**cells), file)
    return file


def test_check_says_how_each_exercise_stands(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write(
        tmp_path,
        twice="def twice(x):\n    raise NotImplementedError()",
        total="def total(x):\n    return 1",
    )
    before = file.read_bytes()
    assert cli.main(["assignments", "check", str(file)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "… Twice  (2 + 4 points): not attempted yet"
    assert lines[1] == "✘ Sum  (3 + 4 points): the sum of four ones is 1 and should be 4"
    assert lines[2] == "✔ Least  (3 + 4 points): visible tests pass"
    assert file.read_bytes() == before
    assert cli.main(["assignments", "check", str(write(tmp_path))]) == 0


def test_check_names_what_is_no_notebook(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "x.ipynb").write_text("{")
    nbformat.write(nbformat.v4.new_notebook(), tmp_path / "empty.ipynb")
    for name, message in {
        "missing.ipynb": "there is no file",
        "x.ipynb": "not a notebook",
        "empty.ipynb": "has no exercises",
    }.items():
        assert cli.main(["assignments", "check", str(tmp_path / name)]) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert message in line


def test_check_finds_exercises_without_their_marks_and_runs_hidden_tests(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check, "sources", lambda root: {"small": toy_assignment.FILE})
    file = tmp_path / "bare.ipynb"
    nb = toy_assignment.answer(total="def total(x):\n    return 4 if len(x) == 4 else 0")
    nb.cells[0].source = nb.cells[0].source.replace("\n", "\r\n")
    for bare in (False, True):
        for cell in nb.cells:
            cell.metadata = nbformat.from_dict({}) if bare else cell.metadata
            cell.source = cell.source.replace("\n", "\r\n")
        nbformat.write(nb, file)
        assert cli.main(["assignments", "check", str(file)]) == 1
        said = capsys.readouterr().out
        assert "\r" not in said
        assert said.splitlines()[0] == "✔ Twice  (2 + 4 points): all tests pass"
        assert "✘ Sum  (3 + 4 points): visible tests pass; a hidden test says: " in said


def test_check_leaves_out_hidden_tests_of_other_exercises(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A teacher may have changed an exercise: the repository's hidden tests are not its own."""
    monkeypatch.setattr(check, "sources", lambda root: {"small": toy_assignment.FILE})
    nb = toy_assignment.answer(total="def total(x):\n    return 4 if len(x) == 4 else 0")
    for cell in nb.cells:
        if source.grade_id(cell) == "total-visible":
            cell.source += "\n# another"
    nbformat.write(nb, tmp_path / "small_exercises.ipynb")
    standings = check.check(tmp_path / "small_exercises.ipynb")
    assert [s.problem for s in standings] == ["", "", ""]
    assert [s.passes for s in standings] == [
        "all tests pass",
        "visible tests pass",
        "all tests pass",
    ]


def test_grade_and_release_name_what_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    grade = ["assignments", "grade", "--out", str(tmp_path / "out"), "--submissions"]
    wrong = {
        "there is no folder": [*grade, str(tmp_path / "nowhere")],
        "--jobs is at least 1": [*grade, str(tmp_path), "--jobs", "0"],
        "no chapter is called": [*grade, str(tmp_path), "no_such_chapter"],
        "welcome has no assignment": ["assignments", "release", "welcome", "--out", str(tmp_path)],
        "--out": ["assignments", "release"],
    }
    for message, arguments in wrong.items():
        assert cli.main(arguments) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert message in line
    monkeypatch.setattr(source, "sources", lambda root, slugs: {"small": toy_assignment.FILE})
    monkeypatch.setattr(sandbox, "strongest", lambda: sandbox.PLAIN)
    monkeypatch.setattr(commands, "has_extra", lambda name: True)
    assert cli.main([*grade, str(tmp_path)]) == 1
    assert "--weak-isolation" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    monkeypatch.setattr(commands, "has_extra", lambda name: False)
    assert cli.main([*grade, str(tmp_path)]) == 1
    assert "make setup-teach" in capsys.readouterr().err


def test_a_class_is_graded_by_one_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("nbgrader", reason="nbgrader not here")
    monkeypatch.setattr(source, "sources", lambda root, slugs: {"small": toy_assignment.FILE})
    assert cli.main(["assignments", "release", "--out", str(tmp_path)]) == 0
    assert "release/small/small_exercises.ipynb" in capsys.readouterr().out
    for student in ("ann", "bob"):
        (tmp_path / "submitted" / student / "small").mkdir(parents=True)
        write(tmp_path / "submitted" / student / "small")
    grade = ["--submissions", str(tmp_path / "submitted"), "--out", str(tmp_path)]
    assert cli.main(["assignments", "grade", *grade]) == 0
    said = capsys.readouterr().out
    assert "small               2   20.0           2" in said
    assert "graded 2 now" in said
    assert cli.main(["assignments", "grade", *grade]) == 0
    assert "graded 0 now" in capsys.readouterr().out
