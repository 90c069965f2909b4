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
from states import only_seed

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


def test_large_rewards_come_to_an_end(world):
    _, _, states, actions, reward = world
    Q = fitted_q.by_counts(states[:10], actions[:10], reward, 2, 0.999)
    large = fitted_q.by_counts(states[:10], actions[:10], 1e12 * reward, 2, 0.999)
    np.testing.assert_allclose(large, 1e12 * Q, rtol=1e-6)


def as_transitions(states, actions, reward, features):
    """All transitions whose next action is recorded, as NumPy arrays."""
    now, then = (slice(None), slice(0, -2)), (slice(None), slice(1, -1))
    return RewardTransitions(
        state=features[states[now].ravel()], action=actions[now].ravel(),
        reward=reward[states[then].ravel()],
        next_state=features[states[then].ravel()], next_action=actions[then].ravel(),
    )  # fmt: skip


def test_regression_on_one_hot_states_is_the_tables_answer(world):
    _, _, states, actions, reward = world
    data = as_transitions(states[:20], actions[:20], reward, np.eye(4))
    pairs = np.zeros((8, 8))
    P = np.zeros((4, 2, 4))
    for i in range(20):
        for t in range(states.shape[1] - 2):
            s, a, x, b = states[i, t], actions[i, t], states[i, t + 1], actions[i, t + 1]
            pairs[2 * s + a, 2 * x + b] += 1
            P[s, a, x] += 1
    P, C = P / P.sum(axis=2, keepdims=True), pairs / pairs.sum(axis=1, keepdims=True)
    paid = (P @ reward).ravel()
    best, _ = dynamic_programming.value_iteration(P, P @ reward, GAMMA)
    sarsa = np.linalg.solve(np.eye(8) - GAMMA * C, paid).reshape(4, 2)
    for backup, exact in ((fitted_q.best_action, best), (fitted_q.recorded_action, sarsa)):
        history = fitted_q.by_regression(data, 2, GAMMA, backup, rounds=120, ridge=1e-12)
        assert history.shape == (120, 2, 4)
        np.testing.assert_allclose(history[-1].T, exact, atol=1e-8)
        np.testing.assert_allclose(history[0].T, (P @ reward), atol=1e-8)
        second = P @ reward + GAMMA * (
            P @ (P @ reward).max(axis=1)
            if backup is fitted_q.best_action
            else (C @ paid).reshape(4, 2)
        )
        np.testing.assert_allclose(history[1].T, second, atol=1e-8)


def test_one_round_of_regression_is_ridge_regression_an_action():
    rng = np.random.default_rng(0)
    data = RewardTransitions(
        state=rng.normal(size=(40, 3)), action=np.repeat([0, 1], [10, 30]),
        reward=rng.normal(size=40), next_state=rng.normal(size=(40, 3)),
        next_action=rng.integers(2, size=40),
    )  # fmt: skip
    (weights,) = fitted_q.by_regression(data, 2, 0.9, rounds=1, ridge=0.2)
    for a, rows in ((0, slice(0, 10)), (1, slice(10, 40))):
        # The same as ordinary least squares with rows of penalty below the data's.
        n = len(data.reward[rows])
        X = np.concatenate([data.state[rows], np.sqrt(0.2 * n) * np.eye(3)])
        y = np.concatenate([data.reward[rows], np.zeros(3)])
        np.testing.assert_allclose(weights[a], np.linalg.lstsq(X, y)[0], atol=1e-10)


@pytest.mark.parametrize("backup", [fitted_q.best_action, fitted_q.recorded_action])
def test_the_learner_finds_its_fixed_point(world, backup):
    P, policy, states, actions, reward = world
    data = trajectories.from_trajectories(np.eye(4, dtype=np.float32)[states], actions)
    earned = jnp.asarray(reward[states].ravel(), jnp.float32)
    learner = fitted_q.FittedQ(
        MLP((2,)), GAMMA, backup=backup, batch_size=64, learning_rate=0.02, tau=0.1
    )
    state, _ = train(learner, (data, earned), jax.random.key(0), steps=800)
    params = only_seed(state.params)
    if backup is fitted_q.best_action:
        exact, _ = dynamic_programming.value_iteration(P, P @ reward, GAMMA)
    else:
        exact, _ = dynamic_programming.policy_evaluation(P, policy, P @ reward, GAMMA)
    np.testing.assert_allclose(learner.q(params, jnp.eye(4)), exact, atol=0.12)


@pytest.mark.parametrize("backup", [fitted_q.best_action, fitted_q.recorded_action])
def test_one_loss_by_hand(backup):
    learner = fitted_q.FittedQ(MLP((2,)), 0.5, backup)
    batch = RewardTransitions(
        state=jnp.eye(3)[:2], action=jnp.array([1, 0]), reward=jnp.array([1.0, -2.0]),
        next_state=jnp.eye(3)[1:], next_action=jnp.array([0, 1]),
    )  # fmt: skip
    state = learner.init(jax.random.key(0), batch)
    slow = jax.tree.map(lambda leaf: leaf + 0.3, state.params)
    state = state.replace(target_params=slow)
    table = np.asarray(learner.q(state.params, jnp.eye(3)))
    target = np.asarray(learner.q(slow, jnp.eye(3)))
    best = backup is fitted_q.best_action
    errors = (
        table[0, 1] - (1.0 + 0.5 * (target[1].max() if best else target[1, 0])),
        table[1, 0] - (-2.0 + 0.5 * (target[2].max() if best else target[2, 1])),
    )
    assert best or target[1, 0] != target[1].max() or target[2, 1] != target[2].max()
    value, _ = learner.loss(state.params, state, batch, jax.random.key(1))
    np.testing.assert_allclose(value, np.mean(np.square(errors)) / 2, rtol=1e-5)


def test_an_update_moves_the_target_by_tau_of_the_way():
    learner = fitted_q.FittedQ(MLP((2,)), 0.5, tau=0.25, learning_rate=0.1)
    batch = RewardTransitions(
        state=jnp.eye(2), action=jnp.array([1, 0]), reward=jnp.array([1.0, -2.0]),
        next_state=jnp.eye(2), next_action=jnp.array([0, 1]),
    )  # fmt: skip
    state = learner.init(jax.random.key(0), batch)
    assert float(state.learning_rate) == np.float32(0.1)
    after, _ = learner.update(state, batch, jax.random.key(1))
    for old, new, target in zip(
        *map(jax.tree.leaves, (state.params, after.params, after.target_params)), strict=True
    ):
        assert not np.array_equal(old, new)
        np.testing.assert_allclose(target, 0.75 * old + 0.25 * new, rtol=1e-5, atol=1e-7)


def test_batches_have_the_learners_size_and_the_rewards_of_arrival():
    rows = np.arange(20).reshape(2, 10)
    data = trajectories.from_trajectories(rows[..., None].astype(np.float32), rows)
    learner = fitted_q.FittedQ(MLP((2,)), 0.5, batch_size=33)
    batch = learner.batch((data, jnp.arange(20.0) * 10), jax.random.key(0))
    assert batch.reward.shape == (33,)
    np.testing.assert_array_equal(batch.reward, 10 * batch.next_state[:, 0])
