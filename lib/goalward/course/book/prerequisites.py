"""The graph of what to read before what: drawn as SVG, told as a table."""

import re
from collections import Counter
from collections.abc import Sequence
from html import escape
from pathlib import Path

from goalward.course import papers
from goalward.course.book.graph import BOX, Point, layout
from goalward.course.book.tables import name, table
from goalward.course.papers import Paper

FONT = 12
_LINE = 18  # characters of a line of a box
_BEND = 5.0  # radius of a line's corners


def path(line: Sequence[Point]) -> str:
    """A line with rounded corners, as the `d` of an SVG path."""
    text = [f"M{_xy(line[0])}"]
    for a, corner, b in zip(line, line[1:], line[2:], strict=False):
        before, after = _towards(corner, a), _towards(corner, b)
        text.append(f"L{_xy(before)}Q{_xy(corner)} {_xy(after)}")
    return "".join([*text, f"L{_xy(line[-1])}"])


def _towards(corner: Point, end: Point) -> Point:
    """The point of the way from a corner at which the line is straight."""
    dx, dy = end[0] - corner[0], end[1] - corner[1]
    part = min(0.5, _BEND / max(abs(dx), abs(dy)))
    return corner[0] + part * dx, corner[1] + part * dy


def _xy(point: Point) -> str:
    return f"{point[0]:g} {point[1]:g}"


def label(paper: Paper) -> list[str]:
    """What a box says: one line, or two about equally long."""
    text = f"{paper.part}.{paper.order} {paper.short}"
    if len(text) <= _LINE:
        return [text]

    def longer(place: int) -> int:
        return max(place, len(text) - place)

    # The number stays with the first word; within a word only where nothing else fits.
    spaces, hyphens = ([m.end() for m in re.finditer(mark, text)] for mark in (" ", "-"))
    place = min(spaces[1:], key=longer, default=len(text))
    if longer(place) > _LINE + 2:
        place = min(hyphens, key=longer, default=place)
    return [text[:place].rstrip(), text[place:]]


def svg(course: Sequence[Paper], pages: dict[str, str]) -> str:
    """The drawing, in the page's colours.

    Args:
        course: the papers in reading order.
        pages: the address of each chapter that exists.
    """
    plan = layout(course)
    # A rim for the borders of the outermost boxes.
    frame = f"-8 0 {plan.width + 16:g} {plan.height:g}"
    out = [
        f'<svg viewBox="{frame}" width="{plan.width + 16:g}" font-size="{FONT}" role="group" '
        f'aria-label="{escape(alternative_text(course, pages))}">'
    ]
    for part, (top, bottom) in plan.bands.items():
        out.append(
            f'<rect class="band part-{part}" x="-8" y="{top:g}" width="{plan.width + 16:g}" '
            f'height="{bottom - top:g}" rx="6"/>'
        )
    for (before, _), line in plan.lines.items():
        x, y = line[-1]
        out.append(
            f'<g class="line line-{plan.colours[before]}">'
            f'<path d="{path([*line[:-1], (x - 3, y)])}"/>'
            f'<path class="tip" d="M{x:g} {y:g}l-6 -3.5v7z"/></g>'
        )
    for part, (top, _) in plan.bands.items():
        title = f"{part}. {escape(papers.PARTS[part])}"
        out.append(f'<text class="part" x="0" y="{top + 17:g}">{title}</text>')
    for paper in course:
        out.append(_box(paper, plan.boxes[paper.slug], pages.get(paper.slug)))
    return "\n".join([*out, "</svg>"])


def _box(paper: Paper, corner: Point, page: str | None) -> str:
    width, height = BOX
    x, y = corner[0] + width / 2, corner[1] + height / 2
    lines = label(paper)
    words = "".join(
        f'<tspan x="{x:g}" y="{y + (row - len(lines) / 2 + 0.82) * FONT * 1.15:g}">'
        f"{escape(line)}</tspan>"
        for row, line in enumerate(lines)
    )
    box = (
        f'<rect x="{corner[0]:g}" y="{corner[1]:g}" width="{width:g}" height="{height:g}" rx="5"/>'
        f'<text text-anchor="middle">{words}</text>'
    )
    if page is None:
        return f'<g class="planned part-{paper.part}">{box}</g>'
    return (
        f'<a class="chapter part-{paper.part}" href="{escape(page)}" '
        f'aria-label="{escape(paper.short)}">{box}</a>'
    )


def alternative_text(course: Sequence[Paper], pages: dict[str, str]) -> str:
    """What the drawing shows, for those who don't see it."""
    leads = Counter(before for paper in course for before in paper.prerequisites)
    names = {paper.slug: paper.short for paper in course}
    hubs = [f"{names[slug]} ({count})" for slug, count in leads.most_common(4)]
    free = sum(not paper.prerequisites for paper in course)
    exist = "1 of them exists" if len(pages) == 1 else f"{len(pages)} of them exist"
    return (
        f"{len(course)} chapters as boxes, a band for each part, joined by lines from each chapter "
        f"to those that build on it; {exist} so far. {free} ask for no other chapter. Most lines "
        f"leave {', '.join(hubs[:-1])} and {hubs[-1]}. The table below the drawing says all of it."
    )


def drawing(root: Path) -> str:
    """The drawing, for a page one folder deep."""
    course = papers.papers()
    known = papers.chapters(root)
    pages = {
        p.slug: f"../{papers.part_folder(p.part)}/{p.slug}.html" for p in course if p.slug in known
    }
    return "\n".join(
        [
            '```{raw} html\n<figure class="prerequisites">\n<div class="drawing">',
            svg(course, pages),
            "</div>\n<figcaption>A line leads from a chapter to one that builds on it. A chapter "
            "with a solid border exists (choose it to open it), one with a dashed border is "
            "planned. Each part has its colour; lines take theirs in turns.</figcaption>\n"
            "</figure>\n```",
        ]
    )


def told(root: Path) -> str:
    """The same as a table, folded, for a page one folder deep."""
    course = papers.papers()
    names = {p.slug: p.short for p in course}
    after: dict[str, list[str]] = {}
    for paper in course:
        for before in paper.prerequisites:
            after.setdefault(before, []).append(paper.short)
    rows = [
        (
            f"{p.part}.{p.order} {name(root, p)}",
            ", ".join(names[slug] for slug in p.prerequisites) or "nothing",
            ", ".join(after.get(p.slug, ())) or "–",
        )
        for p in course
    ]
    head = ("Chapter", "Read first", "Leads to")
    return "\n\n".join(
        [
            "```{raw} html\n<details>\n<summary>What to read before each chapter, as a table"
            "</summary>\n```",
            table("What to read before each chapter", head, rows),
            "```{raw} html\n</details>\n```",
        ]
    )
