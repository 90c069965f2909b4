"""The graph of what to read before what, laid out on a grid.

Each part of the course is a band; a chapter stands one column to the right of the last of those it
asks for, one without lines where there is room. Lines run in the gaps between columns, never behind
a box, and all lines that leave one chapter share a trunk.
"""

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from goalward.course.papers import Paper

BOX = (122.0, 34.0)
"""Width and height of a box in pixels: two lines of text."""

_PITCH = 42.0  # from a row to the next
_HEAD = 24.0  # a band's title
_GAP = 8.0  # between bands
_TRACK = 7.0  # from a trunk to the next
_MARGIN = 10.0  # from a box to the nearest trunk
_PORT = 7.0  # from a line that enters a box to the next
_INVERSION = 30.0  # how much longer lines may be, to keep two boxes in reading order
_COLOURS = range(6)  # classes of goalward.css
Point = tuple[float, float]


@dataclass(frozen=True)
class Stop:
    """Where a line starts, ends or passes a column.

    That is the box of the chapter `slug`, or a place kept free on the way from there to `onward`.
    """

    part: int
    column: int
    slug: str
    onward: str = ""


Hop = tuple[Stop, Stop]
"""The piece of a line between neighbouring columns."""


@dataclass(frozen=True)
class Drawing:
    """Where everything lies, in pixels, x to the right and y down.

    Attributes:
        bands: for each part the upper and the lower edge of its band.
        boxes: for each chapter the upper left corner of its box.
        lines: for each (before, after) the corners of the line that joins their boxes.
        colours: for each chapter that others ask for, the number of its lines' colour.
    """

    width: float
    height: float
    bands: dict[int, tuple[float, float]]
    boxes: dict[str, Point]
    lines: dict[tuple[str, str], list[Point]]
    colours: dict[str, int]


def columns(course: Sequence[Paper]) -> dict[str, int]:
    """The column of each chapter: the length of the longest chain of chapters before it.

    A chapter that has no lines goes where its band has room.
    """
    asked = {before for paper in course for before in paper.prerequisites}
    depth: dict[str, int] = {}
    for paper in course:
        if paper.prerequisites or paper.slug in asked:
            depth[paper.slug] = max((depth[slug] + 1 for slug in paper.prerequisites), default=0)
    used = Counter((paper.part, depth[paper.slug]) for paper in course if paper.slug in depth)
    for paper in course:
        if paper.slug not in depth:
            room = {c: used[paper.part, c] for c in range(1 + max(depth.values(), default=0))}
            depth[paper.slug] = min(room, key=lambda c: room[c])
            used[paper.part, depth[paper.slug]] += 1
    return depth


def layout(course: Sequence[Paper]) -> Drawing:
    """Place the boxes and the lines of a course.

    Args:
        course: its papers in reading order: each after those it asks for.
    """
    depth = columns(course)
    boxes = {p.slug: Stop(p.part, depth[p.slug], p.slug) for p in course}
    routes = {
        (before, p.slug): _route(boxes[before], boxes[p.slug])
        for p in course
        for before in p.prerequisites
    }
    hops = list(dict.fromkeys(itertools.chain(*map(itertools.pairwise, routes.values()))))
    passing = [b for _, b in hops if b.onward]
    y, bands = _rows([*boxes.values(), *passing], hops)
    enter, leave = _ports(hops, y)
    tracks = _tracks(hops, enter, leave)
    left = {0: 0.0}
    for column in range(max(depth.values())):
        trunks = [track for stop, track in tracks.items() if stop.column == column]
        gap = 2 * _MARGIN + _TRACK * max(trunks, default=0)
        left[column + 1] = left[column] + BOX[0] + gap
    lines = {}
    for ends, route in routes.items():
        line = [(left[route[0].column] + BOX[0], leave[route[0]])]
        for a, b in itertools.pairwise(route):
            if leave[a] != enter[a, b]:
                trunk = left[a.column] + BOX[0] + _MARGIN + _TRACK * tracks[a]
                line += [(trunk, leave[a]), (trunk, enter[a, b])]
        lines[ends] = [*line, (left[route[-1].column], enter[route[-2], route[-1]])]
    return Drawing(
        width=left[max(left)] + BOX[0],
        height=max(bottom for _, bottom in bands.values()),
        bands=bands,
        boxes={slug: (left[s.column], y[s] - BOX[1] / 2) for slug, s in boxes.items()},
        lines=lines,
        colours=_colours(lines),
    )


def _route(start: Stop, end: Stop) -> tuple[Stop, ...]:
    """From box to box, with a place kept free in each column between."""
    between = range(start.column + 1, end.column)
    return (start, *(Stop(end.part, column, start.slug, end.slug) for column in between), end)


