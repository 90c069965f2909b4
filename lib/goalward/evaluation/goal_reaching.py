"""How well an agent reaches goals: often, and for how long it stays there."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from goalward.protocol import Actor, GoalEnvironment, Metrics


@dataclass(frozen=True)
class GoalReaching:
    """A probe for `goalward.training`: episodes without exploration, always the same ones.

    Starts, goals and the environment's noise follow from `seed` alone: the same for every agent,
    and no training update depends on how often one looks.

    Attributes:
        env: where to act.
        agent: whose action at temperature 0 is taken.
        episodes: how many, side by side.
        seed: from which the episodes follow.
    """

    env: GoalEnvironment
    agent: Actor
    episodes: int = 128
    seed: int = 0

    def __call__(self, state: Any) -> Metrics:
        """Share of the episodes that reach the goal at some time, and of the steps near it.

        A step counts where it ends within `env.reach` of the goal; none does after a fall.
        """

        def episode(key: jax.Array) -> jax.Array:
            key_start, key_steps = jax.random.split(key)

            def step(before: Any, key: jax.Array) -> tuple[Any, jax.Array]:
                key_act, key_env = jax.random.split(key)
                action, _ = self.agent.act(state, before.observation, before.goal, (), key_act, 0.0)
                over = before.terminated | before.truncated
                after = self.env.step(before, action, key_env)
                after = jax.tree.map(lambda old, new: jnp.where(over, old, new), before, after)
                return after, after.success & ~over

            keys = jax.random.split(key_steps, self.env.horizon)
            return jax.lax.scan(step, self.env.reset(key_start), keys)[1]

        near = jax.vmap(episode)(jax.random.split(jax.random.key(self.seed), self.episodes))
        return {"success_any": near.any(axis=1).mean(), "time_near_goal": near.mean()}
