"""Errands against the grid's own distances, by hand and by counting."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from goalward.envs.point_maze import PointMaze
from goalward.evaluation.errands import Errands
from goalward.tabular.grid import MOVES, Grid

GRID = Grid.parse(
    """
    ...#.
    .#.#.
    .#...
    """
)
MAZE = PointMaze(GRID, speed=0.8, noise=0.0, horizon=30)


def starts(n: int) -> tuple[np.ndarray, np.ndarray]:
    return np.random.default_rng(0).integers(GRID.states, size=(2, n))


def begin(cells: np.ndarray, goals: np.ndarray) -> object:
    centres = jnp.asarray(GRID.cells, jnp.float32)
    return jax.vmap(MAZE.at)(centres[cells], centres[goals])


def test_place_cells_by_hand() -> None:
    seen = Errands(MAZE, sharpness=3.0).observe(jnp.array([0.5, 0.0]))
    by_hand = [np.exp(-3 * ((0.5 - row) ** 2 + col**2)) for row, col in GRID.cells]
    np.testing.assert_allclose(seen, by_hand, rtol=1e-5)


def test_without_stray_moves_each_step_is_on_a_shortest_path() -> None:
    errands = Errands(MAZE, stray=0.0)
    cells, goals = starts(60)
    for cell, goal in zip(cells, goals, strict=True):
        position, target = (jnp.asarray(GRID.cells[i], jnp.float32) for i in (cell, goal))
        move, _ = errands.head_for(position, target, (), jax.random.key(0))
        taken = int(np.argmin(np.abs(MOVES - np.asarray(move)).sum(axis=1)))
        before = GRID.distances[cell, goal]
        assert GRID.distances[GRID.next_state[cell, taken], goal] == max(before - 1, 0)


@pytest.mark.parametrize("stray", [0.0, 0.4])
def test_recorded_moves_are_those_that_were_made_and_stray_as_often_as_told(stray: float) -> None:
    errands = Errands(MAZE, stray=stray)
    cells, goals = starts(400)
    positions, actions = jax.jit(errands.record)(begin(cells, goals), jax.random.key(1))
    assert positions.shape == (400, 31, 2)
    assert actions.shape == (400, 31)
    # Replay: the maze is without noise, so a recorded move leads to the recorded position.
    velocity = jnp.asarray(MOVES, jnp.float32)[actions[:, :-1]]
    still = begin(cells, goals)
    for t in range(5):
        still = jax.vmap(MAZE.step)(still, velocity[:, t], jax.random.split(jax.random.key(0), 400))
        np.testing.assert_allclose(still.observation, positions[:, t + 1], atol=1e-6)
    first = np.asarray(actions[:, 0])
    toward = GRID.distances[GRID.next_state].argmin(axis=1)[cells, goals]
    # A stray move is the right one by chance one time in five; five standard errors.
    expected = 0.8 * stray
    assert abs((first != toward).mean() - expected) <= 5 * np.sqrt(0.25 / 400) * (stray > 0)


def test_greedy_takes_the_best_move_from_every_cell() -> None:
    goal = GRID.index(2, 4)
    values = -GRID.distances[GRID.next_state][:, :, goal]  # (cells, actions)

    def action_values(seen: jax.Array) -> jax.Array:
        return jnp.asarray(values)[seen.argmax(axis=-1)]

    visited = Errands(MAZE).greedy(action_values, jax.random.key(2))
    assert visited.shape == (GRID.states, 31, 2)
    np.testing.assert_array_equal(visited[:, 0], GRID.cells)
    np.testing.assert_array_equal(MAZE.cell(visited[:, -1]), goal)
    worst = Errands(MAZE).greedy(lambda seen: -action_values(seen), jax.random.key(2))
    assert (np.asarray(MAZE.cell(worst[:, -1])) != goal).all()
