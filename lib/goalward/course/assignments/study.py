"""Exercises for a reader at home: an unsolved notebook beside each chapter, solutions on request.

The notebook is made from the teacher's source, and never leads back to it: JupyterLab saves it as
it is, without a paired text file. A solution stands in no notebook; it is read from the source at
the moment when somebody asks for it, after an attempt.
"""

import ast
import inspect
import os
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from IPython.display import Markdown, display
from nbformat import NotebookNode

from goalward.course import papers
from goalward.course.assignments import release
from goalward.course.assignments.files import replace
from goalward.course.assignments.source import (
    HIDDEN,
    SOLUTION_MARKS,
    VISIBLE,
    Assignment,
    grade_id,
    read,
    role,
    source_of,
)
from goalward.course.errors import Problem
from goalward.course.run import notebook

STUB = ("# YOUR CODE HERE", "raise NotImplementedError()")
ASK = "# After an attempt: the reference solution."


@dataclass(frozen=True)
class Placed:
    """What was done about a chapter's exercise notebook: `written`, `kept`, `older` or `moved`."""

    slug: str
    file: Path
    what: str
    mine: Path | None = None


def study(root: Path, found: dict[str, Path], fresh: bool = False) -> Iterator[Placed]:
    """Put the unsolved notebook of each assignment beside its chapter, where there is none.

    A notebook in which nobody has worked is brought up to date; one in which somebody has is never
    written over.

    Args:
        root: the repository.
        found: the assignments: slug and source file.
        fresh: give a new notebook in any case, and keep what was there beside it.

    Raises:
        Problem: if an assignment is not sound, or a notebook would hold a solution.
    """
    chapters = papers.chapters(root)
    for slug, path in found.items():
        file = chapters[slug].with_name(f"{path.stem}.ipynb")
        there = os.path.lexists(file)
        mark = notebook.hash_text(path.read_text(encoding="utf-8"))
        if there and not fresh:
            if _mark_of(file) == mark:
                yield Placed(slug, file, "kept")
                continue
            if release.is_worked_in(file):
                yield Placed(slug, file, "older")
                continue
        mine = None
        if there and release.is_worked_in(file):
            mine = _free_name(file)
            file.rename(mine)
        nb = unsolved(read(path), path)
        nb.metadata["goalward"] = {"released": release.digest(nb), "source": mark}
        replace(file, nbformat.writes(nb) + "\n")
        yield Placed(slug, file, "moved" if mine else "written", mine)


def unsolved(assignment: Assignment, path: Path) -> NotebookNode:
    """An assignment without solutions and hidden tests, with a cell that asks for each solution.

    Raises:
        Problem: if a line of a solution or of a hidden test would be left in it.
    """
    nb = nbformat.from_dict(notebook.convert(path))
    # Else a save would write a text file beside it, as it does for chapters.
    nb.metadata["jupytext"] = {"formats": "ipynb"}
    exercises = {exercise.name + VISIBLE: exercise for exercise in assignment.exercises}
    cells = []
    for cell in nb.cells:
        name = grade_id(cell)
        if role(cell) == "test" and name.endswith(HIDDEN):
            continue
        if role(cell) == "solution":
            cell.source = _without_solution(cell.source)
        cells.append(cell)
        if exercise := exercises.get(name):
            asked = ", ".join([f'"{assignment.slug}"', *exercise.functions])
            ask = nbformat.v4.new_code_cell(
                f"{ASK}\nfrom goalward.course.assignments import study\n\nstudy.solution({asked})"
            )
            ask.id = notebook.hash_text(cell.id, ASK)[:12]
            cells.append(ask)
    nb.cells = cells
    if leak := release.leaks(assignment, nb):
        raise Problem(
            f"{path.name}: its unsolved version would still say {leak[0]!r}, a line of a solution "
            "or a hidden test: word the text and the given cells differently"
        )
    return nb


def solution(slug: str, *functions: Callable[..., Any]) -> None:
    """Show the reference solution of an exercise, once its functions have been attempted.

    Args:
        slug: the chapter whose assignment it is.
        functions: the reader's own, as the exercise asks for them.
    """
    for function in functions:
        if not attempted(function):
            print(
                f"… {getattr(function, '__name__', 'your function')}: try it first. Hints stand in "
                "the text above; after an attempt this cell shows the reference solution."
            )
            return
    names = {getattr(function, "__name__", "") for function in functions}
    path = source_of(papers.repository(), slug)
    if not path.is_file():
        print(f"The solutions of {slug} are not here: this needs a clone of the repository.")
        return
    assignment = read(path)
    for exercise in assignment.exercises:
        if names & {*exercise.functions}:
            (cell,) = (c for c in assignment.cells if grade_id(c) == exercise.name)
            lines = [
                line for line in cell.source.splitlines() if line.strip() not in SOLUTION_MARKS
            ]
            display(Markdown("\n".join(["```python", *lines, "```"])))
            return
    print(f"{slug} asks for {', '.join(assignment.functions)}: give one of these, as you wrote it.")


def attempted(function: Any) -> bool:
    """Whether there is more in a function than in the notebook as it was given."""
    try:
        (node,) = ast.parse(textwrap.dedent(inspect.getsource(function))).body
    except (OSError, TypeError, SyntaxError, ValueError):
        return callable(function)
    body = node.body if isinstance(node, ast.FunctionDef) else [node]
    return not all(map(_says_nothing, body))


def _says_nothing(node: ast.stmt) -> bool:
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)  # a docstring, or `...`
    if isinstance(node, ast.Return):
        return node.value is None or ast.unparse(node.value) == "None"
    if isinstance(node, ast.Raise):
        return node.exc is not None and ast.unparse(node.exc).startswith("NotImplementedError")
    return isinstance(node, ast.Pass)


def _without_solution(code: str) -> str:
    """A solution cell with a stub in place of what stands between the marks."""
    lines, inside = [], False
    for line in code.splitlines():
        if line.strip() == SOLUTION_MARKS[0]:
            inside = True
            indent = line[: len(line) - len(line.lstrip())]
            lines += [indent + part for part in STUB]
        elif line.strip() == SOLUTION_MARKS[1]:
            inside = False
        elif not inside:
            lines.append(line)
    return "\n".join(lines)


def _mark_of(file: Path) -> str:
    try:
        return str(nbformat.read(file, as_version=4).metadata["goalward"]["source"])
    except Exception:  # whatever it is, it is not as we wrote it
        return ""


def _free_name(file: Path) -> Path:
    """`NAME.mine.ipynb`, or the first numbered one that is free."""
    number = 1
    while True:
        suffix = ".mine" if number == 1 else f".mine.{number}"
        name = file.with_name(f"{file.stem}{suffix}{file.suffix}")
        if not os.path.lexists(name):
            return name
        number += 1
