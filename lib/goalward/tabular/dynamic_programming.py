"""Exact values, greedy policies and hitting times of a finite process with a known model."""

import numpy as np
from jaxtyping import Float

from goalward.tabular.mdp import Policy, Transitions, state_transitions, validate

Reward = Float[np.ndarray, "states actions"]
ActionValues = Float[np.ndarray, "states actions"]
StateValues = Float[np.ndarray, " states"]


def value_iteration(
    P: Transitions, reward: Reward, gamma: float, tol: float = 1e-10
) -> tuple[ActionValues, StateValues]:
    r"""The optimal values $Q^*(s, a)$ and $V^*(s) = \max_a Q^*(s, a)$.

    The reward is paid on leaving $s$ with $a$. Iterates the Bellman optimality backup until the
    result is within `tol` of the answer everywhere.

    Raises:
        ValueError: `P` is not a table of probabilities, `gamma` is outside [0, 1), or a reward is
            not finite: with such there is no end.
    """
    validate(P)
    _check_gamma(gamma)
    if not np.isfinite(reward).all():
        raise ValueError("rewards must be finite")
    V = np.zeros(P.shape[0])
    while True:
        Q = reward + gamma * P @ V
        change = np.abs(Q.max(axis=1) - V).max()
        V = Q.max(axis=1)
        if gamma * change <= tol * (1 - gamma):
            return Q, V


def policy_evaluation(
    P: Transitions, policy: Policy, reward: Reward, gamma: float
) -> tuple[ActionValues, StateValues]:
    r"""The values $Q^\pi$ and $V^\pi$ of one policy, by solving the Bellman equation.

    Raises:
        ValueError: a table is not one of probabilities, or `gamma` is outside [0, 1).
    """
    chain = state_transitions(P, policy)
    _check_gamma(gamma)
    V = np.linalg.solve(np.eye(P.shape[0]) - gamma * chain, (policy * reward).sum(axis=1))
    return reward + gamma * P @ V, V


def greedy(Q: ActionValues, rng: np.random.Generator | None = None) -> Policy:
    """The policy that takes the action of highest value.

    Actions within 1e-12 of the best share the probability equally; with `rng` one of them is
    drawn and gets it all.
    """
    best = np.isclose(Q, Q.max(axis=1, keepdims=True), rtol=0, atol=1e-12).astype(float)
    if rng is None:
        return best / best.sum(axis=1, keepdims=True)
    chosen = (best * rng.uniform(0.5, 1.0, size=Q.shape)).argmax(axis=1)
    return np.eye(Q.shape[1])[chosen]


def hitting_times(P: Transitions, policy: Policy) -> Float[np.ndarray, "states states"]:
    """Expected number of steps to first reach the column's state from the row's.

    Zero on the diagonal; inf where the goal may never be reached. One linear system a goal.

    Raises:
        ValueError: `P` or `policy` is not a table of probabilities.
    """
    chain = state_transitions(P, policy)
    n = len(chain)
    edges = (chain > 0) | np.eye(n, dtype=bool)
    reach = _closure(edges)
    times = np.full((n, n), np.inf)
    for goal in range(n):
        certain = np.arange(n) != goal
        lost = ~reach[:, goal]
        if (
            lost.any()
        ):  # arrival is certain only where nothing before the goal leads to a lost state
            stopped = edges & certain[:, None]
            np.fill_diagonal(stopped, True)
            certain &= ~(_closure(stopped) & lost).any(axis=1)
        inside = np.flatnonzero(certain)
        system = np.eye(len(inside)) - chain[np.ix_(inside, inside)]
        times[inside, goal] = np.linalg.solve(system, np.ones(len(inside)))
        times[goal, goal] = 0.0
    return times


def _closure(edges: np.ndarray) -> np.ndarray:
    """Which state can reach which, by squaring the relation until nothing changes."""
    reach = edges
    while True:
        further = (reach.astype(np.float32) @ reach.astype(np.float32)) > 0
        if (further == reach).all():
            return reach
        reach = further


def _check_gamma(gamma: float) -> None:
    if not 0 <= gamma < 1:
        raise ValueError(f"gamma must be in [0, 1), not {gamma}")
