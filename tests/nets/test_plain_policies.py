"""Policies without a deviation to learn, against NumPy and against their own samples."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from goalward.nets.plain_policies import CategoricalPolicy, UnitGaussianPolicy
from offline_oracles import double, gaussian_log_prob, policy_head

RNG = np.random.default_rng(0)
STATE, GOAL, ACTION = (jnp.asarray(RNG.normal(size=(6, n)), jnp.float32) for n in (3, 3, 2))
GAUSSIAN, CHOICE = UnitGaussianPolicy(2, (8, 5)), CategoricalPolicy(4, (8, 5))


def fresh(policy, scale=30.0):
    """Parameters whose last layer is large enough to matter."""
    params = jax.jit(policy.init)(jax.random.key(0), STATE, GOAL)
    return jax.tree.map(lambda leaf: scale * leaf if leaf.shape[0] == 5 else leaf, params)


def test_density_by_hand():
    params = fresh(GAUSSIAN)
    log_prob = GAUSSIAN.apply(params, STATE, GOAL, ACTION, method="log_prob")
    by_hand = gaussian_log_prob(double(params), STATE, GOAL, ACTION)
    np.testing.assert_allclose(log_prob, by_hand, rtol=1e-5)


def test_samples_are_clipped_normals_and_know_their_density():
    n, params = 20_000, fresh(GAUSSIAN)
    state, goal = (jnp.broadcast_to(x[0], (n, 3)) for x in (STATE, GOAL))
    action, log_prob = GAUSSIAN.apply(params, state, goal, jax.random.key(1), 0.3, method="sample")
    mean = policy_head(double(params), STATE[:1], GOAL[:1])[0]
    expected = np.clip(mean + 0.3 * RNG.normal(size=(400_000, 2)), -1, 1)
    np.testing.assert_allclose(action.mean(axis=0), expected.mean(axis=0), atol=0.015)
    np.testing.assert_allclose(action.std(axis=0), expected.std(axis=0), atol=0.015)
    assert np.abs(action).max() <= 1
    again = GAUSSIAN.apply(params, state, goal, action, method="log_prob")
    np.testing.assert_array_equal(log_prob, again)


def test_temperature_zero_is_the_clipped_mean():
    params = fresh(GAUSSIAN, 300.0)
    mean = policy_head(double(params), STATE, GOAL)
    assert np.abs(mean).max() > 1
    action, _ = GAUSSIAN.apply(params, STATE, GOAL, jax.random.key(1), 0.0, method="sample")
    np.testing.assert_allclose(action, np.clip(mean, -1, 1), atol=1e-5)


def test_a_fresh_policy_does_nearly_the_same_everywhere():
    params = jax.jit(GAUSSIAN.init)(jax.random.key(0), STATE, GOAL)
    assert np.abs(GAUSSIAN.apply(params, STATE, GOAL)).max() < 0.3
    kernel = np.asarray(params["params"]["Dense_0"]["kernel"])
    assert np.abs(kernel).max() <= np.sqrt(6 / (5 + 2) * 0.01)


@pytest.mark.parametrize("temperature", [1.0, 0.0])
def test_choices_follow_the_softmax(temperature):
    n, params = 20_000, fresh(CHOICE, 50.0)
    state, goal = (jnp.broadcast_to(x[0], (n, 3)) for x in (STATE, GOAL))
    action, log_prob = CHOICE.apply(
        params, state, goal, jax.random.key(1), temperature, method="sample"
    )
    logits = policy_head(double(params), STATE[:1], GOAL[:1])[0]
    chance = np.exp(logits) / np.exp(logits).sum()
    followed = chance if temperature else np.eye(4)[logits.argmax()]
    frequency = np.bincount(np.asarray(action), minlength=4) / n
    np.testing.assert_allclose(frequency, followed, atol=5 * 0.5 / np.sqrt(n))
    np.testing.assert_allclose(log_prob, np.log(chance)[action], rtol=1e-4)
    recorded = jnp.arange(n) % 4
    log_prob = CHOICE.apply(params, state, goal, recorded, method="log_prob")
    np.testing.assert_allclose(log_prob, np.log(chance)[recorded], rtol=1e-4)
