"""A contrastive model of the future, learned without a task, and a policy that serves one task.

What methods share that read the value of a task off such a model: the critic of
`GoalActorCritic` trained by contrast, and, where there is an actor, its improvement for the
task that comes with the batch. A subclass says what the task's value is.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree, Shaped

from goalward.baselines.goal_actor_critic import GoalActorCritic
from goalward.data.goals import HindsightTransitions
from goalward.losses.contrastive import binary_nce
from goalward.protocol import Key, LearnerState, Params


@dataclass(frozen=True, kw_only=True)
class FutureModel(GoalActorCritic):
    """The learner; attributes as in `GoalActorCritic`, and the actor is told no goal.

    Attributes:
        contrast: the loss on the table of logits; `binary_nce` leaves no free term in the anchor.
    """

    contrast: Callable[[Array], Array] = binary_nce

    def critic_loss(
        self, params: Params, state: LearnerState, batch: HindsightTransitions, key: Key
    ) -> Float[Array, ""]:
        """Tell the future of each (state, action) from the futures of the others."""
        logits = self.scores(params, batch.state, batch.action, batch.goal, method="pairwise")
        return jnp.mean(jax.vmap(self.contrast)(logits))

    def extract(self, params: Params, batch: HindsightTransitions, key: Key) -> Float[Array, ""]:
        """The actor's loss: the task's value of its actions, and closeness to the recorded ones."""
        blank = batch.replace(goal=jnp.zeros_like(batch.goal))  # type: ignore[attr-defined]
        action, log_prob = self.propose(params, batch.state, blank.goal, key)
        q = self.task_value(jax.lax.stop_gradient(params), batch, action)
        data_log_prob = self.data_log_prob(params, blank)
        return self.actor_loss(q, log_prob, data_log_prob, self.bc, self.entropy)

    def task_value(
        self, params: Params, batch: Any, action: Shaped[Array, "batch ..."]
    ) -> Float[Array, " batch"]:
        """What the actor raises: the value of `action` in each state, for the batch's task."""
        raise NotImplementedError

    def log_ratios(
        self,
        params: Params,
        states: Shaped[Array, "rows ..."],
        futures: Shaped[Array, "columns ..."],
    ) -> Float[Array, "ensemble rows actions columns"]:
        """Each critic's logits of all futures for every one of a few actions in each state."""
        return jax.vmap(
            lambda a: self.scores(params, states, jnp.full(len(states), a), futures, "pairwise"),
            out_axes=2,
        )(jnp.arange(self.actions))

    def act(
        self,
        state: LearnerState,
        observation: Shaped[Array, "..."],
        goal: Shaped[Array, "..."],
        carry: PyTree,
        key: Key,
        temperature: float | Array = 1.0,
    ) -> tuple[Shaped[Array, "..."], PyTree]:
        """One action of the actor, which ignores the goal; without one, towards the goal."""
        told = goal if self.actor is None else jnp.zeros_like(goal)
        return super().act(state, observation, told, carry, key, temperature)
