"""The maze's physics: walls hold, free motion is the action's, nothing depends on the batch."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from goalward.envs.point_maze import PointMaze
from goalward.tabular.grid import Grid

LAYOUT = """
#######
#.....#
#.###.#
#.#...#
#.#.###
#.....#
#######
"""
GRID = Grid.parse(LAYOUT)
OPEN = Grid.open(9, 9)
WALK = jax.jit(
    lambda env, start, actions, key: jax.lax.scan(
        lambda state, x: (env.step(state, *x),) * 2,
        env.at(start, start),
        (actions, jax.random.split(key, len(actions))),
    )[1],
    static_argnums=0,
)
WILD = PointMaze(GRID, speed=0.95, noise=0.4)


def walled(grid, position):
    row, col = np.floor(np.asarray(position, float) + 0.5).astype(int)
    height, width = grid.shape
    return not (0 <= row < height and 0 <= col < width and grid.free[row, col])


@given(st.integers(0, 10_000))
def test_never_inside_a_wall_however_wild_the_motion(seed):
    key_start, key_action, key = jax.random.split(jax.random.key(seed), 3)
    actions = jax.random.uniform(key_action, (60, 2), minval=-3, maxval=3)
    path = WALK(WILD, WILD.free_position(key_start), actions, key).observation
    assert not any(walled(GRID, position) for position in np.asarray(path))


@given(st.integers(0, 10_000))
def test_never_through_a_wall(seed):
    """Each step ends in the same cell, or in one that shares a free side or corner with it."""
    key_start, key_action, key = jax.random.split(jax.random.key(seed), 3)
    actions = jax.random.uniform(key_action, (60, 2), minval=-1, maxval=1)
    states = WALK(WILD, WILD.free_position(key_start), actions, key)
    cells = np.asarray(WILD.cell(states.observation))
    assert (GRID.distances[cells[:-1], cells[1:]] <= 2).all()


def test_free_motion_is_the_clipped_action_times_the_speed():
    env = PointMaze(OPEN, speed=0.25)
    state = env.at(jnp.array([4.0, 4.0]), jnp.array([0.0, 0.0]))
    after = env.step(state, jnp.array([0.4, -7.0]), jax.random.key(0))
    np.testing.assert_allclose(after.observation, [4.1, 3.75], atol=1e-6)
    assert int(after.time) == 1


def test_a_wall_stops_the_motion_into_it_and_lets_the_rest_slide():
    env = PointMaze(GRID, speed=0.5)
    state = env.at(jnp.array([1.0, 2.0]), jnp.array([5.0, 5.0]))
    for _ in range(3):  # down into the wall below, right along the corridor
        state = env.step(state, jnp.array([1.0, 0.4]), jax.random.key(0))
    np.testing.assert_allclose(state.observation, [1.5, 2.6], atol=2e-3)


def test_at_a_corner_rows_move_first():
    env = PointMaze(GRID, speed=0.3)
    state = env.at(jnp.array([1.3, 1.3]), jnp.array([5.0, 5.0]))
    state = env.step(state, jnp.array([1.0, 1.0]), jax.random.key(0))
    # Down into the free cell below, whose neighbour to the right is a wall.
    np.testing.assert_allclose(state.observation, [1.6, 1.5], atol=2e-3)


def test_noise_has_its_standard_deviation_and_no_drift():
    env = PointMaze(OPEN, speed=0.3, noise=0.05)
    state = env.at(jnp.array([4.0, 4.0]), jnp.array([0.0, 0.0]))
    keys = jax.random.split(jax.random.key(0), 20_000)
    after = jax.vmap(lambda key: env.step(state, jnp.zeros(2), key).observation)(keys)
    np.testing.assert_allclose(after.mean(0), [4, 4], atol=2e-3)
    np.testing.assert_allclose(after.std(0), 0.05, rtol=0.03)


def test_success_reward_and_truncation():
    env = PointMaze(OPEN, speed=0.5, reach=0.5, horizon=2)
    state = env.at(jnp.array([4.0, 4.0]), jnp.array([4.0, 5.4]))
    assert not state.success
    state = env.step(state, jnp.array([0.0, 1.0]), jax.random.key(0))
    assert not state.success
    assert not state.truncated
    state = env.step(state, jnp.array([0.0, 1.0]), jax.random.key(0))
    assert state.success
    assert state.reward == 1
    assert state.truncated
    assert not state.terminated


@pytest.mark.parametrize(
    ("goal", "reached"), [((4.0, 4.5), True), ((4.0, 4.51), False), ((4.4, 4.4), False)]
)
def test_success_is_within_the_euclidean_reach_its_rim_included(goal, reached):
    assert bool(PointMaze(OPEN, reach=0.5).at(jnp.array([4.0, 4.0]), jnp.array(goal)).success) is (
        reached
    )


def test_resets_cover_the_free_space_uniformly():
    env = PointMaze(GRID)
    states = jax.vmap(env.reset)(jax.random.split(jax.random.key(0), 20_000))
    for position in (states.observation, states.goal):
        counts = np.bincount(np.asarray(env.cell(position)), minlength=GRID.states)
        assert len(counts) == GRID.states
        np.testing.assert_allclose(counts / counts.sum(), 1 / GRID.states, rtol=0.2)
    same = np.mean(np.asarray(env.cell(states.observation) == env.cell(states.goal)))
    assert same == pytest.approx(1 / GRID.states, rel=0.2)  # start and goal are independent


def test_every_start_lies_in_the_start_cell_and_goals_anywhere():
    env = PointMaze(GRID, start_cell=5)
    states = jax.vmap(env.reset)(jax.random.split(jax.random.key(0), 1_000))
    away = np.asarray(states.observation) - GRID.cells[5]
    np.testing.assert_allclose(away.min(axis=0), -0.5, atol=0.02)
    np.testing.assert_allclose(away.max(axis=0), 0.5, atol=0.02)
    assert set(np.asarray(env.cell(states.goal)).tolist()) == set(range(GRID.states))


def test_cell_numbers_are_the_grids_and_walls_are_minus_one():
    env = PointMaze(GRID)
    np.testing.assert_array_equal(env.cell(jnp.asarray(GRID.cells) + 0.4), np.arange(GRID.states))
    assert int(env.cell(jnp.array([0.0, 0.0]))) == -1
    assert int(env.cell(jnp.array([-1.0, 3.0]))) == -1


def test_vmap_is_the_loop():
    env = PointMaze(GRID, noise=0.1)
    states = jax.vmap(env.reset)(jax.random.split(jax.random.key(0), 5))
    actions = jax.random.uniform(jax.random.key(1), (5, 2), minval=-1, maxval=1)
    keys = jax.random.split(jax.random.key(2), 5)
    together = jax.vmap(env.step)(states, actions, keys)
    for i in range(5):
        alone = env.step(jax.tree.map(lambda x, i=i: x[i], states), actions[i], keys[i])
        np.testing.assert_allclose(together.observation[i], alone.observation, atol=1e-6)


@pytest.mark.parametrize("settings", [{"speed": 0.0}, {"speed": 1.0}, {"noise": -0.1}])
def test_impossible_settings_are_refused(settings):
    with pytest.raises(ValueError, match=r"speed must|noise is"):
        PointMaze(GRID, **settings)


def test_following_actions_is_stepping_one_by_one():
    actions = jax.random.uniform(jax.random.key(0), (9, 2), minval=-1, maxval=1)
    key, start = jax.random.key(1), WILD.free_position(jax.random.key(2))
    path = jax.jit(WILD.follow)(start, actions, key)
    np.testing.assert_array_equal(path[0], start)
    states = WALK(WILD, start, actions, key)
    np.testing.assert_allclose(path[1:], states.observation[:-1], atol=1e-6)
