"""Temporal metric distillation in tables: against loops, enumeration and dynamic programming."""

from functools import partial
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from goalward.methods import tmd
from goalward.tabular import distances, mdp, paths, quasimetrics

S, A, GAMMA = 5, 3, 0.9
AWAY = ~np.eye(S, dtype=bool)
seeds = st.integers(0, 10_000)


def process(seed: int):
    rng = np.random.default_rng(seed)
    return mdp.random_mdp(rng, S, A, 0.3), rng.dirichlet(np.ones(A), size=S) * 0.9 + 0.1 / A


def operators(P):
    free = partial(quasimetrics.action_invariance, n_states=S)
    return free, partial(quasimetrics.one_step_backup, P=P, gamma=GAMMA), paths.floyd_warshall


@given(seeds)
def test_the_theorem(seed) -> None:
    """From any behaviour to the optimum, from above, and never up again on rows of states."""
    P, policy = process(seed)
    best = tmd.optimal_distance(P, GAMMA)
    tables = tmd.iterate(tmd.behaviour_distance(P, policy, GAMMA), operators(P), 150)
    assert len(tables) == 151
    assert min((d - best).min() for d in tables) > -1e-9
    assert max((b - a)[:S].max() for a, b in pairwise(tables)) < 1e-12
    np.testing.assert_allclose(tables[-1], best, atol=1e-5)
    assert paths.triangle_violation(tables[-1]) < 1e-9


@given(seeds)
def test_each_rule_is_needed(seed) -> None:
    P, policy = process(seed)
    free, step, closed = operators(P)
    start = tmd.behaviour_distance(P, policy, GAMMA)
    states_only = partial(tmd.closure_over_states, n_states=S)
    for rules in ((step, closed), (free, step), (free, step, states_only)):
        last = tmd.iterate(start, rules, 20)[-1]
        np.testing.assert_allclose(last[:S, :S], start[:S, :S], atol=1e-8)
    improved = tmd.iterate(start, (free, closed), 20)
    np.testing.assert_allclose(improved[20], improved[1], atol=1e-12)
    np.testing.assert_allclose(closed(start)[:S, :S], start[:S, :S], atol=1e-8)


def test_without_the_backup_one_improvement_is_all() -> None:
    """The best action now and the behaviour ever after, or better: not yet the optimum."""
    P, policy = process(0)
    free, _, closed = operators(P)
    start = tmd.behaviour_distance(P, policy, GAMMA)
    last = tmd.iterate(start, (free, closed), 3)[-1]
    first_choice = start[S:, :S].reshape(S, A, S).min(axis=1)
    assert (last[:S, :S][AWAY] <= first_choice[AWAY] + 1e-12).all()
    assert np.abs(last - tmd.optimal_distance(P, GAMMA))[:S, :S].max() > 0.05


@given(seeds)
def test_exact_tables(seed) -> None:
    P, policy = process(seed)
    d = tmd.behaviour_distance(P, policy, GAMMA)
    np.testing.assert_allclose(d[:S, :S], distances.successor_distance(P, policy, GAMMA))
    ahead = np.einsum("sax,xg->sag", P, np.exp(-d[:S, :S])) * GAMMA
    np.testing.assert_allclose(d[S:, :S], -np.log(ahead).reshape(-1, S), atol=1e-9)
    assert d[1, S + 2 * A + 1] == pytest.approx(d[1, 2] - np.log(policy[2, 1]))
    best = tmd.optimal_distance(P, GAMMA)
    np.testing.assert_allclose(best[:S, :S], distances.optimal_successor_distance(P, GAMMA))
    np.testing.assert_allclose(best[:S, :S][AWAY], _least_over_actions(best)[AWAY], atol=1e-9)
    assert best[1, S + 2 * A + 1] == pytest.approx(best[1, 2])
    np.testing.assert_allclose(np.diag(best[:S, S:].reshape(S, S, A)[..., 0]), 0, atol=1e-12)


def _least_over_actions(d):
    return d[S:, :S].reshape(S, A, S).min(axis=1)


@given(seeds)
def test_shortest_paths_are_the_best_of_luck(seed) -> None:
    """As many steps as breadth-first search over whatever may happen; never above the optimum."""
    P = np.where((some := process(seed)[0]) > 0.2, some, 0.0)
    P = P / P.sum(axis=2, keepdims=True)
    d = tmd.shortest_paths(P, GAMMA)
    for source in range(S):
        steps, edge, n = np.full(S, np.inf), {source}, 0
        while edge:
            for state in edge:
                steps[state] = n
            edge = {x for s in edge for x in np.flatnonzero(P[s].max(axis=0))}
            edge, n = {x for x in edge if np.isinf(steps[x])}, n + 1
        np.testing.assert_allclose(d[source, :S], -np.log(GAMMA) * steps, atol=1e-12)
    for s in range(S):
        for a in range(A):
            nearest = d[np.flatnonzero(P[s, a]), :S].min(axis=0) - np.log(GAMMA)
            np.testing.assert_allclose(d[S + s * A + a, :S], nearest, atol=1e-12)
    assert (d[:S, :S] <= tmd.optimal_distance(P, GAMMA)[:S, :S] + 1e-9).all()


