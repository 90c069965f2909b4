"""Gridworlds: a few square cells, four moves and staying put."""

from collections import deque
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int

ACTIONS = ("up", "down", "left", "right", "stay")
MOVES = np.array([(-1, 0), (1, 0), (0, -1), (0, 1), (0, 0)])
"""Change of (row, column) by each action; rows count from the top."""


@dataclass(frozen=True, eq=False)
class Grid:
    """A deterministic gridworld; bumping into a wall or the border means staying.

    Build one with `Grid.open` or `Grid.parse`. States are the free cells, numbered row by row.
    """

    free: Bool[np.ndarray, "height width"]

    def __post_init__(self) -> None:
        if self.free.ndim != 2 or not self.free.any():
            raise ValueError("a grid needs at least one free cell: put a '.' into the layout")

    @classmethod
    def open(cls, height: int, width: int) -> "Grid":
        """A rectangle without walls."""
        return cls(np.ones((height, width), dtype=bool))

    @classmethod
    def parse(cls, layout: str, scale: int = 1) -> "Grid":
        """Read a drawing: '#' is a wall, '.' is free; one line is one row.

        Args:
            scale: every cell of the drawing becomes a block of `scale` by `scale` cells.

        Raises:
            ValueError: another character, lines of unequal length, or `scale` below one.
        """
        rows = [line.strip() for line in layout.strip().splitlines()]
        if len({len(row) for row in rows}) > 1:
            raise ValueError("every line of a layout must have the same length: pad it with '#'")
        unknown = set("".join(rows)) - {"#", "."}
        if unknown:
            raise ValueError(f"a layout holds only '#' and '.', not {''.join(sorted(unknown))!r}")
        if scale < 1:
            raise ValueError(f"scale must be at least 1, not {scale}")
        free = np.array([[character == "." for character in row] for row in rows])
        return cls(np.kron(free, np.ones((scale, scale), dtype=bool)))

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width, walls included."""
        return self.free.shape[0], self.free.shape[1]

    @cached_property
    def cells(self) -> Int[np.ndarray, "states 2"]:
        """Row and column of each state."""
        return np.argwhere(self.free)

    @property
    def states(self) -> int:
        """How many free cells there are."""
        return len(self.cells)

    @cached_property
    def numbers(self) -> Int[np.ndarray, "height width"]:
        """The state in each cell, -1 at walls."""
        numbers = np.full(self.shape, -1)
        numbers[self.free] = np.arange(self.free.sum())
        return numbers

    def index(self, row: int | np.integer, col: int | np.integer) -> int:
        """The state at a cell.

        Raises:
            ValueError: the cell is a wall or outside the grid.
        """
        height, width = self.shape
        if not (0 <= row < height and 0 <= col < width and self.free[row, col]):
            raise ValueError(f"({row}, {col}) is not a free cell of this {height} by {width} grid")
        return int(self.numbers[row, col])

    @cached_property
    def next_state(self) -> Int[np.ndarray, "states actions"]:
        """Where each action leads."""
        walled = np.pad(self.numbers, 1, constant_values=-1)
        target = self.cells[:, None, :] + MOVES[None, :, :] + 1
        reached = walled[target[..., 0], target[..., 1]]
        return np.where(reached < 0, np.arange(self.states)[:, None], reached)

    @cached_property
    def P(self) -> Float[np.ndarray, "states actions states"]:
        """The same moves as a table of probabilities."""
        return np.eye(self.states)[self.next_state]

    @cached_property
    def distances(self) -> Float[np.ndarray, "states states"]:
        """Moves on a shortest path from row to column, by breadth-first search; inf if none."""
        distances = np.full((self.states, self.states), np.inf)
        for source in range(self.states):
            distances[source, source] = 0
            queue = deque([source])
            while queue:
                state = queue.popleft()
                for reached in self.next_state[state]:
                    if np.isinf(distances[source, reached]):
                        distances[source, reached] = distances[source, state] + 1
                        queue.append(reached)
        return distances

    def image(self, values: Float[np.ndarray, " states"]) -> Float[np.ndarray, "height width"]:
        """Put one value a state back into its cell; walls are nan."""
        picture = np.full(self.shape, np.nan)
        picture[self.free] = values
        return picture
