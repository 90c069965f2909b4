"""The TD InfoNCE exercises' checks: right answers pass in any style, planted mistakes do not."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from goalward.baselines import mc_info_nce
from goalward.course.checks import td_infonce as checks
from goalward.losses import contrastive
from goalward.tabular import successor


def numpy_loss(next_logits, random_logits, target_logits, gamma):
    following, random, target = map(np.asarray, (next_logits, random_logits, target_logits))

    def log_softmax(x):
        return (
            x
            - np.log(np.exp(x - x.max(1, keepdims=True)).sum(1, keepdims=True))
            - x.max(1, keepdims=True)
        )

    first = -np.mean(np.diagonal(log_softmax(following)))
    second = -np.mean((np.exp(log_softmax(target)) * log_softmax(random)).sum(axis=1))
    return (1 - gamma) * first + gamma * second


def without_stop(next_logits, random_logits, target_logits, gamma):
    weights = jax.nn.softmax(target_logits, axis=1)
    second = -jnp.mean(jnp.sum(weights * jax.nn.log_softmax(random_logits, axis=1), axis=1))
    return (1 - gamma) * contrastive.info_nce(next_logits) + gamma * second


def uniform_weights(next_logits, random_logits, target_logits, gamma):
    return contrastive.td_info_nce(next_logits, random_logits, 0 * target_logits, gamma)


def no_discount(next_logits, random_logits, target_logits, gamma):
    return contrastive.td_info_nce(next_logits, random_logits, target_logits, 0.5)


def power_series(P, policy, gamma, first=1, missing=1.0):
    total, now, weight = np.zeros_like(P), P, missing * (1 - gamma)
    for _ in range(2000):
        total += weight * now
        now, weight = np.einsum("sax,xb,xby->say", now, policy, P), weight * gamma
    return total


def best(q, arrive, follow, p, gamma):
    return np.log((1 - gamma) * arrive + gamma * follow @ q) - np.log(p)


def patient(states, actions, n_states, n_actions, gamma, keep):
    total = np.zeros((n_states, n_actions, n_states))
    visits = np.zeros((n_states, n_actions, 1))
    horizon = states.shape[1] - 1
    future, mass = np.zeros((len(states), n_states)), 0.0
    for t in reversed(range(horizon)):
        future, mass = gamma * future + np.eye(n_states)[states[:, t + 1]], 1 + gamma * mass
        if horizon - t >= keep:
            np.add.at(total, (states[:, t], actions[:, t]), future / mass)
            np.add.at(visits, (states[:, t], actions[:, t]), 1)
    return total / np.maximum(visits, 1)


RIGHT = [
    (checks.two_term_loss, contrastive.td_info_nce),
    (checks.two_term_loss, numpy_loss),
    (checks.two_term_loss, jax.jit(contrastive.td_info_nce)),
    (checks.exact_future, successor.successor_measure),
    (checks.exact_future, power_series),
    (checks.best_critic, best),
    (checks.best_critic, lambda *a: best(*a) + np.arange(6)[:, None]),
    (checks.best_critic, lambda *a: jnp.asarray(best(*a))),
    (checks.patient_average, patient),
]

WRONG = [
    (checks.two_term_loss, without_stop, "stop_gradient"),
    (checks.two_term_loss, uniform_weights, "the loss is"),
    (checks.two_term_loss, no_discount, "only the first term"),
    (checks.two_term_loss, lambda *a: np.zeros(4), "shape"),
    (
        checks.exact_future,
        lambda P, policy, gamma: successor.successor_measure(P, policy, gamma, "current"),
        "next state",
    ),
    (
        checks.exact_future,
        lambda P, policy, gamma: power_series(P, policy, gamma) / (1 - gamma),
        "sum to 1",
    ),
    (
        checks.exact_future,
        lambda P, policy, gamma: successor.successor_measure(P, policy[::-1].copy(), gamma),
        "Bellman",
    ),
    (checks.best_critic, lambda q, arrive, follow, p, gamma: np.log(q / p), "lower loss"),
    (checks.best_critic, lambda *a: best(*a) + np.log(a[3]), "lower loss"),
    (checks.best_critic, lambda *a: best(*a[:4], 1 - a[4]), "lower loss"),
    (checks.patient_average, lambda *a: patient(*a[:5], max(a[5], 2)), "off by"),
    (checks.patient_average, lambda *a: mc_info_nce.by_counts(*a[:5]), "steps left"),
    (checks.patient_average, lambda *a: patient(*a) * 0.9, "discounted number"),
]


@pytest.mark.parametrize(("check", "answer"), RIGHT)
def test_right_answers_pass(check, answer):
    check(answer)


@pytest.mark.parametrize(("check", "answer", "message"), WRONG)
def test_wrong_answers_are_told_what_is_wrong(check, answer, message):
    with pytest.raises(AssertionError, match=message):
        check(answer)
