r"""Soft actor-critic with hindsight: a maximum-entropy value of staying at goals, SAC+HER.

Haarnoja et al. 2018 (soft actor-critic, a learned entropy weight) with Andrychowicz et al. 2017
(hindsight experience replay). Each step away from the goal costs 1, each step at it nothing, and
the episode goes on there: so the best policy gets there soon and stays.
"""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from goalward.baselines.goal_actor_critic import GoalActorCritic
from goalward.data.goals import HindsightTransitions, partly_commanded
from goalward.protocol import Key, LearnerState, Params


@dataclass(frozen=True, kw_only=True)
class SACHER(GoalActorCritic):
    """The agent; `random_goals` is the share of goals that are not relabelled, in both losses.

    Attributes:
        reached: 1 where an achieved goal counts as the goal, else 0, as `td3_her.Within`.
    """

    reached: Callable[[Array, Array], Array]
    ensemble: int = 2
    tau: float = 0.005
    bc: float = 0.0

    def critic_loss(
        self, params: Params, state: LearnerState, batch: HindsightTransitions, key: Key
    ) -> Float[Array, ""]:
        r"""$(Q(s,a,g) - r - \gamma(1-d)(\min\bar Q(s',a',g) - \eta\log\pi(a' \mid s',g)))^2$.

        The reward $r$ is 0 at the goal and -1 elsewhere, $a' \sim \pi(\cdot \mid s', g)$, and $d$
        says whether the episode ended for good, which running out of time is not.
        """
        goal = partly_commanded(batch, self.random_goals)
        next_action, log_prob = self.propose(params, batch.next_state, goal, key)
        later = self.value(state.target_params, batch.next_state, next_action, goal)
        later = later - self.entropy_weight(params) * log_prob
        if batch.terminated is not None:
            later = later * ~batch.terminated
        wanted = self.reached(batch.next_goal, goal) - 1 + self.gamma * later
        error = self.scores(params, batch.state, batch.action, goal) - jax.lax.stop_gradient(wanted)
        return jnp.mean(error**2)
