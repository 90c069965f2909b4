"""The graph of prerequisites: nothing covers anything, every line arrives where it should."""

import itertools
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath

import toy
from goalward.course import papers
from goalward.course.book import graph, prerequisites
from goalward.course.papers import Paper

WIDTH, HEIGHT = graph.BOX
COURSE = papers.papers()


def paper(number: int, part: int, before: Sequence[int] = ()) -> Paper:
    names = tuple(f"p{n}" for n in before)
    return Paper(part, number, f"p{number}", f"Paper {number}", "P", "A", 2024, "", "", names)


@st.composite
def courses(draw: st.DrawFn) -> list[Paper]:
    """Up to 20 papers in order of their parts, each with up to three earlier ones before it."""
    parts = sorted(draw(st.lists(st.integers(1, 4), min_size=1, max_size=20)))
    earlier = [st.sets(st.sampled_from(range(n)), max_size=3) for n in range(1, len(parts))]
    before = [set(), *draw(st.tuples(*earlier))]
    return [
        paper(n, part, sorted(b)) for n, (part, b) in enumerate(zip(parts, before, strict=True))
    ]


def overlap(a: tuple[float, float], b: tuple[float, float]) -> float:
    """The length that two stretches share, negative where they are apart."""
    return min(max(a), max(b)) - max(min(a), min(b))


def check(course: Sequence[Paper]) -> None:
    drawing = graph.layout(course)
    boxes = drawing.boxes
    assert boxes.keys() == {p.slug for p in course}
    for p in course:
        x, y = boxes[p.slug]
        top, bottom = drawing.bands[p.part]
        assert 0 <= x <= drawing.width - WIDTH
        assert top < y < y + HEIGHT < bottom <= drawing.height
        for before in p.prerequisites:
            assert boxes[before][0] + WIDTH < x
    for (_, (x, y)), (_, (u, v)) in itertools.combinations(boxes.items(), 2):
        assert abs(x - u) >= WIDTH or abs(y - v) >= HEIGHT
    for (_, bottom), (top, _) in itertools.pairwise(drawing.bands.values()):
        assert bottom < top

    assert drawing.lines.keys() == {(before, p.slug) for p in course for before in p.prerequisites}
    pieces = []
    for (before, after), line in drawing.lines.items():
        (x, y), (u, v) = boxes[before], boxes[after]
        assert line[0] == pytest.approx((x + WIDTH, y + HEIGHT / 2))
        assert line[-1][0] == pytest.approx(u)
        assert v < line[-1][1] < v + HEIGHT
        for a, b in itertools.pairwise(line):
            assert (a[0] == b[0]) != (a[1] == b[1]), "a piece is level or upright, and has a length"
            assert a[0] <= b[0]
            pieces.append((before, a, b))
    for before, a, b in pieces:
        for slug, (x, y) in boxes.items():
            beside = (
                x < a[0] < x + WIDTH if a[0] == b[0] else overlap((a[0], b[0]), (x, x + WIDTH)) > 0
            )
            level = (
                y < a[1] < y + HEIGHT
                if a[1] == b[1]
                else overlap((a[1], b[1]), (y, y + HEIGHT)) > 0
            )
            assert not (beside and level), f"a line from {before} runs behind {slug}"
    for (one, a, b), (two, c, d) in itertools.combinations(pieces, 2):
        if one != two:  # lines of one chapter share a trunk, others may cross but not run together
            level = a[1] == b[1] == c[1] == d[1] and overlap((a[0], b[0]), (c[0], d[0])) > 0
            upright = a[0] == b[0] == c[0] == d[0] and overlap((a[1], b[1]), (c[1], d[1])) > 0
            assert not level, (one, two)
            assert not upright, (one, two)


def test_the_course_is_laid_out() -> None:
    check(COURSE)


# For each chapter its part and what it asks for: courses whose lines easily run into each other.
TIGHT = (
    [(1, []), (1, [0]), (2, [1]), (2, [2]), (3, [0, 1]), (3, [1, 4]), (3, [0, 2]), (3, [0, 1])],
    [(1, []), (2, [0]), (3, [1]), (3, [1]), (3, [0, 2]), (3, [3, 4]), (3, [3, 5]), (3, [1, 4])],
)


