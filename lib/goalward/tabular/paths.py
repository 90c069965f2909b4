"""Distances on a finite deterministic MDP: estimate them, repair them, act on them, score the act.

A distance table ``d`` holds ``d[s, g]``, the cost from state ``s`` to goal ``g`` in steps; ``inf``
means that nothing is known about the pair. A deterministic MDP is its table of next states,
``next_state[s, a]``. Source of the pipeline: Myers et al. 2025, "Horizon Generalization in
Reinforcement Learning", Definitions 1 and 2 and Appendix F.
"""

import numpy as np
from jaxtyping import Bool, Float, Int


def min_plus(
    d1: Float[np.ndarray, "start middle"], d2: Float[np.ndarray, "waypoint goal"]
) -> Float[np.ndarray, "start goal"]:
    """Cheapest two-leg journey: ``min_w d1[s, w] + d2[w, g]``.

    With both arguments the same table this is one *path relaxation* (Myers et al. 2025,
    Definition 1): a matrix product in which a sum becomes a minimum and a product a sum.

    Raises:
        ValueError: the inner sizes differ.
    """
    if d1.shape[1] != d2.shape[0]:
        raise ValueError(f"min_plus: inner sizes differ, {d1.shape} and {d2.shape}; transpose one")
    return np.stack([np.min(row[:, None] + d2, axis=0) for row in d1])


def floyd_warshall(d: Float[np.ndarray, "states goals"]) -> Float[np.ndarray, "states goals"]:
    """Relax ``d`` until no detour is shorter: the largest quasimetric below ``d``.

    The fixed point of repeated ``min_plus(d, d)``, reached in one sweep over waypoints
    (Floyd 1962). A zero diagonal stays zero; pairs that no chain of known legs joins stay ``inf``.

    Raises:
        ValueError: ``d`` is not square, or holds NaN or negative entries.
    """
    _check_table(d, "floyd_warshall")
    if (d < 0).any():
        raise ValueError("floyd_warshall: distances must be 0 or more; shift or clip the table")
    closed = d.copy()
    for waypoint in range(len(d)):
        np.minimum(closed, closed[:, waypoint, None] + closed[None, waypoint], out=closed)
    return closed


def triangle_violation(d: Float[np.ndarray, "states goals"]) -> float:
    """Largest excess of a direct distance over a detour, ``max d(s, g) - d(s, w) - d(w, g)``.

    Zero exactly when ``d`` obeys the triangle inequality; in the units of ``d``; ``inf`` when an
    unknown pair could be reached by known legs.

    Raises:
        ValueError: ``d`` is not square, or holds NaN.
    """
    _check_table(d, "triangle_violation")
    detour = min_plus(d, d)
    known = np.isfinite(detour)
    return max(0.0, float(np.max(d[known] - detour[known], initial=0.0)))


def mc_hitting_times(
    states: Int[np.ndarray, "trajectories time"], n_states: int
) -> tuple[Float[np.ndarray, "states states"], Int[np.ndarray, "states states"]]:
    """Average number of steps from each visit of ``s`` to the next visit of ``g``, and the count.

    Every time step ``t`` starts a measurement; for each goal only the first visit at or after ``t``
    counts, so the diagonal is zero. Pairs that never occur in this order have mean ``inf`` and
    count 0. Trajectories end, so long journeys are missing from the average: the estimate is that
    of the hitting time *given* that the goal is hit before the end (Myers et al. 2025, App. F.2).

    Raises:
        ValueError: a state lies outside ``0 .. n_states - 1``.
    """
    if states.min() < 0 or states.max() >= n_states:
        raise ValueError(
            f"mc_hitting_times: states run from {states.min()} to {states.max()}, "
            f"but n_states is {n_states}; raise n_states"
        )
    n_trajectories, length = states.shape
    rows = np.arange(n_trajectories)
    next_visit = np.full((n_trajectories, n_states), -1, dtype=np.int32)
    total = np.zeros((n_states, n_states))
    count = np.zeros((n_states, n_states), dtype=np.int64)
    # Backwards in time, the next visit of every state is known when it is needed.
    for t in reversed(range(length)):
        next_visit[rows, states[:, t]] = t
        order = np.argsort(states[:, t], kind="stable")
        start, first_row = np.unique(states[order, t], return_index=True)
        ahead = next_visit[order]
        seen = ahead >= 0
        total[start] += np.add.reduceat((ahead - t) * seen, first_row, axis=0)
        count[start] += np.add.reduceat(seen, first_row, axis=0, dtype=np.int32)
    mean = np.full((n_states, n_states), np.inf)
    np.divide(total, count, out=mean, where=count > 0)
    np.fill_diagonal(mean, 0.0)
    return mean, count


