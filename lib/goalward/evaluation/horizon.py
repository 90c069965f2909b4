"""How far does success reach, and does a planner still help? Two scores of Myers et al. 2025.

Horizon generalization: success on goals further away than those trained on (Sec. 4, 5.4). Planning
invariance: success without a planner against success with one (Sec. 4, 5.4, Fig. 8). Arrays hold
one number for each (start, goal) pair: success (0 to 1) and true distance (steps or metres).
"""

import itertools

import numpy as np
from jaxtyping import Bool, Float, Num


def success_by_distance(
    success: Num[np.ndarray, "*pairs"],
    distances: Num[np.ndarray, "*pairs"],
    edges: Num[np.ndarray, " edges"],
) -> Float[np.ndarray, " bins"]:
    """Mean success of the pairs in each bin ``edges[k] < distance <= edges[k + 1]``.

    NaN where a bin holds no pair. With a first edge of 0, pairs of a state with itself are left
    out.

    Raises:
        ValueError: fewer than two edges, or edges that do not increase.
    """
    if len(edges) < 2 or np.any(np.diff(edges) <= 0):
        raise ValueError("success_by_distance: give at least two edges, in increasing order")
    means = []
    for low, high in itertools.pairwise(edges):
        inside = (distances > low) & (distances <= high)
        means.append(success[inside].mean() if inside.any() else np.nan)
    return np.array(means, dtype=np.float64)


def horizon_eta(
    success: Num[np.ndarray, "*pairs"], distances: Num[np.ndarray, "*pairs"], radius: float
) -> float:
    """Share of success that is kept when the distance doubles, eta of Myers et al. 2025, Sec. 5.4.

    Mean success at distances in ``(radius, 2 radius]`` over that at distances in ``(0, radius]``.

    Raises:
        ValueError: one of the two ranges holds no pair, or nothing nearby succeeds.
    """
    near, far = success_by_distance(success, distances, np.array([0.0, radius, 2 * radius]))
    if np.isnan(near) or np.isnan(far):
        raise ValueError(f"horizon_eta: no pairs on one side of radius {radius}; change the radius")
    if near == 0:
        raise ValueError(f"horizon_eta: no success within radius {radius}, so eta is undefined")
    return float(far / near)


def planning_invariance(
    success: Num[np.ndarray, "*pairs"], planned: Num[np.ndarray, "*pairs"]
) -> float:
    """Success without a planner over success with one; 1 means that planning adds nothing.

    The score of Myers et al. 2025, Fig. 8. It says nothing about how good the policy is: a random
    policy scores 1.

    Raises:
        ValueError: the planned policy never succeeds.
    """
    if np.mean(planned) == 0:
        raise ValueError("planning_invariance: the planned policy never succeeds; ratio undefined")
    return float(np.mean(success) / np.mean(planned))


def reach(eta: float) -> float:
    """Worst-case reach ``1 + sum_k eta^k 2^(k-1)``, in units of the training radius.

    The least expected distance covered if each doubling keeps a share ``eta`` of the success:
    ``1 + eta / (1 - 2 eta)`` below one half, infinite from there on (Myers et al. 2025, eq. 12).

    Raises:
        ValueError: ``eta`` is negative.
    """
    if eta < 0:
        raise ValueError(f"reach: eta is {eta}, but a share of success is 0 or more")
    return 1 + eta / (1 - 2 * eta) if eta < 0.5 else float("inf")


def broken_waypoints(
    optimal: Bool[np.ndarray, "states goals actions"],
    distances: Float[np.ndarray, "states goals"],
    among: Bool[np.ndarray, "states goals"] | None = None,
) -> float:
    """Share of triples (s, w, g) whose waypoint w allows an action that is wrong for the goal g.

    Waypoints ``w`` lie on a shortest path by ``distances``: ``d(s, w) + d(w, g) = d(s, g)``, with
    ``w`` neither ``s`` nor ``g``. ``optimal[s, g]`` marks the actions the policy may choose. Zero
    is planning invariance action by action: ``optimal[s, w]`` lies inside ``optimal[s, g]`` for
    every triple (Myers et al. 2025, Theorem 1). With ``among`` only triples whose pair (s, g) it
    marks are counted: a policy to which all actions are equal breaks nothing and knows nothing.

    Raises:
        ValueError: no pair of states (that is marked) has a waypoint between them.
    """
    broken = triples = 0
    for s in range(len(distances)):
        on_path = np.isclose(distances[s][:, None] + distances, distances[s][None, :])
        on_path &= np.isfinite(distances[s])[None, :]
        on_path[s] = False
        np.fill_diagonal(on_path, False)
        if among is not None:
            on_path &= among[s][None, :]
        stray = np.any(optimal[s][:, None, :] & ~optimal[s][None, :, :], axis=-1)
        broken += int(np.sum(on_path & stray))
        triples += int(np.sum(on_path))
    if triples == 0:
        raise ValueError("broken_waypoints: no state lies between two others; use a larger maze")
    return broken / triples
