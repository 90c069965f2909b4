"""The refresher's visible checks: right answers in any style pass, typical mistakes do not."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from goalward.course.chapter import attempt
from goalward.course.checks import refresher as checks
from goalward.losses import contrastive


def clock_by_formula(gamma: float, n: int) -> Any:
    return (1 - gamma) * gamma ** np.arange(n)


def clock_by_loop(gamma: float, n: int) -> Any:
    chances, running = [], 1.0
    for _ in range(n):
        chances.append(running * (1 - gamma))
        running *= gamma
    return chances


def measure_by_arrays(P: Any, policy: Any, gamma: float, n: int) -> Any:
    M = np.zeros_like(P)
    for _ in range(n):
        M = (1 - gamma) * P + gamma * P @ (policy[:, :, None] * M).sum(axis=1)
    return M


def measure_in_jax(P: Any, policy: Any, gamma: float, n: int) -> Any:
    P, policy = jnp.array(P), jnp.array(policy)

    def round(M: Any, _: Any) -> Any:
        bar = jnp.einsum("sa,sax->sx", policy, M)
        return (1 - gamma) * P + gamma * jnp.einsum("sax,xy->say", P, bar), None

    return jax.lax.scan(round, jnp.zeros_like(P), length=n)[0]


def td_by_copy(M: Any, s: int, a: int, x: int, b: int, gamma: float, alpha: float) -> Any:
    new = M.copy()
    target = gamma * M[x, b]
    target[x] += 1 - gamma
    new[s, a] += alpha * (target - M[s, a])
    return new


def td_in_jax(M: Any, s: int, a: int, x: int, b: int, gamma: float, alpha: float) -> Any:
    M = jnp.array(M)
    target = (1 - gamma) * jax.nn.one_hot(x, M.shape[2]) + gamma * M[x, b]
    return M.at[s, a].add(alpha * (target - M[s, a]))


def loss_by_shift(logits: Any) -> Any:
    logits = logits - logits.max(axis=1, keepdims=True)
    return np.mean(np.log(np.exp(logits).sum(axis=1)) - np.diagonal(logits))


@pytest.mark.parametrize(
    ("check", "answer"),
    [
        (checks.clock, clock_by_formula),
        (checks.clock, clock_by_loop),
        (checks.iterate_measure, measure_by_arrays),
        (checks.iterate_measure, measure_in_jax),
        (checks.td_step, td_by_copy),
        (checks.td_step, td_in_jax),
        (checks.stable_info_nce, loss_by_shift),
        (checks.stable_info_nce, lambda x: contrastive.info_nce(jnp.array(x))),
    ],
)
def test_right_answers_pass(check: Callable[..., None], answer: Callable[..., Any]) -> None:
    assert "all checks pass" in attempt(check, answer)


def changed_in_place(M: Any, s: int, a: int, x: int, b: int, gamma: float, alpha: float) -> Any:
    M[s, a] = td_by_copy(M, s, a, x, b, gamma, alpha)[s, a]
    return M


def swapped_states(M: Any, s: int, a: int, x: int, b: int, gamma: float, alpha: float) -> Any:
    return td_by_copy(M, x, b, s, a, gamma, alpha)


def counts_present(M: Any, s: int, a: int, x: int, b: int, gamma: float, alpha: float) -> Any:
    new = M.copy()
    new[s, a] += alpha * ((1 - gamma) * np.eye(4)[s] + gamma * M[x, b] - M[s, a])
    return new


def no_factor(M: Any, s: int, a: int, x: int, b: int, gamma: float, alpha: float) -> Any:
    new = M.copy()
    new[s, a] += alpha * (np.eye(4)[x] + gamma * M[x, b] - M[s, a])
    return new


def greedy_measure(P: Any, policy: Any, gamma: float, n: int) -> Any:
    M = np.zeros_like(P)
    for _ in range(n):
        M = (1 - gamma) * P + gamma * P @ M.mean(axis=1)  # forgets the policy
    return M


def current_measure(P: Any, policy: Any, gamma: float, n: int) -> Any:
    M = np.zeros_like(P)
    here = np.eye(len(P))[:, None, :]
    for _ in range(n):
        M = (1 - gamma) * here + gamma * P @ (policy[:, :, None] * M).sum(axis=1)
    return M


@np.errstate(over="ignore", invalid="ignore")
def overflows(logits: Any) -> Any:
    return np.mean(np.log(np.exp(logits).sum(axis=1)) - np.diagonal(logits))


@pytest.mark.parametrize(
    ("check", "mistake", "says"),
    [
        (checks.clock, lambda g, n: g ** np.arange(n), "step 1"),
        (checks.clock, lambda g, n: (1 - g) * g ** np.arange(1, n + 1), "step 1"),
        (checks.clock, lambda g, n: (1 - g) * g ** np.arange(n + 1), "shape"),
        (checks.clock, lambda g, n: np.r_[1 - g, np.full(n - 1, g / (n - 1))], "step 3"),
        (checks.iterate_measure, lambda P, p, g, n: measure_by_arrays(P, p, g, n + 1), "sums"),
        (checks.iterate_measure, lambda P, p, g, n: measure_by_arrays(P, p, g, n) / 2, "sums"),
        (checks.iterate_measure, greedy_measure, "policy"),
        (checks.iterate_measure, current_measure, "off by"),
        (checks.iterate_measure, lambda P, p, g, n: P.mean(axis=1), "shape"),
        (checks.td_step, changed_in_place, "copy it first"),
        (checks.td_step, swapped_states, "only the row"),
        (checks.td_step, counts_present, "should become"),
        (checks.td_step, no_factor, "sums to"),
        (checks.stable_info_nce, overflows, "overflow"),
        (
            checks.stable_info_nce,
            lambda x: contrastive.info_nce(jnp.array(x), axis=0),
            "candidates of a row",
        ),
        (checks.stable_info_nce, lambda x: -contrastive.info_nce(jnp.array(x)), "equal logits"),
        (checks.stable_info_nce, lambda x: 5 * loss_by_shift(x), "equal logits"),
        (
            checks.stable_info_nce,
            lambda x: contrastive.symmetric_info_nce(jnp.array(x)),
            "should be",
        ),
        (checks.stable_info_nce, lambda x: np.zeros(5), "one number"),
    ],
)
def test_mistakes_are_named(
    check: Callable[..., None], mistake: Callable[..., Any], says: str
) -> None:
    verdict = attempt(check, mistake)
    assert verdict.startswith("✘"), verdict
    assert says in verdict


def test_an_empty_answer_is_not_a_mistake() -> None:
    for check in (checks.clock, checks.iterate_measure, checks.td_step, checks.stable_info_nce):
        assert "not attempted" in attempt(check, lambda *_: None)
