"""The frame that OGBench compares offline agents in: its goals, and policies without noise.

A learner of values gets goals from one mixture, the policy from another (Park et al. 2025). The
two classes here change where an agent's batches come from, and leave its losses alone: to put an
agent into the frame, list one of them before it, as `OfflineGCBC` does.
"""

from dataclasses import dataclass

import flax.linen as nn
import jax
from jaxtyping import Array, Float

from goalward.baselines.gcbc import GCBC
from goalward.baselines.goal_actor_critic import GoalActor, GoalActorCritic
from goalward.data.goal_mixtures import GoalMixture, ValueBatch, goal_batch
from goalward.data.goals import HindsightTransitions
from goalward.data.trajectories import Dataset
from goalward.losses.policy import ActorLoss, ddpg_bc
from goalward.protocol import Key, Params

VALUE_GOALS = GoalMixture(current=0.2, trajectory=0.5, random=0.3)
"""What OGBench tells a value that is learned by temporal differences."""

ACTOR_GOALS = GoalMixture(trajectory=1.0, geometric=False)
"""What it tells a policy, unless the data's trajectories are short or aimless."""


@dataclass(frozen=True, kw_only=True)
class OfflineActor(GoalActor):
    """A `GoalActor` whose goals come from two mixtures.

    Attributes:
        value_goals: of the value.
        actor_goals: of the policy.
        tail: what happens to the geometric beyond a trajectory's end.
    """

    value_goals: GoalMixture = VALUE_GOALS
    actor_goals: GoalMixture = ACTOR_GOALS
    tail: str = "clip"

    def batch(self, data: Dataset, key: Key) -> ValueBatch:
        """Transitions with a goal for the value and one for the policy."""
        return goal_batch(
            data,
            key,
            self.batch_size,
            self.gamma,
            self.value_goals,
            self.actor_goals,
            self.tail,
            self.goal_entries,
        )

    def data_log_prob(self, params: Params, batch: HindsightTransitions) -> Float[Array, " batch"]:
        """Log density of the recorded actions, told the policy's goal."""
        assert isinstance(batch, ValueBatch)
        return super().data_log_prob(params, batch.replace(goal=batch.actor_goal))  # type: ignore


@dataclass(frozen=True, kw_only=True)
class OfflineActorCritic(OfflineActor, GoalActorCritic):
    """A `GoalActorCritic` in the same frame; its policy's mean follows the critic.

    Attributes:
        random_goals: stays 0: `actor_goals` says where the policy's goals come from.
    """

    ensemble: int = 2
    actor_loss: ActorLoss = ddpg_bc
    random_goals: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.random_goals:
            raise ValueError("leave random_goals at 0: actor_goals says where goals come from")

    def extract(self, params: Params, batch: HindsightTransitions, key: Key) -> Float[Array, ""]:
        """The actor's loss at the policy's mean and the recorded action."""
        assert isinstance(batch, ValueBatch)
        goal = batch.actor_goal
        action, log_prob = self.propose(params, batch.state, goal, key, 0.0)
        q = self.value(jax.lax.stop_gradient(params), batch.state, action, goal)
        data_log_prob = self.data_log_prob(params, batch)
        return self.actor_loss(q, log_prob, data_log_prob, self.bc, self.entropy)


@dataclass(frozen=True, kw_only=True)
class OfflineGCBC(OfflineActor, GCBC):
    """Goal-conditioned behavioural cloning, told a uniform future state."""


def init_members(network: nn.Module, key: Key, members: int, *example: Array) -> Params:
    """Parameters of independent copies of a network, along a leading axis."""
    return jax.vmap(lambda k: network.init(k, *example))(jax.random.split(key, members))


def apply_members(network: nn.Module, params: Params, *inputs: Array) -> Float[Array, "members *b"]:
    """What each copy says."""
    return jax.vmap(lambda weights: network.apply(weights, *inputs))(params)  # type: ignore
