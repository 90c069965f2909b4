"""Fitted Q-iteration against dynamic programming on the same counts."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from goalward.baselines import fitted_q
from goalward.data import trajectories
from goalward.data.rewards import RewardTransitions
from goalward.nets.mlp import MLP
from goalward.tabular import dynamic_programming, mdp
from goalward.training.loop import train

GAMMA = 0.8


@pytest.fixture(scope="module")
def world():
    rng = np.random.default_rng(0)
    P = mdp.random_mdp(rng, 4, 2, concentration=0.7)
    policy = mdp.uniform_policy(4, 2)
    states, actions = mdp.sample_trajectories(P, policy, rng, n=400, horizon=50)
    return P, policy, states, actions, np.array([0.0, 1.0, -0.5, 0.2])


def test_counts_solve_the_counted_world_exactly(world):
    _, _, states, actions, reward = world
    few, moves = states[:10], actions[:10]
    counts = np.zeros((4, 2, 4))
    for i in range(10):
        for t in range(50):
            counts[few[i, t], moves[i, t], few[i, t + 1]] += 1
    P = counts / counts.sum(axis=2, keepdims=True)
    exact, _ = dynamic_programming.value_iteration(P, P @ reward, GAMMA)
    Q = fitted_q.by_counts(few, moves, reward, 2, GAMMA)
    np.testing.assert_allclose(Q, exact, atol=1e-9)


@pytest.mark.parametrize(("reward", "gamma"), [(np.inf, 0.9), (np.nan, 0.9), (1.0, 1.0)])
def test_counts_refuse_what_has_no_fixed_point(world, reward, gamma):
    _, _, states, actions, _ = world
    with pytest.raises(ValueError, match="must be"):
        fitted_q.by_counts(states, actions, np.array([0.0, 0, 0, reward]), 2, gamma)


def test_actions_never_tried_are_left_out_and_dead_ends_are_worth_nothing():
    # 0 --a0--> 1 --a1--> 2, where the trajectory ends; reward 1 for arriving in 2.
    states, actions = np.array([[0, 1, 2]]), np.array([[0, 1, 0]])
    Q = fitted_q.by_counts(states, actions, np.array([0.0, 0.0, 1.0]), 2, 0.5)
    np.testing.assert_allclose(Q, [[0.5, -np.inf], [-np.inf, 1.0], [-np.inf, -np.inf]])


@pytest.mark.parametrize("backup", [fitted_q.best_action, fitted_q.recorded_action])
def test_the_learner_finds_its_fixed_point(world, backup):
    P, policy, states, actions, reward = world
    data = trajectories.from_trajectories(np.eye(4, dtype=np.float32)[states], actions)
    earned = jnp.asarray(reward[states].ravel(), jnp.float32)
    learner = fitted_q.FittedQ(
        MLP((2,)), GAMMA, backup=backup, batch_size=64, learning_rate=0.02, tau=0.1
    )
    state, _ = train(learner, (data, earned), jax.random.key(0), steps=800)
    params = jax.tree.map(lambda leaf: leaf[0], state.params)
    if backup is fitted_q.best_action:
        exact, _ = dynamic_programming.value_iteration(P, P @ reward, GAMMA)
    else:
        exact, _ = dynamic_programming.policy_evaluation(P, policy, P @ reward, GAMMA)
    np.testing.assert_allclose(learner.q(params, jnp.eye(4)), exact, atol=0.12)


def test_one_loss_by_hand():
    learner = fitted_q.FittedQ(MLP((2,)), 0.5)
    batch = RewardTransitions(
        state=jnp.eye(3)[:2], action=jnp.array([1, 0]), reward=jnp.array([1.0, -2.0]),
        next_state=jnp.eye(3)[1:], next_action=jnp.array([0, 1]),
    )  # fmt: skip
    state = learner.init(jax.random.key(0), batch)
    slow = jax.tree.map(lambda leaf: leaf + 0.3, state.params)
    state = state.replace(target_params=slow)
    table = np.asarray(learner.q(state.params, jnp.eye(3)))
    target = np.asarray(learner.q(slow, jnp.eye(3)))
    errors = (
        table[0, 1] - (1.0 + 0.5 * target[1].max()),
        table[1, 0] - (-2.0 + 0.5 * target[2].max()),
    )
    value, _ = learner.loss(state.params, state, batch, jax.random.key(1))
    np.testing.assert_allclose(value, np.mean(np.square(errors)) / 2, rtol=1e-5)
