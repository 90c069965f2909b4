"""Temporal distances, against the successor measure, breadth-first search and simulated walks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from goalward.tabular import distances, mdp, paths, successor
from goalward.tabular.grid import Grid

seeds = st.integers(0, 10_000)


def process(seed: int, states: int = 6, actions: int = 3):
    rng = np.random.default_rng(seed)
    return mdp.random_mdp(rng, states, actions, 0.2), rng.dirichlet(np.ones(actions), size=states)


@given(seeds)
def test_two_definitions_agree(seed) -> None:
    """Log ratio of successor measures, counted from the present state; time of the first visit."""
    P, policy = process(seed)
    measure = successor.state_successor_measure(P, policy, 0.9, start="current")
    ratio = np.log(np.diag(measure)) - np.log(measure)
    np.testing.assert_allclose(distances.successor_distance(P, policy, 0.9), ratio, atol=1e-8)
    pairs = successor.successor_measure(P, policy, 0.9, start="current")
    ratio = np.log(np.diag(measure)) - np.log(pairs)
    found = -np.log(distances.pair_hitting_transform(P, policy, 0.9))
    away = ~np.eye(6, dtype=bool)[:, None, :].repeat(3, axis=1)
    np.testing.assert_allclose(found[away], ratio[away], atol=1e-8)
    assert (found[~away] == 0).all()


def test_counting_from_the_next_state_is_another_quantity() -> None:
    P, policy = process(0)
    measure = successor.state_successor_measure(P, policy, 0.9, start="next")
    ratio = np.log(np.diag(measure)) - np.log(measure)
    assert np.abs(distances.successor_distance(P, policy, 0.9) - ratio).max() > 0.3


@given(seeds)
def test_quasimetrics_all(seed) -> None:
    P, policy = process(seed)
    for d in (
        distances.successor_distance(P, policy, 0.9),
        distances.optimal_successor_distance(P, 0.9),
    ):
        assert paths.triangle_violation(d) < 1e-8
        assert (np.diag(d) == 0).all()
        assert (d[~np.eye(6, dtype=bool)] > 0).all()
        assert np.abs(d - d.T).max() > 0.01


def test_the_density_is_no_distance() -> None:
    """What the log ratio divides out is what breaks the triangle."""
    P, policy = process(1)
    measure = successor.state_successor_measure(P, policy, 0.9, start="current")
    assert paths.triangle_violation(-np.log(measure / measure.mean(axis=0))) > 0.01


@given(seeds)
def test_nobody_is_nearer_than_at_best(seed) -> None:
    P, policy = process(seed)
    best = distances.optimal_successor_distance(P, 0.9)
    assert (best <= distances.successor_distance(P, policy, 0.9) + 1e-10).all()
    pairs = -np.log(distances.optimal_pair_hitting_transform(P, 0.9))
    np.testing.assert_allclose(pairs.min(axis=1), best, atol=1e-10)


@given(seeds)
def test_the_best_is_reached_by_a_policy(seed) -> None:
    P, _ = process(seed, states=4, actions=2)
    best = distances.optimal_successor_distance(P, 0.8)
    every = np.stack(
        [
            distances.successor_distance(P, np.eye(2)[list(choice)], 0.8)
            for choice in np.ndindex(2, 2, 2, 2)
        ]
    )
    np.testing.assert_allclose(every.min(axis=0), best, atol=1e-10)


def test_where_moves_are_certain_it_counts_steps() -> None:
    grid = Grid.parse("...#.\n.#...\n...#.")
    d = distances.optimal_successor_distance(grid.P, 0.9)
    np.testing.assert_allclose(d, -np.log(0.9) * grid.distances, atol=1e-10)


def test_where_one_way_is_closed_it_is_infinite() -> None:
    P = np.array([[[0.0, 1.0]], [[0.0, 1.0]]])  # from 0 to 1, and there for good
    expected = [[0.0, -np.log(0.9)], [np.inf, 0.0]]
    policy = np.ones((2, 1))
    np.testing.assert_allclose(distances.optimal_successor_distance(P, 0.9), expected)
    np.testing.assert_allclose(distances.successor_distance(P, policy, 0.9), expected)


def test_against_walks() -> None:
    P, policy = process(3, states=4)
    n, horizon = 20_000, 60
    for start in ("current", "next"):
        exact = distances.hitting_transform(P, policy, 0.8, start)
        for state in range(4):
            walk, _ = mdp.sample_trajectories(
                P, policy, np.random.default_rng(state), n, horizon, np.full(n, state)
            )
            first = 0 if start == "current" else 1
            for goal in range(4):
                at = walk[:, first:] == goal
                hit = np.where(at.any(axis=1), 0.8 ** (at.argmax(axis=1) + first), 0.0)
                assert hit.mean() == pytest.approx(exact[state, goal], abs=0.015)


def test_a_pair_is_its_first_action() -> None:
    P, policy = process(4)
    pairs = distances.pair_hitting_transform(P, policy, 0.9)
    averaged = np.einsum("sa,sag->sg", policy, pairs)
    np.testing.assert_allclose(averaged, distances.hitting_transform(P, policy, 0.9), atol=1e-12)
    returning = distances.pair_hitting_transform(P, policy, 0.9, start="next")
    np.testing.assert_allclose(
        np.einsum("sa,sag->sg", policy, returning),
        distances.hitting_transform(P, policy, 0.9, start="next"),
        atol=1e-12,
    )
    assert (np.einsum("sas->sa", returning) < 1).all()


def test_at_a_discount_near_one_the_best_still_comes_to_an_end() -> None:
    grid = Grid.open(1, 5)
    d = distances.optimal_successor_distance(grid.P, 0.9999)
    np.testing.assert_allclose(d, -np.log(0.9999) * grid.distances, atol=1e-10)


@given(seeds)
def test_joint_table_closes_to_a_quasimetric_that_keeps_its_states(seed) -> None:
    """A policy's successor distance is a quasimetric already: closing it changes no state's row."""
    P, policy = process(seed, states=4, actions=2)
    states = distances.successor_distance(P, policy, 0.9)
    pairs = -np.log(distances.pair_hitting_transform(P, policy, 0.9, start="next"))
    table = distances.joint_distance(states, np.maximum(pairs, 0), policy)
    assert table.shape == (12, 12)
    assert (np.diag(table) == 0).all()
    closed = paths.floyd_warshall(table)
    assert paths.triangle_violation(closed) < 1e-8
    np.testing.assert_allclose(closed[:4, :4], states, atol=1e-8)
    s, a, g, b = 1, 1, 2, 0
    assert table[4 + s * 2 + a, g] == pairs[s, a, g]
    assert table[s, 4 + g * 2 + b] == pytest.approx(states[s, g] - np.log(policy[g, b]))


@pytest.mark.parametrize(
    ("gamma", "start", "told"),
    [(1.0, "current", "between 0 and 1"), (0.0, "current", "weighs"), (0.9, "now", "'now'")],
)
def test_wrong_calls_are_refused(gamma, start, told) -> None:
    P, policy = process(0)
    with pytest.raises(ValueError, match=told):
        distances.hitting_transform(P, policy, gamma, start)
    with pytest.raises(ValueError, match=told):
        distances.optimal_hitting_transform(P, gamma, start)


@given(seeds)
def test_what_cannot_be_reached_has_a_transform_of_exactly_nought(seed) -> None:
    rng = np.random.default_rng(seed)
    P, policy = np.zeros((12, 2, 12)), np.full((12, 2), 0.5)
    P[:7, :, :7], P[7:, :, :] = mdp.random_mdp(rng, 7, 2), rng.dirichlet(np.ones(12), size=(5, 2))
    h = distances.hitting_transform(P, policy, 0.95)
    assert (h[:7, 7:] == 0).all()
    assert (h[7:] > 0).all()
    assert np.isposinf(distances.successor_distance(P, policy, 0.95)[:7, 7:]).all()


def test_a_long_corridor_is_walked_to_its_end() -> None:
    P = np.eye(12)[np.minimum(np.arange(12) + 1, 11)][:, None]
    steps = distances.successor_distance(P, np.ones((12, 1)), 0.9) / -np.log(0.9)
    ahead = np.arange(12)[None] - np.arange(12)[:, None]
    np.testing.assert_allclose(steps, np.where(ahead >= 0, ahead, np.inf), atol=1e-9)
