"""Hindsight goals come from the transition's own future; random goals do not."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from goalward.data import trajectories
from goalward.data.goals import hindsight_transitions, mix_goals

N, T, GAMMA = 7, 9, 0.8
TIME = np.broadcast_to(np.arange(T + 1), (N, T + 1))
WALK = np.broadcast_to(np.arange(N)[:, None], (N, T + 1))
DATA = trajectories.from_trajectories(
    np.stack([WALK, TIME, 10 * WALK + TIME], axis=-1).astype(np.float32), 100 * WALK + TIME
)


def test_a_row_is_one_transition_and_its_own_future():
    batch = hindsight_transitions(DATA, jax.random.key(0), 4000, GAMMA)
    (walk, time, _), following, future = (
        np.asarray(x).T for x in (batch.state, batch.next_state, batch.goal)
    )
    np.testing.assert_array_equal(batch.action, 100 * walk + time)
    np.testing.assert_array_equal(following[:2], [walk, time + 1])
    np.testing.assert_array_equal(batch.next_goal, batch.next_state)
    np.testing.assert_array_equal(future[0], walk)
    offset = future[1] - time
    assert offset.min() == 1
    assert (future[1] <= T).all()
    for start in (0, 5):
        here = offset[time == start].astype(int)
        chance = GAMMA ** np.arange(T - start)
        expected = chance / chance.sum()
        frequency = np.bincount(here, minlength=T - start + 1)[1:] / len(here)
        np.testing.assert_allclose(frequency, expected, atol=5 * 0.5 / np.sqrt(len(here)))


def test_a_goal_may_be_a_part_of_an_observation():
    batch = hindsight_transitions(DATA, jax.random.key(0), 50, GAMMA, goal_entries=(2, 0))
    whole = hindsight_transitions(DATA, jax.random.key(0), 50, GAMMA)
    np.testing.assert_array_equal(batch.goal, whole.goal[:, [2, 0]])
    np.testing.assert_array_equal(batch.next_goal, whole.next_state[:, [2, 0]])
    np.testing.assert_array_equal(batch.next_state, whole.next_state)


@pytest.mark.parametrize(("share", "moved"), [(0.0, 0), (0.5, 3), (1.0, 6)])
def test_random_goals_are_the_neighbours(share, moved):
    mixed = mix_goals(jnp.arange(6), share)
    expected = [(i - 1) % 6 if i < moved else i for i in range(6)]
    np.testing.assert_array_equal(mixed, expected)
