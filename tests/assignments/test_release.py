"""Student versions hold no solution, and nobody's work is written over."""

import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

import toy
import toy_assignment
from goalward.course.assignments import check, gradebook, hidden, release, source
from goalward.course.errors import Problem
from goalward.course.run import notebook

pytest.importorskip("nbgrader", reason="nbgrader not here")
ROOT = Path(__file__).parents[2]
ALL = {"small": toy_assignment.FILE, **source.sources(ROOT)}


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("course")
    assert all(written for _, _, written in release.release(folder, ALL))
    return folder


@pytest.mark.parametrize("slug", ALL)
def test_a_student_version_holds_no_solution(slug: str, course: Path) -> None:
    assignment = source.read(ALL[slug])
    text = (course / "release" / slug / f"{assignment.file}.ipynb").read_text()
    nb = nbformat.reads(text, as_version=4)
    assert release.leaks(assignment, nb) == []
    assert len(release.secret_lines(assignment)) >= 5
    for mark in (*source.SOLUTION_MARKS, *source.HIDDEN_MARKS):
        assert mark not in text
    assert all(not cell.get("outputs") for cell in nb.cells)
    for cell in nb.cells:
        if source.role(cell) == "solution":
            assert "raise NotImplementedError()" in cell.source
    # The scan is no formality: the teacher's notebook does not pass it.
    assert release.leaks(assignment, notebook.convert(ALL[slug]))


@pytest.mark.parametrize("slug", ALL)
def test_a_fresh_student_version_is_not_attempted(slug: str, course: Path) -> None:
    standings = check.check(course / "release" / slug / f"{slug}_exercises.ipynb")
    assert [s.attempted for s in standings] == [False] * len(standings)


@pytest.mark.parametrize("slug", ALL)
def test_an_assignment_fits_an_evening(slug: str) -> None:
    exercises = source.read(ALL[slug]).exercises
    assert sum(e.points for e in exercises) == source.POINTS
    if slug != "small":
        assert 60 <= sum(e.minutes for e in exercises) <= 120


def test_solutions_lie_in_one_folder_as_sources_alone() -> None:
    found = {p for p in (ROOT / "notebooks").rglob("*_exercises*") if toy.git(ROOT, "ls-files", p)}
    assert found == set(source.sources(ROOT).values())
    assert {p.parent for p in found} == {ROOT / "notebooks" / source.FOLDER}


def test_a_solution_in_the_text_is_found(tmp_path: Path) -> None:
    text = toy_assignment.FILE.read_text()
    careless = tmp_path / "small_exercises.py"
    careless.write_text(text.replace("# Return twice", "# return GIVEN * x\n# Return twice"))
    with pytest.raises(Problem, match=r"return GIVEN \* x"):
        list(release.release(tmp_path / "course", {"small": careless}))
    assert not (tmp_path / "course/release").exists()


LINK = re.compile(r"\]\((?![a-z]+:|#)([^)\s]+)\)|<(?:a|img)\s[^>]*=\"(?![a-z]+:|#)([^\"]+)\"")


def links(nb: nbformat.NotebookNode) -> list[str]:
    """The links of a notebook that lead to files; mathematics such as f[i](x) is none."""
    found = LINK.findall("\n".join(c.source for c in nb.cells if c.cell_type == "markdown"))
    return [a or b for a, b in found if "." in (a or b)]


@pytest.mark.parametrize("slug", ALL)
def test_no_link_of_a_released_notebook_is_dead(slug: str, course: Path) -> None:
    """It lies in a folder of its own: nothing is beside it."""
    for kind in ("release", "source"):
        nb = nbformat.read(course / kind / slug / f"{slug}_exercises.ipynb", as_version=4)
        assert links(nb) == []
    if slug != "small":
        assert links(notebook.convert(ALL[slug])), "the text names the chapter by no link"


def test_links_become_words_and_nothing_else_does() -> None:
    for text, words in {
        "see [the chapter](td_infonce.ipynb); it": "see the chapter; it",
        "[a](../0_start/refresher.ipynb#values) [b](x.md)": "a b",
        "[arXiv](https://arxiv.org/abs/1.py) [up](#here)": None,
        "$f[i](x)$ and ![picture](a.md)": None,
    }.items():
        assert source.without_links(text) == (words or text)


def test_work_is_kept(tmp_path: Path) -> None:
    ((_, file, _),) = release.release(tmp_path, {"small": toy_assignment.FILE})
    ((_, _, written),) = release.release(tmp_path, {"small": toy_assignment.FILE})
    assert written
    worked = file.read_text().replace("raise NotImplementedError()", "return 7")
    file.write_text(worked)
    ((_, _, written),) = release.release(tmp_path, {"small": toy_assignment.FILE})
    assert not written
    assert file.read_text() == worked


def test_a_course_has_a_secret_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(hidden.VARIABLE, raising=False)
    assert hidden.secret(tmp_path) == hidden.PUBLIC
    for name in ("spring", "autumn"):
        release.set_up(tmp_path / name)
    spring, autumn = (hidden.secret(tmp_path / name) for name in ("spring", "autumn"))
    assert len({spring, autumn, hidden.PUBLIC}) == 3
    assert hidden.secret(tmp_path / "spring/autograded/ann") == spring
    assert (tmp_path / "spring" / hidden.FILE).stat().st_mode & 0o077 == 0
    release.set_up(tmp_path / "spring")
    assert hidden.secret(tmp_path / "spring") == spring


def test_nbgrader_itself_releases_and_grades_the_same_source(tmp_path: Path) -> None:
    """A teacher who uses nbgrader's own commands gets the same marks from the same cells."""
    ((_, student, _),) = release.release(tmp_path, {"small": toy_assignment.FILE})
    ours = nbformat.read(student, as_version=4)
    run_nbgrader(tmp_path, "generate_assignment", "small", "--force")
    theirs = nbformat.read(student, as_version=4)
    assert [cell.source for cell in theirs.cells] == [cell.source for cell in ours.cells]
    for name, cells in {"ann": {}, "bob": {"total": "def total(x):\n    return 4"}}.items():
        handed = tmp_path / "submitted" / name / "small"
        handed.mkdir(parents=True)
        nbformat.write(toy_assignment.answer(**cells), handed / "small_exercises.ipynb")
    run_nbgrader(tmp_path, "autograde", "small", "--create")
    run_nbgrader(tmp_path, "generate_feedback", "small")
    with gradebook.opened(tmp_path) as book:
        assert book.find_submission("small", "ann").score == 20
        assert book.find_submission("small", "bob").score == 16
    assert (tmp_path / "feedback/bob/small/small_exercises.html").is_file()


def run_nbgrader(course: Path, *arguments: str) -> None:
    command = [sys.executable, "-m", "nbgrader", *arguments]
    tools = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    run = subprocess.run(
        command, cwd=course, env={**os.environ, "PATH": tools}, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
