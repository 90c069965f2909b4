"""Flat data sets: rows, ends and windows."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from goalward.data import sampling, trajectories


def ragged():
    """Three trajectories of 3, 1 and 2 transitions; a row's observation is its number."""
    terminals = np.array([0, 0, 0, 1, 0, 1, 0, 0, 1])
    return trajectories.from_flat(np.arange(9), np.arange(9), terminals)


def test_rows_of_unequal_trajectories():
    data = ragged()
    np.testing.assert_array_equal(data.left, [3, 2, 1, 0, 1, 0, 2, 1, 0])
    np.testing.assert_array_equal(data.row(jnp.arange(6)), [0, 1, 2, 4, 6, 7])
    assert data.size == 6


def test_equal_trajectories_are_the_same_by_arithmetic():
    observations = np.arange(5 * 4 * 2).reshape(5, 4, 2)
    actions = np.arange(20).reshape(5, 4)
    fast = trajectories.from_trajectories(observations, actions)
    terminals = np.tile([0, 0, 0, 1], 5)
    general = trajectories.from_flat(observations.reshape(20, 2), actions.reshape(20), terminals)
    assert fast.size == general.size == 15
    for name in ("observations", "actions", "terminals", "left"):
        np.testing.assert_array_equal(getattr(fast, name), getattr(general, name))
    every = jnp.arange(15)
    np.testing.assert_array_equal(fast.row(every), general.row(every))


def test_long_trajectories_count_down_without_overflow():
    data = trajectories.from_trajectories(np.zeros((1, 300)), np.zeros((1, 300)))
    np.testing.assert_array_equal(data.left, np.arange(300)[::-1])


def test_a_window_is_vmapped_without_copying_the_data():
    data = trajectories.from_trajectories(np.arange(20).reshape(5, 4), np.zeros((5, 4)))
    windows = data.window(jnp.array([0, 6]), jnp.array([6, 3]))
    axes = trajectories.window_axes(data)
    keys = jax.random.split(jax.random.key(0), 2)
    rows = jax.vmap(lambda d, k: sampling.uniform_anchors(d, k, 200), in_axes=(axes, 0))(
        windows, keys
    )
    assert set(rows[0].tolist()) == {0, 1, 2, 4, 5, 6}
    assert set(rows[1].tolist()) == {8, 9, 10}
    assert isinstance(hash(axes), int)


@pytest.mark.parametrize(
    ("observations", "terminals", "message"),
    [
        (np.zeros(3), np.zeros(3), "last row must end"),
        (np.zeros(2), np.ones(3), "same number of rows"),
        (np.zeros(3), np.ones(3), "no transition"),
    ],
)
def test_bad_flat_data_are_refused(observations, terminals, message):
    with pytest.raises(ValueError, match=message):
        trajectories.from_flat(observations, np.zeros(3), terminals)


def test_bad_trajectories_are_refused():
    with pytest.raises(ValueError, match="agree"):
        trajectories.from_trajectories(np.zeros((2, 3)), np.zeros((2, 4)))
    with pytest.raises(ValueError, match="two rows"):
        trajectories.from_trajectories(np.zeros((2, 1)), np.zeros((2, 1)))


def test_every_seed_gets_a_part_of_its_own():
    walk = np.broadcast_to(np.arange(6)[:, None], (6, 5))
    data = trajectories.from_trajectories(walk, walk)
    parts, axes = trajectories.split_by_seed(data, 3)
    drawn = jax.vmap(
        lambda part, key: part.observations[sampling.transitions(part, key, 200)[0]],
        in_axes=(axes, 0),
    )(parts, jax.random.split(jax.random.key(0), 3))
    for seed in range(3):
        assert set(np.asarray(drawn[seed]).tolist()) == {2 * seed, 2 * seed + 1}
