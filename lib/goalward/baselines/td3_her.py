r"""The hindsight actor-critic: a value of reaching goals by temporal differences, TD3+HER.

Andrychowicz et al. 2017 (hindsight experience replay) on Fujimoto et al. 2018 (TD3): critics with a
slow copy, the smaller of whose values is the target, and a smoothed target policy. The actor is
updated as often as the critic. Unlike the other agents it is told when a goal counts as reached.
"""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from goalward.baselines.goal_actor_critic import GoalActorCritic
from goalward.data.goals import HindsightTransitions, partly_commanded
from goalward.protocol import Key, LearnerState, Params


@dataclass(frozen=True)
class Within:
    """Whether a position is within a Euclidean distance of the goal, the reward's definition."""

    reach: float

    def __call__(
        self, achieved: Float[Array, "batch dim"], goal: Float[Array, "batch dim"]
    ) -> Float[Array, " batch"]:
        return (jnp.linalg.norm(achieved - goal, axis=-1) <= self.reach).astype(jnp.float32)


@dataclass(frozen=True, kw_only=True)
class TD3HER(GoalActorCritic):
    """The agent; `random_goals` is the share of goals that are not relabelled in the critic too.

    Attributes:
        reached: 1 where an achieved goal counts as the goal, else 0; the reward, after which the
            episode ends. So values are discounted probabilities, between 0 and 1.
        smoothing: deviation of the noise on the target policy's action, cut off at twice that.
    """

    reached: Callable[[Array, Array], Array]
    ensemble: int = 2
    tau: float = 0.005
    smoothing: float = 0.2

    def critic_loss(
        self, params: Params, state: LearnerState, batch: HindsightTransitions, key: Key
    ) -> Float[Array, ""]:
        r"""$(Q(s,a,g) - r - \gamma(1-r)\min\bar Q(s',a',g))^2$ with $a' \approx \bar\pi(s', g)$."""
        key_action, key_noise = jax.random.split(key)
        goal = partly_commanded(batch, self.random_goals)
        target = state.target_params
        next_action, _ = self.propose(target, batch.next_state, goal, key_action, 0.0)
        if self.actions is None:
            noise = self.smoothing * jax.random.normal(key_noise, next_action.shape)
            limit = 2 * self.smoothing
            next_action = jnp.clip(next_action + jnp.clip(noise, -limit, limit), -1, 1)
        reward = self.reached(batch.next_goal, goal)
        later = jnp.clip(self.value(target, batch.next_state, next_action, goal), 0, 1)
        later = later if batch.terminated is None else later * ~batch.terminated
        wanted = jax.lax.stop_gradient(reward + self.gamma * (1 - reward) * later)
        error = self.scores(params, batch.state, batch.action, goal) - wanted
        return jnp.mean(error**2)
