r"""A point maze walked in a gridworld's moves, recorded while somebody runs errands in it.

The offline comparison that several chapters share: continuous positions and few actions, data that
cover the maze without being good at any task, and learners that see place cells.
"""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PyTree

from goalward.envs.point_maze import PointMaze, PointMazeState
from goalward.evaluation.rollouts import rollouts
from goalward.protocol import Key
from goalward.tabular.grid import MOVES

ActionValues = Callable[[Array], Array]
"""From observations (rows, cells) to the values of all moves (rows, actions)."""


@dataclass(frozen=True)
class Errands:
    """Somebody who heads for one random place an episode, by a shortest path but for some moves.

    Attributes:
        maze: where; its layout's five moves are the actions.
        stray: share of moves that are random.
        sharpness: how fast a place cell's activity falls with the squared distance, in 1/cells^2.
    """

    maze: PointMaze
    stray: float = 0.3
    sharpness: float = 2.0

    @property
    def centres(self) -> Float[Array, "cells 2"]:
        """Where the free cells are."""
        return jnp.asarray(self.maze.grid.cells, jnp.float32)

    def observe(self, position: Float[Array, "*batch 2"]) -> Float[Array, "*batch cells"]:
        r"""Place cells: $e^{-\kappa\|x - c\|^2}$ for each free cell's centre $c$."""
        squared = jnp.sum((position[..., None, :] - self.centres) ** 2, axis=-1)
        return jnp.exp(-self.sharpness * squared)

    def head_for(
        self, position: Float[Array, "2"], goal: Float[Array, "2"], carry: PyTree, key: Key
    ) -> tuple[Float[Array, "2"], PyTree]:
        """A move towards the goal, or a random one; an agent as `rollouts` takes it."""
        grid = self.maze.grid
        toward = jnp.asarray(grid.distances[grid.next_state].argmin(axis=1))
        coin, other = jax.random.split(key)
        action = toward[self.maze.cell(position), self.maze.cell(goal)]
        stray = jax.random.randint(other, (), 0, len(MOVES))
        chosen = jnp.where(jax.random.uniform(coin) < self.stray, stray, action)
        return jnp.asarray(MOVES, jnp.float32)[chosen], carry

    def record(
        self, starts: PointMazeState, key: Key
    ) -> tuple[Float[Array, "episodes rows 2"], Int[Array, "episodes rows"]]:
        """Positions and moves of an episode from each start; the last row's move is not taken."""
        walk = rollouts(self.maze, self.head_for, starts, key, self.maze.horizon)
        moves = jnp.asarray(MOVES, jnp.float32)
        action = jnp.argmin(jnp.abs(walk.actions[..., None, :] - moves).sum(axis=-1), axis=-1)
        return walk.states.observation, jnp.pad(action, ((0, 0), (0, 1)))

    def greedy(self, action_values: ActionValues, key: Key) -> Float[Array, "cells rows 2"]:
        """Positions of the greedy policy's episodes, one from the centre of each free cell."""
        moves = jnp.asarray(MOVES, jnp.float32)

        def act(position: Array, goal: Array, carry: PyTree, key: Key) -> tuple[Array, PyTree]:
            return moves[action_values(self.observe(position)[None])[0].argmax()], carry

        starts = jax.vmap(self.maze.at)(self.centres, self.centres)
        walk = rollouts(self.maze, act, starts, key, self.maze.horizon)
        positions: Array = walk.states.observation
        return positions
