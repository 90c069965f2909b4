"""The sliding puzzle with eight tiles: all 181,440 boards that can be solved, as one table.

A board is a row of nine numbers, the tile on each square, 0 for the blank. In code a board is its
number in `boards()`; number 0 is the solved board.
"""

from functools import cache
from itertools import permutations

import numpy as np
from jaxtyping import Float, Int

SIDE = 3
SQUARES = SIDE * SIDE
NONE = -1
"""In `successors`: the blank cannot go that way."""


@cache
def boards() -> Int[np.ndarray, "boards 9"]:
    """All boards from which the tiles can be put in order, the solved one first."""
    every = np.array(list(permutations(range(SQUARES))), dtype=np.int8)
    return every[_solvable(every)]


@cache
def successors() -> Int[np.ndarray, "boards 4"]:
    """The board after the blank goes up, down, left or right; `NONE` at the rim."""
    every = boards()
    blank = (every == 0).argmax(1)
    order = np.argsort(_code(every))
    codes = _code(every)[order]
    result = np.full((len(every), 4), NONE, dtype=np.int32)
    for way, (down, right) in enumerate(((-1, 0), (1, 0), (0, -1), (0, 1))):
        row, column = blank // SIDE + down, blank % SIDE + right
        inside = np.flatnonzero((row >= 0) & (row < SIDE) & (column >= 0) & (column < SIDE))
        target = (row * SIDE + column)[inside]
        moved = every[inside].copy()
        moved[np.arange(len(inside)), blank[inside]] = moved[np.arange(len(inside)), target]
        moved[np.arange(len(inside)), target] = 0
        result[inside, way] = order[np.searchsorted(codes, _code(moved))]
    return result


@cache
def distances() -> Int[np.ndarray, " boards"]:
    """Moves on a shortest way between each board and the solved one, by breadth-first search."""
    ways = successors()
    result = np.full(len(ways), -1)
    wave, depth = np.array([0]), 0
    while len(wave):
        result[wave] = depth
        reached = np.unique(ways[wave])
        reached = reached[reached != NONE]
        wave, depth = reached[result[reached] < 0], depth + 1
    return result


def manhattan() -> Int[np.ndarray, " boards"]:
    """Rows plus columns that each tile is away from home, summed: never more than `distances`."""
    every = boards()
    square = np.arange(SQUARES)
    away = abs(every // SIDE - square // SIDE) + abs(every % SIDE - square % SIDE)
    # The tile's home is the square of its number: the solved board is 0, 1, ... 8.
    return np.where(every == 0, 0, away).sum(1)


def observe(numbers: Int[np.ndarray, "*batch"]) -> Float[np.ndarray, "*batch features"]:
    """Each square's tile as a one-hot code."""
    tiles = boards()[numbers]
    code = tiles[..., None] == np.arange(SQUARES)
    return code.reshape(*tiles.shape[:-1], SQUARES * SQUARES).astype(np.float32)


def scrambles(rng: np.random.Generator, n: int, steps: int) -> Int[np.ndarray, "n steps_and_1"]:
    """Random moves away from the solved board, never straight back, told in reverse."""
    ways = successors()
    result, before = [np.zeros(n, dtype=np.int32)], np.full(n, NONE)
    for _ in range(steps):
        options = ways[result[-1]]
        lot = np.where(
            (options == NONE) | (options == before[:, None]), -1, rng.uniform(size=(n, 4))
        )
        before = result[-1]
        result.append(options[np.arange(n), lot.argmax(1)])
    return np.stack(result[::-1], axis=1)


def _solvable(every: Int[np.ndarray, "boards 9"]) -> np.ndarray:
    """Whether the tiles, read without the blank, have an even number of inversions."""
    inversions = np.zeros(len(every), dtype=int)
    for left in range(SQUARES):
        for right in range(left + 1, SQUARES):
            inversions += (every[:, left] > every[:, right]) & (every[:, right] > 0)
    return inversions % 2 == 0


def _code(every: Int[np.ndarray, "boards 9"]) -> np.ndarray:
    return every.astype(np.int64) @ SQUARES ** np.arange(SQUARES)
