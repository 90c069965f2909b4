"""Rewards learned from examples: both losses end at the probability that theory names."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from goalward.baselines.reward_classifier import PositiveUnlabelled, RewardClassifier, logistic
from goalward.data import trajectories
from goalward.nets.mlp import MLP
from goalward.training.loop import train
from states import only_seed

COUNTS = np.array([3, 1, 4, 2])  # of examples
RECORDED = np.array([10, 40, 30, 20])


def minimiser(objective):
    """The probabilities at the minimum over one free logit a state, by Newton's method."""
    example, recorded = np.repeat(np.arange(4), COUNTS), np.repeat(np.arange(4), RECORDED)

    def loss(h):
        return objective(h[example], h[recorded])

    h = jnp.zeros(4)
    step = jax.jit(lambda h: h - jnp.linalg.solve(jax.hessian(loss)(h), jax.grad(loss)(h)))
    for _ in range(12):
        h = step(h)
    return 1 / (1 + np.exp(-np.asarray(h)))


def test_the_logistic_optimum_is_bayes_rule():
    star, marginal = COUNTS / 10, RECORDED / 100
    np.testing.assert_allclose(minimiser(logistic), star / (star + marginal), atol=1e-4)


def test_the_positive_unlabelled_optimum_is_the_chance_of_success():
    star, marginal = COUNTS / 10, RECORDED / 100
    prior = 0.2
    expected = prior * star / marginal
    assert expected.max() < 1
    np.testing.assert_allclose(minimiser(PositiveUnlabelled(prior)), expected, atol=1e-4)


def test_positive_unlabelled_is_the_three_terms():
    rng = np.random.default_rng(0)
    e, u = rng.normal(size=5), rng.normal(size=7)

    def plus(x):
        return np.log1p(np.exp(-x)).mean()

    def minus(x):
        return np.log1p(np.exp(x)).mean()

    value = PositiveUnlabelled(0.3)(jnp.asarray(e, jnp.float32), jnp.asarray(u, jnp.float32))
    np.testing.assert_allclose(value, 0.3 * plus(e) + minus(u) - 0.3 * minus(e), rtol=1e-5)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    states = rng.choice(4, p=RECORDED / 100, size=(400, 6))
    one_hot = np.eye(4, dtype=np.float32)
    recordings = trajectories.from_trajectories(one_hot[states], np.zeros_like(states))
    return recordings, jnp.asarray(one_hot[np.repeat(np.arange(4), COUNTS)])


def test_the_learner_tells_examples_from_recordings(data):
    learner = RewardClassifier(MLP((1,)), batch_size=128, learning_rate=0.03)
    state, _ = train(learner, data, jax.random.key(0), steps=500, log_every=500)
    params = only_seed(state.params)
    star, marginal = COUNTS / 10, RECORDED / 100
    reward = learner.reward(params, jnp.eye(4))
    np.testing.assert_allclose(reward, star / (star + marginal), atol=0.06)


def test_batches_hold_what_they_say(data):
    recordings, examples = data
    learner = RewardClassifier(MLP((1,)), batch_size=2000)
    batch = learner.batch((recordings, 2 * examples), jax.random.key(0))
    np.testing.assert_allclose(batch.example.mean(axis=0), 2 * COUNTS / 10, atol=0.1)
    np.testing.assert_allclose(batch.recorded.mean(axis=0), RECORDED / 100, atol=0.05)
    drawn = [learner.batch(data, jax.random.key(seed)).example for seed in (0, 1)]
    assert (drawn[0] != drawn[1]).any()  # drawn, not walked through


def test_recorded_states_are_those_that_were_arrived_in():
    times = np.broadcast_to(np.arange(3.0, dtype=np.float32)[:, None], (5, 3, 1))
    recordings = trajectories.from_trajectories(times, np.zeros((5, 3)))
    learner = RewardClassifier(MLP((1,)), batch_size=100)
    batch = learner.batch((recordings, jnp.zeros((1, 1))), jax.random.key(0))
    assert set(np.ravel(batch.recorded).tolist()) == {1.0, 2.0}
