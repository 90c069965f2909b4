r"""Quasimetric RL: push everything apart, while no step may cost more than 1.

Wang, Torralba, Isola & Zhang 2023 in OGBench's version (Park et al. 2025). The largest quasimetric
in which recorded steps have length at most 1 is the shortest-path distance: optimal values without
a backup, where the world is deterministic.
"""

from dataclasses import dataclass

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Shaped

from goalward.baselines.offline import OfflineActor
from goalward.data.goal_mixtures import GoalMixture, ValueBatch
from goalward.data.goals import HindsightTransitions
from goalward.losses.policy import awr, ddpg_bc
from goalward.nets.quasimetric import IQECritic, iqe
from goalward.protocol import Key, LearnerState, Metrics, Params

ANYWHERE = GoalMixture(random=1.0)

Rows = Shaped[Array, "batch ..."]
Latents = Float[Array, "*batch latent"]


@dataclass(frozen=True, kw_only=True)
class QRL(OfflineActor):
    r"""The learner; one optimiser for all, the multiplier included. The discount is unused.

    Attributes:
        critic: the quasimetric $d(\phi(s), \phi(g))$ with its encoder $\phi$.
        dynamics: a Linen module $D$ from $[\phi(s), a]$ to the change of the encoding; the policy
            is improved through it. None where there is a `sharpness` instead.
        sharpness: $\alpha$: the policy imitates, weighted by $e^{\alpha(d(s,g) - d(s',g))}$.
        epsilon: how far the mean squared excess of steps over 1 may go.
        bc: weight of imitation, to be tuned to the data.
    """

    critic: IQECritic
    dynamics: nn.Module | None
    sharpness: float | None = None
    epsilon: float = 0.05
    bc: float = 0.003
    gamma: float = 0.99
    value_goals: GoalMixture = ANYWHERE

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.goal_entries is not None:
            raise ValueError("a quasimetric takes whole observations as goals: drop goal_entries")
        if (self.dynamics is None) == (self.sharpness is None):
            raise ValueError("give dynamics (the policy improves through them) or a sharpness")

    def init_params(self, key: Key, example: HindsightTransitions) -> dict[str, Params]:
        """Parameters under "actor", "critic" and "dynamics"; the multiplier's log under "log"."""
        key_actor, key_critic, key_dynamics = jax.random.split(key, 3)
        everything = lambda critic, s: (critic.encoder(s), critic.mix_logit)  # noqa: E731
        critic = self.critic.init(key_critic, example.state, method=everything)
        params = super().init_params(key_actor, example) | {"critic": critic, "log": jnp.zeros(())}
        if self.dynamics is None:
            return params
        latent = self.encode({"critic": critic}, example.state)
        inputs = jnp.concatenate([latent, example.action], axis=-1)
        return params | {"dynamics": self.dynamics.init(key_dynamics, inputs)}

    def loss(
        self, params: Params, state: LearnerState, batch: HindsightTransitions, key: Key
    ) -> tuple[Float[Array, ""], Metrics]:
        r"""Quasimetric, dynamics $\frac12(d(z', \hat z') + d(\hat z', z'))$, and policy."""
        assert isinstance(batch, ValueBatch)
        z, next_z, goal_z = self.encode(
            params, jnp.stack([batch.state, batch.next_state, batch.value_goal])
        )
        value, multiplier = self.quasimetric_loss(params, z, next_z, goal_z)
        actor = self.extract(params, batch, key)
        metrics = {"quasimetric": value, "actor": actor, "multiplier": multiplier}
        if self.dynamics is None:
            return value + actor, metrics
        guess = self.predict(params, z, batch.action)
        there, back = self.distance(params, next_z, guess), self.distance(params, guess, next_z)
        dynamics = jnp.mean(there + back) / 2
        return value + dynamics + actor, metrics | {"dynamics": dynamics}

    def quasimetric_loss(
        self, params: Params, z: Latents, next_z: Latents, goal_z: Latents
    ) -> tuple[Float[Array, ""], Float[Array, ""]]:
        r"""$\overline{100\,\mathrm{softplus}(5-d(s,g)/100)}$ under a constraint on steps.

        The constraint $C=\overline{\mathrm{relu}(d(s,s')-1)^2}\le\epsilon$ has a multiplier
        $\lambda=e^\eta$: the distance descends $\lambda C$, and $\eta$ descends
        $\lambda(\epsilon-C)$.
        """
        spread = jnp.mean(100 * jax.nn.softplus(5 - self.distance(params, z, goal_z) / 100))
        excess = jnp.mean(jax.nn.relu(self.distance(params, z, next_z) - 1) ** 2)
        multiplier = jnp.exp(params["log"])
        held = jax.lax.stop_gradient
        dual = multiplier * (self.epsilon - held(excess))
        return spread + held(multiplier) * excess + dual, multiplier

    def extract(self, params: Params, batch: ValueBatch, key: Key) -> Float[Array, ""]:
        r"""DDPG+BC on $-d(\hat z'(s, \mu(s, g)), \phi(g))$, or weighted imitation."""
        held, goal = jax.lax.stop_gradient(params), batch.actor_goal
        if self.sharpness is not None:
            three = self.encode(held, jnp.stack([batch.state, batch.next_state, goal]))
            before, after = (self.distance(held, z, three[2]) for z in three[:2])
            return awr(before - after, self.data_log_prob(params, batch), self.sharpness)
        action, log_prob = self.propose(params, batch.state, goal, key, 0.0)
        z, goal_z = self.encode(held, jnp.stack([batch.state, goal]))
        q = -self.distance(held, self.predict(held, z, action), goal_z)
        return ddpg_bc(q, log_prob, self.data_log_prob(params, batch), self.bc)

    def encode(self, params: Params, state: Shaped[Array, "..."]) -> Latents:
        r"""$\phi(s)$."""
        method = lambda critic, s: critic.encoder(s)  # noqa: E731
        return self.critic.apply(params["critic"], state, method=method)  # type: ignore

    def distance(
        self, params: Params, x: Float[Array, "*#batch d"], y: Float[Array, "*#batch d"]
    ) -> Float[Array, "..."]:
        """Cost of going from one encoding to another, in steps."""
        mix = jax.nn.sigmoid(params["critic"]["params"]["mix_logit"])
        return iqe(x, y, self.critic.components, mix)

    def predict(self, params: Params, z: Latents, action: Rows) -> Latents:
        r"""$\hat z' = \phi(s) + D(\phi(s), a)$, the encoding of the next state."""
        assert self.dynamics is not None
        inputs = jnp.concatenate([z, action], axis=-1)
        return z + self.dynamics.apply(params["dynamics"], inputs)  # type: ignore
