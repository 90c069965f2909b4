r"""Monte Carlo InfoNCE: contrastive prediction of futures that really followed.

The contrastive RL of Eysenbach et al. 2022: the positive is a state a geometric number of steps
later in the same trajectory, the negatives are the other rows' futures. Beside the learner: the
answer it would give if optimisation were perfect, on given data and on infinitely many.
"""

from dataclasses import dataclass

import flax.linen as nn
import numpy as np
import optax
from jaxtyping import Array, Float, Int, PyTree

from goalward.baselines.goal_critic import GoalCritic
from goalward.data.goals import GoalFutures, goal_futures
from goalward.data.trajectories import Dataset
from goalward.losses.contrastive import info_nce
from goalward.protocol import ADAM, Key, LearnerState, Metrics, check_discount
from goalward.tabular.mdp import Policy, Transitions, state_transitions


@dataclass(frozen=True)
class MCInfoNCE(GoalCritic):
    """The learner; attributes as in `goalward.methods.td_infonce.TDInfoNCE`.

    `tail` says what happens to the geometric beyond a trajectory's end; the target critic is not
    used.
    """

    critic: nn.Module
    gamma: float
    batch_size: int = 256
    learning_rate: float = 3e-4
    transform: optax.GradientTransformation = ADAM
    tail: str = "renormalise"

    def __post_init__(self) -> None:
        check_discount(self.gamma)

    def batch(self, data: Dataset, key: Key) -> GoalFutures:
        """States, actions and their futures, with unrelated commanded goals."""
        return goal_futures(data, key, self.batch_size, self.gamma, self.tail)

    def loss(
        self, params: PyTree, state: LearnerState, batch: GoalFutures, key: Key
    ) -> tuple[Float[Array, ""], Metrics]:
        """`info_nce` of each (state, action) against all futures of the batch."""
        return info_nce(self.pairwise(params, batch.anchor, batch.future)), {}


def by_counts(
    states: Int[np.ndarray, "n steps"],
    actions: Int[np.ndarray, "n steps"],
    n_states: int,
    n_actions: int,
    gamma: float,
) -> Float[np.ndarray, "states actions states"]:
    """The mean discounted future of each (state, action) in trajectories of equal length.

    One backward pass: each row's future is a one-hot vector of the next state plus the discounted
    future of the next row, divided by the discounted number of steps left (the renormalised
    geometric, as the samplers draw it). Rows of pairs that were never visited are zero.
    """
    n, steps = states.shape
    table = np.zeros((n_states * n_actions, n_states))
    visits = np.zeros(n_states * n_actions)
    future, mass = np.zeros((n, n_states)), 0.0
    everyone = np.arange(n)
    small = np.min_scalar_type(n_states * n_actions)  # short integers sort faster
    for t in reversed(range(steps - 1)):
        future *= gamma
        future[everyone, states[:, t + 1]] += 1.0
        mass = 1.0 + gamma * mass
        pair = (states[:, t].astype(np.int64) * n_actions + actions[:, t]).astype(small)
        order = np.argsort(pair, kind="stable")
        present, begin = np.unique(pair[order], return_index=True)
        table[present] += np.add.reduceat(future[order], begin, axis=0) / mass
        visits[present] += np.diff(np.append(begin, n))
    table /= np.maximum(visits, 1.0)[:, None]
    return table.reshape(n_states, n_actions, n_states)


def future_marginal(
    states: Int[np.ndarray, "n steps"], n_states: int, gamma: float
) -> Float[np.ndarray, " states"]:
    """How likely each state is to be drawn as a future, by `future_pairs` with renormalised tail.

    This is the marginal of the learner's negatives, the one that turns its ratios into densities.
    A row counts once for each anchor before it, discounted by its distance.
    """
    horizon = states.shape[1] - 1
    marginal, weight = np.zeros(n_states), 0.0
    for t in range(1, horizon + 1):
        mass = (1 - gamma ** (horizon - t + 1)) / (1 - gamma)
        weight = gamma * weight + 1 / mass
        marginal += weight * np.bincount(states[:, t], minlength=n_states)
    return marginal / marginal.sum()


def infinite_data_limit(
    P: Transitions, policy: Policy, gamma: float, horizon: int
) -> Float[np.ndarray, "states actions states"]:
    r"""What `by_counts` tends to with ever more trajectories of `horizon` steps: its bias.

    Starts are uniform over states. An anchor at time $t$ has $L = T - t$ steps left and sees
    $\frac{1-\gamma}{1-\gamma^L}\sum_{k=1}^{L}\gamma^{k-1}P_k$ in place of the whole series; a
    pair's estimate is the mean over the times at which it is visited.

    Raises:
        ValueError: a table is not one of probabilities, or `horizon` is below one.
    """
    if horizon < 1:
        raise ValueError(f"horizon must be at least 1, not {horizon}")
    chain = state_transitions(P, policy)
    visited = np.full((horizon, len(P)), 1.0 / len(P))
    for t in range(1, horizon):
        visited[t] = visited[t - 1] @ chain
    future, mass = np.zeros_like(chain), 0.0
    total = np.zeros_like(P)
    for t in reversed(range(horizon)):
        onward = np.eye(len(P)) + gamma * future  # arrival now, or anything after it
        mass = 1.0 + gamma * mass
        total += visited[t][:, None, None] * (P @ onward) / mass
        future = chain @ onward
    weight = visited.sum(axis=0)
    return np.divide(
        total, weight[:, None, None], out=np.zeros_like(P), where=weight[:, None, None] > 0
    )
