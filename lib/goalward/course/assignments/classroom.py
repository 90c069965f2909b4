"""Grade a class: many students, several at a time, going on where an earlier run was stopped.

Each student's marks are kept in `grades` as soon as they are there, under a key made of what was
handed in, the assignment and the secret: only what changed is graded again. All that is made from
the marks (gradebook, feedback, tables) can be made anew at any time.
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import nbformat

from goalward.course.assignments import gradebook, hidden, release, report
from goalward.course.assignments.files import read_untrusted, readable_name, replace
from goalward.course.assignments.grading import Mark, Marks, grade, nothing
from goalward.course.assignments.misplaced import misplaced
from goalward.course.assignments.reading import notebook_of
from goalward.course.assignments.source import Assignment, read
from goalward.course.errors import Problem


@dataclass(frozen=True)
class Handed:
    """A notebook that a student has handed in."""

    student: str
    assignment: Assignment
    file: Path
    key: str


def handed_in(submissions: Path, sources: dict[str, Path], secret: str) -> list[Handed]:
    """What lies in a folder laid out as `STUDENT/SLUG/SLUG_exercises.ipynb`.

    Raises:
        Problem: if that is nothing, or an assignment is not sound.
    """
    assignments = {slug: (read(path), path.read_bytes()) for slug, path in sources.items()}
    found = []
    for student in sorted(p for p in submissions.iterdir() if p.is_dir()):
        for slug, (assignment, text) in assignments.items():
            file = student / slug / f"{assignment.file}.ipynb"
            if os.path.lexists(file):
                try:
                    contents = read_untrusted(file)
                except Problem:
                    contents = b""
                key = hashlib.sha256(b"\0".join([contents, text, secret.encode()])).hexdigest()
                found.append(Handed(readable_name(student), assignment, file, key))
    if not found:
        raise Problem(
            f"nothing to grade in {submissions}: it should hold "
            "STUDENT/SLUG/SLUG_exercises.ipynb, such as ann/td_infonce/td_infonce_exercises.ipynb"
        )
    return found


def grade_class(
    course: Path,
    submissions: Path,
    sources: dict[str, Path],
    isolation: str,
    jobs: int,
    *,
    begin: Callable[[int], object],
    tick: Callable[[Handed, Marks, bool], object],
    say: Callable[[str], object] = print,
    known: Collection[str] = (),
) -> dict[str, dict[str, Marks]]:
    """Grade what was handed in; write marks, gradebook, feedback and tables into a course's folder.

    Args:
        course: the folder, made if it is not there.
        submissions: what students handed in, see `handed_in`.
        sources: the assignments: slug and source file.
        isolation: how students' code is locked in, see `goalward.course.assignments.sandbox`.
        jobs: how many students at a time.
        begin: called with the number of notebooks.
        tick: called with each notebook's marks, and whether it was graded now.
        say: told a line of each notebook or student that is passed over.
        known: all assignments that there are, graded now or not.

    Returns:
        The marks, by student and slug.

    Raises:
        Problem: as `handed_in`, or if another grader is at work in the folder.
    """
    release.set_up(course)
    os.environ.setdefault(hidden.VARIABLE, hidden.secret(course))
    for line in misplaced(submissions, sources.keys(), known):
        say(line)
    work = handed_in(submissions, sources, os.environ[hidden.VARIABLE])
    begin(len(work))
    students: dict[str, dict[str, Marks]] = {}
    with _alone(course), gradebook.opened(course) as book:
        for assignment in {handed.assignment.slug: handed.assignment for handed in work}.values():
            gradebook.describe(book, assignment)
        feedback = gradebook.Feedback(course)
        for handed, marks, fresh in _graded(course, work, isolation, jobs):
            page = _place(course, "feedback", handed).with_suffix(".html")
            if fresh or not page.exists():
                _publish(course, book, feedback, page, handed, marks)
            students.setdefault(handed.student, {})[handed.assignment.slug] = marks
            tick(handed, marks, fresh)
    slugs = [slug for slug in sources if any(slug in by_slug for by_slug in students.values())]
    replace(course / "gradebook.csv", report.table(students, slugs))
    replace(course / "marks.csv", report.details(students))
    return students


def _graded(
    course: Path, work: list[Handed], isolation: str, jobs: int
) -> Iterator[tuple[Handed, Marks, bool]]:
    """Each notebook's marks, and whether they are new."""
    waiting = []
    for handed in work:
        if marks := _kept(course, handed):
            yield handed, marks, False
        else:
            waiting.append(handed)
    pool = ThreadPoolExecutor(jobs)
    try:
        running: dict[Future[Marks], Handed] = {
            pool.submit(_grade_and_keep, course, handed, isolation): handed for handed in waiting
        }
        while running:
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                yield running.pop(future), future.result(), True
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _grade_and_keep(course: Path, handed: Handed, isolation: str) -> Marks:
    try:
        marks = grade(handed.assignment, notebook_of(handed.file).cells, isolation)
    except Problem as problem:
        marks = nothing(handed.assignment, str(problem))
    record = {"key": handed.key, **asdict(marks)}
    replace(_place(course, "grades", handed).with_suffix(".json"), json.dumps(record, indent=1))
    return marks


def _kept(course: Path, handed: Handed) -> Marks | None:
    try:
        text = _place(course, "grades", handed).with_suffix(".json").read_text(encoding="utf-8")
        record = json.loads(text)
        if record["key"] != handed.key:
            return None
        marks = tuple(Mark(**mark) for mark in record["marks"])
        return Marks(marks, record["seconds"], record["peak"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _publish(
    course: Path,
    book: object,
    feedback: gradebook.Feedback,
    page: Path,
    handed: Handed,
    marks: Marks,
) -> None:
    try:
        answer = notebook_of(handed.file).cells
    except Problem:
        answer = []
    nb = report.graded_notebook(handed.assignment, answer, marks)
    gradebook.enter(book, handed.assignment, handed.student, marks)
    place = _place(course, "autograded", handed).with_suffix(".ipynb")
    replace(place, nbformat.writes(nb) + "\n")
    replace(page, feedback.page(handed.assignment, handed.student, nb))


def _place(course: Path, kind: str, handed: Handed) -> Path:
    slug = handed.assignment.slug
    return course / kind / handed.student / slug / handed.assignment.file


@contextmanager
def _alone(course: Path) -> Iterator[None]:
    with (course / ".grading").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Problem(
                f"somebody is grading in {course} already: wait until it is done"
            ) from None
        yield
