"""Best-first search: how many nodes does a heuristic have to look at before it finds the goal?"""

import heapq
from collections.abc import Callable, Hashable, Iterable, Sequence
from itertools import count
from typing import NamedTuple, TypeVar

Node = TypeVar("Node", bound=Hashable)


class Search(NamedTuple):
    """How a search ended."""

    found: bool
    expanded: int
    """Nodes whose successors were looked at; all of the budget, or fewer."""
    path: list
    """From the start to the goal, both included; empty where it was not found."""


def best_first_search(
    start: Node,
    goal: Node,
    successors: Callable[[Node], Iterable[Node]],
    heuristic: Callable[[Sequence[Node]], Iterable[float]],
    budget: int,
    keep: int | None = None,
) -> Search:
    """Expand the open node that looks nearest to the goal, until the goal is among the children.

    A node is opened once. The goal is recognised when it is generated, so a perfect heuristic
    expands as many nodes as the shortest path has moves. Of equal nodes the one opened first goes
    first. The length of the way so far does not count.

    Args:
        heuristic: how far each of these nodes looks from the goal; asked once a node.
        budget: most nodes to expand.
        keep: children opened at each node, the nearest-looking of those not seen before; None
            opens all. With 1 nothing is ever reconsidered: greedy descent that avoids its own
            track, "no search".
    """
    if start == goal:
        return Search(True, 0, [start])
    parent: dict[Node, Node | None] = {start: None}
    opened = count()
    queue: list[tuple[float, int, Node]] = [(0.0, next(opened), start)]
    expanded = 0
    while queue and expanded < budget:
        node = heapq.heappop(queue)[2]
        expanded += 1
        children = list(dict.fromkeys(c for c in successors(node) if c not in parent))
        if goal in children:
            path = [goal, node]
            while (before := parent[path[-1]]) is not None:
                path.append(before)
            return Search(True, expanded, path[::-1])
        if not children:
            continue
        ranked = sorted(
            (float(value), next(opened), child)
            for value, child in zip(heuristic(children), children, strict=True)
        )
        for entry in ranked[:keep]:
            parent[entry[2]] = node
            heapq.heappush(queue, entry)
    return Search(False, expanded, [])
