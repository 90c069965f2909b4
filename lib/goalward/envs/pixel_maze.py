"""A point maze seen from above: observation and goal are small grey images, drawn inside jit."""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import Array, Bool, Float, UInt8

from goalward.envs.point_maze import PointMaze, PointMazeState
from goalward.protocol import Key

Image = UInt8[Array, "*batch size size 1"]
WALL = 0.35
"""Brightness of a wall; the point is 1, the floor 0."""


@struct.dataclass
class PixelMazeState:
    """A point maze's state, of which an agent sees two pictures."""

    position: PointMazeState
    """The state behind the pictures: where the point is, and where its goal."""
    observation: Image
    goal: Image

    @property
    def reward(self) -> Float[Array, "*batch"]:
        """As in the point maze."""
        return self.position.reward

    @property
    def success(self) -> Bool[Array, "*batch"]:
        """As in the point maze: judged by positions, not by pixels."""
        return self.position.success

    @property
    def terminated(self) -> Bool[Array, "*batch"]:
        """As in the point maze."""
        return self.position.terminated

    @property
    def truncated(self) -> Bool[Array, "*batch"]:
        """As in the point maze."""
        return self.position.truncated


@dataclass(frozen=True)
class PixelMaze:
    """A point maze whose observations and goals are square images with values from 0 to 255.

    Attributes:
        maze: the maze that is drawn.
        size: pixels along each side.
        radius: deviation of the Gaussian spot that stands for the point, in cells.
    """

    maze: PointMaze
    size: int = 16
    radius: float = 0.5

    def render(self, position: Float[Array, "*batch 2"]) -> Image:
        """The picture of the point at a position; the grid's border touches the image's."""
        height, width = self.maze.grid.shape
        row, col = ((np.arange(self.size) + 0.5) * n / self.size - 0.5 for n in (height, width))
        down = (row - position[..., 0, None]) / self.radius
        across = (col - position[..., 1, None]) / self.radius
        spot = jnp.exp(-0.5 * (down[..., :, None] ** 2 + across[..., None, :] ** 2))
        cells = np.ix_(*(np.floor(centre + 0.5).astype(int) for centre in (row, col)))
        walls = ~self.maze.grid.free[cells]
        picture = jnp.maximum(spot, WALL * jnp.asarray(walls))
        return jnp.round(255 * picture).astype(jnp.uint8)[..., None]

    def reset(self, key: Key) -> PixelMazeState:
        """Start and goal as in the point maze."""
        return self.drawn(self.maze.reset(key))

    def at(self, position: Float[Array, "2"], goal: Float[Array, "2"]) -> PixelMazeState:
        """A fresh episode from a given position to a given goal."""
        return self.drawn(self.maze.at(position, goal))

    def step(self, state: PixelMazeState, action: Float[Array, "2"], key: Key) -> PixelMazeState:
        """As in the point maze."""
        return self.drawn(self.maze.step(state.position, action, key))

    def drawn(self, state: PointMazeState) -> PixelMazeState:
        """The pictures of a point maze's state."""
        return PixelMazeState(state, self.render(state.observation), self.render(state.goal))
