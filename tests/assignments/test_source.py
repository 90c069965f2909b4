"""A teacher who gets the format wrong is told which line to mend."""

from pathlib import Path

import pytest

import toy_assignment
from goalward.course.assignments import source
from goalward.course.errors import Problem, Usage

ROOT = Path(__file__).parents[2]
TEXT = toy_assignment.FILE.read_text(encoding="utf-8")


def test_exercises_are_read() -> None:
    assignment = toy_assignment.assignment()
    assert [e.name for e in assignment.exercises] == ["twice", "total", "least"]
    assert assignment.functions == ("twice", "total", "least")
    first = assignment.exercises[0]
    assert (first.title, first.difficulty, first.minutes, first.points) == ("Twice", "easy", 5, 6)


FAULTS = {
    "the same name": (('"total-visible"', '"twice-visible"'), "grade_id 'twice-visible'"),
    "no effort": (("*easy · 5 minutes · 6 points*", "*easy, 5 minutes*"), "lacks its line"),
    "no hidden tests": (('"least-hidden"', '"least-more"'), "graded cell 'least-hidden'"),
    "no marks": (
        ("    ### BEGIN SOLUTION\n    return GIVEN", "    return GIVEN"),
        "BEGIN SOLUTION",
    ),
    "other points": (('"points": 4', '"points": 5'), "promise"),
    "another sum": (
        ("6 points*", "5 points*", '"points": 2', '"points": 1'),
        "add up to 19 and should to 20",
    ),
    "a cell of no kind": (
        ("# %% [markdown]\n# ## 2", "# %%\nx = 1\n\n# %% [markdown]\n# ## 2"),
        "x = 1",
    ),
    "no function": (("def least(x):", "class least:"), "defines no function"),
    "too few": (("# ## 3. Least", "# ## 3. Least"), ""),
}


@pytest.mark.parametrize("what", FAULTS)
def test_a_fault_is_named_in_one_line(what: str, tmp_path: Path) -> None:
    changes, message = FAULTS[what]
    text = TEXT
    for old, new in zip(changes[::2], changes[1::2], strict=True):
        assert old in text
        text = text.replace(old, new, 1)
    if what == "too few":
        text, message = text[: text.index("# %% [markdown]\n# ## 3")], "2 exercises"
    file = tmp_path / "small_exercises.py"
    file.write_text(text)
    with pytest.raises(Problem, match=r"^small_exercises\.py: ") as problem:
        source.read(file)
    assert message in str(problem.value)
    assert "\n" not in str(problem.value)


def test_a_chapter_without_assignment_is_named() -> None:
    with pytest.raises(Usage, match="welcome has no assignment"):
        source.sources(ROOT, ["welcome"])
    with pytest.raises(Usage, match="did you mean td_infonce"):
        source.sources(ROOT, ["td_infonc"])


def test_functions_are_found_where_the_code_does_not_parse() -> None:
    assert source.defined("x = 1\ndef f(x):\n    return x\n") == ("f",)
    assert source.defined("def f(x)\n    return x\ndef g(y): pass\n") == ("f", "g")
