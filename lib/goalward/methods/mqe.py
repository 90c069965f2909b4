r"""MQE: a quasimetric that backs up through a random waypoint, many steps ahead.

Zheng, Myers, Eysenbach & Levine 2025, "Multistep Quasimetric Learning for Scalable
Goal-Conditioned Reinforcement Learning". A one-step backup carries what is known of a goal back by
one step an update; a backup from $k$ steps further along the recorded trajectory carries it
$k$ steps, at the price that the actions between are the recorded ones. As in TMD, the triangle
inequality and $d(s,(s,a))=0$ make the distance choose among actions and join trajectories. There
is no contrastive loss and no target network.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from goalward.baselines.metric_actor_critic import MetricActorCritic
from goalward.data.goal_mixtures import WaypointBatch, waypoint_batch
from goalward.data.goals import HindsightTransitions
from goalward.data.trajectories import Dataset
from goalward.losses.distances import linex, pairs_mean
from goalward.protocol import Key, LearnerState, Params, check_discount


@dataclass(frozen=True, kw_only=True)
class MQE(MetricActorCritic):
    r"""The agent, in OGBench's frame; a row's goal is a future of its own trajectory.

    Attributes:
        lam: $\lambda$: a waypoint lies a geometric number of steps ahead, without the clip at the
            goal $1/(1-\lambda)$ on average.
        single: $p$, the share of rows whose waypoint is the next state.
        linear_beyond: $t$ of the backup's loss, see `goalward.losses.distances.linex`.
        diagonal: the share of rows' own goals in it, see `pairs_mean` there.
        in_probability: whether the action invariance is $(e^{-d}-1)^2$, as in a later version of
            the authors' code, not $d^2$.
    """

    lam: float = 0.95
    single: float = 0.2
    linear_beyond: float = 5.0
    diagonal: float = 0.5
    in_probability: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        check_discount(self.lam)
        if not 0 <= self.single <= 1:
            raise ValueError(f"single must be a probability, not {self.single}")

    def draw(self, data: Dataset, key: Key) -> WaypointBatch:
        """Transitions with goals and a waypoint, not beyond the value's goal."""
        return waypoint_batch(
            data,
            key,
            self.batch_size,
            self.gamma,
            self.value_goals,
            self.actor_goals,
            self.lam,
            self.single,
            self.tail,
            self.goal_entries,
        )

    def critic_loss(
        self, params: Params, state: LearnerState, batch: HindsightTransitions, key: Key
    ) -> Float[Array, ""]:
        r"""$L_{\mathcal T_\beta}+L_{\mathcal I}$, by each copy."""
        assert isinstance(batch, WaypointBatch)
        return self.multistep(params, batch) + self.action_invariance(params, batch)

    def multistep(self, params: Params, batch: WaypointBatch) -> Float[Array, ""]:
        r"""$d((s_i,a_i),g_j)$ fitted to $d(w_i,g_j)-k_i\log\gamma$ by `linex`, all goals $j$.

        $w_i$ is the waypoint, $k_i$ steps ahead. No gradient flows through its distance.
        """
        here = self.distances(params, (batch.state, batch.action), batch.goal)
        ahead = jax.lax.stop_gradient(self.distances(params, batch.waypoint, batch.goal))
        log_discount = batch.steps[:, None] * jnp.log(self.gamma)
        return pairs_mean(linex(here, ahead, log_discount, self.linear_beyond), self.diagonal)

    def action_invariance(self, params: Params, batch: HindsightTransitions) -> Float[Array, ""]:
        r"""$\overline{d(s_i,(s_i,a_i))^2}$: an action that is only chosen has cost nothing yet."""
        d = self.distance(params, batch.state, (batch.state, batch.action))
        return jnp.mean((jnp.exp(-d) - 1) ** 2 if self.in_probability else d**2)
