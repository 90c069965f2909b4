r"""Contrastive RL: tell real futures from random states, then act towards the goal.

Eysenbach, Zhang, Levine & Salakhutdinov 2022, "Contrastive Learning as Goal-Conditioned
Reinforcement Learning". The critic $f(s,a,g)=\phi(s,a)^\top\psi(g)$ learns the log ratio of the
probability that $g$ lies in the discounted future of $(s,a)$ to how common $g$ is. For a fixed
goal that is a monotone function of a goal-conditioned value, so the policy maximises it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from goalward.baselines.goal_actor_critic import GoalActorCritic
from goalward.data.goals import HindsightTransitions
from goalward.losses.contrastive import binary_nce
from goalward.protocol import Key, LearnerState, Params
from goalward.tabular.mdp import Transitions


@dataclass(frozen=True, kw_only=True)
class ContrastiveRL(GoalActorCritic):
    r"""The agent; all but the critic's loss is `GoalActorCritic`'s.

    Attributes:
        contrast: the loss on the table of logits: `binary_nce`, the paper's main choice, or
            `info_nce`.
        partition_penalty: weight of the squared log partition function. `info_nce` leaves a
            function of $(s,a)$ free, which would decide between actions; the penalty (0.01 in the
            authors' code) pins it down.
    """

    contrast: Callable[[Array], Array] = binary_nce
    partition_penalty: float = 0.0

    def critic_loss(
        self, params: Params, state: LearnerState, batch: HindsightTransitions, key: Key
    ) -> Float[Array, ""]:
        """Each (state, action) with its own future against the futures of the other rows."""
        logits = self.scores(params, batch.state, batch.action, batch.goal, method="pairwise")
        loss = jnp.mean(jax.vmap(self.contrast)(logits))
        if self.partition_penalty:
            log_partition = jax.nn.logsumexp(logits, axis=-1)
            loss += self.partition_penalty * jnp.mean(log_partition**2)
        return loss


def log_ratio(
    occupancy: Transitions, marginal: Float[np.ndarray, " goals"]
) -> Float[np.ndarray, "states actions goals"]:
    r"""The critic at its optimum, $f^*(s,a,g)=\log M(g \mid s,a) - \log p(g)$, in nats.

    Minus infinity where the goal is never reached (Eysenbach et al. 2022, Lemma 4.1).

    Args:
        occupancy: the behaviour's successor measure $M$, counted from the next state.
        marginal: of the candidates, $p(g)=\mathbb E_{(s,a)}[M(g \mid s,a)]$.
    """
    with np.errstate(divide="ignore"):
        return np.log(occupancy) - np.log(marginal)


def greedy_policy(
    values: Float[np.ndarray, "states actions goals"],
) -> Float[np.ndarray, "states goals actions"]:
    """For each state and goal the action of the largest value; equal ones share the probability."""
    best = values >= values.max(axis=1, keepdims=True) - 1e-9
    return np.swapaxes(best / best.sum(axis=1, keepdims=True), 1, 2)
