r"""Goal-conditioned behavioural cloning: imitate the actions that led to a goal.

Ding et al. 2019, Ghosh et al. 2021 (GCSL). Every state that a trajectory came to is taken for its
goal, and the policy learns the recorded action by maximum likelihood. Beside the learner: the
policy that it tends to.
"""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from goalward.baselines.goal_actor_critic import GoalActor
from goalward.data.goals import HindsightTransitions
from goalward.protocol import Key, LearnerState, Metrics, Params
from goalward.tabular.mdp import Policy, Transitions


@dataclass(frozen=True, kw_only=True)
class GCBC(GoalActor):
    """The learner; its policy has no critic to follow."""

    def loss(
        self, params: Params, state: LearnerState, batch: HindsightTransitions, key: Key
    ) -> tuple[Float[Array, ""], Metrics]:
        r"""$-\log\pi(a \mid s, g)$ of recorded actions and the goals they led to."""
        return -jnp.mean(self.data_log_prob(params, batch)), {}


def exact_policy(
    occupancy: Transitions, policy: Policy
) -> Float[np.ndarray, "states goals actions"]:
    r"""What cloning learns from infinite data, $\pi(a\mid s,g)\propto\beta(a\mid s)M(g\mid s,a)$.

    By Bayes' rule: the probability of the recorded action, given that the goal came later.

    Args:
        occupancy: the behaviour's successor measure $M(g \mid s, a)$.
        policy: the behaviour $\beta$. Where the goal is never reached, the result is $\beta$.
    """
    joint = np.swapaxes(policy[:, :, None] * occupancy, 1, 2)
    total = joint.sum(axis=2, keepdims=True)
    behaviour = np.broadcast_to(policy[:, None, :], joint.shape)
    return np.where(total > 0, joint / np.where(total > 0, total, 1.0), behaviour)