def _rows(
    stops: Sequence[Stop], hops: Sequence[Hop]
) -> tuple[dict[Stop, float], dict[int, tuple[float, float]]]:
    """The middle of each stop's row, and the bands: short lines, boxes in reading order."""
    cells: dict[tuple[int, int], list[Stop | None]] = {}
    for stop in stops:
        cells.setdefault((stop.part, stop.column), []).append(stop)
    bands, top = {}, 0.0
    for part in sorted({part for part, _ in cells}):
        own = [cell for (p, _), cell in cells.items() if p == part]
        rows = max(map(len, own))
        for cell in own:
            cell.extend([None] * (rows - len(cell)))
        bands[part] = (top, top + _HEAD + rows * _PITCH)
        top = bands[part][1] + _GAP
    y: dict[Stop, float] = {}
    place = {stop: number for number, stop in enumerate(stops)}

    def settle(part: int, cell: list[Stop | None]) -> float:
        """Write down a cell's rows; the length of all lines, and what is out of order in it."""
        for row, stop in enumerate(cell):
            if stop:
                y[stop] = bands[part][0] + _HEAD + (row + 0.5) * _PITCH
        order = [place[stop] for stop in cell if stop]
        wrong = sum(a > b for a, b in itertools.combinations(order, 2))
        return wrong * _INVERSION + sum(abs(y[a] - y[b]) for a, b in hops if a in y and b in y)

    for (part, _), cell in cells.items():
        settle(part, cell)
    better = True
    while better:
        better = False
        for (part, _), cell in cells.items():
            for i, j in itertools.combinations(range(len(cell)), 2):
                before = settle(part, cell)
                cell[i], cell[j] = cell[j], cell[i]
                if settle(part, cell) < before - 1e-6:
                    better = True
                else:
                    cell[i], cell[j] = cell[j], cell[i]
                    settle(part, cell)
    return y, bands


def _ports(hops: Sequence[Hop], y: dict[Stop, float]) -> tuple[dict[Hop, float], dict[Stop, float]]:
    """The height at which each line enters a stop, and at which lines leave it.

    Lines leave a box in its middle. One enters there too, unless several do or a line that leaves
    the box before it for elsewhere would run into it.
    """
    enter: dict[Hop, float] = {}
    leave = {stop: y[stop] for hop in hops for stop in hop}
    for b in dict.fromkeys(b for _, b in sorted(hops, key=lambda hop: hop[0].column)):
        own = [a for a, other in hops if other == b]
        beside = {a for a, _ in hops if a.column == b.column - 1 and leave[a] == y[b]} - set(own)
        above = sorted((a for a in own if leave[a] < y[b]), key=lambda a: -leave[a])
        below = sorted((a for a in own if leave[a] > y[b]), key=lambda a: leave[a])
        alone = len(own) == 1 and not beside
        for side, sources in ((-1, above), (1, below)):
            step = side * min(_PORT, 0.45 * BOX[1] / max(1, len(sources)))
            for number, a in enumerate(sources, 1):
                enter[a, b] = y[b] + (0 if alone else number * step)
        enter.update({(a, b): y[b] for a in own if leave[a] == y[b]})
        if b.onward:
            leave[b] = enter[own[0], b]
    return enter, leave


def _tracks(
    hops: Sequence[Hop], enter: dict[Hop, float], leave: dict[Stop, float]
) -> dict[Stop, int]:
    """For each stop that lines leave with a bend, which track its trunk takes: few crossings."""
    tracks: dict[Stop, int] = {}
    for column in sorted({a.column for a, _ in hops}):
        ends: dict[Stop, list[float]] = {}
        for a, b in hops:
            if a.column == column and enter[a, b] != leave[a]:
                ends.setdefault(a, []).append(enter[a, b])
        order = sorted(ends, key=lambda a: leave[a])
        better = True
        while better:
            better = False
            for i, j in itertools.combinations(range(len(order)), 2):
                other = list(order)
                other[i], other[j] = other[j], other[i]
                if _trouble(other, ends, leave) < _trouble(order, ends, leave):
                    order, better = other, True
        # Trunks that never meet may share a track.
        for number, a in enumerate(order):
            low, high = _span(a, ends, leave)
            spans = {o: _span(o, ends, leave) for o in order[:number]}
            meets = [tracks[o] + 1 for o, (top, end) in spans.items() if top <= high and low <= end]
            tracks[a] = max(meets, default=0)
    return tracks


def _span(
    stop: Stop, ends: dict[Stop, list[float]], leave: dict[Stop, float]
) -> tuple[float, float]:
    """The upper and the lower end of a trunk."""
    return min(leave[stop], *ends[stop]), max(leave[stop], *ends[stop])


def _trouble(order: Sequence[Stop], ends: dict[Stop, list[float]], leave: dict[Stop, float]) -> int:
    """Crossings of trunks in this order; and a hundred for each line that runs into another's."""
    total = 0
    for near, far in itertools.combinations(order, 2):
        low, high = _span(near, ends, leave)
        total += low < leave[far] < high
        low, high = _span(far, ends, leave)
        total += sum(low < end < high for end in ends[near])
        total += 100 * (leave[far] in ends[near])
    return total


def _colours(lines: dict[tuple[str, str], list[Point]]) -> dict[str, int]:
    """A colour for each chapter that lines leave: other ones for those whose lines come near."""
    corners: dict[str, list[Point]] = {}
    for (before, _), line in lines.items():
        corners.setdefault(before, []).extend(line)
    spans = {
        slug: [(min(axis), max(axis)) for axis in zip(*points, strict=True)]
        for slug, points in corners.items()
    }
    colours: dict[str, int] = {}
    for slug, own in spans.items():
        near = [
            colours[other]
            for other in colours
            if all(
                a <= d + BOX[0] and c <= b + BOX[0]
                for (a, b), (c, d) in zip(own, spans[other], strict=True)
            )
        ]
        colours[slug] = min(_COLOURS, key=near.count)
    return colours
