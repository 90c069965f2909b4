"""Operators on distances over states and pairs: against loops, and against the optimal distance."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from goalward.tabular import distances, mdp, paths, quasimetrics

S, A, GAMMA = 5, 3, 0.9
PAIRS = [(s, a, S + s * A + a) for s in range(S) for a in range(A)]
seeds = st.integers(0, 10_000)


def process(seed: int):
    rng = np.random.default_rng(seed)
    return mdp.random_mdp(rng, S, A, 0.3), rng.dirichlet(np.ones(A), size=S) * 0.9 + 0.1 / A


def behaviour(P, policy):
    """The successor distance of a policy over states and pairs, by linear systems."""
    pairs = -np.log(distances.pair_hitting_transform(P, policy, GAMMA, start="next"))
    states = distances.successor_distance(P, policy, GAMMA)
    return distances.joint_distance(states, np.maximum(pairs, 0), policy)


def optimum(P):
    """As `behaviour`, for the best policy of each goal, who chooses the goal's action at once."""
    pairs = -np.log(distances.optimal_pair_hitting_transform(P, GAMMA, start="next"))
    states = distances.optimal_successor_distance(P, GAMMA)
    return distances.joint_distance(states, np.maximum(pairs, 0), np.ones((S, A)))


def any_table(seed):
    d = np.random.default_rng(seed).uniform(0.1, 4.0, size=(S + S * A, S + S * A))
    np.fill_diagonal(d, 0.0)
    return d


@given(seeds)
def test_action_invariance_frees_own_actions_alone(seed) -> None:
    d = any_table(seed)
    kept, free = d.copy(), quasimetrics.action_invariance(d, S)
    expected = d.copy()
    for s, _, pair in PAIRS:
        expected[s, pair] = 0.0
    np.testing.assert_array_equal(free, expected)
    np.testing.assert_array_equal(d, kept)


@given(seeds)
def test_backup_against_loops(seed) -> None:
    P, d = process(seed)[0], any_table(seed)
    kept, backed = d.copy(), quasimetrics.one_step_backup(d, P, GAMMA)
    expected = d.copy()
    for s, a, pair in PAIRS:
        for y in range(len(d)):
            if y != pair:
                mean = sum(P[s, a, x] * np.exp(-d[x, y]) for x in range(S))
                expected[pair, y] = -np.log(mean) - np.log(GAMMA)
    np.testing.assert_allclose(backed, expected, atol=1e-12)
    np.testing.assert_array_equal(d, kept)


def test_backup_with_waypoints_further_on() -> None:
    """Where moves are certain, a waypoint k steps on costs k steps."""
    chain = np.roll(np.eye(S), 1, axis=1)  # one action: on to the next state, round and round
    steps = (np.arange(S)[None] - np.arange(S)[:, None]) % S
    states = -np.log(GAMMA) * steps
    d = distances.joint_distance(states, states[:, None] + 9.0, np.ones((S, 1)))
    two = quasimetrics.backup(d, (GAMMA**2 * chain @ chain)[:, None])
    found = two[S:, :S]
    expected = -np.log(GAMMA) * (2 + (steps - 2) % S)
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_what_was_never_tried_leads_nowhere() -> None:
    P, d = process(0)[0].copy(), any_table(0)
    P[1, 2] = 0.0
    row = quasimetrics.one_step_backup(d, P, GAMMA)[S + 1 * A + 2]
    assert np.isinf(np.delete(row, S + 1 * A + 2)).all()
    assert np.isfinite(np.delete(quasimetrics.one_step_backup(d, P, GAMMA), S + 5, axis=0)).all()


def test_what_is_out_of_reach_stays_so() -> None:
    P, d = process(0)[0], np.where(np.eye(S + S * A) > 0, 0.0, np.inf)
    P = np.eye(S)[np.zeros((S, A), dtype=int)]  # everything leads to state 0
    swept = quasimetrics.sweep(d, P, GAMMA)
    assert swept[3, 0] == pytest.approx(-np.log(GAMMA))
    assert np.isinf(swept[0, 3])
    assert not np.isnan(swept).any()


@given(seeds)
def test_operators_keep_order(seed) -> None:
    """Larger in, nowhere smaller out: what the proof of convergence stands on."""
    P, d = process(seed)[0], any_table(seed)
    above = d + np.random.default_rng(seed + 1).uniform(0, 1, d.shape) * (d > 0)
    assert (quasimetrics.sweep(above, P, GAMMA) >= quasimetrics.sweep(d, P, GAMMA) - 1e-12).all()


@given(seeds)
def test_a_policys_own_table_is_kept_by_its_own_backup(seed) -> None:
    d = behaviour(*(told := process(seed)))
    backed = quasimetrics.one_step_backup(d, told[0], GAMMA)
    np.testing.assert_allclose(backed[:, :S], d[:, :S], atol=1e-9)


@given(seeds)
def test_rounds_lead_from_any_policy_to_the_optimum_from_above(seed) -> None:
    P, policy = process(seed)
    d, best = behaviour(P, policy), optimum(P)
    for _ in range(200):
        before, d = d, quasimetrics.sweep(d, P, GAMMA)
        assert (d[:S] <= before[:S] + 1e-12).all()
        assert (d >= best - 1e-9).all()
    np.testing.assert_allclose(d, best, atol=1e-7)
    assert paths.triangle_violation(d) < 1e-9


@given(seeds)
def test_the_optimum_stays(seed) -> None:
    P, _ = process(seed)
    best = optimum(P)
    np.testing.assert_allclose(quasimetrics.sweep(best, P, GAMMA), best, atol=1e-9)


def test_a_start_below_is_never_repaired() -> None:
    P, policy = process(2)
    d = behaviour(P, policy)
    d[0, 1] = 0.01
    for _ in range(100):
        d = quasimetrics.sweep(d, P, GAMMA)
    assert d[0, 1] <= 0.01


def test_wrong_calls_are_refused() -> None:
    P, d = process(0)[0], any_table(0)
    with pytest.raises(ValueError, match="does not hold 6 states"):
        quasimetrics.action_invariance(d, 6)
    with pytest.raises(ValueError, match="does not hold"):
        quasimetrics.action_invariance(d[:, :-1], S)
    with pytest.raises(ValueError, match="2 pairs of each"):
        quasimetrics.one_step_backup(d, P[:, :2], GAMMA)
    with pytest.raises(ValueError, match="sum of one"):
        quasimetrics.backup(d, 2 * P)
    with pytest.raises(ValueError, match="sum of one"):
        quasimetrics.backup(d, -P)


def test_greedy_takes_the_nearest_and_shares_ties():
    pairs = np.random.default_rng(0).uniform(1, 2, size=(S, A, S + 1))
    policy = quasimetrics.greedy(pairs)
    assert policy.shape == (S, S + 1, A)
    for s in range(S):
        for g in range(S + 1):
            assert policy[s, g, pairs[s, :, g].argmin()] == 1
    pairs[0, :, 2] = [1.5, 1.5 + 1e-12, 1.5 + 1e-6]
    pairs[3] = np.inf
    pairs[3, 1, 0] = 700.0
    policy = quasimetrics.greedy(pairs)
    np.testing.assert_array_equal(policy[0, 2], [0.5, 0.5, 0])
    np.testing.assert_array_equal(policy[3, 0], [0, 1, 0])
    np.testing.assert_allclose(policy[3, 1], 1 / A)  # nothing known: all share
    np.testing.assert_array_equal(quasimetrics.greedy(pairs, 1e-3)[0, 2], np.full(3, 1 / 3))
