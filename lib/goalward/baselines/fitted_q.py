r"""Fitted Q-iteration: action values by temporal differences on recorded transitions.

The classical offline answer when rewards are known (Ernst, Geurts & Wehenkel 2005; with a slow
target network, Mnih et al. 2015). Rewards are paid on arrival: `rewards[row]` for reaching that
row of the data. Beside the learner: the answers of perfect optimisation, in a table and for values
linear in features.
"""

from collections.abc import Callable
from dataclasses import dataclass

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int, PyTree

from goalward.data.rewards import RewardedData, RewardTransitions, reward_transitions
from goalward.protocol import (
    ADAM,
    Key,
    LearnerState,
    Metrics,
    check_discount,
    gradient_step,
    initial_state,
)

AnyArray = Array | np.ndarray

Backup = Callable[
    [Float[AnyArray, "batch actions"], Int[AnyArray, " batch"]], Float[AnyArray, " batch"]
]
"""The value of the next state, from its action values and the action recorded there."""


def best_action(
    values: Float[AnyArray, "batch actions"], recorded: Int[AnyArray, " batch"]
) -> Float[AnyArray, " batch"]:
    """Q-learning: the next action is the best one, so every backup improves the policy."""
    return values.max(axis=1)


def recorded_action(
    values: Float[AnyArray, "batch actions"], recorded: Int[AnyArray, " batch"]
) -> Float[AnyArray, " batch"]:
    """SARSA: the next action is the recorded one, so the behaviour itself is evaluated."""
    xp = np if isinstance(values, np.ndarray) else jnp
    return xp.take_along_axis(values, recorded[:, None], axis=1)[:, 0]


@dataclass(frozen=True)
class FittedQ:
    """The learner.

    Attributes:
        network: a Linen module from states to one value for each action.
        gamma: the discount.
        backup: `best_action` or `recorded_action`.
        batch_size: transitions in a batch.
        learning_rate: where the state's step size starts.
        transform: the optimiser without its step size.
        tau: how far the target network moves towards the network after each update.
    """

    network: nn.Module
    gamma: float
    backup: Backup = best_action
    batch_size: int = 256
    learning_rate: float = 3e-4
    transform: optax.GradientTransformation = ADAM
    tau: float = 0.005

    def __post_init__(self) -> None:
        check_discount(self.gamma)

    def init(self, key: Key, example: RewardTransitions) -> LearnerState:
        """Fresh parameters, shaped for the example batch."""
        params = self.network.init(key, example.state)
        return initial_state(params, self.transform, self.learning_rate)

    def batch(self, data: RewardedData, key: Key) -> RewardTransitions:
        """Uniform transitions with their rewards."""
        return reward_transitions(*data, key, self.batch_size)

    def loss(
        self, params: PyTree, state: LearnerState, batch: RewardTransitions, key: Key
    ) -> tuple[Float[Array, ""], Metrics]:
        r"""$\frac12(Q(s,a) - r(s') - \gamma\,\bar V(s'))^2$, the target held fixed."""
        value = recorded_action(self.q(params, batch.state), batch.action)
        following = self.backup(self.q(state.target_params, batch.next_state), batch.next_action)
        target = batch.reward + self.gamma * following
        return 0.5 * jnp.mean((value - target) ** 2), {}

    def q(self, params: PyTree, states: Float[Array, "*batch dim"]) -> Float[Array, "*batch acts"]:
        """The value of each action."""
        return self.network.apply(params, states)  # type: ignore[return-value]

    def update(
        self, state: LearnerState, batch: RewardTransitions, key: Key
    ) -> tuple[LearnerState, Metrics]:
        """One gradient step and one step of the target."""
        return gradient_step(self.loss, state, batch, key, self.transform, self.tau)


def by_counts(
    states: Int[np.ndarray, "n steps"],
    actions: Int[np.ndarray, "n steps"],
    reward: Float[np.ndarray, " states"],
    n_actions: int,
    gamma: float,
) -> Float[np.ndarray, "states actions"]:
    """Q-iteration run to its end on counted transitions, among actions that were tried.

    Args:
        states: of trajectories, as `goalward.tabular.mdp.sample_trajectories` gives them.
        actions: likewise.
        reward: for arriving in each state.

    Returns:
        The values, within 1e-10 (of the largest, where that is above 1) of the fixed point; -inf
        for actions never tried in their state.

    Raises:
        ValueError: `gamma` is outside [0, 1), or a reward is not finite: there would be no end.
    """
    if not 0 <= gamma < 1 or not np.isfinite(reward).all():
        raise ValueError(f"gamma must be in [0, 1), not {gamma}, and rewards must be finite")
    n = len(reward)
    counts = np.zeros((n, n_actions, n))
    np.add.at(counts, (states[:, :-1], actions[:, :-1], states[:, 1:]), 1)
    visits = counts.sum(axis=2)
    tried = visits > 0
    P = counts / np.maximum(visits, 1)[..., None]
    V = np.zeros(n)  # stays zero where no action was tried: nothing is known from there on
    while True:
        Q = np.where(tried, P @ (reward + gamma * V), -np.inf)
        improved = np.where(tried.any(axis=1), Q.max(axis=1), 0.0)
        change = np.abs(improved - V).max()
        V = improved
        if gamma * change <= 1e-10 * (1 - gamma) * max(1.0, np.abs(V).max()):
            return Q


def by_regression(
    data: RewardTransitions,
    n_actions: int,
    gamma: float,
    backup: Backup = best_action,
    rounds: int = 100,
    ridge: float = 1e-6,
) -> Float[np.ndarray, "rounds actions dim"]:
    r"""Fitted Q-iteration as first written: each round solves its regression exactly.

    $Q(s,a)=w_a^\top x(s)$ with features $x$. A round backs up the values of the round before it,
    $y=r+\gamma\,V(s')$, and sets $w_a$ to the least-squares fit of $y$ on the rows with action $a$:
    no step size, no target network. With `recorded_action` the rounds tend to SARSA's fixed point.

    Args:
        data: transitions as NumPy arrays, the states given by their features.
        ridge: penalty on $\|w_a\|^2$ for each row with action $a$: decides where the rows do not.

    Returns:
        The weights after each round; the first round regresses the reward itself.
    """
    dim = data.state.shape[1]
    solvers = []
    for a in range(n_actions):
        rows = np.flatnonzero(data.action == a)
        X = data.state[rows]
        gram = X.T @ X + ridge * len(rows) * np.eye(dim)
        solvers.append((rows, np.linalg.solve(gram, X.T)))
    weights = np.zeros((n_actions, dim))
    history = []
    for _ in range(rounds):
        following = backup(data.next_state @ weights.T, data.next_action)
        target = data.reward + gamma * following
        weights = np.stack([solve @ target[rows] for rows, solve in solvers])
        history.append(weights)
    return np.array(history)
