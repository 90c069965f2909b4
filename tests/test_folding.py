"""What a chapter shows first: code that only draws or records is folded, the rest is open."""

import re
import symtable
from pathlib import Path

import pytest

from goalward.course import papers
from goalward.course.run.notebook import FOLDED, convert

CHAPTERS = papers.chapters(Path(__file__).parents[1])
SHOWS = re.compile(r"\bhere\.(show|explore|claim|conclude)\(")
COLUMNS = 88


def cells(source: Path) -> list[tuple[bool, str]]:
    """A chapter's code cells: whether each is folded, and its code."""
    return [
        (FOLDED in cell.metadata.get("tags", []), cell.source)
        for cell in convert(source).cells
        if cell.cell_type == "code"
    ]


def bound(code: str) -> set[str]:
    """The names that a cell binds for the cells after it."""
    top = symtable.symtable(code, "cell", "exec")
    return {s.get_name() for s in top.get_symbols() if s.is_assigned() or s.is_imported()}


def used(code: str) -> set[str]:
    """The names that a cell takes from the cells before it, or might."""
    top = symtable.symtable(code, "cell", "exec")
    names = {s.get_name() for s in top.get_symbols() if s.is_referenced()}
    inner = list(top.get_children())
    while inner:
        scope = inner.pop()
        names |= {s.get_name() for s in scope.get_symbols() if s.is_global() and s.is_referenced()}
        inner += scope.get_children()
    return names - bound(code)


def leaks(found: list[tuple[bool, str]]) -> list[str]:
    """Names that an open cell takes from a folded one."""
    hidden: dict[str, int] = {}
    wrong = []
    for number, (folded, code) in enumerate(found, 1):
        if not folded:
            wrong += [
                f"cell {number} uses {name} of folded cell {hidden[name]}"
                for name in sorted(used(code) & hidden.keys())
            ]
        for name in bound(code):
            hidden.pop(name, None)
            if folded:
                hidden[name] = number
    return wrong


def test_a_leak_is_seen() -> None:
    drawing = "import matplotlib.pyplot as plt\nfig, ax = plt.subplots()\nbest = max(x)"
    assert leaks([(False, "x = 1"), (True, drawing), (False, "print(best, x)")]) == [
        "cell 3 uses best of folded cell 2"
    ]
    assert leaks([(True, "best = 1"), (False, "best = 2"), (False, "print(best)")]) == []
    assert leaks([(True, "ys = [x for x in z]"), (False, "x = 1"), (False, "print(x)")]) == []
    assert leaks([(True, "ys = 1"), (False, "def f():\n    ys = 2\n    return ys")]) == []
    assert leaks([(True, "def f(a):\n    b = a"), (False, "print(f)")]) == [
        "cell 2 uses f of folded cell 1"
    ]


@pytest.mark.parametrize("slug", CHAPTERS)
def test_a_cell_that_draws_or_records_is_folded(slug: str) -> None:
    for folded, code in cells(CHAPTERS[slug]):
        assert folded or not SHOWS.search(code), code.splitlines()[0]


@pytest.mark.parametrize("slug", CHAPTERS)
def test_no_open_cell_needs_a_folded_one(slug: str) -> None:
    assert leaks(cells(CHAPTERS[slug])) == []


@pytest.mark.parametrize("slug", CHAPTERS)
def test_code_fits_the_column(slug: str) -> None:
    """What is wider scrolls sideways in the book."""
    lines = [line for _, code in cells(CHAPTERS[slug]) for line in code.splitlines()]
    assert [line for line in lines if len(line) > COLUMNS] == []
