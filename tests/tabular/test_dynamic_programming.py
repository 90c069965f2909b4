"""Dynamic programming against enumeration of policies, sampled returns and known walks."""

import itertools

import numpy as np
import pytest

from goalward.tabular import dynamic_programming as dp
from goalward.tabular import mdp
from goalward.tabular.grid import Grid


def random_case(seed, states=4, actions=3):
    rng = np.random.default_rng(seed)
    return mdp.random_mdp(rng, states, actions), rng.normal(size=(states, actions)), rng


def test_policy_evaluation_is_the_discounted_sum_of_rewards():
    P, reward, rng = random_case(0)
    policy = rng.dirichlet(np.ones(3), size=4)
    Q, V = dp.policy_evaluation(P, policy, reward, 0.9)
    chain, now, total = mdp.state_transitions(P, policy), np.eye(4), np.zeros(4)
    for t in range(500):
        total += 0.9**t * now @ (policy * reward).sum(axis=1)
        now = now @ chain
    np.testing.assert_allclose(V, total, atol=1e-9)
    np.testing.assert_allclose((policy * Q).sum(axis=1), V, atol=1e-9)


def test_value_iteration_finds_the_best_of_all_policies():
    P, reward, _ = random_case(1)
    Q, V = dp.value_iteration(P, reward, 0.8)
    values = [
        dp.policy_evaluation(P, np.eye(3)[list(choice)], reward, 0.8)[1]
        for choice in itertools.product(range(3), repeat=4)
    ]
    np.testing.assert_allclose(V, np.max(values, axis=0), atol=1e-9)
    np.testing.assert_allclose(dp.policy_evaluation(P, dp.greedy(Q), reward, 0.8)[1], V, atol=1e-9)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_value_iteration_refuses_what_it_would_never_end_on(bad):
    P, reward, _ = random_case(2)
    reward[1, 1] = bad
    with pytest.raises(ValueError, match="finite"):
        dp.value_iteration(P, reward, 0.9)


def test_greedy_shares_or_draws_among_ties():
    Q = np.array([[1.0, 1.0, 0.0], [0.0, 2.0, 1.0]])
    np.testing.assert_array_equal(dp.greedy(Q), [[0.5, 0.5, 0.0], [0.0, 1.0, 0.0]])
    drawn = np.mean([dp.greedy(Q, np.random.default_rng(i)) for i in range(400)], axis=0)
    np.testing.assert_allclose(drawn[0], [0.5, 0.5, 0.0], atol=0.1)
    np.testing.assert_array_equal(drawn[1], [0.0, 1.0, 0.0])


def test_greedy_breaks_ties_among_negative_values():
    np.testing.assert_array_equal(dp.greedy(np.array([[-3.0, -1.0]])), [[0.0, 1.0]])


def test_hitting_times_of_a_walk_on_a_line():
    # A fair walk on 0..n-1 that stays put at the ends: from i to the right end takes
    # n(n-1) - i(i+1) steps.
    n = 6
    grid = Grid.open(1, n)
    policy = np.tile([0.0, 0.0, 0.5, 0.5, 0.0], (n, 1))
    times = dp.hitting_times(grid.P, policy)
    expected = [n * (n - 1) - i * (i + 1) for i in range(n)]
    np.testing.assert_allclose(times[:, n - 1], expected)
    assert (np.diag(times) == 0).all()


def test_hitting_times_obey_their_recursion():
    P, _, rng = random_case(2)
    policy = rng.dirichlet(np.ones(3), size=4)
    chain, times = mdp.state_transitions(P, policy), dp.hitting_times(P, policy)
    for x in range(4):
        for y in range(4):
            if x != y:
                assert times[x, y] == pytest.approx(1 + chain[x] @ times[:, y])


def test_a_goal_that_may_be_missed_is_infinitely_far():
    # From 0 a coin decides between the traps 1 and 2; 3 leads to 1 surely.
    P = np.zeros((4, 1, 4))
    P[0, 0, [1, 2]] = 0.5
    P[1, 0, 1] = P[2, 0, 2] = P[3, 0, 1] = 1.0
    times = dp.hitting_times(P, np.ones((4, 1)))
    assert np.isinf(times[0, 1])
    assert np.isinf(times[1, 0])
    assert times[3, 1] == 1


def test_a_bad_discount_is_refused():
    P, reward, _ = random_case(0)
    with pytest.raises(ValueError, match="gamma"):
        dp.value_iteration(P, reward, 1.0)
    with pytest.raises(ValueError, match="gamma"):
        dp.policy_evaluation(P, mdp.uniform_policy(4, 3), reward, -0.5)
