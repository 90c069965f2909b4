"""Finite Markov decision processes as plain arrays.

A process without rewards is one array `P`: `P[s, a, x]` is the probability that action `a` in
state `s` leads to state `x`. A policy is `policy[s, a]`, the probability of action `a` in `s`.
"""

import numpy as np
from jaxtyping import Float, Int

Transitions = Float[np.ndarray, "states actions states"]
Policy = Float[np.ndarray, "states actions"]


def random_mdp(
    rng: np.random.Generator, states: int, actions: int, concentration: float = 1.0
) -> Transitions:
    """Draw each row of `P` from a symmetric Dirichlet distribution.

    A small `concentration` gives nearly deterministic transitions, a large one nearly uniform.
    """
    return rng.dirichlet(np.full(states, concentration), size=(states, actions))


def uniform_policy(states: int, actions: int) -> Policy:
    """The policy that takes every action with the same probability."""
    return np.full((states, actions), 1.0 / actions)


def validate(P: Float[np.ndarray, "..."], policy: Float[np.ndarray, "..."] | None = None) -> None:
    """Check that `P`, and `policy` if given, are tables of probabilities of matching shapes.

    Raises:
        ValueError: a shape is wrong, an entry is negative, or a row does not sum to one.
    """
    if P.ndim != 3 or P.shape[0] != P.shape[2]:
        raise ValueError(f"P must have shape (states, actions, states), not {P.shape}")
    if not is_distribution(P):
        raise ValueError("each row P[s, a] must be non-negative and sum to one: normalise P")
    if policy is None:
        return
    if policy.shape != P.shape[:2]:
        raise ValueError(
            f"policy must have shape (states, actions) = {P.shape[:2]}, not {policy.shape}"
        )
    if not is_distribution(policy):
        raise ValueError("each row policy[s] must be non-negative and sum to one: normalise it")


def is_distribution(rows: Float[np.ndarray, "..."]) -> bool:
    """Whether the last axis holds probabilities, up to 1e-6."""
    return bool(np.all(rows >= 0) and np.allclose(rows.sum(-1), 1.0, atol=1e-6))


def state_transitions(P: Transitions, policy: Policy) -> Float[np.ndarray, "states states"]:
    """The Markov chain over states that `policy` makes of `P`.

    Raises:
        ValueError: `P` or `policy` is not a table of probabilities.
    """
    validate(P, policy)
    return np.einsum("sa,sax->sx", policy, P)


def sample_trajectories(
    P: Transitions,
    policy: Policy,
    rng: np.random.Generator,
    n: int,
    horizon: int,
    start: Int[np.ndarray, " n"] | None = None,
) -> tuple[Int[np.ndarray, "n steps"], Int[np.ndarray, "n steps"]]:
    """Let `policy` act for `horizon` transitions, `n` times.

    Both results have `horizon + 1` columns: the last action is drawn in the last state but not
    taken, so that every transition has a next action (SARSA needs it).

    Args:
        start: the first state of each trajectory; uniform over states if left out.

    Raises:
        ValueError: `P` or `policy` is not a table of probabilities, or a size is below one.
    """
    validate(P, policy)
    if n < 1:
        raise ValueError(f"n must be at least 1, not {n}")
    goals = np.zeros(n, dtype=np.int64)
    return sample_goal_trajectories(P, policy[:, None], goals, rng, horizon, start)


def sample_goal_trajectories(
    P: Transitions,
    policy: Float[np.ndarray, "states goals actions"],
    goals: Int[np.ndarray, " n"],
    rng: np.random.Generator,
    horizon: int,
    start: Int[np.ndarray, " n"] | None = None,
) -> tuple[Int[np.ndarray, "n steps"], Int[np.ndarray, "n steps"]]:
    """As `sample_trajectories`, with one trajectory for each commanded goal in `goals`.

    Raises:
        ValueError: `P` or `policy` is not a table of probabilities, or `horizon` is below one.
    """
    validate(P)
    if not is_distribution(policy):
        raise ValueError("each row policy[s, g] must be non-negative and sum to one: normalise it")
    if horizon < 1:
        raise ValueError(f"horizon must be at least 1, not {horizon}")
    n = len(goals)
    states = np.empty((n, horizon + 1), dtype=np.int64)
    actions = np.empty((n, horizon + 1), dtype=np.int64)
    move, choose = _cumulative(P), _cumulative(policy)
    states[:, 0] = rng.integers(P.shape[0], size=n) if start is None else start
    for t in range(horizon + 1):
        actions[:, t] = _draw(choose[states[:, t], goals], rng)
        if t < horizon:
            states[:, t + 1] = _draw(move[states[:, t], actions[:, t]], rng)
    return states, actions


def _cumulative(rows: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    total = np.cumsum(rows, axis=-1)
    return total / total[..., -1:]  # ends at exactly one, so that every draw finds a column


def _draw(cumulative: Float[np.ndarray, "n columns"], rng: np.random.Generator) -> np.ndarray:
    return (rng.random((len(cumulative), 1)) >= cumulative).sum(axis=1)
