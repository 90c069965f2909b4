"""Visible checks of the exercises on horizon generalization: oracles are loops and enumeration."""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np


def _array(answer: Any, shape: tuple[int, ...], what: str) -> np.ndarray:
    array = np.asarray(answer, dtype=float)
    assert array.shape == shape, f"{what} should have shape {shape}, not {array.shape}"
    assert not np.isnan(array).any(), f"{what} holds NaN"
    return array


def path_relax(student: Callable[..., Any]) -> None:
    """One min-plus square, against two nested loops; repeated, it must reach shortest paths."""
    rng = np.random.default_rng(0)
    d = rng.uniform(0.5, 9.0, (6, 6))
    d[rng.uniform(size=d.shape) < 0.3] = np.inf
    np.fill_diagonal(d, 0.0)
    before = d.copy()
    answer = _array(student(d), d.shape, "the answer")
    assert np.array_equal(d, before), "the input was changed: work on a copy"
    expected = np.full(d.shape, np.inf)
    for s, w, g in itertools.product(range(6), repeat=3):
        expected[s, g] = min(expected[s, g], before[s, w] + before[w, g])
    assert not np.allclose(answer, _closed(before)) or np.allclose(expected, _closed(before)), (
        "it relaxes more than once: only two legs are allowed"
    )
    assert np.all(answer <= before + 1e-6), "a journey got longer: staying first costs nothing"
    assert np.allclose(answer, expected, rtol=1e-4), (
        "some distance is not the minimum over waypoints w of d(s, w) + d(w, g), in this order"
    )
    line = np.abs(np.arange(5.0)[:, None] - np.arange(5.0))
    assert np.allclose(_array(student(line), line.shape, "the answer"), line), (
        "a distance that obeys the triangle inequality must stay as it is"
    )


def _closed(d: np.ndarray) -> np.ndarray:
    closed = d.copy()
    for _ in range(len(d)):
        closed = np.min(closed[:, :, None] + closed[None, :, :], axis=1)
    return closed


def exact_success(student: Callable[..., Any]) -> None:
    """Success within a horizon, against powers of the chain that stops at the goal."""
    n_states, n_actions = 5, 3
    rng = np.random.default_rng(1)
    next_state = rng.integers(0, n_states, (n_states, n_actions))
    policy = rng.dirichlet(np.ones(n_actions), size=(n_states, n_states))
    for horizon in (0, 1, 2, 7):
        answer = student(policy, next_state, horizon)
        answer = _array(answer, (n_states, n_states), f"the answer for horizon {horizon}")
        expected, forgetful = (
            _chain_power(policy, next_state, horizon, absorbing) for absorbing in (True, False)
        )
        assert np.allclose(np.diag(answer), 1.0, atol=1e-5), "from the goal itself success is 1"
        assert np.allclose(answer, expected, atol=1e-4) or not np.allclose(
            answer, expected.T, atol=1e-4
        ), "start and goal are swapped: rows are starts"
        off = ~np.eye(n_states, dtype=bool)
        assert np.allclose(answer, expected, atol=1e-4) or not np.allclose(
            answer[off], forgetful[off], atol=1e-4
        ), "that is the chance to be at the goal at the end: having been there counts, too"
        assert np.allclose(answer, expected, atol=1e-4), (
            f"success within {horizon} steps differs from the exact value"
        )


def _chain_power(
    policy: np.ndarray, next_state: np.ndarray, horizon: int, absorbing: bool
) -> np.ndarray:
    n = len(next_state)
    success = np.empty((n, n))
    for g in range(n):
        chain = np.zeros((n, n))
        for s, a in itertools.product(range(n), range(next_state.shape[1])):
            chain[s, next_state[s, a]] += policy[s, g, a]
        if absorbing:
            chain[g] = np.eye(n)[g]
        success[:, g] = np.linalg.matrix_power(chain, horizon)[:, g]
    return success


def reach(student: Callable[..., Any]) -> None:
    """The closed form, against the sum itself."""
    for eta in (0.0, 0.1, 0.25, 0.45):
        expected = 1 + sum(eta**k * 2.0 ** (k - 1) for k in range(1, 900))
        answer = float(_array(student(eta), (), "the answer"))
        assert abs(answer - expected) < 1e-3, (
            f"reach({eta}) should be {expected:.4g}, not {answer:.4g}: sum eta^k 2^(k-1) from k = 1"
        )
    for eta in (0.5, 0.6, 1.0):
        answer = float(_array(student(eta), (), "the answer"))
        assert answer == np.inf, f"reach({eta}) should be infinite: the terms do not shrink"


def hitting_times(student: Callable[..., Any]) -> None:
    """Average waits until the first later visit, against loops over visits."""
    one_way = _array(student(np.array([[0, 1, 2]]), 3), (3, 3), "the answer")
    assert np.isinf(one_way[2, 0]), (
        "time runs forwards: in the walk 0, 1, 2 nothing leads from 2 to 0"
    )
    assert one_way[0, 2] == 2, "in the walk 0, 1, 2 it takes 2 steps from 0 to 2"
    again = _array(student(np.array([[0, 1, 1, 1]]), 2), (2, 2), "the answer")
    assert np.isclose(again[0, 1], 1.0), "only the first later visit counts, not every later one"
    twice = _array(student(np.array([[0, 0, 1, 2]]), 3), (3, 3), "the answer")
    assert np.isclose(twice[0, 1], 1.5), "every visit of the start counts, not only the first"
    states = np.random.default_rng(2).integers(0, 4, (3, 6))
    answer = _array(student(states, 5), (5, 5), "the answer")
    assert np.allclose(np.diag(answer), 0.0), "the diagonal is 0: one is there already"
    for s, g in itertools.permutations(range(5), 2):
        waits = [
            int(np.flatnonzero(walk[t:] == g)[0])
            for walk in states
            for t in range(len(walk))
            if walk[t] == s and (walk[t:] == g).any()
        ]
        expected = np.mean(waits) if waits else np.inf
        assert np.isclose(answer[s, g], expected), (
            f"from {s} to {g} the average is {expected:.4g}, not {answer[s, g]:.4g}"
        )
