"""Hindsight goals come from the transition's own future; random goals do not."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from goalward.data import trajectories
from goalward.data.goals import (
    goal_futures,
    goal_transitions,
    hindsight_transitions,
    mix_goals,
)

N, T, GAMMA = 7, 9, 0.8
TIME = np.broadcast_to(np.arange(T + 1), (N, T + 1))
WALK = np.broadcast_to(np.arange(N)[:, None], (N, T + 1))
DATA = trajectories.from_trajectories(
    np.stack([WALK, TIME, 10 * WALK + TIME], axis=-1).astype(np.float32), 100 * WALK + TIME
)


def check_next_states_from_anywhere(*drawn):
    """Each column of (walk, time) is uniform over next states, and independent of the others."""
    rows = [np.asarray(x)[:, :2].astype(int) for x in drawn]
    draws = len(rows[0])
    for walk, time in (row.T for row in rows):
        assert (time.min(), time.max()) == (1, T)  # the last state is drawn, the first never
        for which, kinds in ((walk, N), (time - 1, T)):
            share = np.bincount(which, minlength=kinds) / draws
            np.testing.assert_allclose(share, 1 / kinds, atol=5 * 0.5 / np.sqrt(draws))
    for i, first in enumerate(rows):
        for second in rows[:i]:
            for column, kinds in ((0, N), (1, T)):
                same = (first[:, column] == second[:, column]).mean()
                assert same == pytest.approx(1 / kinds, abs=5 * 0.5 / np.sqrt(draws))


def test_transitions_come_with_two_unrelated_next_states():
    batch = goal_transitions(DATA, jax.random.key(1), 4000)
    walk, time = np.asarray(batch.state).astype(int)[:, :2].T
    assert (time.min(), time.max()) == (0, T - 1)
    np.testing.assert_array_equal(batch.action, 100 * walk + time)
    np.testing.assert_array_equal(batch.next_state[:, 1], time + 1)
    np.testing.assert_array_equal(batch.next_state[:, 0], walk)
    np.testing.assert_array_equal(batch.next_action, 100 * walk + time + 1)
    check_next_states_from_anywhere(batch.next_state, batch.goal, batch.random)
    for part, whole in zip(batch.anchor, (batch.state, batch.action, batch.goal), strict=True):
        np.testing.assert_array_equal(part, whole)
    np.testing.assert_array_equal(batch.candidate, batch.random)


@pytest.mark.parametrize("tail", ["renormalise", "clip"])
def test_futures_come_with_unrelated_goals(tail):
    batch = goal_futures(DATA, jax.random.key(2), 4000, GAMMA, tail)
    walk, time = np.asarray(batch.state).astype(int)[:, :2].T
    np.testing.assert_array_equal(batch.action, 100 * walk + time)
    np.testing.assert_array_equal(batch.future[:, 0], walk)
    offset = np.asarray(batch.future)[:, 1].astype(int) - time
    assert offset.min() == 1
    left = T - 6
    chance = (1 - GAMMA) * GAMMA ** np.arange(left)
    if tail == "clip":
        chance[-1] = GAMMA ** (left - 1)
    here = offset[time == 6]
    frequency = np.bincount(here, minlength=left + 1)[1:] / len(here)
    np.testing.assert_allclose(frequency, chance / chance.sum(), atol=5 * 0.5 / np.sqrt(len(here)))
    check_next_states_from_anywhere(batch.goal)
    for whom in (batch.state, batch.future):
        for column, kinds in ((0, N), (1, T)):
            same = (np.asarray(batch.goal)[:, column] == np.asarray(whom)[:, column]).mean()
            assert same == pytest.approx(1 / kinds, abs=0.05)
    for part, whole in zip(batch.anchor, (batch.state, batch.action, batch.goal), strict=True):
        np.testing.assert_array_equal(part, whole)
    np.testing.assert_array_equal(batch.candidate, batch.future)


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
