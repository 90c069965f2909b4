"""Pictures of the point maze: the spot is where the point is, walls are where walls are."""

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from goalward.envs.pixel_maze import WALL, PixelMaze
from goalward.envs.point_maze import PointMaze
from goalward.evaluation.rollouts import rollouts
from goalward.tabular.grid import Grid

ENV = PixelMaze(PointMaze(Grid.parse("....\n.##.\n....\n....")), size=16, radius=0.5)


@given(st.integers(0, 10_000))
def test_the_brightest_pixel_holds_the_point(seed):
    position = ENV.maze.free_position(jax.random.key(seed))
    picture = np.asarray(ENV.render(position))[..., 0].astype(float)
    row, col = np.unravel_index(picture.argmax(), picture.shape)
    middle = (np.array([row, col]) + 0.5) * 4 / 16 - 0.5
    assert np.abs(middle - np.asarray(position)).max() <= 0.5 * 4 / 16 + 1e-5


def test_walls_and_the_spot_by_hand():
    picture = np.asarray(ENV.render(jnp.array([3.0, 0.0])))[..., 0]
    assert picture.dtype == np.uint8
    np.testing.assert_array_equal(picture[4:8, 4:12], round(255 * WALL))
    for row, col in [(12, 0), (13, 2), (9, 5)]:
        y, x = ((np.array([row, col]) + 0.5) / 4 - 0.5) - [3.0, 0.0]
        assert abs(picture[row, col] - 255 * np.exp(-0.5 * (y**2 + x**2) / 0.25)) <= 1


def test_it_moves_as_the_maze_does():
    def right(observation, goal, carry, key):
        return jnp.array([0.0, 1.0]), carry

    start, goal = jnp.array([[0.0, 0.0]]), jnp.array([[0.0, 3.0]])
    seen = rollouts(ENV, right, jax.vmap(ENV.at)(start, goal), jax.random.key(0), 12)
    plain = rollouts(ENV.maze, right, jax.vmap(ENV.maze.at)(start, goal), jax.random.key(0), 12)
    np.testing.assert_array_equal(seen.states.position.observation, plain.states.observation)
    np.testing.assert_array_equal(seen.success, plain.success)
    np.testing.assert_array_equal(
        seen.states.observation[0, 5], ENV.render(plain.states.observation[0, 5])
    )
    for field in ("reward", "terminated", "truncated"):
        np.testing.assert_array_equal(getattr(seen.states, field), getattr(plain.states, field))
    fresh = ENV.reset(jax.random.key(1))
    np.testing.assert_array_equal(fresh.goal, ENV.render(fresh.position.goal))
