"""The mazes of OGBench as grids, and the walkers who record its data (Park et al. 2025).

One state a free cell, four moves, bumping means staying. The published maps and evaluation tasks;
the data sets are the benchmark's point-mass recipe with cells in place of metres.
"""

from functools import cached_property
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from goalward.tabular.grid import Grid

MOVES = 4
"""Up, down, left, right: `Grid`'s actions without staying put."""


class Maze:
    """One of the benchmark's maps, one state a free cell, with its five evaluation tasks.

    Entering a cell of `entries` puts you on one of `exits`, all equally likely.
    """

    def __init__(
        self,
        drawing: str,
        tasks: list[tuple[tuple[int, int], tuple[int, int]]],
        entries: list[tuple[int, int]] | None = None,
        exits: list[tuple[int, int]] | None = None,
    ) -> None:
        self.grid = Grid.parse("\n".join(drawing.split()))
        self.tasks = [(self.grid.index(*start), self.grid.index(*goal)) for start, goal in tasks]
        self.entries = [self.grid.index(*cell) for cell in entries or []]
        self.exits = [self.grid.index(*cell) for cell in exits or []]

    @cached_property
    def P(self) -> Float[np.ndarray, "states actions states"]:
        """Where each move leads."""
        P = self.grid.P[:, :MOVES].copy()
        for entry in self.entries:
            entered = P[:, :, entry].copy()
            P[:, :, entry] = 0.0
            P[:, :, self.exits] += entered[:, :, None] / len(self.exits)
        return P


def mazes() -> dict[str, Maze]:
    """The medium, large and teleport maps; giant is left out."""
    return {
        "medium": Maze(
            "######## #..##..# #..#...# ##...### #..#...# #.#..#.# #...#..# ########",
            [((1, 1), (6, 6)), ((6, 1), (1, 6)), ((5, 3), (4, 2)), ((6, 5), (6, 1)),
             ((2, 6), (1, 1))],
        ),
        "large": Maze(
            "############ #....#.....# #.##.#.#.#.# #......#...# #.####.###.# "
            "#..#.#.....# ##.#.#.#.### #..#...#...# ############",
            [((1, 1), (7, 10)), ((5, 4), (7, 1)), ((7, 4), (1, 10)), ((3, 8), (5, 4)),
             ((1, 1), (5, 4))],
        ),
        "teleport": Maze(
            "############ #.....#.#..# ##.#...#..## ##.###.....# #....#.#.#.# "
            "#.##.#.#.#.# #.##.#.#.#.# #....#...#.# ############",
            [((1, 10), (7, 1)), ((1, 1), (7, 10)), ((5, 6), (7, 10)), ((7, 1), (7, 10)),
             ((5, 6), (7, 1))],
            entries=[(4, 6), (5, 1)],
            exits=[(1, 7), (6, 1), (6, 10)],
        ),
    }  # fmt: skip


class Recording(NamedTuple):
    """Episodes end to end, in the benchmark's compact form; reward-free."""

    states: Int[np.ndarray, " rows"]
    actions: Int[np.ndarray, " rows"]
    """The last action of an episode means nothing."""
    terminals: Bool[np.ndarray, " rows"]
    """True at the last state of each episode."""


def collect(
    maze: Maze, kind: str, episodes: int, steps: int, rng: np.random.Generator, noise: float = 0.2
) -> Recording:
    """Let somebody who knows the map walk; each move is uniformly random with probability `noise`.

    "navigate": from anywhere to a random cell that is no straight corridor, then to the next, for
    `steps` steps. "stitch": to a cell exactly 4 moves away; the episode ends there, or after
    `steps`. The walker's map has no portals; where it knows no way, it moves at random.

    Raises:
        ValueError: `kind` is neither of the two.
    """
    if kind not in ("navigate", "stitch"):
        raise ValueError(f"kind is 'navigate' or 'stitch', not {kind!r}")
    grid = maze.grid
    moves, distances = grid.next_state[:, :MOVES], grid.distances
    toward = distances[moves].argmin(axis=1)
    open_sides = moves != np.arange(grid.states)[:, None]
    straight = (open_sides == [1, 1, 0, 0]).all(axis=1) | (open_sides == [0, 0, 1, 1]).all(axis=1)
    usual = open_sides.any(axis=1)
    arrival = maze.P.cumsum(axis=2)
    rows: list[tuple[int, int, bool]] = []

    def new_goal(s: int) -> int:
        suits = distances[s] == 4 if kind == "stitch" else usual & ~straight
        return int(rng.choice(np.flatnonzero(suits)))

    for _ in range(episodes):
        s = int(rng.choice(np.flatnonzero(usual)))
        goal = new_goal(s)
        for _ in range(steps):
            lost = np.isinf(distances[s, goal]) or rng.random() < noise
            a = int(rng.integers(MOVES)) if lost else int(toward[s, goal])
            rows.append((s, a, False))
            s = int((arrival[s, a] > rng.random()).argmax())
            if s == goal:
                if kind == "stitch":
                    break
                goal = new_goal(s)
        rows.append((s, 0, True))
    states, actions, terminals = map(np.array, zip(*rows, strict=True))
    return Recording(states, actions, terminals)
