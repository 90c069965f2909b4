"""Visible checks of the TD InfoNCE chapter's exercises: each raises AssertionError when wrong."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from goalward.tabular import mdp


def two_term_loss(student: Callable[..., Any]) -> None:
    """The loss against loops, its invariance, and no gradient through the target."""
    rng = np.random.default_rng(0)
    logits = [rng.normal(size=shape).astype(np.float32) for shape in ((4, 4), (4, 6), (4, 6))]
    following, random, target = map(jnp.asarray, logits)
    for gamma, meaning in ((0.0, "only the first term"), (1.0, "only the second"), (0.9, "both")):
        value = _array(student(following, random, target, gamma), (), "the loss")
        expected = _loss_by_loops(logits[0], logits[1], logits[2], gamma)
        assert abs(value - expected) < 1e-4, (
            f"at γ = {gamma} ({meaning} counts) the loss is {expected:.4f}, not {value:.4f}"
        )
    shift = 7.0 * jnp.arange(4.0)[:, None]
    moved = _array(student(following + shift, random, target + shift, 0.9), (), "the loss")
    assert abs(moved - expected) < 1e-3, "a constant added to a row of logits must not matter"
    try:
        gradient = jax.grad(lambda t: jnp.asarray(student(following, random, t, 0.9)))(target)
    except (TypeError, jax.errors.TracerArrayConversionError):
        return  # written in NumPy, which has no gradients to stop
    assert not np.any(np.asarray(gradient)), (
        "a gradient flows through target_logits: the weights need jax.lax.stop_gradient"
    )


def exact_future(student: Callable[..., Any]) -> None:
    """The successor measure against one-step consistency, entry by entry, and special cases."""
    rng = np.random.default_rng(1)
    P = mdp.random_mdp(rng, 5, 3, concentration=0.5)
    policy = rng.dirichlet(np.ones(3), size=5)
    nearest = _array(student(P.copy(), policy.copy(), 0.0), P.shape, "the answer")
    assert np.allclose(nearest, P, atol=1e-6), (
        "at γ = 0 the future is the next state, P itself: does your sum start at the next state?"
    )
    gamma = 0.9
    answer = _array(student(P.copy(), policy.copy(), gamma), P.shape, "the answer")
    total = answer.sum(axis=-1)
    assert np.allclose(total, 1.0, atol=1e-5), (
        f"each row must sum to 1, yours to {total.flat[0]:.4f}: is the factor 1 - γ there?"
    )
    for s in range(5):
        for a in range(3):
            onward = sum(
                P[s, a, x] * policy[x, b] * answer[x, b] for x in range(5) for b in range(3)
            )
            expected = (1 - gamma) * P[s, a] + gamma * onward
            wrong = np.abs(answer[s, a] - expected).max()
            assert wrong < 1e-5, (
                f"the Bellman equation is off by {wrong:.4f} at state {s}, action {a}: is the "
                "first action fixed and every later one drawn from the policy?"
            )


def best_critic(student: Callable[..., Any]) -> None:
    """The logits' softmax against the mixture, and the loss against that of nearby logits."""
    rng = np.random.default_rng(2)
    q, arrive = (rng.dirichlet(np.ones(4), size=6) for _ in range(2))
    follow, p = rng.dirichlet(np.ones(6), size=6), rng.dirichlet(5 * np.ones(4))
    gamma = 0.8
    arguments = [x.copy() for x in (q, arrive, follow, p)]
    f = _array(student(*arguments, gamma), (6, 4), "the critic")
    target = np.zeros((6, 4))
    for i in range(6):
        target[i] = (1 - gamma) * arrive[i]
        for j in range(6):
            target[i] += gamma * follow[i, j] * q[j]

    def loss(logits: np.ndarray) -> float:
        joint = p * np.exp(logits - logits.max(axis=1, keepdims=True))
        return -float(np.sum(target * np.log(joint / joint.sum(axis=1, keepdims=True))))

    for _ in range(50):
        nearby = f + 0.05 * rng.normal(size=f.shape)
        assert loss(f) <= loss(nearby) + 1e-6, (
            "a critic near yours has a lower loss: the softmax of f + log p must equal "
            "(1 - γ) arrive + γ follow q"
        )


def patient_average(student: Callable[..., Any]) -> None:
    """The estimate against a triple loop on a few trajectories, for several `keep`."""
    P = mdp.random_mdp(np.random.default_rng(3), 3, 2, concentration=0.5)
    states, actions = mdp.sample_trajectories(
        P, mdp.uniform_policy(3, 2), np.random.default_rng(4), n=6, horizon=8
    )
    gamma = 0.8
    for keep in (1, 4, 8):
        answer = _array(
            student(states.copy(), actions.copy(), 3, 2, gamma, keep), (3, 2, 3), "the estimate"
        )
        expected = _average_by_loops(states, actions, gamma, keep)
        wrong = np.abs(answer - expected).max()
        cause = (
            "is each future divided by its discounted number of steps?"
            if keep == 1
            else "does an anchor at step t have T - t steps left?"
        )
        assert wrong < 1e-5, f"with keep = {keep} an entry is off by {wrong:.4f}: {cause}"


def _loss_by_loops(
    following: np.ndarray, random: np.ndarray, target: np.ndarray, gamma: float
) -> float:
    def softmax(row: np.ndarray) -> np.ndarray:
        return np.exp(row) / np.exp(row).sum()

    total = 0.0
    for i in range(len(following)):
        total -= (1 - gamma) * np.log(softmax(following[i])[i])
        total -= gamma * float(softmax(target[i]) @ np.log(softmax(random[i])))
    return total / len(following)


def _average_by_loops(
    states: np.ndarray, actions: np.ndarray, gamma: float, keep: int
) -> np.ndarray:
    total, visits = np.zeros((3, 2, 3)), np.zeros((3, 2, 1))
    horizon = states.shape[1] - 1
    for i in range(len(states)):
        for t in range(horizon - keep + 1):
            future = np.zeros(3)
            for k in range(t + 1, horizon + 1):
                future[states[i, k]] += gamma ** (k - t - 1)
            total[states[i, t], actions[i, t]] += future / future.sum()
            visits[states[i, t], actions[i, t]] += 1
    return total / np.maximum(visits, 1)


def _array(answer: Any, shape: tuple[int, ...], what: str) -> np.ndarray:
    array = np.asarray(answer, dtype=float)
    assert array.shape == shape, f"{what} should have shape {shape}, not {array.shape}"
    assert np.isfinite(array).all(), f"{what} has entries that are not finite"
    return array
