"""A point in a maze: continuous positions, a velocity as the action, walls that stop it.

Positions count in cells, (row, column), and the centre of cell (i, j) is at (i, j): the same
coordinates as `Grid.cells` and as a picture of the maze. The layout is a gridworld's, so its
shortest paths are this maze's distances, up to rounding corners.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import Array, Bool, Float, Int

from goalward.protocol import Key
from goalward.tabular.grid import Grid

MARGIN = 1e-3
"""How far from a wall's face the point stops, in cells, so that rounding never puts it inside."""


@struct.dataclass
class PointMazeState:
    """Where the point is, where it should go, and how that went.

    Attributes:
        observation: Position, (row, column) in cells.
        goal: Position to reach.
        reward: 1 on the step that reaches the goal and while there, else 0.
        success: Whether the point is within the maze's `reach` of the goal.
        terminated: Never true: the episode goes on at the goal.
        truncated: Whether the episode's steps are used up.
        time: Steps taken.
    """

    observation: Float[Array, "*batch 2"]
    goal: Float[Array, "*batch 2"]
    reward: Float[Array, "*batch"]
    success: Bool[Array, "*batch"]
    terminated: Bool[Array, "*batch"]
    truncated: Bool[Array, "*batch"]
    time: Int[Array, "*batch"]


@dataclass(frozen=True)
class PointMaze:
    """A point mass whose velocity is set directly; it slides along walls.

    Attributes:
        grid: The layout; what lies outside it is wall.
        speed: Cells a step along each axis at action 1, above 0 and below 1.
        noise: Standard deviation of the Gaussian noise on the velocity, in cells a step.
        reach: The goal counts as reached within this Euclidean distance, in cells.
        horizon: Steps until an episode is truncated.
        start_cell: The free cell in which every episode begins; any of them if None.

    Raises:
        ValueError: If the speed is outside (0, 1), the noise negative, or the cell not there.
    """

    grid: Grid
    speed: float = 0.3
    noise: float = 0.0
    reach: float = 0.5
    horizon: int = 200
    start_cell: int | None = None

    observation_size = 2
    action_size = 2
    goal_entries = (0, 1)

    def __post_init__(self) -> None:
        if not 0 < self.speed < 1:
            raise ValueError(f"speed must lie between 0 and 1 cell a step, not {self.speed}")
        if self.noise < 0:
            raise ValueError(f"noise is a standard deviation: at least 0, not {self.noise}")
        cells = len(self.grid.cells)
        if self.start_cell is not None and not 0 <= self.start_cell < cells:
            raise ValueError(f"start_cell is one of 0 to {cells - 1}, not {self.start_cell}")

    def reset(self, key: Key) -> PointMazeState:
        """Start and goal uniform over the free space (the start cell), independently."""
        key_start, key_goal = jax.random.split(key)
        return self.at(self.free_position(key_start, self.start_cell), self.free_position(key_goal))

    def at(self, position: Float[Array, "2"], goal: Float[Array, "2"]) -> PointMazeState:
        """A fresh episode from a given position to a given goal."""
        return self._state(position, goal, jnp.zeros((), jnp.int32))

    def free_position(self, key: Key, cell: int | None = None) -> Float[Array, "2"]:
        """A uniform position in the free space, or in one of its cells."""
        key_cell, key_offset = jax.random.split(key)
        cells = jnp.asarray(self.grid.cells, jnp.float32)
        number = jax.random.randint(key_cell, (), 0, len(cells)) if cell is None else cell
        centre = cells[number]
        half = 0.5 - MARGIN
        return centre + jax.random.uniform(key_offset, (2,), minval=-half, maxval=half)

    def step(self, state: PointMazeState, action: Float[Array, "2"], key: Key) -> PointMazeState:
        """Move by the action's velocity, clipped to [-1, 1] an axis, plus noise, up to the walls.

        Rows move first, then columns: a move into a wall stops at its face along that axis only.
        """
        velocity = self.speed * jnp.clip(action, -1, 1)
        velocity = velocity + self.noise * jax.random.normal(key, (2,))
        velocity = jnp.clip(velocity, -1 + MARGIN, 1 - MARGIN)
        position = self._slide(state.observation, velocity, axis=0)
        position = self._slide(position, velocity, axis=1)
        return self._state(position, state.goal, state.time + 1)

    def follow(
        self, start: Float[Array, "2"], actions: Float[Array, "steps 2"], key: Key
    ) -> Float[Array, "steps 2"]:
        """The positions in which given actions are taken; the last of them leads nowhere."""

        def step(state: PointMazeState, moment: tuple[Array, Key]) -> tuple[PointMazeState, Array]:
            return self.step(state, *moment), state.observation

        keys = jax.random.split(key, len(actions))
        return jax.lax.scan(step, self.at(start, start), (actions, keys))[1]

    def cell(self, position: Float[Array, "*batch 2"]) -> Int[Array, "*batch"]:
        """The number of the free cell (a state of `grid`) that a position lies in; -1 in a wall."""
        return self._number(_round(position))

    def _number(self, cell: Array) -> Array:
        walled = jnp.asarray(np.pad(self.grid.numbers, 1, constant_values=-1))
        row, col = jnp.moveaxis(cell + 1, -1, 0)
        return walled[row, col]

    def _slide(self, position: Array, velocity: Array, axis: int) -> Array:
        cell = _round(position)
        ahead = cell.at[axis].add(jnp.sign(velocity[axis]).astype(int))
        target = position[axis] + velocity[axis]
        face = cell[axis] + jnp.sign(velocity[axis]) * (0.5 - MARGIN)
        stopped = jnp.where(
            velocity[axis] > 0, jnp.minimum(target, face), jnp.maximum(target, face)
        )
        return position.at[axis].set(jnp.where(self._number(ahead) < 0, stopped, target))

    def _state(self, position: Array, goal: Array, time: Array) -> PointMazeState:
        success = jnp.linalg.norm(position - goal) <= self.reach
        return PointMazeState(
            observation=position,
            goal=goal,
            reward=success.astype(jnp.float32),
            success=success,
            terminated=jnp.zeros((), bool),
            truncated=time >= self.horizon,
            time=time,
        )


def _round(position: Array) -> Array:
    return jnp.floor(position + 0.5).astype(int)
