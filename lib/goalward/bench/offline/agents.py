"""Methods of the course in the benchmark's frame: goals from mixtures, a policy without noise.

Each keeps its critic's loss. What a critic learns the future of is the policy that the benchmark
evaluates, which takes its mean action: so that is the next action wherever a loss asks for one.
"""

from dataclasses import dataclass

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree, Shaped

from goalward.baselines.c_learning import CLearningControl
from goalward.baselines.goal_actor_critic import GoalActor
from goalward.baselines.offline import FUTURE, OfflineActorCritic
from goalward.data.goal_mixtures import GoalMixture
from goalward.data.goals import GoalTransitions, HindsightTransitions
from goalward.methods.contrastive_rl import ContrastiveRL
from goalward.methods.stable_contrastive_rl import StableContrastiveRL
from goalward.methods.td_infonce import TDInfoNCE
from goalward.protocol import Key, LearnerState, Params

ANYWHERE = GoalMixture(random=1.0)

Rows = Shaped[Array, "batch ..."]


@dataclass(frozen=True, kw_only=True)
class OfflineContrastiveRL(OfflineActorCritic, ContrastiveRL):
    """Contrastive RL: each row's own future against those of the other rows.

    Attributes:
        state_critic: scores a state without an action for a goal: what an action's score is
            compared with, where there is a `sharpness`.
    """

    value_goals: GoalMixture = FUTURE
    state_critic: nn.Module | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.state_critic is None) != (self.sharpness is None):
            raise ValueError("a sharpness needs a state_critic, and nothing else needs one")

    def init_params(self, key: Key, example: HindsightTransitions) -> dict[str, Params]:
        """As the base class's, and the state critic's parameters under "value"."""
        params = super().init_params(key, example)
        if self.state_critic is None:
            return params
        key_value = jax.random.fold_in(key, 2)  # the base class splits the key in two
        value = self.state_critic.init(key_value, example.state, example.goal)
        return params | {"value": value}

    def critic_loss(
        self, params: Params, state: LearnerState, batch: HindsightTransitions, key: Key
    ) -> Float[Array, ""]:
        """The loss of the critics, and that of the state critic, on the same futures."""
        loss = super().critic_loss(params, state, batch, key)
        if self.state_critic is None:
            return loss
        logits = self.state_critic.apply(
            params["value"], batch.state, batch.goal, method="pairwise"
        )
        return loss + self.contrast(logits)  # type: ignore[arg-type]

    def value_of_state(self, params: Params, state: Rows, goal: Rows) -> Float[Array, " batch"]:
        """The state critic's score."""
        assert self.state_critic is not None
        return self.state_critic.apply(params["value"], state, goal)  # type: ignore


@dataclass(frozen=True, kw_only=True)
class Bootstrapped(OfflineActorCritic):
    """For critics that learn from a slow copy of themselves, and of the policy's mean action."""

    tau: float = 0.005

    def propose(
        self, params: Params, state: Rows, goal: Rows, key: Key, temperature: float | Array = 0.0
    ) -> tuple[Rows, Float[Array, " batch"]]:
        """Actions of the policy for a batch, without noise if not asked for."""
        return super().propose(params, state, goal, key, temperature)


@dataclass(frozen=True, kw_only=True)
class OfflineStableContrastiveRL(Bootstrapped, StableContrastiveRL):
    """Stable contrastive RL, without its crops of images; the cold networks are arguments."""

    value_goals: GoalMixture = FUTURE


@dataclass(frozen=True, kw_only=True)
class OfflineCLearning(Bootstrapped, CLearningControl):
    """C-learning: single steps, and random states as goals."""

    value_goals: GoalMixture = ANYWHERE


@dataclass(frozen=True, kw_only=True)
class OfflineTDInfoNCE(Bootstrapped):
    r"""TD InfoNCE: two critics $f(s, a, g, x)$, and a policy that climbs their log ratio.

    As in the authors' code, the commanded goals of the critics' loss are random states, the
    candidates $x$ are the same ones in another order, and the smaller target logit counts.
    The critics take observations for goals, and actions are continuous.
    """

    value_goals: GoalMixture = ANYWHERE

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.actor is None or self.goal_entries is not None:
            raise ValueError("TD InfoNCE here takes an actor, and whole observations as goals")

    def init_params(self, key: Key, example: HindsightTransitions) -> dict[str, Params]:
        """As the base class's; each critic is told the commanded goal too."""
        key_actor, key_critic = jax.random.split(key)
        anchor = (example.state, example.action, example.goal)
        critic = jax.vmap(lambda k: self.critic.init(k, anchor, example.goal))(
            jax.random.split(key_critic, self.ensemble)
        )
        return GoalActor.init_params(self, key_actor, example) | {"critic": critic}

    def critic_loss(
        self, params: Params, state: LearnerState, batch: HindsightTransitions, key: Key
    ) -> Float[Array, ""]:
        """`TDInfoNCE`'s loss, each critic's mean; the next action is the policy's."""
        next_action, _ = self.propose(params, batch.next_state, batch.goal, key)
        transitions = GoalTransitions(
            state=batch.state,
            action=batch.action,
            next_state=batch.next_state,
            next_action=next_action,
            goal=batch.goal,
            random=jnp.roll(batch.goal, 1, axis=0),
        )
        method = TDInfoNCE(Smallest(self.critic), self.gamma)
        target = state.replace(target_params=state.target_params["critic"])  # type: ignore

        def one_critic(weights: Params) -> Array:
            alone = jax.tree.map(lambda leaf: leaf[None], weights)
            return method.loss(alone, target, transitions, key)[0]

        return jnp.mean(jax.vmap(one_critic)(params["critic"]))

    def value(
        self, params: Params, state: Rows, action: Rows, goal: Rows
    ) -> Float[Array, " batch"]:
        r"""How much likelier the goal is after the action than by chance, in nats.

        $f(s_i, a_i, g_i, g_i) - \log\frac1B\sum_j e^{f(s_i, a_i, g_i, g_j)}$: raw logits of
        different actions cannot be compared, each pair of state and action has its own constant.
        """
        logits = Smallest(self.critic).apply(
            params["critic"], (state, action, goal), goal, method="pairwise"
        )
        return jnp.diagonal(jax.nn.log_softmax(logits, axis=1)) + jnp.log(len(goal))


class Smallest(nn.Module):
    """Several copies of a critic as one: the smallest of their logits.

    Attributes:
        critic: as in `goalward.nets.critics`; the copies' parameters lie along a leading axis.
    """

    critic: nn.Module

    @nn.nowrap
    def apply(  # type: ignore[override]
        self, params: Params, anchor: PyTree, future: Array, method: str | None = None
    ) -> Float[Array, "*logits"]:
        """What the critic's `apply` gives, minimised over the copies."""

        def one(weights: Params) -> Array:
            return self.critic.apply(weights, anchor, future, method=method)  # type: ignore

        return jax.vmap(one)(params).min(axis=0)
