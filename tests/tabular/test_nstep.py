"""Backups of several steps against recursions, simulations and the projected equation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from goalward.tabular.nstep import best_fit, bias_profile, linear_nstep_fixed_point


def backed_up(length, n, gamma, bias):
    """Values of a chain with reward -1, from the end backwards, each bootstrapped value biased."""
    values = [0.0]
    for d in range(1, length + 1):
        steps = min(n, d)
        rewards = -sum(gamma**k for k in range(steps))
        values.append(rewards + (gamma**n * (values[d - n] + bias) if d > n else 0.0))
    exact = [-sum(gamma**k for k in range(d)) for d in range(length + 1)]
    return np.array(values) - np.array(exact)


@given(st.integers(1, 40), st.integers(1, 12), st.floats(0.0, 1.0), st.floats(-2, 2))
def test_bias_is_that_of_backups(length, n, gamma, bias):
    error = bias_profile(np.arange(1, length + 1), n, gamma, bias)
    np.testing.assert_allclose(error, backed_up(length, n, gamma, bias)[1:], atol=1e-10)


def test_bias_by_hand():
    np.testing.assert_allclose(bias_profile(np.array([4, 5, 8, 9, 12]), 4, 1.0), [0, 1, 1, 2, 2])
    np.testing.assert_allclose(bias_profile(np.array([3]), 1, 0.5), [0.75])
    for d, n in ((0, 1), (1, 0)):
        with pytest.raises(ValueError, match="at least 1"):
            bias_profile(np.array([d]), n, 0.9)


def random_chain(rng, states):
    """A process that may end anywhere."""
    chain = rng.dirichlet(np.ones(states + 1), states)[:, :states]
    return chain, rng.normal(size=states), rng.normal(size=(states, 3))


@pytest.mark.parametrize("n", [1, 2, 5])
@pytest.mark.parametrize("weighted", [False, True])
def test_at_rest_no_feature_sees_the_targets_error(n, weighted):
    rng = np.random.default_rng(n)
    chain, reward, features = random_chain(rng, 7)
    weights = rng.uniform(0.2, 1, 7) if weighted else None
    theta = linear_nstep_fixed_point(chain, reward, features, 0.9, n, weights)
    target = features @ theta
    for _ in range(n):  # one step after the other
        target = reward + 0.9 * chain @ target
    error = (target - features @ theta) * (1 if weights is None else weights)
    np.testing.assert_allclose(features.T @ error, 0, atol=1e-9)


@given(st.integers(0, 500))
def test_a_table_is_exact_and_the_whole_way_is_the_projection(seed):
    rng = np.random.default_rng(seed)
    chain = np.eye(6, k=1)  # it ends after the last state
    reward, features = rng.normal(size=6), rng.normal(size=(6, 3))
    values = np.linalg.solve(np.eye(6) - 0.95 * chain, reward)
    table = linear_nstep_fixed_point(chain, reward, np.eye(6), 0.95, 2)
    np.testing.assert_allclose(table, values, atol=1e-9)
    theta = linear_nstep_fixed_point(chain, reward, features, 0.95, 6)
    np.testing.assert_allclose(theta, best_fit(features, values), atol=1e-7)


def test_no_step_is_refused():
    with pytest.raises(ValueError, match="at least 1"):
        linear_nstep_fixed_point(np.eye(2), np.ones(2), np.eye(2), 0.9, 0)
