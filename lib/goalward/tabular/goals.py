"""How well a policy that is told the goal reaches it, exactly."""

import numpy as np
from jaxtyping import Float

from goalward.tabular.mdp import Transitions, is_distribution
from goalward.tabular.successor import state_successor_measure


def goal_reaching(
    P: Transitions,
    policy: Float[np.ndarray, "states goals actions"],
    gamma: float,
    start: str = "next",
) -> Float[np.ndarray, "states goals"]:
    r"""The probability of being at the commanded goal at a discounted time, from each state.

    For each goal one solve: the successor measure of $\pi(\cdot\mid\cdot,g)$ at $g$; `start` as in
    `goalward.tabular.successor.successor_measure`. Divided by $1-\gamma$ it is the value of the
    reward "1 while at the goal".

    Raises:
        ValueError: a table is not one of probabilities, or `gamma` is outside [0, 1).
    """
    if policy.shape != (len(P), len(P), P.shape[1]) or not is_distribution(policy):
        raise ValueError(
            "policy must be policy[state, goal, action] with probabilities in the last axis"
        )
    columns = [
        state_successor_measure(P, policy[:, goal], gamma, start)[:, goal] for goal in range(len(P))
    ]
    return np.stack(columns, axis=1)
