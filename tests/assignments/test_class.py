"""A class of simulated students hands in three assignments; one command grades it.

`GOALWARD_TEST_CLASS=30` makes it a class of thirty.
"""

import csv
import os
import random
from pathlib import Path

import nbformat
import pytest

from goalward import cli
from goalward.course.assignments import source
from goalward.course.run import notebook
from toy_assignment import planted

pytest.importorskip("nbgrader", reason="nbgrader not here")
ROOT = Path(__file__).parents[2]
SOURCES = source.sources(ROOT, ["td_infonce", "interpolation", "horizon_generalization"])
STUDENTS = int(os.environ.get("GOALWARD_TEST_CLASS", "4"))
KINDS = ("right", "wrong", "hostile", "unfinished", "in their own words")
HOSTILE = [code for _, _, _, code in planted("hostile")]


@pytest.mark.slow
def test_a_class_gets_the_marks_it_earns(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GOALWARD_SECRET", raising=False)
    assert cli.main(["assignments", "release", *SOURCES, "--out", str(tmp_path)]) == 0
    chance = random.Random(0)
    expected = {}
    for i in range(STUDENTS):
        for j, (slug, path) in enumerate(SOURCES.items()):
            student, kind = f"student{i:02}", KINDS[(i + j) % len(KINDS)]
            assignment = source.read(path)
            exercise = chance.choice(assignment.exercises)
            nb = notebook.convert(path)
            for cell in nb.cells:
                if source.role(cell) == "solution":
                    cell.source = code_for(kind, slug, exercise, cell, chance)
            folder = tmp_path / "submitted" / student / slug
            folder.mkdir(parents=True)
            nbformat.write(nb, folder / f"{assignment.file}.ipynb")
            expected[student, slug] = (kind, exercise)

    handed = ["--submissions", str(tmp_path / "submitted"), "--out", str(tmp_path)]
    assert cli.main(["assignments", "grade", *SOURCES, *handed]) == 0
    with capsys.disabled():
        print(f"\n{capsys.readouterr().out}")
    marks: dict[tuple[str, str, str], float] = {}
    for row in csv.DictReader((tmp_path / "marks.csv").read_text().splitlines()):
        name = row["cell"].removesuffix(source.VISIBLE).removesuffix(source.HIDDEN)
        place = (row["student"], row["assignment"], name)
        marks[place] = marks.get(place, 0) + float(row["points"])
    for (student, slug), (kind, exercise) in expected.items():
        assignment = source.read(SOURCES[slug])
        answers = {source.grade_id(c): c.source for c in assignment.cells}
        for other in assignment.exercises:
            points, case = marks[student, slug, other.name], (student, slug, kind, other.name)
            if kind in ("right", "in their own words"):
                assert points == other.points, case
            elif other.name == exercise.name:
                assert points < other.points if kind == "wrong" else points == 0, case
            elif not any(f"{name}(" in answers[other.name] for name in exercise.functions):
                assert points == other.points, case  # it builds on nothing that is wrong


def code_for(
    kind: str,
    slug: str,
    exercise: source.Exercise,
    cell: nbformat.NotebookNode,
    chance: random.Random,
) -> str:
    """What a student of a kind writes into a solution cell."""
    name = source.grade_id(cell)
    if kind == "in their own words":
        return chance.choice([c for e, k, _, c in planted(slug) if (e, k) == (name, "right")])
    if name != exercise.name or kind == "right":
        return str(cell.source)
    if kind == "wrong":
        return chance.choice([c for e, k, _, c in planted(slug) if (e, k) == (name, "wrong")])
    if kind == "unfinished":
        return "".join(
            f"def {function}(*args):\n    raise NotImplementedError()\n\n"
            for function in exercise.functions
        )
    code = chance.choice(HOSTILE)
    imports = "import ctypes, os, signal, time\n\n"
    return imports + code.replace("def twice(x):", f"def {exercise.functions[0]}(x=0, *rest):")
