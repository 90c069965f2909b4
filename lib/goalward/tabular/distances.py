r"""Exact temporal distances of a finite process: how unlikely it is to be at a goal soon.

Stop a clock after each step with probability $1-\gamma$. The *hitting transform*
$h(s,g)=\mathbb E[\gamma^{H(s,g)}]$ is the probability that the goal is hit before the clock stops,
where $H$ is the time of the first visit. Its negative logarithm is the *successor distance* of
Myers et al. 2024 (arXiv 2406.17098),

$$d(s,g)=\log p_\gamma(g\mid g)-\log p_\gamma(g\mid s)=-\log\mathbb E[\gamma^{H(s,g)}],$$

with the successor measure $p_\gamma$ counted from the present state. It is a quasimetric for every
policy, and for the best policy of each goal; where moves are certain it is $-\log\gamma$ times the
number of steps. Distances are in nats, `inf` where the goal cannot be hit.

All functions take `start`, which says whether time 0 counts as a visit. With `"current"`, the
convention of the definition, who is at the goal has hit it: $h(g,g)=1$ and $d(g,g)=0$. With
`"next"` a visit is one step away at least, so the diagonal speaks of *returning*: no distance.
"""

import numpy as np
from jaxtyping import Bool, Float

from goalward.tabular.mdp import Policy, Transitions, state_transitions, validate

States = Float[np.ndarray, "states goals"]
Pairs = Float[np.ndarray, "states actions goals"]


def hitting_transform(
    P: Transitions, policy: Policy, gamma: float, start: str = "current"
) -> States:
    r"""$\mathbb E[\gamma^{H(s,g)}]$ when `policy` acts, for each state and goal.

    For each goal one linear solve of $h(s)=\gamma\sum_x P^\pi(x\mid s)\,h(x)$ with $h(g)=1$.

    Args:
        start: whether time 0 counts as a visit, `"current"` or `"next"` (see above).

    Raises:
        ValueError: a table is not one of probabilities, `gamma` is outside (0, 1), or `start` is
            unknown.
    """
    _check(P, gamma, start)
    chain = state_transitions(P, policy)
    identity = np.eye(len(P))
    # With the goal made to end it all, its row of I - gamma P is that of the identity.
    transforms = [
        np.linalg.solve(identity - gamma * np.where(identity[g][:, None] > 0, 0, chain), end)
        for g, end in enumerate(identity)
    ]
    # Rounding leaves a goal that cannot be hit at a tiny number on either side of nought.
    present = np.stack(transforms, axis=1) * _reachable(chain)
    return present if start == "current" else gamma * chain @ present


def pair_hitting_transform(
    P: Transitions, policy: Policy, gamma: float, start: str = "current"
) -> Pairs:
    r"""As `hitting_transform`, with the first action given: $\mathbb E[\gamma^{H((s,a),g)}]$.

    With `"current"` a pair whose state is the goal has hit it, whatever its action.

    Raises:
        ValueError: as `hitting_transform`.
    """
    ahead = gamma * P @ hitting_transform(P, policy, gamma)
    return _with_present(ahead) if start == "current" else ahead


def optimal_hitting_transform(
    P: Transitions, gamma: float, start: str = "current", tolerance: float = 1e-14
) -> States:
    r"""The largest $\mathbb E[\gamma^{H(s,g)}]$ that any policy gets, for each state and goal.

    Value iteration on $h(s,g)=\max_a\gamma\sum_x P(x\mid s,a)\,h(x,g)$ with $h(g,g)=1$, until no
    entry rises by more than `tolerance` of itself.

    Raises:
        ValueError: `P` is not a table of probabilities, `gamma` is outside (0, 1), or `start` is
            unknown.
    """
    _check(P, gamma, start)
    h, identity = np.eye(len(P)), np.eye(len(P), dtype=bool)
    # From below: after n rounds an entry is that of the best n steps, and lacks gamma^n at most.
    for _ in range(_rounds(gamma)):
        before, h = h, np.where(identity, 1.0, gamma * (P @ h).max(axis=1))
        if np.all(h - before <= tolerance * h):
            break
    return h if start == "current" else gamma * (P @ h).max(axis=1)


def optimal_pair_hitting_transform(P: Transitions, gamma: float, start: str = "current") -> Pairs:
    """As `optimal_hitting_transform`, with the first action given and the best ones after it.

    Raises:
        ValueError: as `optimal_hitting_transform`.
    """
    ahead = gamma * P @ optimal_hitting_transform(P, gamma)
    return _with_present(ahead) if start == "current" else ahead


def successor_distance(
    P: Transitions, policy: Policy, gamma: float, start: str = "current"
) -> States:
    r"""$d^\pi(s,g)=-\log\mathbb E[\gamma^{H(s,g)}]$ of a policy: a quasimetric (Myers et al. 2024).

    Raises:
        ValueError: as `hitting_transform`.
    """
    return _nats(hitting_transform(P, policy, gamma, start))


def optimal_successor_distance(P: Transitions, gamma: float, start: str = "current") -> States:
    r"""$d(s,g)=\min_\pi d^\pi(s,g)$: a quasimetric too, and $-\log\gamma$ a step where P is 0 or 1.

    Raises:
        ValueError: as `optimal_hitting_transform`.
    """
    return _nats(optimal_hitting_transform(P, gamma, start))


def joint_distance(
    states: States, pairs: Pairs, policy: Policy
) -> Float[np.ndarray, "both both_again"]:
    r"""One table of distances over states and state-action pairs: what a metric on both sees.

    Row and column `s` below the number of states stand for the state, `S + s * A + a` for the pair
    $(s,a)$. To hit a pair is to hit its state and then to take its action there, which the policy
    does with probability $\pi(a\mid g)$ each time (Myers et al. 2025, arXiv 2509.20478, Sec. 4);
    only the first visit counts here, so $d(x,(g,a))=d(x,g)-\log\pi(a\mid g)$. The diagonal is zero.

    Args:
        states: $d(s,g)$.
        pairs: $d((s,a),g)$.
        policy: $\pi$.
    """
    rows = np.concatenate([states, pairs.reshape(-1, len(states))])
    with np.errstate(divide="ignore"):
        choosing = -np.log(policy)
    columns = (rows[:, :, None] + choosing[None]).reshape(len(rows), -1)
    table = np.concatenate([rows, columns], axis=1)
    np.fill_diagonal(table, 0.0)
    return table


def _reachable(chain: States) -> Bool[np.ndarray, "states goals"]:
    """Whether the column can be reached from the row at all."""
    reached = (chain > 0) | np.eye(len(chain), dtype=bool)
    for _ in range(int(np.ceil(np.log2(max(len(chain), 2))))):
        reached = reached @ reached  # twice as many steps
    return reached


def _with_present(ahead: Pairs) -> Pairs:
    present = np.eye(len(ahead), dtype=bool)[:, None, :]
    return np.where(present, 1.0, ahead)


def _nats(transform: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    with np.errstate(divide="ignore"):
        return np.maximum(0.0, -np.log(transform))  # rounding may lift a transform above one


def _rounds(gamma: float) -> int:
    """After so many rounds nothing is left that float64 could tell."""
    return int(np.ceil(np.log(np.finfo(float).tiny) / np.log(gamma))) + 1


def _check(P: Transitions, gamma: float, start: str) -> None:
    validate(P)
    if not 0 < gamma < 1:
        raise ValueError(f"gamma must lie between 0 and 1, not {gamma}: it weighs the hitting time")
    if start not in ("current", "next"):
        raise ValueError(f"start must be 'current' or 'next', not {start!r}")
