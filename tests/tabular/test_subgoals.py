"""Tables of two levels against double loops, all draws, and chains of known values."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goalward.tabular import subgoals


def random_walks(seed, walks=6, length=7, states=4):
    rng = np.random.default_rng(seed)
    return rng.integers(states, size=(walks, length)), rng.integers(3, size=(walks, length - 1))


def sweeps_by_hand(states, count, n, gamma, sweeps, published):
    V = np.eye(count)
    for _ in range(sweeps):
        new = np.zeros_like(V)
        for s, g in itertools.product(range(count), repeat=2):
            targets = []
            for walk in states.tolist():
                last = len(walk) - 1
                for t in range(last):
                    if walk[t] != s:
                        continue
                    ahead = [j for j in range(n) if t + j <= last and walk[t + j] == g]
                    taken = min(n, last - t)
                    if ahead:
                        targets.append(gamma ** ahead[0])
                    elif published and taken < n:
                        targets.append(gamma**taken)
                    else:
                        targets.append(gamma**taken * V[walk[t + taken], g])
            new[s, g] = np.mean(targets) if targets else V[s, g]
        V = new
    return V


@settings(max_examples=25)
@given(st.integers(0, 99), st.integers(1, 9), st.floats(0.3, 1), st.integers(1, 4), st.booleans())
def test_values_are_those_of_loops(seed, n, gamma, sweeps, published):
    states, _ = random_walks(seed)
    states[:, -1] = 3  # a state that is seen last
    got = subgoals.arrival_values(states, 4, n, gamma, sweeps, published)
    by_hand = sweeps_by_hand(states, 4, n, gamma, sweeps, published)
    np.testing.assert_allclose(got, by_hand, atol=1e-12)


@pytest.mark.parametrize("n", [1, 2, 5])
def test_the_value_is_the_behaviours_not_the_best(n):
    """From 0 half of the walks reach 2 in two steps, half go astray: half of gamma squared."""
    states = np.array([[0, 1, 2, 2, 2, 2], [0, 3, 3, 3, 3, 3]])
    V = subgoals.arrival_values(states, 4, n, 0.9, 60)
    assert V[0, 2] == pytest.approx(0.81 / 2)
    assert V[1, 2] == pytest.approx(0.9)
    np.testing.assert_allclose(np.diag(V), 1)


def test_values_of_a_line_are_powers_at_rest():
    states = np.stack([np.arange(i, i + 5) for i in range(8)])
    V = subgoals.arrival_values(states, 12, 2, 0.9, 40)
    s, g = np.indices((11, 12))
    expected = np.where(g >= s, 0.9 ** np.maximum(g - s, 0), 0)
    np.testing.assert_allclose(V[:11], expected, atol=1e-12)


@pytest.mark.parametrize("ahead", [1, 2, 20, None])
def test_cloned_actions_are_counts(ahead):
    states, actions = random_walks(1, walks=3, states=6)
    counts = np.zeros((6, 6, 3))
    for walk, taken in zip(states, actions, strict=True):
        for t in range(6):
            for later in range(t + 1, min(6, t + (ahead or 99)) + 1):
                counts[walk[t], walk[later], taken[t]] += 1
    table, seen = subgoals.cloned_actions(states, actions, 6, 3, ahead)
    np.testing.assert_array_equal(seen, counts.sum(axis=2) > 0)
    assert not seen.all() or ahead is None
    total = counts.sum(axis=2, keepdims=True)
    np.testing.assert_allclose(table, np.where(total > 0, counts / np.maximum(total, 1), 1 / 3))


@pytest.mark.parametrize("n", [1, 3, 20])
def test_proposals_are_counts(n):
    states, _ = random_walks(2, walks=2, states=9)
    counts = np.zeros((9, 9))
    for walk in states:
        for t in range(6):
            counts[walk[t], walk[min(t + n, 6)]] += 1
    law = subgoals.proposal_law(states, 9, n)
    for s in range(9):
        row = counts[s] / counts[s].sum() if counts[s].any() else np.eye(9)[s]
        np.testing.assert_allclose(law[s], row)
    assert (counts.sum(axis=1) == 0).any()


@settings(max_examples=25)
@given(st.integers(0, 999), st.integers(1, 4))
def test_best_of_by_all_draws(seed, count):
    rng = np.random.default_rng(seed)
    law = rng.dirichlet(np.ones(4), 2)
    law[0, 1], law[0] = 0, law[0] * [1, 0, 1, 1] / law[0, [0, 2, 3]].sum()
    score = rng.integers(3, size=4).astype(float)
    expected = np.zeros_like(law)
    for row in range(2):
        for draws in itertools.product(range(4), repeat=count):
            best = [w for w in draws if score[w] == score[list(draws)].max()]
            for w in best:
                expected[row, w] += np.prod(law[row, list(draws)]) / len(best)
    np.testing.assert_allclose(subgoals.best_of(law, score, count), expected, atol=1e-12)


def test_the_policy_goes_for_the_best_proposal_or_the_goal():
    rng = np.random.default_rng(0)
    low = rng.dirichlet(np.ones(3), (4, 4))
    seen, values = rng.random((4, 4)) < 0.4, rng.random((4, 4))
    proposals = rng.dirichlet(np.ones(4), 4)
    policy = subgoals.subgoal_policy(low, seen, proposals, values, 3)
    for s, g in itertools.product(range(4), repeat=2):
        chosen = subgoals.best_of(proposals[[s]], values[:, g], 3)[0]
        mixed = sum(chosen[w] * low[s, w] for w in range(4))
        np.testing.assert_allclose(policy[s, g], low[s, g] if seen[s, g] else mixed)
    assert seen.any()
    assert not seen.all()
