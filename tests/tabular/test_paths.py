"""Distances on finite MDPs against loops from the definitions, enumeration and simulation."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goalward.tabular import paths

RING = 7
# A ring with actions forward, backward, stay; and one-way distances for an asymmetric oracle.
RING_NEXT = np.stack([(np.arange(RING) + step) % RING for step in (1, -1, 0)], axis=1)
GAP = np.abs(np.arange(RING)[:, None] - np.arange(RING)[None, :])
RING_DISTANCE = np.minimum(GAP, RING - GAP).astype(float)


def random_table(seed, n=6, missing=0.3):
    rng = np.random.default_rng(seed)
    d = rng.uniform(0.1, 5.0, (n, n))
    d[rng.uniform(size=(n, n)) < missing] = np.inf
    np.fill_diagonal(d, 0.0)
    return d


def shortest_by_enumeration(d):
    """Shortest path by trying every sequence of distinct intermediate states."""
    n = len(d)
    best = d.copy()
    for s, g in itertools.product(range(n), repeat=2):
        for length in range(1, n - 1):
            for middle in itertools.permutations(set(range(n)) - {s, g}, length):
                stops = (s, *middle, g)
                best[s, g] = min(best[s, g], sum(d[a, b] for a, b in itertools.pairwise(stops)))
    return best


def test_min_plus_is_the_cheapest_two_leg_journey():
    rng = np.random.default_rng(0)
    d1, d2 = rng.uniform(size=(3, 4)), rng.uniform(size=(4, 5))
    expected = [[min(d1[i, k] + d2[k, j] for k in range(4)) for j in range(5)] for i in range(3)]
    np.testing.assert_allclose(paths.min_plus(d1, d2), expected)


def test_min_plus_names_the_mismatch():
    with pytest.raises(ValueError, match="transpose"):
        paths.min_plus(np.zeros((2, 3)), np.zeros((2, 3)))


@pytest.mark.parametrize("seed", range(4))
def test_floyd_warshall_equals_enumeration_of_paths(seed):
    d = random_table(seed, n=5)
    np.testing.assert_allclose(paths.floyd_warshall(d), shortest_by_enumeration(d))


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), missing=st.floats(0, 0.9))
def test_the_closure_is_the_largest_quasimetric_below(seed, missing):
    d = random_table(seed, missing=missing)
    closed = paths.floyd_warshall(d)
    assert np.all(closed <= d)
    assert paths.triangle_violation(closed) <= 1e-12
    np.testing.assert_allclose(paths.floyd_warshall(closed), closed, rtol=1e-12)
    # ceil(log2(n - 1)) squarings suffice: a shortest path has at most n - 1 legs.
    squared = d
    for _ in range(3):
        squared = paths.min_plus(squared, squared)
    np.testing.assert_allclose(squared, closed)


def test_floyd_warshall_rejects_what_is_not_a_distance():
    with pytest.raises(ValueError, match="0 or more"):
        paths.floyd_warshall(np.array([[0.0, -1.0], [1.0, 0.0]]))
    with pytest.raises(ValueError, match="write inf"):
        paths.floyd_warshall(np.array([[0.0, np.nan], [1.0, 0.0]]))
    with pytest.raises(ValueError, match="square"):
        paths.floyd_warshall(np.zeros((2, 3)))


def test_triangle_violation_is_the_worst_excess():
    d = np.array([[0.0, 1.0, 5.0], [1.0, 0.0, 1.5], [5.0, 1.5, 0.0]])
    assert paths.triangle_violation(d) == pytest.approx(2.5)
    assert paths.triangle_violation(RING_DISTANCE) == 0.0
    d[0, 2] = np.inf
    assert paths.triangle_violation(d) == np.inf


def hitting_times_by_loops(states, n_states):
    total, count = np.zeros((n_states, n_states)), np.zeros((n_states, n_states), int)
    for trajectory in states:
        for t, s in enumerate(trajectory):
            for g in range(n_states):
                later = [u for u in range(t, len(trajectory)) if trajectory[u] == g]
                if later:
                    total[s, g] += later[0] - t
                    count[s, g] += 1
    mean = np.full((n_states, n_states), np.inf)
    mean[count > 0] = total[count > 0] / count[count > 0]
    np.fill_diagonal(mean, 0.0)
    return mean, count


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(1, 6), length=st.integers(1, 9))
def test_mc_hitting_times_equal_the_triple_loop(seed, n, length):
    states = np.random.default_rng(seed).integers(0, 5, (n, length))
    mean, count = paths.mc_hitting_times(states, 5)
    slow_mean, slow_count = hitting_times_by_loops(states, 5)
    np.testing.assert_allclose(mean, slow_mean)
    np.testing.assert_array_equal(count, slow_count)


def test_mc_hitting_times_look_forward_only():
    mean, count = paths.mc_hitting_times(np.array([[0, 1, 2]]), 3)
    assert (mean[0, 2], mean[0, 1], mean[1, 2]) == (2, 1, 1)
    assert np.isinf(mean[2, 0])
    assert count[2, 0] == 0


def test_mc_hitting_times_name_the_bad_state():
    with pytest.raises(ValueError, match="raise n_states"):
        paths.mc_hitting_times(np.array([[0, 3]]), 3)


@pytest.mark.parametrize("beta", [0.0, 0.1, 3.0, 500.0])
def test_boltzmann_policy_follows_its_formula(beta):
    policy = paths.boltzmann_policy(RING_DISTANCE, RING_NEXT, beta)
    for s, g in itertools.product(range(RING), repeat=2):
        distance = np.array([RING_DISTANCE[RING_NEXT[s, a], g] for a in range(3)])
        weight = np.exp(-beta * (distance - distance.min()))
        np.testing.assert_allclose(policy[s, g], weight / weight.sum())


def test_boltzmann_policy_with_unknown_distances():
    d = np.full((RING, RING), np.inf)
    d[1, 0] = 2.0
    policy = paths.boltzmann_policy(d, RING_NEXT, 1.0)
    np.testing.assert_allclose(policy[0, 0], [1.0, 0.0, 0.0])  # only forward leads to state 1
    np.testing.assert_allclose(policy[4, 3], 1 / 3)


def test_greedy_actions_are_all_minimisers():
    greedy = paths.greedy_actions(RING_DISTANCE, RING_NEXT)
    assert greedy[0, 1].tolist() == [True, False, False]
    assert greedy[0, 6].tolist() == [False, True, False]
    assert greedy[2, 2].tolist() == [False, False, True]
    unknown = paths.greedy_actions(np.full((RING, RING), np.inf), RING_NEXT)
    assert unknown.all()


@pytest.mark.parametrize("horizon", [0, 1, 2, 5, 30])
def test_success_within_equals_a_power_of_the_absorbing_chain(horizon):
    rng = np.random.default_rng(1)
    policy = rng.dirichlet(np.ones(3), size=(RING, RING))
    success = paths.success_within(policy, RING_NEXT, horizon)
    for g in range(RING):
        chain = np.zeros((RING, RING))
        for s, a in itertools.product(range(RING), range(3)):
            chain[s, RING_NEXT[s, a]] += policy[s, g, a]
        chain[g] = np.eye(RING)[g]
        expected = np.linalg.matrix_power(chain, horizon)[:, g]
        np.testing.assert_allclose(success[:, g], expected, atol=1e-12)


def test_success_within_equals_simulation():
    rng = np.random.default_rng(2)
    policy = rng.dirichlet(np.ones(3), size=(RING, RING))
    start, goal, n = 0, 3, 40_000
    state, reached = np.full(n, start), np.zeros(n, bool)
    for _ in range(6):
        action = (rng.uniform(size=(n, 1)) > np.cumsum(policy[state, goal], axis=1)).sum(axis=1)
        state = RING_NEXT[state, np.minimum(action, 2)]
        reached |= state == goal
    exact = paths.success_within(policy, RING_NEXT, 6)[start, goal]
    assert abs(reached.mean() - exact) < 4 * np.sqrt(exact * (1 - exact) / n)


def test_success_within_says_what_is_wrong():
    with pytest.raises(ValueError, match="states, states, actions"):
        paths.success_within(np.full((RING, 2, 3), 1 / 3), RING_NEXT, 5)
    with pytest.raises(ValueError, match="0 or more"):
        paths.success_within(np.full((RING, RING, 3), 1 / 3), RING_NEXT, -1)


def test_midpoint_planner_is_the_mean_over_waypoints_half_way():
    rng = np.random.default_rng(3)
    policy = rng.dirichlet(np.ones(3), size=(RING, RING))
    planned = paths.midpoint_planner_policy(policy, RING_DISTANCE, slack=0.5)
    for s, g in itertools.product(range(RING), repeat=2):
        half = RING_DISTANCE[s, g] / 2
        waypoints = [
            w
            for w in range(RING)
            if w != s
            and abs(RING_DISTANCE[s, w] - half) <= 0.5
            and abs(RING_DISTANCE[w, g] - half) <= 0.5
        ]
        expected = policy[s, waypoints].mean(axis=0) if waypoints else policy[s, g]
        np.testing.assert_allclose(planned[s, g], expected)


def test_midpoint_planner_reads_distances_in_their_direction():
    # On a one-way ring the way back is long: half way from 0 to 4 is 2, and only 2.
    one_way = ((np.arange(RING)[None, :] - np.arange(RING)[:, None]) % RING).astype(float)
    policy = np.zeros((RING, RING, RING))
    policy[:, np.arange(RING), np.arange(RING)] = 1.0  # the action names the goal
    planned = paths.midpoint_planner_policy(policy, one_way, slack=0.0)
    assert planned[0, 4, 2] == 1.0
