r"""What the six agents of OGBench converge to, where a table holds everything (Park et al. 2025).

With one number for each pair of state and goal, an agent's loss has an exact minimum for a data
set, and a policy follows from it. What is left of an agent is its idea.

* `gcbc`, `crl`: from the goals that follow a pair (s, a) *in the same episode* (`future_counts`).
* `gcivl`, `gciql`: from single steps (`transition_counts`), by `expectile_values`.
* `qrl_distances`: shortest paths over recorded steps.
* `hiql`: from values of `gcivl`, through a subgoal.

Policies are ``policy[s, g, a]``. Rewards are -1 a step until the goal, where time stops: a value of
``n`` certain steps is $-(1-\gamma^n)/(1-\gamma)$.
"""

import numpy as np
from jaxtyping import Bool, Float

from goalward.envs.ogbench_grids import MOVES, Recording
from goalward.tabular.paths import floyd_warshall

Values = Float[np.ndarray, "states goals"]
GoalPolicy = Float[np.ndarray, "states goals actions"]
Steps = Float[np.ndarray, "states actions states"]
Futures = Float[np.ndarray, "states actions goals"]

ROUNDS = 1_000
"""The most linear systems that a fixed point may take; a maze takes about 20."""

TIE = 1e-14
"""Numbers this close, relative to the largest, count as equal."""


def transition_counts(data: Recording, n_states: int, n_actions: int = MOVES) -> Steps:
    """How often (s, a) led to s'; no step joins the end of an episode to the next one's start."""
    s, a, rows = data.states[:-1], data.actions[:-1], ~data.terminals[:-1]
    counts = np.zeros((n_states, n_actions, n_states))
    np.add.at(counts, (s[rows], a[rows], data.states[1:][rows]), 1.0)
    return counts


def future_counts(
    data: Recording, n_states: int, gamma: float | None = None, n_actions: int = MOVES
) -> Futures:
    r"""Weight of each goal after (s, a), over all rows, as the benchmark samples goals.

    The goal lies $\min(k, m)$ steps ahead, with $m$ the number of steps to the episode's end, where
    $k$ is geometric, $\Pr(k)=(1-\gamma)\gamma^{k-1}$: the last state gets all the tail. Without
    `gamma` the offset is uniform on $1 \dots m$. Each row that has a future weighs 1 in all.
    """
    N = len(data.states)
    ends = np.flatnonzero(data.terminals)
    left = ends[np.searchsorted(ends, np.arange(N))] - np.arange(N)
    counts = np.zeros((n_states, n_actions, n_states))
    for k in range(1, left.max() + 1):
        rows = np.flatnonzero(left >= k)
        if gamma is None:
            weight = 1.0 / left[rows]
        else:
            weight = gamma ** (k - 1) * np.where(left[rows] == k, 1.0, 1 - gamma)
        np.add.at(counts, (data.states[rows], data.actions[rows], data.states[rows + k]), weight)
    return counts


def gcbc(futures: Futures) -> GoalPolicy:
    r"""Goal-conditioned behaviour cloning: what was done when $g$ came later (Ghosh et al. 2021).

    The minimum of $-\log\pi(a\mid s,g)$; uniform where $g$ never followed $s$.
    """
    return np.swapaxes(_over_actions(futures), 1, 2)


def crl(futures: Futures, alpha: float = 2.0) -> GoalPolicy:
    r"""Contrastive RL (Eysenbach et al. 2022), with the policy weighted by its critic's optimum.

    Binary NCE makes the critic $\log p(g\mid s,a)-\log p(g)$, so its advantage is
    $\log p(g\mid s,a)-\log p(g\mid s)$, and the weighted imitation of it
    $\pi\propto\beta(a\mid s)\,[p(g\mid s,a)/p(g\mid s)]^\alpha$: the behaviour where $g$ never
    followed $s$.
    """
    weight = futures.sum(axis=2, keepdims=True)
    behaviour = _over_actions(weight)
    after_action = np.divide(futures, weight, out=np.zeros_like(futures), where=weight > 0)
    after_state = (behaviour * after_action).sum(axis=1, keepdims=True)
    ones = np.ones_like(futures)
    ratio = np.divide(after_action, after_state, out=ones, where=after_state > 0)
    return np.swapaxes(_over_actions(behaviour * ratio**alpha), 1, 2)


