"""`goalward assignments study | release | grade | check`."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from goalward.course.errors import Problem, Usage
from goalward.course.run.doctor import cores, has_extra, mend

Add = Callable[..., argparse.ArgumentParser]


def register(add: Add) -> None:
    """Add the four commands to the command line."""
    slugs = "a chapter, such as td_infonce; all that have an assignment if none is named"
    studying = add(
        "study",
        _study,
        "put an unsolved exercise notebook beside each chapter, where there is none yet",
        "goalward assignments study td_infonce",
    )
    studying.add_argument("slugs", nargs="*", metavar="SLUG", help=slugs)
    studying.add_argument(
        "--fresh",
        action="store_true",
        help="give the chapters named a new one; yours stays beside it, as NAME.mine.ipynb",
    )

    releasing = add(
        "release",
        _release,
        "write student notebooks, without solutions and hidden tests",
        "goalward assignments release td_infonce interpolation --out spring",
    )
    releasing.add_argument("slugs", nargs="*", metavar="SLUG", help=slugs)
    releasing.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="DIR",
        help="the course's folder, laid out as nbgrader wants it; student notebooks in DIR/release",
    )

    grading = add(
        "grade",
        _grade,
        "grade what students handed in; go on where an earlier run was stopped",
        "goalward assignments grade --submissions spring/submitted --out spring",
    )
    grading.add_argument("slugs", nargs="*", metavar="SLUG", help=slugs)
    grading.add_argument(
        "--submissions",
        type=Path,
        required=True,
        metavar="DIR",
        help="holds STUDENT/SLUG/SLUG_exercises.ipynb",
    )
    grading.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="DIR",
        help="the course's folder: gradebook.csv, marks.csv, gradebook.db, feedback, autograded",
    )
    grading.add_argument("--jobs", type=int, metavar="N", help="students at a time; one a core")
    grading.add_argument(
        "--weak-isolation",
        action="store_true",
        help="where neither bubblewrap nor unshare works: run students' code with limits alone",
    )

    checking = add(
        "check",
        _check,
        "say how each exercise of your notebook stands, by its tests",
        "goalward assignments check td_infonce_exercises.ipynb",
    )
    checking.add_argument("notebook", type=Path, metavar="NOTEBOOK", help="your notebook")


def _sources(slugs: list[str]) -> dict[str, Path]:
    from goalward.course.assignments.source import sources
    from goalward.course.papers import repository

    found = sources(repository(), slugs)
    if not found:
        raise Problem("no chapter has an assignment yet")
    if not has_extra("teach"):
        raise Problem(f"to release and grade assignments: {mend('teach')}")
    return found


def known() -> dict[str, Path]:
    """All assignments that there are."""
    from goalward.course.assignments.source import sources
    from goalward.course.papers import repository

    return sources(repository(), [])


def _study(options: argparse.Namespace) -> int:
    from goalward.course.assignments.source import sources
    from goalward.course.assignments.study import study
    from goalward.course.papers import repository

    if options.fresh and not options.slugs:
        raise Usage("--fresh needs the chapters' names: goalward assignments study SLUG --fresh")
    if not has_extra("lab"):
        raise Problem(f"to write exercise notebooks: {mend('lab')}")
    root = repository()
    status = 0
    for slug, path in sources(root, options.slugs).items():
        try:
            for placed in study(root, {slug: path}, options.fresh):
                if line := _TOLD[placed.what]:
                    file = placed.file.relative_to(root)
                    mine = placed.mine and placed.mine.name
                    print(line.format(file=file, slug=slug, mine=mine))
        except Problem as problem:
            print(f"goalward: {problem}", file=sys.stderr)
            status = problem.exit_status
    return status


_TOLD = {
    "kept": "",
    "written": "{file}",
    "moved": "{file}  (yours is kept as {mine})",
    "older": "{file} is of an older version of the exercises: `goalward assignments study {slug} "
    "--fresh` gives the new one, and keeps yours beside it",
}


def _release(options: argparse.Namespace) -> int:
    from goalward.course.assignments.release import release

    sources = _sources(options.slugs)
    for _, file, written in release(options.out, sources):
        kept = "" if written else "  (kept as it is: somebody has worked in it)"
        print(f"{file}{kept}")
    return 0


def _grade(options: argparse.Namespace) -> int:
    from goalward.course.assignments import sandbox

    if options.jobs is not None and options.jobs < 1:
        raise Usage(f"--jobs is at least 1, not {options.jobs}")
    if not options.submissions.is_dir():
        raise Usage(f"there is no folder {options.submissions}: name one with --submissions")
    sources = _sources(options.slugs)
    isolation = sandbox.strongest()
    if isolation == sandbox.PLAIN and not options.weak_isolation:
        raise Problem(
            "neither bubblewrap nor unshare works here, so students' code could read your files "
            "and use the network: install bubblewrap, or accept that with --weak-isolation"
        )
    print(f"students' code runs under {_NAMES[isolation]}", file=sys.stderr)
    return _grade_all(options, sources, isolation)


_NAMES = {
    "bubblewrap": "bubblewrap: no network, no files",
    "unshare": "unshare and setpriv: no network, no files",
    "plain": "limits alone: IT CAN READ YOUR FILES AND USE THE NETWORK",
}


def _grade_all(options: argparse.Namespace, sources: dict[str, Path], isolation: str) -> int:
    from tqdm import tqdm

    from goalward.course.assignments.classroom import Handed, grade_class
    from goalward.course.assignments.grading import Marks

    fresh, peak = 0, 0
    with tqdm(unit="notebook", file=sys.stderr, disable=None, leave=False) as bar:

        def tick(handed: Handed, marks: Marks, is_fresh: bool) -> None:
            nonlocal fresh, peak
            fresh, peak = fresh + is_fresh, max(peak, marks.peak)
            bar.set_postfix_str(f"{handed.student} {handed.assignment.slug}")
            bar.update()

        students = grade_class(
            options.out,
            options.submissions,
            sources,
            isolation,
            options.jobs or cores(),
            begin=bar.reset,
            tick=tick,
            say=lambda line: bar.write(line, sys.stdout),
            known=known().keys(),
        )
    _summarise(students, sources)
    print(f"graded {fresh} now; the largest worker took {peak / 2**20:.0f} MB")
    print(f"marks: {options.out / 'gradebook.csv'}; pages for students: {options.out / 'feedback'}")
    return 0


def _summarise(students: dict[str, dict[str, Any]], sources: dict[str, Path]) -> None:
    width = max(len("assignment"), *(len(slug) for slug in sources))
    print(f"{'assignment':<{width}}  handed in   mean  full marks")
    for slug in sources:
        marks = [by_slug[slug] for by_slug in students.values() if slug in by_slug]
        if marks:
            mean = sum(m.points for m in marks) / len(marks)
            full = sum(all(mark.points == mark.worth for mark in m.marks) for m in marks)
            print(f"{slug:<{width}}  {len(marks):9}  {mean:5.1f}  {full:10}")


def _check(options: argparse.Namespace) -> int:
    from goalward.course.assignments.check import check
    from goalward.course.assignments.files import one_line

    standings = check(options.notebook)
    for standing in standings:
        mark = "✔" if not standing.problem else "✘" if standing.attempted else "…"
        worth = f"{standing.points} + {standing.hidden_points} points"
        print(
            f"{mark} {one_line(standing.title)}  ({worth}): {standing.problem or standing.passes}"
        )
    print("the second number of points comes from hidden tests with other sizes and seeds")
    return 0 if all(not standing.problem for standing in standings) else 1