def boltzmann_policy(
    d: Float[np.ndarray, "states goals"], next_state: Int[np.ndarray, "states actions"], beta: float
) -> Float[np.ndarray, "states goals actions"]:
    """Policy ``pi(a | s, g)`` proportional to ``exp(-beta d(next_state[s, a], g))``.

    ``beta`` is an inverse temperature, per unit of distance: 0 is uniform, large is greedy. Actions
    at an infinite distance get probability 0, unless all are: then the policy is uniform.
    """
    score = -beta * np.swapaxes(d[next_state], 1, 2) if beta != 0 else np.zeros(1)
    score = np.broadcast_to(score, (len(next_state), d.shape[1], next_state.shape[1]))
    best = score.max(axis=-1, keepdims=True)
    weight = np.exp(np.where(np.isneginf(best), 0.0, score - np.where(np.isneginf(best), 0, best)))
    return weight / weight.sum(axis=-1, keepdims=True)


def greedy_actions(
    d: Float[np.ndarray, "states goals"],
    next_state: Int[np.ndarray, "states actions"],
    tolerance: float = 1e-9,
) -> Bool[np.ndarray, "states goals actions"]:
    """All actions whose next state is nearest to the goal, up to ``tolerance`` (same units as d).

    The set ``argmin_a d(next_state[s, a], g)`` from which a quasimetric policy may choose (Myers et
    al. 2025, Definition 2).
    """
    after = np.swapaxes(d[next_state], 1, 2)
    best = after.min(axis=-1, keepdims=True)
    return (after == best) | (after <= best + tolerance)


def success_within(
    policy: Float[np.ndarray, "starts goals choices"],
    next_state: Int[np.ndarray, "states actions"],
    horizon: int,
) -> Float[np.ndarray, "states goals"]:
    """Exact probability of having reached ``g`` from ``s`` within ``horizon`` steps.

    Backward recursion ``v(s, g) <- sum_a pi(a | s, g) v(next_state[s, a], g)``, ``v(g, g) = 1``,
    starting at ``v = 1[s = g]``: no rollouts, hence no sampling noise. Needs one goal a state.

    Raises:
        ValueError: the policy does not have one goal for each state, or ``horizon`` is negative.
    """
    n_states, n_actions = next_state.shape
    if policy.shape != (n_states, n_states, n_actions):
        raise ValueError(
            f"success_within: the policy's shape {policy.shape} must be (states, states, actions) "
            f"= {(n_states, n_states, n_actions)}"
        )
    if horizon < 0:
        raise ValueError(f"success_within: horizon is {horizon}, must be 0 or more")
    by_action = [np.ascontiguousarray(policy[:, :, a]) for a in range(n_actions)]
    value = np.eye(n_states)
    step, leg = np.empty_like(value), np.empty_like(value)
    for _ in range(horizon):
        step[:] = 0.0
        for a in range(n_actions):
            np.take(value, next_state[:, a], axis=0, out=leg, mode="clip")
            step += np.multiply(leg, by_action[a], out=leg)
        np.fill_diagonal(step, 1.0)
        value, step = step, value
    return value


def midpoint_planner_policy(
    policy: Float[np.ndarray, "states goals actions"],
    distances: Float[np.ndarray, "states goals"],
    slack: float = 1.0,
) -> Float[np.ndarray, "states goals actions"]:
    """The policy that replans at every step: aim at a waypoint half way to the goal.

    The waypoint is uniform over the states ``w`` other than ``s`` with ``d(s, w)`` and ``d(w, g)``
    both within ``slack`` of half of ``d(s, g)``, so the returned policy is the mean of
    ``policy[s, w]`` over them; where there is none it aims at ``g`` itself. Give the *true*
    shortest path lengths as ``distances``: the planner then is right by construction, and what is
    scored is the policy (Myers et al. 2025, App. F.2).
    """
    planned = np.empty_like(policy)
    for s in range(len(policy)):
        # A goal out of reach has no waypoint: no distance is within the slack of a negative half.
        half = np.where(np.isfinite(distances[s]), distances[s] / 2, -1 - 2 * slack)
        to_waypoint = np.abs(distances[s][None, :] - half[:, None]) <= slack
        from_waypoint = np.abs(distances.T - half[:, None]) <= slack
        chosen = (to_waypoint & from_waypoint).astype(np.float64)
        chosen[:, s] = 0.0
        number = chosen.sum(axis=1, keepdims=True)
        planned[s] = np.where(number > 0, chosen @ policy[s] / np.maximum(number, 1), policy[s])
    return planned


def _check_table(d: Float[np.ndarray, "rows columns"], name: str) -> None:
    if d.shape[0] != d.shape[1]:
        raise ValueError(f"{name}: the table must be square, its shape is {d.shape}")
    if np.isnan(d).any():
        raise ValueError(f"{name}: the table holds NaN; write inf for unknown pairs")