def expectile(
    x: Float[np.ndarray, "..."], weights: Float[np.ndarray, "..."], kappa: float, axis: int = -1
) -> Float[np.ndarray, "..."]:
    r"""The minimum over $v$ of $\sum_i w_i\,|\kappa-\mathbb 1\{x_i<v\}|\,(x_i-v)^2$, along `axis`.

    By Newton's method: each step after the first moves a number to the other side, or is the last.
    Zero where all weights are.

    Raises:
        ValueError: `kappa` is not between 0 and 1.
        ArithmeticError: it does not end, as where a number is not finite.
    """
    if not 0 < kappa < 1:
        raise ValueError(f"kappa is an expectile: above 0 and below 1, not {kappa}")
    tie = TIE * np.abs(x).max(axis=axis, keepdims=True)
    v = np.zeros(np.broadcast_shapes(x.shape, weights.shape)).sum(axis=axis, keepdims=True)
    for _ in range(x.shape[axis] + 3):
        w = weights * _pull(x, v, kappa, tie)
        total = w.sum(axis=axis, keepdims=True)
        new = (w * x).sum(axis=axis, keepdims=True) / np.where(total > 0, total, 1.0)
        change = np.abs(new - v)
        if (change <= tie).all():
            return new.squeeze(axis)
        v = new
    raise ArithmeticError(f"no expectile: the last step still changed it by {change.max():.1g}")


def expectile_values(
    weights: Float[np.ndarray, "states branches"],
    branches: Float[np.ndarray, "states branches states"],
    gamma: float,
    kappa: float,
) -> Values:
    r"""The fixed point $V(s,g)=\mathrm{expectile}_\kappa\{-1+\gamma V(\text{branch},g)\}$, exactly.

    Zero at the goal; a state without data stays where it is. An expectile is a mean with weights
    that depend on the values: choose the weights, solve the linear system, and repeat until
    nothing changes, as in policy iteration (Kostrikov et al. 2022, eqs. 5 and 6).

    Raises:
        ValueError: `gamma` is outside [0, 1), or as `expectile`.
        ArithmeticError: `ROUNDS` systems were not enough, or as `expectile`.
    """
    if not 0 <= gamma < 1:
        raise ValueError(f"gamma must be in [0, 1), not {gamma}")
    n = len(weights)
    unknown = weights.sum(axis=1) == 0
    largest = 1 / (1 - gamma)
    V = -largest * (1 - np.eye(n))
    # Solving for values of that size multiplies their rounding errors by as much again.
    near = TIE * largest * max(largest, 100)
    going = 1 - np.eye(n)  # [g, s]: nothing happens after the goal
    for _ in range(ROUNDS):
        x = branches @ V
        level = expectile(x, weights[:, :, None], kappa, axis=1)[:, None]
        chosen = weights[:, :, None] * _pull(x, level, kappa, TIE * largest)
        chosen /= np.where(unknown[:, None, None], 1.0, chosen.sum(axis=1, keepdims=True))
        chains = np.swapaxes(np.swapaxes(chosen, 1, 2) @ branches, 0, 1)
        chains[:, unknown] = np.eye(n)[unknown]
        solved = np.linalg.solve(np.eye(n) - gamma * going[:, :, None] * chains, -going[:, :, None])
        change = np.abs(solved[..., 0].T - V).max()
        V = solved[..., 0].T
        if change <= near:
            return V
    raise ArithmeticError(
        f"no fixed point after {ROUNDS} rounds: the last one still changed a value by {change:.1g}"
    )


def gcivl(counts: Steps, gamma: float, kappa: float = 0.9) -> Values:
    """GCIVL's values: an expectile over the recorded *next states* of s, whatever the action."""
    n = len(counts)
    return expectile_values(
        _rows(counts.sum(axis=1)), np.broadcast_to(np.eye(n), (n, n, n)), gamma, kappa
    )


