r"""What goal-conditioned agents share: hindsight batches, a policy, and how it follows a critic.

Contrastive RL, C-learning and the hindsight actor-critic differ in one thing, the critic's loss;
everything else is here, so that a comparison compares that one thing.
"""

from dataclasses import dataclass

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, PyTree, Shaped

from goalward.data.goals import HindsightTransitions, hindsight_transitions, partly_commanded
from goalward.data.trajectories import Dataset
from goalward.losses.policy import ActorLoss, max_q
from goalward.protocol import (
    ADAM,
    Batch,
    Key,
    LearnerState,
    Metrics,
    Params,
    check_discount,
    gradient_step,
    initial_state,
)

Rows = Shaped[Array, "batch ..."]


@dataclass(frozen=True, kw_only=True)
class GoalActor:
    """An agent that acts by a policy network $\\pi(a \\mid s, g)$; a subclass adds the `loss`.

    Attributes:
        gamma: the discount; hindsight goals lie a geometric number of steps ahead.
        actor: a policy as in `goalward.nets.policies`; None where a critic over few actions
            chooses them.
        batch_size: transitions in a batch.
        learning_rate: where the state's step size starts.
        transform: the optimiser without its step size.
        tau: how far target parameters move towards the parameters after each update.
        tail: what happens to the geometric beyond a trajectory's end.
        goal_entries: which entries of an observation make a goal; all of them if None.
    """

    gamma: float
    actor: nn.Module | None
    batch_size: int = 256
    learning_rate: float = 3e-4
    transform: optax.GradientTransformation = ADAM
    tau: float = 1.0
    tail: str = "renormalise"
    goal_entries: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        check_discount(self.gamma)

    def init(self, key: Key, example: HindsightTransitions) -> LearnerState:
        """Fresh parameters, shaped for the example batch."""
        params = self.init_params(key, example)
        return initial_state(params, self.transform, self.learning_rate)

    def init_params(self, key: Key, example: HindsightTransitions) -> dict[str, Params]:
        """The policy's parameters, under "actor"."""
        if self.actor is None:
            return {"actor": {}}
        return {"actor": self.actor.init(key, example.state, example.goal)}

    def batch(self, data: Dataset, key: Key) -> HindsightTransitions:
        """Transitions with goals from their own future."""
        return hindsight_transitions(
            data, key, self.batch_size, self.gamma, self.tail, self.goal_entries
        )

    def loss(
        self, params: Params, state: LearnerState, batch: HindsightTransitions, key: Key
    ) -> tuple[Float[Array, ""], Metrics]:
        """What a subclass minimises."""
        raise NotImplementedError

    def update(self, state: LearnerState, batch: Batch, key: Key) -> tuple[LearnerState, Metrics]:
        """One gradient step and one step of the target."""
        return gradient_step(self.loss, state, batch, key, self.transform, self.tau)

    def propose(
        self, params: Params, state: Rows, goal: Rows, key: Key, temperature: float | Array = 1.0
    ) -> tuple[Rows, Float[Array, " batch"]]:
        """Actions of the policy for a batch, and their log probabilities."""
        return self.actor.apply(params["actor"], state, goal, key, temperature, method="sample")  # type: ignore

    def data_log_prob(self, params: Params, batch: HindsightTransitions) -> Float[Array, " batch"]:
        """Log density of the recorded actions, told the goal that was really reached."""
        return self.actor.apply(  # type: ignore
            params["actor"], batch.state, batch.goal, batch.action, method="log_prob"
        )

    def act(
        self,
        state: LearnerState,
        observation: Shaped[Array, "..."],
        goal: Shaped[Array, "..."],
        carry: PyTree,
        key: Key,
        temperature: float | Array = 1.0,
    ) -> tuple[Shaped[Array, "..."], PyTree]:
        """One action; there is no memory."""
        action, _ = self.propose(state.params, observation[None], goal[None], key, temperature)
        return action[0], carry


