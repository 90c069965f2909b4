"""Random rooms: small grids with walls at random, a fresh one in every episode, and walks in them.

Cells are numbered row by row over the whole grid, walls included, so that rooms of one size share
their numbers. A room has one connected floor.
"""

import numpy as np
from jaxtyping import Bool, Float, Int

from goalward.tabular.grid import MOVES, Grid

Floors = Bool[np.ndarray, "rooms height width"]

BLOCKED = -1
"""In `neighbours`: that way is a wall."""


def random_rooms(
    rng: np.random.Generator,
    n: int,
    shape: tuple[int, int] = (6, 6),
    p_wall: float = 0.3,
    least: float = 0.45,
) -> Floors:
    """Floors: each cell is a wall with chance `p_wall`; of the rest one connected part is kept.

    It is the part around a free cell drawn at random; a room is drawn anew unless its floor covers
    the share `least` of all cells.

    Raises:
        ValueError: no room can cover that share.
    """
    if not 0 <= least < 1 - p_wall:
        raise ValueError(f"least must be below 1 - p_wall = {1 - p_wall:g}, not {least}")
    kept: list[np.ndarray] = []
    while sum(map(len, kept)) < n:
        free = rng.uniform(size=(2 * n + 10, *shape)) >= p_wall
        # A free cell at random: the largest of random numbers, walls left out.
        lot = np.where(free, rng.uniform(size=free.shape), -1).reshape(len(free), -1)
        floor = (np.arange(lot.shape[1]) == lot.argmax(1)[:, None]).reshape(free.shape) & free
        while True:
            grown = floor.copy()
            grown[:, 1:] |= floor[:, :-1]
            grown[:, :-1] |= floor[:, 1:]
            grown[:, :, 1:] |= floor[:, :, :-1]
            grown[:, :, :-1] |= floor[:, :, 1:]
            grown &= free
            if np.array_equal(grown, floor):
                break
            floor = grown
        kept.append(floor[floor.mean((1, 2)) >= least])
    return np.concatenate(kept)[:n]


def neighbours(floors: Floors) -> Int[np.ndarray, "rooms cells 4"]:
    """The cell above, below, to the left and to the right of each cell; `BLOCKED` at walls."""
    height, width = floors.shape[1:]
    number = np.where(floors, np.arange(height * width).reshape(height, width), BLOCKED)
    walled = np.pad(number, ((0, 0), (1, 1), (1, 1)), constant_values=BLOCKED)
    ways = [
        walled[:, 1 + down : 1 + down + height, 1 + right : 1 + right + width]
        for down, right in MOVES[:4]
    ]
    return np.stack(ways, axis=-1).reshape(len(floors), height * width, 4)


def walks(
    rng: np.random.Generator, floors: Floors, steps: int
) -> Int[np.ndarray, "rooms steps_and_1"]:
    """One walk a room, from a random cell: any open way but back, unless that is the only one."""
    open_ways = neighbours(floors)
    rooms = np.arange(len(floors))
    lot = np.where(floors, rng.uniform(size=floors.shape), -1).reshape(len(floors), -1)
    cells = [lot.argmax(1)]
    before = np.full(len(floors), BLOCKED)
    for _ in range(steps):
        ways = open_ways[rooms, cells[-1]]
        lot = np.where(ways == BLOCKED, -2.0, rng.uniform(size=ways.shape))
        lot = np.where((ways == before[:, None]) & (ways != BLOCKED), -1.0, lot)
        before = cells[-1]
        cells.append(ways[rooms, lot.argmax(1)])
    return np.stack(cells, axis=1)


def observe(
    floors: Floors, cells: Int[np.ndarray, "rooms *times"]
) -> Float[np.ndarray, "rooms *times features"]:
    """What an agent sees from each cell: its room's walls, then its place as a one-hot code."""
    walls = ~floors.reshape(len(floors), -1)
    seen = np.broadcast_to(
        walls.reshape(len(floors), *(1,) * (cells.ndim - 1), -1), (*cells.shape, walls.shape[1])
    )
    place = cells[..., None] == np.arange(walls.shape[1])
    return np.concatenate([seen, place], axis=-1).astype(np.float32)


def every_place(floor: Bool[np.ndarray, "height width"]) -> Float[np.ndarray, "states features"]:
    """What is seen from each state of `Grid(floor)`, in the order of its states."""
    cells = np.flatnonzero(floor)[None]
    return observe(floor[None], cells)[0]


def same_room(a: Floors, b: Bool[np.ndarray, "others height width"]) -> Bool[np.ndarray, " rooms"]:
    """For each room of `a`, whether `b` has one with the same walls."""
    known = {floor.tobytes() for floor in b}
    return np.array([floor.tobytes() in known for floor in a])


def grids(floors: Floors) -> list[Grid]:
    """Each room as a gridworld, with its distances."""
    return [Grid(floor) for floor in floors]