def gciql(counts: Steps, gamma: float, kappa: float = 0.9) -> Values:
    """GCIQL's values: an expectile over recorded *actions*, each with the mean of its outcomes."""
    return expectile_values(_rows(counts.sum(axis=2)), _rows(counts), gamma, kappa)


def qrl_distances(counts: Steps) -> Values:
    r"""QRL's distance: the largest quasimetric with $d(s,s')\le1$ on recorded steps.

    That linear programme (Wang et al. 2023, eq. 10) is solved by the shortest paths in the graph of
    recorded steps: any outcome of any action is an edge, however rare. Infinite where no path is.
    """
    d = np.where(counts.sum(axis=1) > 0, 1.0, np.inf)
    np.fill_diagonal(d, 0.0)
    return floyd_warshall(d)


def discounted(distances: Values, gamma: float) -> Values:
    r"""The value $-(1-\gamma^d)/(1-\gamma)$ of a goal that is surely $d$ steps away."""
    return -(1 - gamma**distances) / (1 - gamma)


def greedy(counts: Steps, values: Values, optimistic: bool = False) -> GoalPolicy:
    """The recorded action whose next state is worth most, on average or (optimistic) at best.

    Equally good ones share; uniform in a state without data.
    """
    if optimistic:
        outcomes = np.where(counts[..., None] > 0, values, -np.inf)
        score = outcomes.max(axis=2)
    else:
        score = _rows(counts) @ values
    score = np.where(counts.sum(axis=2)[:, :, None] > 0, score, -np.inf)
    best = score.max(axis=1, keepdims=True)
    return np.swapaxes(_over_actions(1.0 * ((score == best) | (score >= best - 1e-9))), 1, 2)


def hiql(counts: Steps, ahead: Bool[np.ndarray, "states states"], values: Values) -> GoalPolicy:
    """Act greedily towards the best subgoal, not the goal (HIQL, Park et al. 2023).

    `ahead`: which states follow which a few steps later in the data, the candidates. `values`: of
    both levels, ``gcivl(counts, gamma, 0.7)`` in the paper's setting.
    """
    n = len(values)
    score = np.where(ahead[:, :, None], values[None], -np.inf)  # [s, subgoal, g]
    subgoal = np.where(ahead.any(axis=1, keepdims=True), score.argmax(axis=1), np.arange(n))
    return greedy(counts, values)[np.arange(n)[:, None], subgoal]


def states_ahead(data: Recording, n_states: int, steps: int) -> Bool[np.ndarray, "states states"]:
    """Whether the column follows the row within `steps` in some episode."""
    seen = np.zeros((n_states, n_states), dtype=bool)
    episode = np.cumsum(data.terminals) - data.terminals
    for k in range(1, steps + 1):
        together = np.flatnonzero(np.equal(episode[k:], episode[:-k]))
        seen[data.states[together], data.states[together + k]] = True
    return seen


def success(P: Steps, policy: GoalPolicy, start: int, goal: int, horizon: int) -> float:
    """The exact probability that the goal is reached within `horizon` steps."""
    chain = np.einsum("sa,sax->sx", policy[:, goal], P)
    reached = np.eye(len(P))[goal]
    for _ in range(horizon):
        reached = chain @ reached
        reached[goal] = 1.0
    return float(reached[start])


def _pull(x: np.ndarray, v: np.ndarray, kappa: float, tie: np.ndarray | float) -> np.ndarray:
    r"""$\kappa$ where x is above v, else $1-\kappa$; the larger of the two where they are equal."""
    return np.where(x >= v - np.sign(kappa - 0.5) * tie, kappa, 1 - kappa)


def _over_actions(weights: Futures) -> Futures:
    """Normalised over the second axis; uniform where nothing is known."""
    total = weights.sum(axis=1, keepdims=True)
    uniform = np.full_like(weights, 1 / weights.shape[1])
    return np.divide(weights, total, out=uniform, where=total > 0)


def _rows(counts: Float[np.ndarray, "... n"]) -> Float[np.ndarray, "... n"]:
    """Normalised over the last axis; zero where nothing is known."""
    total = counts.sum(axis=-1, keepdims=True)
    return np.divide(counts, total, out=np.zeros_like(counts), where=total > 0)
