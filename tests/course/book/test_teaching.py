"""The page for teachers: what it takes from the repository, and whether what it says is so."""

import re
from pathlib import Path

import jupytext
import numpy as np
import pytest

import toy
from goalward.course import papers
from goalward.course.assignments import reading, sandbox, source
from goalward.course.book import teaching

PAGE = (toy.ROOT / "notebooks" / "0_start" / "teaching.md").read_text(encoding="utf-8")
PREREQUISITES = {p.slug: p.prerequisites for p in papers.papers()}
EXERCISE = """\
# %% [markdown]
# ## 1. Something
#
# *easy · {minutes} minutes · 4 points*

# %% nbgrader={{"grade": false, "grade_id": "f{minutes}", "locked": false, "solution": true}}
def f():
    return 1

"""


@pytest.mark.parametrize("plan", [teaching.COURSE, teaching.WORKSHOP], ids=["course", "workshop"])
def test_no_chapter_comes_before_one_that_it_asks_for(plan: tuple[teaching.Session, ...]) -> None:
    taught: list[str] = []
    for session in plan:
        assert set(PREREQUISITES.get(session.slug, ())) <= set(taught), session.slug
        assert not session.slug or session.slug in {*papers.START, *PREREQUISITES}
        taught.append(session.slug)


def test_the_course_has_twelve_weeks_of_about_seven_hours() -> None:
    weeks: dict[int, list[teaching.Session]] = {}
    for session in teaching.COURSE:
        weeks.setdefault(int(session.when.split(" ")[0]), []).append(session)
    assert list(weeks) == list(range(1, 13))
    for sessions in weeks.values():
        assert len({s.when for s in sessions}) == 1
        assert sum(s.taught for s in sessions) == 180
        assert 120 <= sum(s.home for s in sessions) <= 240


def test_a_day_of_the_workshop_has_six_hours_one_after_the_other() -> None:
    for day in ("Day 1", "Day 2"):
        sessions = [s for s in teaching.WORKSHOP if s.when.startswith(day)]
        assert 330 <= sum(s.taught for s in sessions) <= 390
        end = 0
        for session in sessions:
            hour, minute = map(int, re.findall(r"\d+", session.when)[1:])
            assert hour * 60 + minute >= end
            end = hour * 60 + minute + session.taught


def test_the_workshop_uses_chapters_that_exist() -> None:
    assert {s.slug for s in teaching.WORKSHOP if s.slug} <= papers.chapters(toy.ROOT).keys()
    assert teaching.workshop(toy.ROOT).endswith("All its 6 chapters exist.")


@pytest.mark.parametrize(
    ("minutes", "says"), [(0, "–"), (15, "¼ h"), (60, "1 h"), (90, "1½ h"), (165, "2¾ h")]
)
def test_times_are_in_hours(minutes: int, says: str) -> None:
    assert teaching.length(minutes) == says


def test_hours_are_what_chapter_and_assignment_say(tmp_path: Path) -> None:
    root = toy.repository(tmp_path, welcome=toy.QUICK, notation=toy.QUICK)
    welcome = toy.source(root)
    welcome.write_text("# %% [markdown]\n# # Hi\n# It takes 60 to 90 minutes.\n\n# %%\nx = 1\n")
    exercises = root / "notebooks" / "teaching" / "welcome_exercises.py"
    exercises.parent.mkdir()
    exercises.write_text(EXERCISE.format(minutes=10) + EXERCISE.format(minutes=25))
    text = teaching.hours(root)
    link = "[Welcome](../0_start/welcome.ipynb)"
    assert f"* - {link}\n  - 60–90 minutes\n  - –\n  - 2 exercises, 35 minutes\n" in text
    assert text.endswith(
        "* - [Notation](../0_start/notation.ipynb)\n  - –\n  - –\n  - none yet\n````"
    )


def test_a_plan_says_which_of_its_chapters_exist(tmp_path: Path) -> None:
    root = toy.repository(tmp_path, welcome=toy.QUICK)
    text = teaching.course(root)
    assert "Of its 24 chapters 1 exist so far. The 23 marked *planned*" in text
    assert "  - [Welcome](../0_start/welcome.ipynb): set up, and play\n" in text
    assert "  - TD InfoNCE (*planned*)\n" in text
    assert "\n* - 12 · For somebody else\n  - Projects are shown\n  - 1½ h\n  - 2 h\n" in text


def test_the_page_asks_for_all_that_is_made_for_it() -> None:
    assert set(re.findall(r"^<!-- goalward: (\S+) -->$", PAGE, re.MULTILINE)) == set(
        teaching.INSERTS
    )


def test_the_page_states_the_limits_that_hold() -> None:
    limits, megabytes = sandbox.DEFAULT, reading.LARGEST_TEXT >> 20
    for stated in (
        f"One call of a function may take {limits.call_seconds:g} seconds, "
        f"one cell {limits.cell_seconds:g} seconds, "
        f"a whole notebook {limits.total_seconds:g} seconds",
        f"may take {limits.memory >> 30} GB of memory; a notebook may have {megabytes} MB of text",
    ):
        assert stated in PAGE


def test_the_page_s_example_of_an_exercise_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOALWARD_SECRET", "for tests")
    example, planted = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assignment = source.of_cells("example", jupytext.reads(example, fmt="py:percent").cells)
    (exercise,) = assignment.exercises
    assert (exercise.name, exercise.minutes, exercise.points) == ("weights", 10, 4)
    solution, *tests = (c.source for c in assignment.cells if c.cell_type == "code")
    answers = jupytext.reads(planted, fmt="py:percent").cells

    def passes(code: str, test: str) -> bool:
        names: dict[str, object] = {"np": np}
        exec(code, names)
        try:
            exec(test, names)
        except AssertionError:
            return False
        return True

    assert [passes(solution, test) for test in tests] == [True, True]
    wrong, right = (cell.source for cell in answers)
    assert [passes(wrong, test) for test in tests] == [False, False]
    assert [passes(right, test) for test in tests] == [True, True]
