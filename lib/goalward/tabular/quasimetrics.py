r"""Distances over states and state-action pairs together, and the operators that make them optimal.

A table `d` has a row and a column for each of the $S$ states and then for each of the $S\cdot A$
pairs, in the order of `goalward.tabular.distances.joint_distance`: the pair $(s,a)$ is number
`S + s * A + a`. Entry $d(x,y)$ is the distance from $x$ to $y$ in nats, `inf` where no way is
known.

Three operators of Myers et al. 2025 (arXiv 2509.20478, Sec. 4); applied one after the other and
again, they bring the successor distance of any policy that tries every action down to the optimal
one:

* *action invariance*: to choose an action costs nothing, $d(s,(s,a))=0$;
* *backup*: what an action leads to is an average over next states of $e^{-d}$, one step later;
* *quasimetric closure* (`goalward.tabular.paths.floyd_warshall`, on the whole table): a detour is
  never shorter.

No operator here looks for a maximum over actions. It comes out of the first and the last:
$d(s,g)\le d(s,(s,a))+d((s,a),g)=d((s,a),g)$ for every $a$.
"""

import numpy as np
from jaxtyping import Float

from goalward.tabular.mdp import Transitions
from goalward.tabular.paths import floyd_warshall

Table = Float[np.ndarray, "rows columns"]
Pairs = Float[np.ndarray, "states actions goals"]
GoalPolicy = Float[np.ndarray, "states goals actions"]


def action_invariance(d: Table, n_states: int) -> Table:
    r"""$\mathcal I$: the table with $d(s,(s,a))=0$ for every state and action, else the same.

    Raises:
        ValueError: the table is not one over `n_states` states and their pairs.
    """
    n_actions = _actions(d, n_states)
    pairs = np.arange(n_states, len(d))
    free = d.copy()
    free[(pairs - n_states) // n_actions, pairs] = 0.0
    return free


def backup(d: Table, weights: Float[np.ndarray, "states actions states"]) -> Table:
    r"""Rows of pairs replaced: $e^{-d((s,a),y)}\leftarrow\sum_x w(x\mid s,a)\,e^{-d(x,y)}$.

    Averages are taken of $e^{-d}$, a probability; an average of $d$ would be another quantity
    (Jensen). Rows of states, and the diagonal, stay as they are. A row of zeros (a pair that was
    never tried) leads nowhere: its distances become `inf`.

    Args:
        weights: discounted probabilities $w$ of where the pair leads: $\gamma P$ for one step,
            $\mathbb E[\gamma^k\,1(s_{t+k}=x)]$ for a later waypoint.

    Raises:
        ValueError: the table is not one over the states and pairs of `weights`, or the weights of a
            pair are negative or sum to more than one.
    """
    n_states, n_actions = weights.shape[:2]
    if _actions(d, n_states) != n_actions:
        raise ValueError(
            f"backup: {len(d)} rows are not {n_states} states and {n_actions} pairs of each"
        )
    if (weights < 0).any() or (weights.sum(axis=2) > 1 + 1e-6).any():
        raise ValueError("backup: weights are discounted probabilities, of a sum of one at most")
    with np.errstate(divide="ignore"):
        pairs = -np.log(weights.reshape(-1, n_states) @ np.exp(-d[:n_states]))
    backed = np.concatenate([d[:n_states], pairs])
    np.fill_diagonal(backed, np.diag(d))
    return backed


def one_step_backup(d: Table, P: Transitions, gamma: float) -> Table:
    r"""$\mathcal T$: $d((s,a),y)\leftarrow-\log\mathbb E_{P(x\mid s,a)}[e^{-d(x,y)}]-\log\gamma$.

    Rows of `P` may be zero where a pair was never tried.

    Raises:
        ValueError: as `backup`.
    """
    return backup(d, gamma * P)


def sweep(d: Table, P: Transitions, gamma: float) -> Table:
    r"""One round $\mathcal P^*\circ\mathcal T\circ\mathcal I$: free choice, one step, no detours.

    From the successor distance of a policy that tries every action, rounds without end lead to
    the optimal one (Theorem 3): for states `distances.optimal_successor_distance`. Rows of states
    only ever fall, so a start below it stays below.

    Raises:
        ValueError: as `backup`.
    """
    return floyd_warshall(one_step_backup(action_invariance(d, len(P)), P, gamma))


def greedy(pairs: Pairs, tolerance: float = 1e-9) -> GoalPolicy:
    """For each goal the action of the least $d((s,a),g)$; equally good ones share.

    Args:
        pairs: distances from pairs to goals, in nats; where no action is known to lead to the
            goal, all share.
        tolerance: nats; distances this close to the least are equally good.
    """
    best = pairs.min(axis=1, keepdims=True)
    chosen = (pairs == best) | (pairs <= best + tolerance)
    return np.swapaxes(chosen / chosen.sum(axis=1, keepdims=True), 1, 2)


def _actions(d: Table, n_states: int) -> int:
    n_actions, rest = divmod(len(d) - n_states, n_states)
    if d.shape[0] != d.shape[1] or n_actions < 1 or rest:
        raise ValueError(
            f"a table of shape {d.shape} does not hold {n_states} states and their actions: it "
            "needs states * (1 + actions) rows and columns"
        )
    return n_actions
