"""Rewarded batches: rewards belong to the state that is reached."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from goalward.data import trajectories
from goalward.data.rewards import reward_transitions, rewarded_futures

drawn = jax.jit(rewarded_futures, static_argnums=(3, 5, 6))


@pytest.fixture(scope="module")
def data():
    """Trajectories in which each row has its own number; the reward is a hundred times that."""
    rows = np.arange(30).reshape(3, 10)
    dataset = trajectories.from_trajectories(
        np.stack([rows, -rows], axis=-1).astype(np.float32), rows
    )
    return dataset, jnp.arange(30) * 100.0


def test_a_transition_earns_what_arriving_earns(data):
    batch = reward_transitions(*data, jax.random.key(0), 64)
    now, then = batch.state[:, 0], batch.next_state[:, 0]
    np.testing.assert_array_equal(then, now + 1)
    assert (now // 10 == then // 10).all()
    np.testing.assert_array_equal(batch.reward, 100 * then)
    np.testing.assert_array_equal(batch.action, now)
    np.testing.assert_array_equal(batch.next_action, then)


def test_candidates_carry_their_reward_and_belong_to_other_anchors(data):
    batch = drawn(*data, jax.random.key(0), 2000, 0.8, "renormalise", (1,))
    assert batch.candidate.shape == batch.goal.shape == (2000, 1)
    np.testing.assert_array_equal(batch.reward, -100 * batch.candidate[:, 0])
    now, goal = batch.state[:, 0], -batch.goal[:, 0]
    assert ((goal > now) & (goal // 10 == now // 10)).all()
    together = (-batch.candidate[:, 0] // 10 == now // 10).mean()
    assert abs(together - 1 / 3) < 0.05  # independent of the anchor's trajectory
    # both are draws from the same distribution
    mean, spread = goal.mean(), goal.std()
    assert abs(-batch.candidate[:, 0].mean() - mean) < 5 * spread * np.sqrt(2 / 2000)


@pytest.mark.parametrize(("tail", "gamma"), [("renormalise", 0.9), ("clip", 0.9), ("clip", 0.3)])
def test_candidates_are_futures_with_the_same_discount_and_tail(data, tail, gamma):
    batch = drawn(*data, jax.random.key(1), 20_000, gamma, tail)
    step = np.asarray(batch.candidate[:, 0], int) % 10
    expected = np.zeros(10)  # where in its trajectory a candidate lies
    for anchor in range(9):
        left = 9 - anchor
        weights = gamma ** np.arange(left) * (1 - gamma)
        if tail == "renormalise":
            weights /= weights.sum()
        else:
            weights[-1] += 1 - weights.sum()
        expected[anchor + 1 :] += weights / 9
    counted = np.bincount(step, minlength=10) / 20_000
    np.testing.assert_allclose(counted, expected, atol=5 * np.sqrt(0.25 / 20_000))
    anchors = np.asarray(batch.goal[:, 0], int) % 10
    np.testing.assert_allclose(
        np.bincount(anchors, minlength=10) / 20_000, expected, atol=5 * np.sqrt(0.25 / 20_000)
    )


def test_candidates_are_drawn_independently_of_their_anchors(data):
    batch = drawn(*data, jax.random.key(2), 20_000, 0.8)
    now, candidate = batch.state[:, 0], batch.candidate[:, 0]
    assert (candidate[now == now[0]] // 10 != now[0] // 10).any()
    assert abs(np.corrcoef(now, candidate)[0, 1]) < 5 / np.sqrt(20_000)
    assert abs(np.corrcoef(batch.goal[:, 0], candidate)[0, 1]) < 5 / np.sqrt(20_000)
    assert (batch.candidate == batch.goal).all(axis=1).mean() < 0.2


def test_whole_observations_are_goals_unless_entries_are_named(data):
    batch = drawn(*data, jax.random.key(3), 2000, 0.8)
    np.testing.assert_array_equal(batch.candidate[:, 1], -batch.candidate[:, 0])
    named = drawn(*data, jax.random.key(3), 2000, 0.8, "renormalise", (1,))
    np.testing.assert_array_equal(named.candidate[:, 0], batch.candidate[:, 1])


def test_rewards_of_a_window_stay_with_their_rows(data):
    dataset, rewards = data
    window = dataset.window(18, 9)  # the transitions of the last trajectory
    batch = drawn(window, rewards, jax.random.key(4), 200, 0.8)
    assert (batch.candidate[:, 0] >= 20).all()
    assert (batch.state[:, 0] >= 20).all()
    np.testing.assert_array_equal(batch.reward, 100 * batch.candidate[:, 0])
    moves = reward_transitions(window, rewards, jax.random.key(5), 200)
    assert (moves.state[:, 0] >= 20).all()
    np.testing.assert_array_equal(moves.reward, 100 * moves.next_state[:, 0])
