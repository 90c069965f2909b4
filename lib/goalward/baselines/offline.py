"""The frame that OGBench compares offline agents in: its goals, and policies without noise.

A learner of values gets goals from one mixture, the policy from another (Park et al. 2025). The
two classes here change where an agent's batches come from, and leave its losses alone: to put an
agent into the frame, list one of them before it, as `OfflineGCBC` does.
"""

from dataclasses import dataclass
from typing import Any

import flax.linen as nn
import jax
from jaxtyping import Array, Float, PyTree, Shaped

from goalward.baselines.gcbc import GCBC
from goalward.baselines.goal_actor_critic import GoalActor, GoalActorCritic
from goalward.data.crops import JointCrop
from goalward.data.goal_mixtures import GoalMixture, ValueBatch, goal_batch
from goalward.data.goals import HindsightTransitions
from goalward.data.trajectories import Dataset
from goalward.losses.policy import ActorLoss, awr, ddpg_bc
from goalward.protocol import Key, Params

Rows = Shaped[Array, "batch ..."]

VALUE_GOALS = GoalMixture(current=0.2, trajectory=0.5, random=0.3)
"""What OGBench tells a value that is learned by temporal differences."""

ACTOR_GOALS = GoalMixture(trajectory=1.0, geometric=False)
"""What it tells a policy, unless the data's trajectories are short or aimless."""

FUTURE = GoalMixture(trajectory=1.0)
"""What it tells a critic that learns futures: a geometric number of steps ahead, at least one."""


@dataclass(frozen=True, kw_only=True)
class OfflineActor(GoalActor):
    """A `GoalActor` whose goals come from two mixtures.

    Attributes:
        value_goals: of the value.
        actor_goals: of the policy.
        tail: what happens to the geometric beyond a trajectory's end.
        crop: shifts a row's images, all by the same few pixels; None leaves them as recorded.
    """

    value_goals: GoalMixture = VALUE_GOALS
    actor_goals: GoalMixture = ACTOR_GOALS
    tail: str = "clip"
    crop: JointCrop | None = None

    def batch(self, data: Dataset, key: Key) -> ValueBatch:
        """What `draw` gives, its images cropped."""
        if self.crop is None:
            return self.draw(data, key)
        key_draw, key_crop = jax.random.split(key)
        return cropped(self.draw(data, key_draw), self.crop, key_crop)

    def draw(self, data: Dataset, key: Key) -> ValueBatch:
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
    r"""A `GoalActorCritic` in the same frame; its policy's mean follows the critic.

    Attributes:
        random_goals: stays 0: `actor_goals` says where the policy's goals come from.
        sharpness: if given, the policy does not climb the critic, but imitates the recorded
            actions, weighted by $e^{\alpha(Q(s,a,g) - V(s,g))}$: this is $\alpha$.
    """

    ensemble: int = 2
    actor_loss: ActorLoss = ddpg_bc
    random_goals: float = 0.0
    sharpness: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.random_goals:
            raise ValueError("leave random_goals at 0: actor_goals says where goals come from")

    def init_params(self, key: Key, example: HindsightTransitions) -> dict[str, Params]:
        """As the base class's; the critics have one reader of images, if any."""
        params = super().init_params(key, example)
        return params | {"critic": _share(params["critic"])}

    def extract(self, params: Params, batch: HindsightTransitions, key: Key) -> Float[Array, ""]:
        """The actor's loss at the policy's mean and the recorded action."""
        assert isinstance(batch, ValueBatch)
        goal, held = batch.actor_goal, jax.lax.stop_gradient(params)
        data_log_prob = self.data_log_prob(params, batch)
        if self.sharpness is not None:
            q = self.value(held, batch.state, batch.action, goal)
            advantage = q - self.value_of_state(held, batch.state, goal)
            return awr(advantage, data_log_prob, self.sharpness)
        action, log_prob = self.propose(params, batch.state, goal, key, 0.0)
        q = self.value(held, batch.state, action, goal)
        return self.actor_loss(q, log_prob, data_log_prob, self.bc, self.entropy)

    def value_of_state(self, params: Params, state: Rows, goal: Rows) -> Float[Array, " batch"]:
        """$V(s, g)$: what an action's value is compared with, where there is a `sharpness`."""
        raise NotImplementedError

    def scores(
        self,
        params: Params,
        state: Rows,
        action: Rows,
        goal: Shaped[Array, "candidates ..."],
        method: str | None = None,
    ) -> Float[Array, "ensemble batch *pairs"]:
        """As the base class's."""
        return apply_members(self.critic, params["critic"], (state, action), goal, method=method)


@dataclass(frozen=True, kw_only=True)
class OfflineGCBC(OfflineActor, GCBC):
    """Goal-conditioned behavioural cloning, told a uniform future state."""


def init_members(network: nn.Module, key: Key, members: int, *example: PyTree) -> Params:
    """Parameters of independent copies of a network, along a leading axis.

    What a network calls `shared` (see `goalward.nets.images.Reading`) its copies have in common:
    those parameters have no such axis.
    """
    return _share(jax.vmap(lambda k: network.init(k, *example))(jax.random.split(key, members)))


def apply_members(
    network: nn.Module, params: Params, *inputs: PyTree, method: str | None = None
) -> Float[Array, "members *b"]:
    """What each copy says."""
    axes = jax.tree_util.tree_map_with_path(lambda path, _: None if _shared(path) else 0, params)
    one = lambda weights: network.apply(weights, *inputs, method=method)  # noqa: E731
    return jax.vmap(one, in_axes=(axes,))(params)  # type: ignore


def _share(params: Params) -> Params:
    """The first copy's shared parameters for all copies."""
    return jax.tree_util.tree_map_with_path(
        lambda path, leaf: leaf[0] if _shared(path) else leaf, params
    )


def _shared(path: Any) -> bool:
    return any(getattr(entry, "key", None) == "shared" for entry in path)


def cropped(batch: ValueBatch, crop: JointCrop, key: Key) -> ValueBatch:
    """The same batch; a row's images all share one window."""

    def one(leaf: Array) -> Array:
        return crop(key, batch.state, leaf)[1] if leaf.shape == batch.state.shape else leaf

    return jax.tree.map(one, batch)  # type: ignore[no-any-return]