def walks(seed: int, n: int = 30, length: int = 7):
    P, policy = process(seed)
    states, actions = mdp.sample_trajectories(P, policy, np.random.default_rng(seed), n, length)
    actions[actions[:, 3] == 2] = 1  # so that some pairs may be rare
    return states, actions


@given(seeds)
def test_counts_and_monte_carlo_against_loops(seed) -> None:
    states, actions = walks(seed, n=6)
    counts = tmd.count(states, actions, S, A)
    d = tmd.monte_carlo(states, actions, S, A, GAMMA)
    for s in range(S):
        steps = {a: [] for a in range(A)}
        for walk, acts in zip(states, actions, strict=True):
            for t in range(len(walk) - 1):
                if walk[t] == s:
                    steps[acts[t]].append((walk[t + 1], walk[t + 1 :].tolist()))
        left = sum(map(len, steps.values()))
        for a, rows in steps.items():
            assert counts.tried[s, a] == len(rows)
            assert counts.policy[s, a] == pytest.approx(len(rows) / left if left else 1 / A)
            for x in range(S):
                share = np.mean([n == x for n, _ in rows]) if rows else 0.0
                assert counts.P[s, a, x] == pytest.approx(share)
                hits = [GAMMA ** (1 + f.index(x)) if x in f else 0.0 for _, f in rows]
                mean = np.mean(hits) if rows else 0.0
                assert np.exp(-d[S + s * A + a, x]) == pytest.approx(mean)
        for x in range(S):
            if x != s:
                mean = counts.policy[s] @ np.exp(-d[S + s * A : S + (s + 1) * A, x])
                assert np.exp(-d[s, x]) == pytest.approx(mean)
    assert (np.diag(d) == 0).all()


def test_what_no_walk_did_is_infinitely_far() -> None:
    states, actions = np.array([[0, 1, 1]]), np.array([[2, 0, 1]])
    counts = tmd.count(states, actions, S, A)
    np.testing.assert_allclose(counts.policy[3], 1 / A)
    assert (counts.P[3] == 0).all()
    d = tmd.monte_carlo(states, actions, S, A, GAMMA)
    assert d[0, 1] == d[S + 0 * A + 2, 1] == pytest.approx(-np.log(GAMMA))
    assert np.isinf(d[3, :3]).all()
    assert np.isinf(d[S + 0 * A + 1, :S]).all()


def test_monte_carlo_of_long_walks_is_the_behaviours_distance() -> None:
    P, policy = process(3)
    states, actions = mdp.sample_trajectories(P, policy, np.random.default_rng(0), 2_000, 150)
    found = np.exp(-tmd.monte_carlo(states, actions, S, A, GAMMA))
    exact = np.exp(-tmd.behaviour_distance(P, policy, GAMMA))
    assert np.abs(found - exact)[:, :S].max() < 0.03


def test_greedy_takes_the_nearest_and_shares_ties() -> None:
    P, _ = process(1)
    best = tmd.optimal_distance(P, GAMMA)
    chosen = tmd.greedy(best, S)
    assert chosen.shape == (S, S, A)
    pairs = best[S:, :S].reshape(S, A, S)
    for s in range(S):
        for g in range(S):
            assert chosen[s, g].argmax() == pairs[s, :, g].argmin()
    tied = np.full_like(best, np.inf)
    tied[S + 0 * A + 1, 2] = tied[S + 0 * A + 2, 2] = 1.0
    np.testing.assert_array_equal(tmd.greedy(tied, S)[0, 2], [0, 0.5, 0.5])
    np.testing.assert_allclose(tmd.greedy(tied, S)[3, 2], 1 / 3)


@given(seeds)
def test_arrival_is_the_hitting_transform_of_each_goals_policy(seed) -> None:
    P, _ = process(seed)
    policy = np.random.default_rng(seed).dirichlet(np.ones(A), size=(S, S))
    found = tmd.arrival(P, policy, GAMMA)
    for g in range(S):
        exact = distances.hitting_transform(P, policy[:, g], GAMMA)[:, g]
        np.testing.assert_allclose(found[:, g], exact, atol=1e-10)
    best = tmd.greedy(tmd.optimal_distance(P, GAMMA), S)
    exact = distances.optimal_hitting_transform(P, GAMMA)
    np.testing.assert_allclose(tmd.arrival(P, best, GAMMA), exact, atol=1e-7)
