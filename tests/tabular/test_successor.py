"""The successor measure against its power series and against sampled stopping times."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goalward.tabular import mdp, successor


def random_case(seed, states=5, actions=3):
    rng = np.random.default_rng(seed)
    P = mdp.random_mdp(rng, states, actions, concentration=0.5)
    return P, rng.dirichlet(np.ones(actions), size=states)


def power_series(P, policy, gamma, start, terms=3000):
    """Sum over time of the distribution of the state, written from the definition."""
    states, actions, _ = P.shape
    result = np.zeros_like(P)
    for s in range(states):
        for a in range(actions):
            now, weight = np.eye(states)[s], 1 - gamma
            if start == "current":
                result[s, a] += weight * now
                weight *= gamma
            now = P[s, a]
            for _ in range(terms):
                result[s, a] += weight * now
                weight *= gamma
                now = np.einsum("x,xb,xby->y", now, policy, P)
    return result


@pytest.mark.parametrize("start", ["next", "current"])
@pytest.mark.parametrize("gamma", [0.0, 0.5, 0.97])
def test_it_is_the_discounted_sum_over_time(gamma, start):
    P, policy = random_case(3, states=3, actions=2)
    expected = power_series(P, policy, gamma, start)
    got = successor.successor_measure(P, policy, gamma, start)
    np.testing.assert_allclose(got, expected, atol=1e-10)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**16), gamma=st.floats(0.0, 0.999))
def test_rows_are_distributions_and_obey_the_bellman_equation(seed, gamma):
    P, policy = random_case(seed)
    M = successor.successor_measure(P, policy, gamma)
    np.testing.assert_allclose(M.sum(axis=2), 1.0, atol=1e-9)
    assert (M >= -1e-12).all()
    bootstrap = np.einsum("sax,xb,xby->say", P, policy, M)
    np.testing.assert_allclose(M, (1 - gamma) * P + gamma * bootstrap, atol=1e-9)


@pytest.mark.parametrize("start", ["next", "current"])
def test_the_state_version_averages_over_the_first_action(start):
    P, policy = random_case(7)
    M = successor.successor_measure(P, policy, 0.8, start)
    got = successor.state_successor_measure(P, policy, 0.8, start)
    np.testing.assert_allclose(got, np.einsum("sa,sax->sx", policy, M), atol=1e-12)


def test_gamma_zero_is_the_next_state():
    P, policy = random_case(1)
    np.testing.assert_allclose(successor.successor_measure(P, policy, 0.0), P, atol=1e-12)


@pytest.mark.parametrize("gamma", [1.0, -0.1])
def test_a_bad_discount_is_refused(gamma):
    P, policy = random_case(1)
    with pytest.raises(ValueError, match="gamma"):
        successor.successor_measure(P, policy, gamma)


@pytest.mark.parametrize(
    "measure", [successor.successor_measure, successor.state_successor_measure]
)
def test_an_unknown_start_is_refused(measure):
    P, policy = random_case(1)
    with pytest.raises(ValueError, match="start"):
        measure(P, policy, 0.5, "later")
