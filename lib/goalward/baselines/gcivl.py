r"""Goal-conditioned implicit V-learning: a value without actions, and imitation weighted by it.

The V-only form of implicit Q-learning (Kostrikov et al. 2022; Ghosh et al. 2023) in OGBench's
version (Park et al. 2025). An expectile above one half takes the better among the next states that
were recorded, whether an action or luck led there: optimistic where the world is random.
"""

from dataclasses import dataclass

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Shaped

from goalward.baselines.offline import OfflineActor, apply_members, init_members
from goalward.data.goal_mixtures import ValueBatch
from goalward.data.goals import HindsightTransitions
from goalward.losses.policy import awr
from goalward.losses.values import expectile
from goalward.protocol import Key, LearnerState, Metrics, Params


@dataclass(frozen=True, kw_only=True)
class GCIVL(OfflineActor):
    r"""The learner; one optimiser for policy and values.

    Attributes:
        value: a Linen module `value(state, goal)`; two copies are trained.
        kappa: the expectile, between 0 and 1.
        sharpness: $\alpha$, how strongly the policy prefers actions that came closer.
    """

    value: nn.Module
    kappa: float = 0.9
    sharpness: float = 10.0
    tau: float = 0.005

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.kappa < 1:
            raise ValueError(f"kappa is an expectile: above 0 and below 1, not {self.kappa}")

    def init_params(self, key: Key, example: HindsightTransitions) -> dict[str, Params]:
        """Parameters of the policy, under "actor", and of both values, under "value"."""
        key_actor, key_value = jax.random.split(key)
        value = init_members(self.value, key_value, 2, example.state, example.goal)
        return super().init_params(key_actor, example) | {"value": value}

    def loss(
        self, params: Params, state: LearnerState, batch: HindsightTransitions, key: Key
    ) -> tuple[Float[Array, ""], Metrics]:
        """`value_loss` plus the policy's loss."""
        assert isinstance(batch, ValueBatch)
        value = self.value_loss(params, state.target_params, batch)
        actor = self.extract(params, batch)
        return value + actor, {"value": value, "actor": actor}

    def value_loss(
        self, params: Params, target_params: Params, batch: ValueBatch
    ) -> Float[Array, ""]:
        r"""$\sum_k w\,(r + \gamma m\bar V_k(s', g) - V_k(s, g))^2$.

        The weight is $\kappa$ where $r+\gamma m\min_k\bar V_k(s',g)\ge\frac12\sum_k\bar V_k(s,g)$,
        else $1-\kappa$: the target values choose it, for both heads alike.
        """
        goal = batch.value_goal
        following = self.values(target_params, batch.next_state, goal)
        present = self.values(target_params, batch.state, goal)
        discount = self.gamma * batch.mask
        advantage = batch.reward + discount * following.min(axis=0) - present.mean(axis=0)
        error = batch.reward + discount * following - self.values(params, batch.state, goal)
        return jnp.sum(expectile(error, self.kappa, advantage).mean(axis=1))

    def extract(self, params: Params, batch: ValueBatch) -> Float[Array, ""]:
        r"""Imitation weighted by $e^{\alpha(V(s', g) - V(s, g))}$, $V$ the mean of both heads."""
        held, goal = jax.lax.stop_gradient(params), batch.actor_goal
        present = self.values(held, batch.state, goal).mean(axis=0)
        following = self.values(held, batch.next_state, goal).mean(axis=0)
        return awr(following - present, self.data_log_prob(params, batch), self.sharpness)

    def values(
        self, params: Params, state: Shaped[Array, "batch ..."], goal: Shaped[Array, "batch ..."]
    ) -> Float[Array, "2 batch"]:
        """Both heads' values."""
        return apply_members(self.value, params["value"], state, goal)
