r"""The successor measure of a finite process, by solving a linear system.

From $(s, a)$ follow the policy and stop at a random time: after each step with probability
$1-\gamma$. The successor measure is the distribution of the state in which you stop.
"""

import numpy as np
from jaxtyping import Float

from goalward.tabular.mdp import Policy, Transitions, state_transitions, validate


def successor_measure(
    P: Transitions, policy: Policy, gamma: float, start: str = "next"
) -> Transitions:
    r"""The discounted distribution over future states from each state and action.

    `start="next"` counts from the next state on,
    $(1-\gamma)\sum_{t\ge1}\gamma^{t-1}\Pr(s_t = x)$ (Zheng et al. 2024);
    `start="current"` counts the present state too,
    $(1-\gamma)\sum_{t\ge0}\gamma^{t}\Pr(s_t = x)$.
    Each row sums to one.

    Raises:
        ValueError: a table is not one of probabilities, `gamma` is outside [0, 1), or `start` is
            unknown.
    """
    _check_start(start)
    following = P @ state_successor_measure(P, policy, gamma, "current")
    if start == "next":
        return following
    present = np.eye(P.shape[0])[:, None, :]
    return (1 - gamma) * present + gamma * following


def state_successor_measure(
    P: Transitions, policy: Policy, gamma: float, start: str = "next"
) -> Float[np.ndarray, "states states"]:
    """As `successor_measure`, with the first action drawn from the policy.

    Raises:
        ValueError: a table is not one of probabilities, `gamma` is outside [0, 1), or `start` is
            unknown.
    """
    validate(P, policy)
    _check_start(start)
    if not 0 <= gamma < 1:
        raise ValueError(f"gamma must be in [0, 1), not {gamma}")
    chain = state_transitions(P, policy)
    identity = np.eye(P.shape[0])
    first = chain if start == "next" else identity
    return (1 - gamma) * np.linalg.solve(identity - gamma * chain, first)


def _check_start(start: str) -> None:
    if start not in ("next", "current"):
        raise ValueError(f"start must be 'next' or 'current', not {start!r}")
