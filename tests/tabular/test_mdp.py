"""Finite processes: validity, and sampled trajectories against the probabilities they come from."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goalward.tabular import mdp


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**16), states=st.integers(1, 6), actions=st.integers(1, 4))
def test_a_random_process_is_valid_and_so_is_its_chain(seed, states, actions):
    rng = np.random.default_rng(seed)
    P = mdp.random_mdp(rng, states, actions, concentration=0.3)
    policy = rng.dirichlet(np.ones(actions), size=states)
    mdp.validate(P, policy)
    chain = mdp.state_transitions(P, policy)
    by_hand = np.zeros((states, states))
    for s in range(states):
        for a in range(actions):
            by_hand[s] += policy[s, a] * P[s, a]
    np.testing.assert_allclose(chain, by_hand, atol=1e-12)
    np.testing.assert_allclose(chain.sum(axis=1), 1.0)


def test_sampled_frequencies_are_the_probabilities():
    rng = np.random.default_rng(0)
    P = mdp.random_mdp(rng, 4, 3)
    policy = rng.dirichlet(np.ones(3), size=4)
    states, actions = mdp.sample_trajectories(P, policy, rng, n=4000, horizon=25)
    assert states.shape == actions.shape == (4000, 26)
    counts = np.zeros((4, 3, 4))
    np.add.at(counts, (states[:, :-1], actions[:, :-1], states[:, 1:]), 1)
    visits = counts.sum(axis=2, keepdims=True)
    assert np.abs(counts / visits - P).max() < 6 * 0.5 / np.sqrt(visits.min())
    chosen = np.zeros((4, 3))
    np.add.at(chosen, (states, actions), 1)
    seen = chosen.sum(axis=1, keepdims=True)
    assert np.abs(chosen / seen - policy).max() < 6 * 0.5 / np.sqrt(seen.min())


def test_impossible_moves_are_never_drawn_and_starts_are_kept():
    P = np.eye(3)[np.array([[1, 0], [2, 1], [2, 2]])]
    start = np.array([0, 1, 2, 0])
    states, actions = mdp.sample_trajectories(
        P, mdp.uniform_policy(3, 2), np.random.default_rng(1), n=4, horizon=9, start=start
    )
    np.testing.assert_array_equal(states[:, 0], start)
    assert (P[states[:, :-1], actions[:, :-1], states[:, 1:]] == 1).all()


def test_the_same_seed_gives_the_same_trajectories():
    P = mdp.random_mdp(np.random.default_rng(0), 3, 2)
    draw = [
        mdp.sample_trajectories(P, mdp.uniform_policy(3, 2), np.random.default_rng(5), 6, 4)
        for _ in range(2)
    ]
    np.testing.assert_array_equal(draw[0][0], draw[1][0])
    np.testing.assert_array_equal(draw[0][1], draw[1][1])


@pytest.mark.parametrize(
    ("P", "policy", "message"),
    [
        (np.ones((2, 2)), None, "shape"),
        (np.ones((2, 1, 2)), None, "sum to one"),
        (np.full((2, 1, 2), 0.5), np.ones((1, 2)), "policy must have shape"),
        (np.full((2, 1, 2), 0.5), np.full((2, 1), 0.5), "policy"),
    ],
)
def test_bad_tables_are_refused(P, policy, message):
    with pytest.raises(ValueError, match=message):
        mdp.validate(P, policy)


def test_an_empty_sample_is_refused():
    with pytest.raises(ValueError, match="at least 1"):
        mdp.sample_trajectories(
            np.ones((1, 1, 1)), np.ones((1, 1)), np.random.default_rng(0), n=0, horizon=3
        )


def test_each_trajectory_follows_the_policy_of_its_goal():
    rng = np.random.default_rng(3)
    P = mdp.random_mdp(rng, states=3, actions=2)
    policy = rng.dirichlet(np.ones(2), size=(3, 4))
    goals = np.repeat(np.arange(4), 3000)
    states, actions = mdp.sample_goal_trajectories(P, policy, goals, rng, horizon=6)
    assert states.shape == actions.shape == (12_000, 7)
    for g in range(4):
        s, a = states[goals == g], actions[goals == g]
        for state in range(3):
            visits = (s == state).sum()
            taken = np.bincount(a[s == state], minlength=2) / visits
            assert np.abs(taken - policy[state, g]).max() < 6 * 0.5 / np.sqrt(visits)
        before = (s[:, :-1] == 1) & (a[:, :-1] == 0)
        arrived = np.bincount(s[:, 1:][before], minlength=3) / before.sum()
        assert np.abs(arrived - P[1, 0]).max() < 6 * 0.5 / np.sqrt(before.sum())
    with pytest.raises(ValueError, match="normalise"):
        mdp.sample_goal_trajectories(P, 2 * policy, goals, rng, horizon=6)
    with pytest.raises(ValueError, match="horizon"):
        mdp.sample_goal_trajectories(P, policy, goals, rng, horizon=0)
