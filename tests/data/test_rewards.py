"""Rewarded batches: rewards belong to the state that is reached."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from goalward.data import trajectories
from goalward.data.rewards import reward_transitions, rewarded_futures


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
    batch = rewarded_futures(*data, jax.random.key(0), 2000, 0.8, "renormalise", (1,))
    assert batch.candidate.shape == batch.goal.shape == (2000, 1)
    np.testing.assert_array_equal(batch.reward, -100 * batch.candidate[:, 0])
    now, goal = batch.state[:, 0], -batch.goal[:, 0]
    assert ((goal > now) & (goal // 10 == now // 10)).all()
    together = (-batch.candidate[:, 0] // 10 == now // 10).mean()
    assert abs(together - 1 / 3) < 0.05  # independent of the anchor's trajectory
    # both are draws from the same distribution
    mean, spread = goal.mean(), goal.std()
    assert abs(-batch.candidate[:, 0].mean() - mean) < 5 * spread * np.sqrt(2 / 2000)