@pytest.mark.parametrize("course", TIGHT)
def test_a_tight_course_is_laid_out(course: list[tuple[int, list[int]]]) -> None:
    check([paper(number, part, before) for number, (part, before) in enumerate(course)])


@given(courses())
@settings(max_examples=100, deadline=None)
def test_any_course_is_laid_out(course: list[Paper]) -> None:
    check(course)


def test_a_chapter_stands_right_of_what_it_asks_for_and_one_without_lines_where_there_is_room() -> (
    None
):
    course = [paper(0, 1), paper(1, 1, [0]), paper(2, 1, [0, 1]), paper(3, 1), paper(4, 1)]
    assert graph.columns(course) == {"p0": 0, "p1": 1, "p2": 2, "p3": 0, "p4": 1}


def test_a_line_has_rounded_corners() -> None:
    assert prerequisites.path([(0, 0), (10, 0), (10, 4), (20, 4)]) == (
        "M0 0L5 0Q10 0 10 2L10 2Q10 4 15 4L20 4"
    )


@pytest.mark.parametrize("p", COURSE, ids=lambda p: p.slug)
def test_what_a_box_says_fits_into_it(p: Paper) -> None:
    lines = prerequisites.label(p)
    assert " ".join(lines).replace("- ", "-") == f"{p.part}.{p.order} {p.short}"
    assert len(lines) <= 2
    wide = FontProperties(family="DejaVu Sans", size=prerequisites.FONT)  # wider than most
    for line in lines:
        assert TextPath((0, 0), line, prop=wide).get_extents().width < WIDTH - 4


def test_the_drawing_marks_and_links_what_exists() -> None:
    pages = {"td_infonce": "../1_predicting_the_future/td_infonce.html"}
    root = ElementTree.fromstring(prerequisites.svg(COURSE, pages))
    links = root.findall("a[@class='chapter']")
    assert [a.get("href") for a in links] == list(pages.values())
    assert "".join(links[0].itertext()) == "1.1 TD InfoNCE"
    planned = root.findall("g[@class='planned']")
    assert len(planned) == 49
    lines = [g for g in root.findall("g") if (g.get("class") or "").startswith("line ")]
    assert len(lines) == sum(len(p.prerequisites) for p in COURSE)
    bands = ["".join(t.itertext()) for t in root.findall("text[@class='part']")]
    assert bands == [f"{n}. {papers.PARTS[n]}" for n in range(1, 9)]
    assert "1 of them exists" in (root.get("aria-label") or "")


def test_lines_that_come_near_each_other_have_other_colours() -> None:
    colours = graph.layout(COURSE).colours
    assert colours.keys() == {before for p in COURSE for before in p.prerequisites}
    assert len({colours[s] for s in ("td_infonce", "horizon_generalization")}) == 2
    assert len({colours[s] for s in ("contrastive_rl", "csf", "hiql", "infom", "onestep_fb")}) == 5


def test_the_table_says_the_same_as_the_drawing(tmp_path: Path) -> None:
    root = toy.repository(tmp_path, welcome=toy.QUICK)
    path = root / "notebooks" / "1_predicting_the_future" / "td_infonce.py"
    path.parent.mkdir()
    path.write_text("# %% [markdown]\n# # Hello\n")
    assert prerequisites.drawing(root).count('<a class="chapter part-1"') == 1
    text = prerequisites.told(root)
    rows = text.split("\n* - ")[2:]
    assert len(rows) == 50
    assert rows[0].splitlines()[:2] == [
        "1.1 [TD InfoNCE](../1_predicting_the_future/td_infonce.ipynb)",
        "  - nothing",
    ]
    cmd = next(row for row in rows if row.startswith("2.2 CMD"))
    assert cmd.splitlines()[1:3] == ["  - Contrastive RL, Horizon generalization", "  - TMD"]
