"""Visible checks of the refresher's exercises: each raises AssertionError with what is wrong."""

from collections.abc import Callable
from typing import Any

import numpy as np

from goalward.tabular import mdp


def clock(student: Callable[..., Any]) -> None:
    """Probabilities of a geometric stopping time, against their recursion."""
    for gamma, n in ((0.5, 3), (0.9, 20), (0.0, 4)):
        answer = _array(student(gamma, n), (n,), f"for n = {n} the answer")
        assert abs(answer[0] - (1 - gamma)) < 1e-5, (
            f"the clock stops at step 1 with probability 1 - γ = {1 - gamma:g}, not {answer[0]:g}"
        )
        running = 1.0
        for k in range(n):
            expected = running * (1 - gamma)  # it still runs, and stops now
            assert abs(answer[k] - expected) < 1e-5, (
                f"at γ = {gamma} the clock stops at step {k + 1} with probability "
                f"{expected:g}, not {answer[k]:g}"
            )
            running -= expected


def iterate_measure(student: Callable[..., Any]) -> None:
    """Rounds of the Bellman equation from zero, against the sum over steps."""
    rng = np.random.default_rng(0)
    P = mdp.random_mdp(rng, 4, 3, concentration=0.5)
    policy = rng.dirichlet(np.ones(3), size=4)
    gamma = 0.8
    for n in (0, 1, 2, 7):
        answer = _array(
            student(P.copy(), policy.copy(), gamma, n), (4, 3, 4), f"after {n} rounds the table"
        )
        totals = answer.sum(axis=-1)
        assert np.allclose(totals, 1 - gamma**n, atol=1e-5), (
            f"after {n} rounds each row sums to 1 - γ^{n} = {1 - gamma**n:.4f}, "
            f"yours to {totals.flat[0]:.4f}"
        )
        expected = np.zeros((4, 3, 4))
        where = P  # the distribution k steps after (s, a), by hand and in loops
        for k in range(1, n + 1):
            expected += (1 - gamma) * gamma ** (k - 1) * where
            where = np.array(
                [[_one_step(where[s, a], P, policy) for a in range(3)] for s in range(4)]
            )
        wrong = np.abs(answer - expected).max()
        assert wrong < 1e-5, (
            f"after {n} rounds an entry is off by {wrong:.3f}: is the next action drawn from "
            "policy[next_state], and is the first action fixed?"
        )


def td_step(student: Callable[..., Any]) -> None:
    """One update of one row, against the formula entry by entry."""
    rng = np.random.default_rng(1)
    table = rng.dirichlet(np.ones(4), size=(4, 2))
    gamma, alpha = 0.7, 0.25
    for s, a, next_s, next_a in ((0, 1, 2, 0), (3, 0, 0, 1), (1, 1, 1, 1)):
        given = table.copy()
        answer = _array(student(given, s, a, next_s, next_a, gamma, alpha), (4, 2, 4), "the table")
        assert np.array_equal(given, table), "the table you were given has changed: copy it first"
        untouched = np.ones((4, 2), dtype=bool)
        untouched[s, a] = False
        assert np.allclose(answer[untouched], table[untouched], atol=1e-6), (
            "only the row M[s, a] may change"
        )
        assert abs(answer[s, a].sum() - 1) < 1e-5, (
            f"the new row sums to {answer[s, a].sum():.3f}, not to 1: check the weights "
            "1 - γ and γ in the target"
        )
        for x in range(4):
            target = (1 - gamma) * (x == next_s) + gamma * table[next_s, next_a, x]
            expected = (1 - alpha) * table[s, a, x] + alpha * target
            assert abs(answer[s, a, x] - expected) < 1e-5, (
                f"M[s, a] at state {x} should become {expected:.4f}, yours is "
                f"{answer[s, a, x]:.4f} (s = {s}, a = {a}, s' = {next_s}, a' = {next_a})"
            )


def stable_info_nce(student: Callable[..., Any]) -> None:
    """InfoNCE against a double loop, at ordinary and at extreme logits."""
    rng = np.random.default_rng(2)
    scores = rng.normal(size=(5, 5)).round(3)
    assert abs(_number(student(np.zeros((5, 5)))) - np.log(5)) < 1e-5, (
        "with equal logits the loss is log 5: every candidate is as likely"
    )
    expected = -np.mean(
        [np.log(1 / sum(np.exp(scores[i, j] - scores[i, i]) for j in range(5))) for i in range(5)]
    )
    answer = _number(student(scores))
    transposed = -np.mean(
        [np.log(1 / sum(np.exp(scores[j, i] - scores[i, i]) for j in range(5))) for i in range(5)]
    )
    assert abs(answer - transposed) > 1e-5, (
        "you normalise over anchors (columns); the softmax runs over the candidates of a row"
    )
    assert abs(answer - expected) < 1e-5, (
        f"the loss should be {expected:.5f}, yours is {answer:.5f}"
    )
    shifted = _number(student(scores + 10.0 * np.arange(5)[:, None]))
    assert abs(shifted - expected) < 1e-4, "adding a number to a row must not change the loss"
    steep = 4000.0 * scores
    answer = _number(student(steep))
    gaps = np.array([steep[i].max() - steep[i, i] for i in range(5)])
    assert np.isfinite(answer), f"with logits in the thousands the loss is {answer}: it overflows"
    assert abs(answer - gaps.mean()) < 1e-2 * gaps.mean() + 1e-3, (
        f"with logits in the thousands the loss should be {gaps.mean():.1f}, yours is {answer:.1f}"
    )


def _one_step(row: np.ndarray, P: np.ndarray, policy: np.ndarray) -> np.ndarray:
    following = np.zeros(len(row))
    for s in range(len(row)):
        for a in range(policy.shape[1]):
            following += row[s] * policy[s, a] * P[s, a]
    return following


def _array(answer: Any, shape: tuple[int, ...], what: str) -> np.ndarray:
    array = np.asarray(answer, dtype=float)
    assert array.shape == shape, f"{what} should have shape {shape}, not {array.shape}"
    assert np.isfinite(array).all(), f"{what} holds a number that is not finite"
    return array


def _number(answer: Any) -> float:
    array = np.asarray(answer, dtype=float)
    assert array.shape == (), f"the loss is one number, not an array of shape {array.shape}"
    return float(array)
