r"""Two levels on a table of values: name a state some steps ahead, then act towards it.

Worlds are deterministic, `next_state[s, a]`; `values[s, g]` is how good it is to be in $s$ when the
goal is $g$, the larger the better, such as minus a distance. Both levels read the same table (HIQL,
Park et al. 2023): the upper one compares states that lie $k$ steps ahead, the lower one the states
next to this one, for a goal that is never further than $k$.

Greedy on a table (`best_action`, `best_subgoal`, `through`), or as imitation weighted by advantages
comes out of recorded walks where a table holds everything (`hindsight_counts`, `imitate`).
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

Values = Float[np.ndarray, "states goals"]
NextState = Int[np.ndarray, "states actions"]
Choice = Int[np.ndarray, "states goals"]
GoalPolicy = Float[np.ndarray, "states goals actions"]
Walks = Int[np.ndarray, "walks time"]


def best_action(values: Values, next_state: NextState) -> Choice:
    """The action whose next state has the largest value; the first of equals."""
    choice: Choice = values[next_state].argmax(axis=1)
    return choice


def best_subgoal(values: Values, distances: Values, steps: int) -> Choice:
    """The best for the goal among all states exactly `steps` away; the goal itself if nearer."""
    subgoal = np.tile(np.arange(len(values)), (len(values), 1))
    for s, row in enumerate(distances):
        candidates, far = np.flatnonzero(row == steps), row > steps
        if len(candidates):
            subgoal[s, far] = candidates[values[candidates][:, far].argmax(axis=0)]
    return subgoal


def through(subgoal: Choice, low: Int[np.ndarray, "states subgoals"]) -> Choice:
    """What the lower level does in each state, told the subgoal that is named there."""
    choice: Choice = np.take_along_axis(low, subgoal, axis=1)
    return choice


def arrival_times(actions: Choice, next_state: NextState) -> Float[np.ndarray, "states goals"]:
    """After how many steps who always takes `actions[s, g]` is first at the goal; inf if never.

    Never means never: who has not come after as many steps as there are states goes in a circle.
    """
    n = len(next_state)
    goals = np.arange(n)
    after = next_state[goals[:, None], actions]
    times = np.where(np.eye(n, dtype=bool), 0.0, np.inf)
    place = np.tile(goals[:, None], (1, n))
    for t in range(1, n):
        place = after[place, goals]
        times[(place == goals) & (times > t)] = t
    return times


def comparison_errors(
    values: Values, distances: Values, steps: int = 1
) -> Float[np.ndarray, " distances"]:
    """How often the values rank two states `steps` away the wrong way round, by distance.

    For each pair of state and goal at distance $d$: of all pairs of states that lie `steps` away
    from the state, one of them at $d - $ `steps` from the goal and the other at $d + $ `steps`, the
    share in which the further one has the larger value. Entry $d$ is the mean over all such pairs;
    NaN where there are none. Equal values count half.
    """
    size = int(distances.max()) + 1
    lost, compared = np.zeros(size), np.zeros(size)
    for row in distances:
        ahead = np.flatnonzero(row == steps)
        gain = row - distances[ahead]
        pairs = (gain == steps)[:, None] & (gain == -steps)[None]  # [nearer, further, goal]
        margin = values[ahead][:, None] - values[ahead][None]
        wrong = (margin < 0) + (margin == 0) / 2
        lost += np.bincount(row.astype(int), (pairs * wrong).sum(axis=(0, 1)), size)
        compared += np.bincount(row.astype(int), pairs.sum(axis=(0, 1)), size)
    unknown = np.full_like(lost, np.nan)
    return np.divide(lost, compared, out=unknown, where=compared > 0)


class HindsightCounts(NamedTuple):
    """How often what was recorded led where: the weights that imitation starts from."""

    flat: Float[np.ndarray, "states actions goals"]
    high: Float[np.ndarray, "states subgoals goals"]
    low: Float[np.ndarray, "states actions subgoals"]


def hindsight_counts(
    states: Walks,
    actions: Int[np.ndarray, "walks time"],
    next_state: NextState,
    steps: int,
    random: float = 0.0,
) -> HindsightCounts:
    """Goals and subgoals for each recorded row, in expectation; each row weighs 1.

    A row's goal is a later state of its walk, all equally likely, or with probability `random` any
    state, as often as the data hold it. Its subgoal is the state `steps` ahead, or the walk's last,
    or, where that comes first, the goal of its own walk. The low level is told the subgoals that
    the high level names. The last action of a walk is not taken.
    """
    n, n_actions = next_state.shape
    last = states.shape[1] - 1
    anywhere = np.bincount(states.ravel(), minlength=n) / states.size
    flat, high = np.zeros((n, n_actions, n)), np.zeros((n, n, n))
    low, ahead = np.zeros((n, n_actions, n)), np.zeros((n, n))
    for t in range(last):
        s, a = states[:, t], actions[:, t]
        goals = np.arange(t + 1, last + 1)
        subgoals = states[:, np.minimum(t + steps, goals)]
        weight = (1 - random) / len(goals)
        np.add.at(flat, (s[:, None], a[:, None], states[:, goals]), weight)
        np.add.at(high, (s[:, None], subgoals, states[:, goals]), weight)
        np.add.at(low, (s[:, None], a[:, None], subgoals), weight)
        furthest = states[:, min(t + steps, last)]
        np.add.at(flat, (s, a), random * anywhere)
        np.add.at(low, (s, a, furthest), random)
        np.add.at(ahead, (s, furthest), random)
    high += ahead[:, :, None] * anywhere
    return HindsightCounts(flat, high, low)


def advantage_weight(
    advantage: Float[np.ndarray, "..."], beta: float, cap: float = 100.0
) -> Float[np.ndarray, "..."]:
    r"""$\min(e^{\beta A}, c)$: how much a recorded choice counts; 1 if `beta` is 0."""
    weight: np.ndarray = np.exp(np.minimum(beta * advantage, np.log(cap)))
    return weight


def imitate(
    counts: Float[np.ndarray, "states actions goals"],
    values: Values,
    next_state: NextState,
    beta: float,
) -> GoalPolicy:
    r"""Advantage-weighted imitation at its optimum: $\pi(a\mid s,g)\propto n(s,a,g)\,e^{\beta A}$.

    $A=V(s',g)-V(s,g)$, the weight capped at 100. Uniform where nothing was recorded.
    """
    weight = advantage_weight(values[next_state] - values[:, None], beta)
    return _normalised(np.swapaxes(counts * weight, 1, 2))


def imitate_through(
    counts: Float[np.ndarray, "states subgoals goals"],
    low: Float[np.ndarray, "states subgoals actions"],
    values: Values,
    beta: float,
) -> GoalPolicy:
    r"""Both levels together, $\pi(a\mid s,g)=\sum_w\pi^h(w\mid s,g)\,\pi^\ell(a\mid s,w)$.

    The upper level is imitation too, of which states came: $\pi^h(w\mid s,g)\propto
    n(s,w,g)\,e^{\beta(V(w,g)-V(s,g))}$. Uniform where nothing was recorded.
    """
    together = [
        (n * advantage_weight(values - values[s], beta)).T @ low[s] for s, n in enumerate(counts)
    ]
    return _normalised(np.stack(together))


def most_likely(policy: GoalPolicy) -> GoalPolicy:
    """The greedy policy: the likeliest action, or equally each of several."""
    return _normalised(1.0 * (policy >= policy.max(axis=2, keepdims=True) * (1 - 1e-9)))


def _normalised(weights: GoalPolicy) -> GoalPolicy:
    total = weights.sum(axis=2, keepdims=True)
    uniform = np.full_like(weights, 1 / weights.shape[2])
    return np.divide(weights, total, out=uniform, where=total > 0)
