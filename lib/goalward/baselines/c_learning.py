"""C-learning: the discounted future by temporal-difference classification.

Eysenbach, Salakhutdinov & Levine 2021. The same transitions and the same bootstrap as TD
InfoNCE, with a logistic loss a pair in place of a softmax over candidates; the critic is a log
ratio without a free constant.
"""

from dataclasses import dataclass

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, PyTree

from goalward.baselines.goal_actor_critic import GoalActorCritic
from goalward.baselines.goal_critic import GoalCritic
from goalward.data.goals import (
    GoalTransitions,
    HindsightTransitions,
    goal_transitions,
    mix_goals,
)
from goalward.data.trajectories import Dataset
from goalward.losses.contrastive import c_learning
from goalward.protocol import ADAM, Key, LearnerState, Metrics, Params, check_discount


@dataclass(frozen=True)
class CLearning(GoalCritic):
    """The learner for the recorded policy.

    Attributes as in `goalward.methods.td_infonce.TDInfoNCE`; `clip` is the largest importance
    weight.
    """

    critic: nn.Module
    gamma: float
    batch_size: int = 256
    learning_rate: float = 3e-4
    transform: optax.GradientTransformation = ADAM
    tau: float = 0.005
    clip: float = 20.0

    def __post_init__(self) -> None:
        check_discount(self.gamma)

    def batch(self, data: Dataset, key: Key) -> GoalTransitions:
        """Transitions with random states."""
        return goal_transitions(data, key, self.batch_size)

    def loss(
        self, params: PyTree, state: LearnerState, batch: GoalTransitions, key: Key
    ) -> tuple[Float[Array, ""], Metrics]:
        """`c_learning` with the recorded next action."""

        next_anchor = (batch.next_state, batch.next_action, batch.goal)
        value = c_learning(
            next_logits=jnp.diagonal(self.pairwise(params, batch.anchor, batch.next_state)),
            random_logits=self.pairwise(params, batch.anchor, batch.random),
            target_logits=self.pairwise(state.target_params, next_anchor, batch.random),
            gamma=self.gamma,
            clip=self.clip,
        )
        return value, {}


@dataclass(frozen=True, kw_only=True)
class CLearningControl(GoalActorCritic):
    r"""C-learning that acts: the future of the policy for goal $g$, scored at $g$ itself.

    Attributes:
        clip: the largest importance weight.
    """

    ensemble: int = 2
    tau: float = 0.005
    clip: float = 20.0

    def critic_loss(
        self, params: Params, state: LearnerState, batch: HindsightTransitions, key: Key
    ) -> Float[Array, ""]:
        """`c_learning` with random goals, for each of which the policy chooses the next action."""
        goal = mix_goals(batch.goal, 1.0)
        target = state.target_params
        next_action, _ = self.propose(params, batch.next_state, goal, key)
        later = self.value(target, batch.next_state, next_action, goal)
        positive = self.scores(params, batch.state, batch.action, batch.next_goal)
        random = self.scores(params, batch.state, batch.action, goal)
        one_critic = jax.vmap(lambda p, r: c_learning(p, r, later, self.gamma, self.clip))
        return jnp.mean(one_critic(positive, random))
