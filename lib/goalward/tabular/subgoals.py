r"""Two levels in tables: cloned actions, proposed subgoals, a value that chooses among proposals.

The limit of SHARSA (Park et al. 2025) without networks: every part is a count over recorded walks,
the choice among random proposals is made by its exact law, and so the policy is a table whose
success `goalward.tabular.paths.success_within` computes without rollouts.
"""

import numpy as np
from jaxtyping import Bool, Float, Int

Walks = Int[np.ndarray, "walks time"]
Actions = Int[np.ndarray, "walks steps"]
Table = Float[np.ndarray, "states goals"]


def arrival_values(
    states: Walks, n_states: int, n: int, gamma: float, sweeps: int, end_is_success: bool = False
) -> Table:
    r"""$V(s,g)$ of the walks' own behaviour, by sweeps of backups of $n$ steps.

    The mean over visits of $s$ of $\gamma^j$ if $g$ is first met $j<n$ steps later ($j=0$ at $g$
    itself), else of $\gamma^{\tilde n}V(w,g)$ with $w$ the state $\tilde n$ steps later: $n$, or
    fewer where the walk ends. A walk's last state has no step to take and is not backed up. Sweeps
    begin with 1 at the goal itself and 0 elsewhere.

    Args:
        states: (walks, time) equally long.
        end_is_success: a walk that ends within $n$ steps counts as having met every goal, as in
            the authors' sampler.
    """
    walks, length = states.shape
    now = np.repeat(np.arange(length - 1)[None], walks, axis=0)
    taken = np.minimum(n, length - 1 - now)
    after = np.take_along_axis(states, now + taken, axis=1)
    met = np.full((walks, length - 1, n_states), -1, dtype=np.int64)
    row, time = np.mgrid[:walks, : length - 1]
    for j in reversed(range(min(n, length))):  # the earliest meeting is written last
        inside = j <= length - 1 - now
        met[row[inside], time[inside], states[row[inside], time[inside] + j]] = j
    if end_is_success:
        short = taken < n
        met[short] = np.where(met[short] < 0, taken[short][:, None], met[short])
    order = np.argsort(states[:, :-1].ravel(), kind="stable")
    visited, first = np.unique(states[:, :-1].ravel()[order], return_index=True)
    count = np.diff([*first, len(order)])[:, None]
    met, taken, after = met.reshape(-1, n_states)[order], taken.ravel()[order], after.ravel()[order]
    paid = np.add.reduceat(np.where(met >= 0, gamma ** np.maximum(met, 0), 0.0), first, axis=0)
    onward = np.where(met >= 0, 0.0, gamma ** taken[:, None])
    V = np.eye(n_states)
    for _ in range(sweeps):
        V[visited] = (paid + np.add.reduceat(onward * V[after], first, axis=0)) / count
    return V


def cloned_actions(
    states: Walks, actions: Actions, n_states: int, n_actions: int, ahead: int | None = None
) -> tuple[Float[np.ndarray, "states goals actions"], Bool[np.ndarray, "states goals"]]:
    """How often each action was taken in a state, given a state that was met later; and where seen.

    Args:
        ahead: how much later at most; anywhere later in the walk if left out.

    Returns:
        Frequencies, even over all actions where the pair never occurred, and whether it occurred.
    """
    length = states.shape[1]
    counts = np.zeros(n_states * n_states * n_actions)
    for j in range(1, min(ahead or length, length - 1) + 1):
        pair = states[:, :-j] * n_states + states[:, j:]
        entry = pair * n_actions + actions[:, : length - j]
        counts += np.bincount(entry.ravel(), minlength=len(counts))
    table = counts.reshape(n_states, n_states, n_actions)
    total = table.sum(axis=2, keepdims=True)
    even = np.full_like(table, 1 / n_actions)
    return np.divide(table, total, out=even, where=total > 0), total[:, :, 0] > 0


def proposal_law(states: Walks, n_states: int, n: int) -> Float[np.ndarray, "states subgoals"]:
    """How often each state is met `n` steps after another, or at the walk's end if that is first.

    The state itself where there is no step to take.
    """
    length = states.shape[1]
    counts = np.zeros((n_states, n_states))
    for t in range(length - 1):
        np.add.at(counts, (states[:, t], states[:, min(t + n, length - 1)]), 1)
    total = counts.sum(axis=1, keepdims=True)
    return np.divide(counts, total, out=np.eye(n_states), where=total > 0)


def best_of(
    law: Float[np.ndarray, "states subgoals"], score: Float[np.ndarray, " subgoals"], count: int
) -> Float[np.ndarray, "states subgoals"]:
    r"""The law of the draw of highest score among `count` independent draws.

    With $F(x)$ the probability of a score of at most $x$, and $F_-(x)$ of one below, the best has
    score $x$ with probability $F^N-F_-^N$; draws of equal score share it in proportion.
    """
    levels, group = np.unique(score, return_inverse=True)
    mass = np.zeros((len(law), len(levels)))
    for level in range(len(levels)):
        mass[:, level] = law[:, group == level].sum(axis=1)
    upto = np.minimum(np.cumsum(mass, axis=1), 1.0)
    best = np.diff(upto**count, axis=1, prepend=0.0)
    share = np.divide(law, mass[:, group], out=np.zeros_like(law), where=mass[:, group] > 0)
    chosen = share * best[:, group]
    return np.asarray(chosen / chosen.sum(axis=1, keepdims=True))


def subgoal_policy(
    low: Float[np.ndarray, "states goals actions"],
    seen: Bool[np.ndarray, "states goals"],
    proposals: Float[np.ndarray, "states subgoals"],
    values: Table,
    count: int,
) -> Float[np.ndarray, "states goals actions"]:
    """Act towards the best of `count` proposed subgoals; towards the goal where that was seen."""
    policy = np.empty_like(low)
    for goal in range(low.shape[1]):
        chosen = best_of(proposals, values[:, goal], count)
        policy[:, goal] = np.einsum("sw,swa->sa", chosen, low)
    return np.where(seen[:, :, None], low, policy)
