r"""CMD: contrastive metric distillation, a contrastive critic whose logits are a distance.

Myers, Zheng, Dragan, Levine & Eysenbach 2024, "Learning Temporal Distances: Contrastive Successor
Features Can Provide a Metric Structure for Decision-Making". The best logits of a contrastive loss
are $\log p_\gamma(g\mid s,a)-\log p(g)$: not a distance. Written as a potential of the goal less a
quasimetric, $c(g)-d((s,a),g)$, they have one only way to fit, the successor distance
$d=\log p_\gamma(g\mid g)-\log p_\gamma(g\mid s,a)$, which obeys the triangle inequality: how far a
goal is can be put together from trajectories that never met. `CMD` is the paper's one-step variant,
CMD-1; its two-step variant is not here.
"""

from collections.abc import Callable
from dataclasses import dataclass

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Shaped

from goalward.baselines.goal_actor_critic import GoalActor
from goalward.baselines.metric_actor_critic import MetricActorCritic
from goalward.baselines.offline import apply_members, init_members
from goalward.data.goal_mixtures import ValueBatch
from goalward.data.goals import HindsightTransitions
from goalward.losses.contrastive import symmetric_info_nce
from goalward.protocol import Key, LearnerState, Params

Rows = Shaped[Array, "batch ..."]


@dataclass(frozen=True, kw_only=True)
class CMD(MetricActorCritic):
    r"""The agent, in OGBench's frame: goals are futures of the row's own trajectory.

    Both ends of a distance are a state and an action, and one encoder reads both: a goal comes
    with the recorded action $a'$ of another row, which says nothing of the goal.

    The paper's critic has a potential, and `symmetric_info_nce` for its loss. The authors' version
    for OGBench has none, and `goalward.losses.logistic.all_pairs_nce`. In both, logits are divided
    by the square root of the encodings' size: a metric that is `scaled`. Offsets of goals start
    at 1 here as in that version, while in the paper's derivation the present counts too.

    Attributes:
        potential: a Linen module from goals to one number, $c$; each copy of the metric has its
            own.
        contrast: the loss of the table of logits.
    """

    potential: nn.Module | None = None
    contrast: Callable[[Array], Array] = symmetric_info_nce

    def init_params(self, key: Key, example: HindsightTransitions) -> dict[str, Params]:
        """Parameters under "actor", "critic" and, where there is one, "potential"."""
        key_actor, key_critic, key_potential = jax.random.split(key, 3)
        start = example.state, example.action
        there = with_anothers_action(example.goal, example.action)
        params = GoalActor.init_params(self, key_actor, example) | {
            "critic": init_members(self.critic, key_critic, self.ensemble, start, there)
        }
        if self.potential is None:
            return params
        potential = init_members(self.potential, key_potential, self.ensemble, example.goal)
        return params | {"potential": potential}

    def critic_loss(
        self, params: Params, state: LearnerState, batch: HindsightTransitions, key: Key
    ) -> Float[Array, ""]:
        r"""The contrast of $c(g_j)-d((s_i,a_i),(g_j,a'_j))$, for rows $i$ and goals $j$."""
        there = with_anothers_action(batch.goal, batch.action)
        logits = -self.distances(params, (batch.state, batch.action), there)
        if self.potential is not None:
            c = apply_members(self.potential, params["potential"], batch.goal)
            logits += jnp.swapaxes(c, 1, 2)  # (members, goals, 1): one number a column
        return jnp.mean(jax.vmap(self.contrast)(logits))

    def extract(self, params: Params, batch: HindsightTransitions, key: Key) -> Float[Array, ""]:
        r"""The actor's loss on $-d((s,\mu(s,g)),(g,a'))$; the potential has no say in it."""
        assert isinstance(batch, ValueBatch)
        goal, held = batch.actor_goal, jax.lax.stop_gradient(params)
        action, log_prob = self.propose(params, batch.state, goal, key, 0.0)
        there = with_anothers_action(goal, batch.action)
        q = self.value(held, batch.state, action, there)
        return self.actor_loss(
            q, log_prob, self.data_log_prob(params, batch), self.bc, self.entropy
        )


def with_anothers_action(goal: Rows, action: Rows) -> tuple[Rows, Rows]:
    """Each goal with the action of the row before."""
    return goal, jnp.roll(action, 1, axis=0)
