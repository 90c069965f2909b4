r"""Goal-conditioned implicit Q-learning: the better of the recorded actions, not of the luck.

Kostrikov et al. 2022 in OGBench's version (Park et al. 2025): $V$ is an expectile of $Q$ over the
recorded actions, $Q$ the mean over what followed, and the policy climbs $Q$ or imitates the actions
of which $Q$ exceeds $V$.
"""

from dataclasses import dataclass

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Shaped

from goalward.baselines.offline import OfflineActorCritic
from goalward.data.goal_mixtures import ValueBatch
from goalward.data.goals import HindsightTransitions
from goalward.losses.values import expectile
from goalward.protocol import Key, LearnerState, Params


@dataclass(frozen=True, kw_only=True)
class GCIQL(OfflineActorCritic):
    """The learner; one optimiser for policy, value and critics.

    Attributes:
        state_value: a Linen module `state_value(state, goal)`, $V$.
        kappa: the expectile, between 0 and 1.
        bc: weight of imitation, to be tuned to the data.
    """

    state_value: nn.Module
    kappa: float = 0.9
    tau: float = 0.005
    bc: float = 0.3

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.kappa < 1:
            raise ValueError(f"kappa is an expectile: above 0 and below 1, not {self.kappa}")

    def init_params(self, key: Key, example: HindsightTransitions) -> dict[str, Params]:
        """Parameters of policy and critics, and of $V$ under "value"."""
        key_value, key_rest = jax.random.split(key)
        value = self.state_value.init(key_value, example.state, example.goal)
        return super().init_params(key_rest, example) | {"value": value}

    def critic_loss(
        self, params: Params, state: LearnerState, batch: HindsightTransitions, key: Key
    ) -> Float[Array, ""]:
        r"""The losses of $V$ and of the critics; neither's gradient reaches the other.

        $V$: the $\kappa$-expectile of $\min_k\bar Q_k(s,a,g) - V(s,g)$. Critics:
        $\sum_k(r+\gamma mV(s',g)-Q_k(s,a,g))^2$, with the present $V$, no target of it.
        """
        assert isinstance(batch, ValueBatch)
        goal = batch.value_goal
        q = self.value(state.target_params, batch.state, batch.action, goal)
        value = self.value_of_state(params, batch.state, goal)
        following = self.value_of_state(jax.lax.stop_gradient(params), batch.next_state, goal)
        target = batch.reward + self.gamma * batch.mask * following
        error = target - self.scores(params, batch.state, batch.action, goal)
        fit = expectile(q - value, self.kappa).mean()
        return fit + jnp.sum(jnp.mean(error**2, axis=1))

    def value_of_state(
        self, params: Params, state: Shaped[Array, "batch ..."], goal: Shaped[Array, "batch ..."]
    ) -> Float[Array, " batch"]:
        """$V(s, g)$."""
        return self.state_value.apply(params["value"], state, goal)  # type: ignore
