"""The tanh-Gaussian policy: a density that integrates to one and agrees with its samples."""

import jax
import jax.numpy as jnp
import numpy as np

from goalward.nets.policies import TanhGaussianPolicy

POLICY = TanhGaussianPolicy(1, (8,))
STATE, GOAL = 0.3 * jax.random.normal(jax.random.key(0), (2, 3, 2))
PARAMS = POLICY.init(jax.random.key(1), STATE, GOAL)


def test_the_density_integrates_to_one():
    edges = np.linspace(-1, 1, 20_001)
    middle = jnp.asarray((edges[1:] + edges[:-1]) / 2)[:, None]
    for row in range(3):
        state, goal = (jnp.broadcast_to(x[row], (len(middle), 2)) for x in (STATE, GOAL))
        density = jnp.exp(POLICY.apply(PARAMS, state, goal, middle, method="log_prob"))
        np.testing.assert_allclose(density.sum() * (edges[1] - edges[0]), 1.0, atol=5e-3)


def test_samples_know_their_density_and_follow_it():
    n = 20_000
    state, goal = (jnp.broadcast_to(x[0], (n, 2)) for x in (STATE, GOAL))
    action, log_prob = POLICY.apply(PARAMS, state, goal, jax.random.key(2), method="sample")
    inside = np.abs(action[:, 0]) < 0.99
    again = POLICY.apply(PARAMS, state, goal, action, method="log_prob")
    np.testing.assert_allclose(log_prob[inside], again[inside], atol=1e-3)
    mean, log_std = POLICY.apply(PARAMS, state[:1], goal[:1])
    u = np.arctanh(np.asarray(action)[inside, 0].astype(float))
    assert abs(np.median(u) - float(mean[0, 0])) < 0.1 * float(jnp.exp(log_std[0, 0])) + 0.02


def test_temperature_zero_is_the_mode_of_the_gaussian():
    action, _ = POLICY.apply(PARAMS, STATE, GOAL, jax.random.key(3), 0.0, method="sample")
    np.testing.assert_allclose(action, jnp.tanh(POLICY.apply(PARAMS, STATE, GOAL)[0]), rtol=1e-6)


def test_recorded_actions_at_the_edge_have_finite_gradients():
    edge = jnp.array([[-1.0], [1.0], [1.0]])
    gradient = jax.grad(lambda p: POLICY.apply(p, STATE, GOAL, edge, method="log_prob").sum())(
        PARAMS
    )
    assert all(np.isfinite(g).all() for g in jax.tree.leaves(gradient))
