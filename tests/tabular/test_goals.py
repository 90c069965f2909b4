"""Reaching goals, exactly: against the sum over time steps, and against what is known."""

import numpy as np
import pytest

from goalward.tabular import mdp
from goalward.tabular.goals import goal_reaching
from goalward.tabular.grid import Grid


def test_it_is_the_sum_over_time():
    rng = np.random.default_rng(0)
    P = mdp.random_mdp(rng, 4, 3)
    policy = rng.dirichlet(np.ones(3), size=(4, 4))
    for start, first in (("next", 1), ("current", 0)):
        reached = goal_reaching(P, policy, 0.7, start)
        for goal in range(4):
            chain = np.einsum("sa,sax->sx", policy[:, goal], P)
            total, power = np.zeros(4), np.linalg.matrix_power(chain, first)
            for t in range(200):
                total += 0.3 * 0.7**t * power[:, goal]
                power = power @ chain
            np.testing.assert_allclose(reached[:, goal], total, atol=1e-10)


def test_the_shortest_path_in_a_corridor():
    grid = Grid.open(1, 4)
    policy = np.zeros((4, 4, 5))
    for state, goal in np.ndindex(4, 4):
        policy[state, goal, 4 if state == goal else (3 if state < goal else 2)] = 1
    reached = goal_reaching(grid.P, policy, 0.5)
    np.testing.assert_allclose(reached[0], [1, 1, 0.5, 0.25])


def test_a_policy_that_is_no_distribution_is_named():
    with pytest.raises(ValueError, match=r"policy\[state, goal, action\]"):
        goal_reaching(Grid.open(1, 3).P, np.full((3, 3, 5), 1 / 3), 0.9)
