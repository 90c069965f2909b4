r"""TMD: a contrastive quasimetric, drawn towards the optimal distance by two invariances.

Myers, Zheng, Eysenbach & Levine 2025, "Offline Goal-Conditioned Reinforcement Learning with
Quasimetric Representations". A contrastive loss fits the distance of the policy that made the
data. Of the best policy's distance two things are known besides: choosing an action costs nothing,
$d(s,(s,a))=0$, and taking it costs one step, $e^{-d((s,a),g)}=\gamma\,\mathbb E\,e^{-d(s',g)}$.
With the triangle inequality, which the architecture keeps, the first of them makes
$d(s,g)\le\min_a d((s,a),g)$: a minimum over actions that no line of code takes.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from goalward.baselines.metric_actor_critic import MetricActorCritic
from goalward.data.goals import HindsightTransitions
from goalward.losses.contrastive import info_nce
from goalward.losses.distances import linex, pairs_mean
from goalward.protocol import Key, LearnerState, Params


@dataclass(frozen=True, kw_only=True)
class TMD(MetricActorCritic):
    r"""The agent, in OGBench's frame; a row's goal is a future of its own trajectory.

    In the authors' release the action invariance has weight 1 and $\psi(g)$ learns from the
    one-step loss too; the paper has $\zeta$, and holds $\psi(g)$ still.

    Attributes:
        zeta: $\zeta$, the weight of the one-step loss.
        action_weight: of the action invariance; $\zeta$ if None.
        temperature: what distances are divided by to make logits of them; the square root of the
            encodings' size in the release.
        linear_beyond: $t$ of the one-step loss, see `goalward.losses.distances.linex`.
        diagonal: the share of rows' own goals in it, see `pairs_mean` there.
        hold_goals: whether it leaves $\psi(g)$ as it is.
    """

    zeta: float = 0.1
    action_weight: float | None = None
    temperature: float = 512**0.5
    linear_beyond: float = 3.0
    diagonal: float = 0.5
    hold_goals: bool = True

    def critic_loss(
        self, params: Params, state: LearnerState, batch: HindsightTransitions, key: Key
    ) -> Float[Array, ""]:
        r"""$L_\text{NCE}+w_{\mathcal I}L_{\mathcal I}+\zeta L_{\mathcal T}$, by each copy."""
        weight = self.zeta if self.action_weight is None else self.action_weight
        return (
            self.contrastive(params, batch)
            + weight * self.action_invariance(params, batch)
            + self.zeta * self.one_step(params, batch)
        )

    def contrastive(self, params: Params, batch: HindsightTransitions) -> Float[Array, ""]:
        r"""Each goal finds the state and action that it comes after, among those of all rows.

        $-\frac1B\sum_j\log\frac{e^{-d((s_j,a_j),g_j)/\tau}}{\sum_i e^{-d((s_i,a_i),g_j)/\tau}}$.
        """
        logits = -self.distances(params, (batch.state, batch.action), batch.goal)
        return jnp.mean(jax.vmap(lambda f: info_nce(f, axis=0))(logits / self.temperature))

    def action_invariance(self, params: Params, batch: HindsightTransitions) -> Float[Array, ""]:
        r"""$\overline{d(s_i,(s_i,a_i))}$: an action that is only chosen has cost nothing yet."""
        return jnp.mean(self.distance(params, batch.state, (batch.state, batch.action)))

    def one_step(self, params: Params, batch: HindsightTransitions) -> Float[Array, ""]:
        r"""$d((s_i,a_i),g_j)$ fitted to $d(s'_i,g_j)-\log\gamma$ by `linex`, all goals $j$.

        No gradient flows through the next state's distance.
        """
        now = batch.state, batch.action
        here = self.distances(params, now, batch.goal, self.hold_goals)
        ahead = jax.lax.stop_gradient(self.distances(params, batch.next_state, batch.goal))
        loss = linex(here, ahead, jnp.log(self.gamma), self.linear_beyond)
        return pairs_mean(loss, self.diagonal)
