"""Scores of horizon generalization and planning invariance against loops and closed forms."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from goalward.evaluation import horizon


def test_success_by_distance_averages_each_bin():
    success = np.array([1.0, 0.5, 0.0, 0.25, 1.0])
    distance = np.array([0.0, 10.0, 10.5, 20.0, 45.0])
    means = horizon.success_by_distance(success, distance, np.array([0, 10, 20, 30, 50]))
    np.testing.assert_allclose(means, [0.5, 0.125, np.nan, 1.0])
    with pytest.raises(ValueError, match="increasing"):
        horizon.success_by_distance(success, distance, np.array([3.0, 1.0]))


def test_eta_is_far_over_near():
    success, distance = np.array([0.8, 0.4, 0.2, 0.9]), np.array([1.0, 2.0, 3.0, 5.0])
    assert horizon.horizon_eta(success, distance, 2.0) == pytest.approx(0.2 / 0.6)
    with pytest.raises(ValueError, match="change the radius"):
        horizon.horizon_eta(success, distance, 9.0)
    with pytest.raises(ValueError, match="undefined"):
        horizon.horizon_eta(np.zeros(4), distance, 2.0)


def test_planning_invariance_is_without_over_with():
    ratio = horizon.planning_invariance(np.array([0.2, 0.4]), np.array([0.5, 0.7]))
    assert ratio == pytest.approx(0.5)
    with pytest.raises(ValueError, match="never succeeds"):
        horizon.planning_invariance(np.ones(2), np.zeros(2))


@given(eta=st.floats(0, 0.49))
def test_reach_equals_its_series(eta):
    series = 1 + sum(eta**k * 2.0 ** (k - 1) for k in range(1, 1000))
    assert horizon.reach(eta) == pytest.approx(series, rel=1e-6)


def test_reach_at_the_values_of_the_paper():
    assert horizon.reach(0.1) == pytest.approx(1.125)
    assert horizon.reach(0.0) == 1.0
    assert horizon.reach(0.5) == horizon.reach(0.9) == float("inf")
    with pytest.raises(ValueError, match="0 or more"):
        horizon.reach(-0.1)


def test_broken_waypoints_equals_the_triple_loop():
    rng = np.random.default_rng(0)
    n = 6
    d = ((np.arange(n)[None, :] - np.arange(n)[:, None]) % n).astype(float)  # a one-way ring
    optimal = rng.uniform(size=(n, n, 3)) < 0.6
    outcomes = [
        any(optimal[s, w, a] and not optimal[s, g, a] for a in range(3))
        for s, w, g in itertools.permutations(range(n), 3)
        if d[s, w] + d[w, g] == d[s, g]
    ]
    assert 0 < sum(outcomes) < len(outcomes)
    assert horizon.broken_waypoints(optimal, d) == pytest.approx(np.mean(outcomes))
    among = rng.uniform(size=(n, n)) < 0.5
    chosen = [
        any(optimal[s, w, a] and not optimal[s, g, a] for a in range(3))
        for s, w, g in itertools.permutations(range(n), 3)
        if d[s, w] + d[w, g] == d[s, g] and among[s, g]
    ]
    assert np.mean(chosen) != np.mean(outcomes)
    assert horizon.broken_waypoints(optimal, d, among) == pytest.approx(np.mean(chosen))
    with pytest.raises(ValueError, match="larger maze"):
        horizon.broken_waypoints(np.ones((2, 2, 3), bool), np.array([[0.0, 1.0], [1.0, 0.0]]))
