r"""TD InfoNCE: contrastive prediction of the far future from single transitions.

Zheng, Salakhutdinov & Eysenbach 2024, "Contrastive Difference Predictive Coding". The critic
$f(s, a, g, x)$ estimates, up to a function of the first three, the log ratio of the probability
that $x$ lies in the discounted future of $(s, a)$ under the policy for goal $g$, to the marginal
of $x$.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int, PyTree, Shaped

from goalward.baselines.goal_critic import GoalCritic
from goalward.data.goals import GoalTransitions, goal_transitions
from goalward.data.trajectories import Dataset
from goalward.losses.contrastive import td_info_nce
from goalward.protocol import ADAM, Key, LearnerState, Metrics, check_discount

Score = Callable[..., Array]
"""The target critic: `score(anchor, future)`, or `score(anchor, future, method="pairwise")`."""

NextAction = Callable[[Score, GoalTransitions, Key], Array]
"""The policy that is evaluated: which action follows in the next state."""


def recorded_action(score: Score, batch: GoalTransitions, key: Key) -> Shaped[Array, "batch ..."]:
    """The action in the data: evaluate the policy that collected them (SARSA)."""
    return batch.next_action


@dataclass(frozen=True)
class GreedyAction:
    """The action after which the commanded goal is most likely: learn to reach it.

    Raw scores of different actions cannot be compared, for each (state, action) has its own free
    constant; the log sum over random states takes it off. Ties are broken at random.

    Attributes:
        actions: how many there are.
        allowed: from next states to which of the actions may follow there (`(batch, actions)`,
            at least one a row). By default all, also those that the data never show: their rows
            are untrained, and stand for a future like the marginal.
    """

    actions: int
    allowed: Callable[[Array], Array] | None = None

    def __call__(self, score: Score, batch: GoalTransitions, key: Key) -> Int[Array, " batch"]:
        def log_ratio(action: Int[Array, ""]) -> Float[Array, " batch"]:
            chosen = jnp.full(len(batch.next_state), action)
            anchor = (batch.next_state, chosen, batch.goal)
            baseline = jax.nn.logsumexp(score(anchor, batch.random, method="pairwise"), axis=1)
            return score(anchor, batch.goal) - baseline

        ratios = jax.vmap(log_ratio)(jnp.arange(self.actions))
        if self.allowed is not None:
            ratios = jnp.where(self.allowed(batch.next_state).T, ratios, -jnp.inf)
        # Above the rounding of the ratios, far below any difference that matters.
        noise = 1e-5 * jax.random.uniform(key, ratios.shape)
        return jnp.argmax(ratios + noise, axis=0)


@dataclass(frozen=True)
class TDInfoNCE(GoalCritic):
    """The learner: a critic trained by `td_info_nce` on transitions in any order.

    Attributes:
        critic: a Linen module with `critic((state, action, goal), future)`, matching rows, and
            `pairwise`, all pairs; the networks are the only difference between a table and a robot.
        gamma: the discount.
        next_action: the policy that is evaluated, `recorded_action` or `GreedyAction`.
        batch_size: transitions in a batch, and random states.
        learning_rate: where the state's step size starts.
        transform: the optimiser without its step size.
        tau: how far the target critic moves towards the critic after each update.
    """

    critic: nn.Module
    gamma: float
    next_action: NextAction = recorded_action
    batch_size: int = 256
    learning_rate: float = 3e-4
    transform: optax.GradientTransformation = ADAM
    tau: float = 0.005

    def __post_init__(self) -> None:
        check_discount(self.gamma)

    def batch(self, data: Dataset, key: Key) -> GoalTransitions:
        """Transitions with commanded goals and random states."""
        return goal_transitions(data, key, self.batch_size)

    def loss(
        self, params: PyTree, state: LearnerState, batch: GoalTransitions, key: Key
    ) -> tuple[Float[Array, ""], Metrics]:
        """The two terms of `td_info_nce`; the target critic chooses the action and the weights."""

        def score(anchor: Any, future: Array, method: str | None = None) -> Array:
            return self.critic.apply(state.target_params, anchor, future, method=method)  # type: ignore

        next_action = self.next_action(score, batch, key)
        next_anchor = (batch.next_state, next_action, batch.goal)
        value = td_info_nce(
            next_logits=self.pairwise(params, batch.anchor, batch.next_state),
            random_logits=self.pairwise(params, batch.anchor, batch.random),
            target_logits=score(next_anchor, batch.random, method="pairwise"),
            gamma=self.gamma,
        )
        return value, {}


def transition_counts(
    states: Int[np.ndarray, "n steps"],
    actions: Int[np.ndarray, "n steps"],
    n_states: int,
    n_actions: int,
) -> Float[np.ndarray, "pairs pairs"]:
    """How often each (state, action) was followed by each (next state, next action).

    Pairs are numbered `state * n_actions + action`.
    """
    pairs = n_states * n_actions
    index = states.astype(np.int64) * n_actions + actions
    joint = index[:, :-1] * pairs + index[:, 1:]
    return np.bincount(joint.ravel(), minlength=pairs**2).reshape(pairs, pairs).astype(float)


def td_fixed_point(
    counts: Float[np.ndarray, "..."], n_actions: int, gamma: float
) -> Float[np.ndarray, "states actions states"]:
    r"""Where TD InfoNCE on all states, and the successor representation, come to rest.

    $q = (1-\gamma)\hat P + \gamma\,\hat C q$ with the empirical transitions $\hat P$ and
    $\hat C$ to the next state and to the next pair: the exact answer for the world that the counts
    describe. Rows of pairs that were never visited are zero.

    Args:
        counts: a square table over pairs, as `transition_counts` makes it; probabilities will do.

    Raises:
        ValueError: `counts` is not square, does not divide by `n_actions`, or `gamma` is not in
            [0, 1).
    """
    pairs = len(counts)
    if counts.shape != (pairs, pairs) or pairs % n_actions:
        raise ValueError(
            f"counts must be square over states x {n_actions} actions, not {counts.shape}"
        )
    if not 0 <= gamma < 1:
        raise ValueError(f"gamma must be in [0, 1), not {gamma}")
    visits = counts.sum(axis=1, keepdims=True)
    follow = np.divide(counts, visits, out=np.zeros_like(counts), where=visits > 0)
    arrive = follow.reshape(pairs, -1, n_actions).sum(axis=2)
    solution = (1 - gamma) * np.linalg.solve(np.eye(pairs) - gamma * follow, arrive)
    return solution.reshape(-1, n_actions, pairs // n_actions)