@dataclass(frozen=True, kw_only=True)
class GoalActorCritic(GoalActor):
    r"""A goal-conditioned critic and the policy that maximises it; a subclass adds `critic_loss`.

    One loss for both networks, critic plus actor: the actor's term holds the critic fixed.

    Attributes:
        critic: a Linen module with `critic((state, action), goal)`, matching rows, and `pairwise`.
        actions: how many actions there are, where they are discrete and no `actor` is given: then
            the agent tries them all and takes each with probability
            $\propto e^{f(s,a,g)/\text{temperature}}$.
        ensemble: independent critics; the policy sees the smallest value.
        actor_loss: how the policy follows the critic, see `goalward.losses.policy`.
        bc: weight of imitating the recorded actions.
        entropy: weight of the policy's entropy.
        target_entropy: the entropy, in nats, that a learned weight holds the policy to, in place
            of the constant `entropy` (Haarnoja et al. 2018, eq. 18).
        random_goals: share of the goals that the actor trains on, and that are not its own future:
            the commanded ones where the data know them, else random ones.
    """

    critic: nn.Module
    actions: int | None = None
    ensemble: int = 1
    actor_loss: ActorLoss = max_q
    bc: float = 0.05
    entropy: float = 0.0
    target_entropy: float | None = None
    random_goals: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.actor is None) == (self.actions is None):
            raise ValueError("give an actor (continuous actions) or actions (how many), not both")

    def init_params(self, key: Key, example: HindsightTransitions) -> dict[str, Params]:
        """Parameters of the policy, under "actor", and of all critics, under "critic"."""
        key_actor, key_critic = jax.random.split(key)
        anchor = (example.state, example.action)
        critic = jax.vmap(lambda k: self.critic.init(k, anchor, example.goal))(
            jax.random.split(key_critic, self.ensemble)
        )
        params = super().init_params(key_actor, example) | {"critic": critic}
        if self.target_entropy is None:
            return params
        return params | {"log_entropy_weight": jnp.zeros(())}

    def loss(
        self, params: Params, state: LearnerState, batch: HindsightTransitions, key: Key
    ) -> tuple[Float[Array, ""], Metrics]:
        """`critic_loss` plus the actor's loss."""
        key_critic, key_actor = jax.random.split(key)
        critic = self.critic_loss(params, state, batch, key_critic)
        if self.actor is None:
            return critic, {}
        actor = self.extract(params, batch, key_actor)
        return critic + actor, {"critic": critic, "actor": actor}

    def critic_loss(
        self, params: Params, state: LearnerState, batch: HindsightTransitions, key: Key
    ) -> Float[Array, ""]:
        """What a subclass minimises in the critic's parameters."""
        raise NotImplementedError

    def extract(self, params: Params, batch: HindsightTransitions, key: Key) -> Float[Array, ""]:
        r"""The actor's loss, on reached and on other goals, and that of a learned entropy weight.

        The weight $\eta$ rises while the entropy is below its target: its loss is
        $\eta\,\mathrm{sg}(-\mathbb E\log\pi(a \mid s, g) - \bar H)$.
        """
        goal = partly_commanded(batch, self.random_goals)
        action, log_prob = self.propose(params, batch.state, goal, key)
        held = jax.lax.stop_gradient(params)
        q = self.value(held, batch.state, action, goal)
        # A traced weight may be any number; the constant 0 spares the work.
        imitates = isinstance(self.bc, jax.Array) or self.bc > 0
        data_log_prob = self.data_log_prob(params, batch) if imitates else jnp.zeros_like(log_prob)
        loss = self.actor_loss(q, log_prob, data_log_prob, self.bc, self.entropy_weight(held))
        if self.target_entropy is None:
            return loss
        surplus = -jnp.mean(jax.lax.stop_gradient(log_prob)) - self.target_entropy
        return loss + self.entropy_weight(params) * surplus

    def entropy_weight(self, params: Params) -> Float[Array, ""] | float:
        """The weight of the policy's entropy, learned or constant."""
        if self.target_entropy is None:
            return self.entropy
        return jnp.exp(params["log_entropy_weight"])

    def scores(
        self,
        params: Params,
        state: Rows,
        action: Rows,
        goal: Shaped[Array, "candidates ..."],
        method: str | None = None,
    ) -> Float[Array, "ensemble batch *pairs"]:
        """Each critic's logits, of matching rows or, with `method="pairwise"`, of all pairs."""

        def one(weights: Params) -> Array:
            return self.critic.apply(weights, (state, action), goal, method=method)  # type: ignore

        return jax.vmap(one)(params["critic"])

    def value(
        self, params: Params, state: Rows, action: Rows, goal: Rows
    ) -> Float[Array, " batch"]:
        """The smallest of the critics' values."""
        return self.scores(params, state, action, goal).min(axis=0)

    def propose(
        self, params: Params, state: Rows, goal: Rows, key: Key, temperature: float | Array = 1.0
    ) -> tuple[Rows, Float[Array, " batch"]]:
        """Actions of the policy network, or of the softmax over the critic's values."""
        if self.actions is None:
            return super().propose(params, state, goal, key, temperature)
        everyone = jnp.arange(self.actions)
        values = jax.vmap(
            lambda a: self.value(params, state, jnp.full(len(state), a), goal), out_axes=1
        )(everyone)
        logits = jax.nn.log_softmax(values / jnp.maximum(temperature, 1e-6))
        action = jax.random.categorical(key, logits)
        return action, jnp.take_along_axis(logits, action[:, None], axis=1)[:, 0]
