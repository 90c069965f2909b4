"""Many episodes at once: vmapped over episodes, scanned over time."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Bool, Int, PyTree

from goalward.protocol import Environment, Key

Act = Callable[[Array, Array, PyTree, Key], tuple[Array, PyTree]]
"""(observation, goal, carry, key) to (action, carry), for one episode."""


@struct.dataclass
class Rollouts:
    """What happened in a batch of episodes.

    Attributes:
        states: The environment's states, the first included.
        actions: What was done in each but the last.
        alive: Whether the episode was still going when the action was taken; what follows the end
            of an episode is its last state, repeated.
    """

    states: Any
    actions: Array
    alive: Bool[Array, "*episodes steps"]

    @property
    def success(self) -> Bool[Array, "*episodes"]:
        """Whether the goal was reached at some time after the start."""
        return self.states.success[..., 1:].any(axis=-1)

    @property
    def steps_to_success(self) -> Int[Array, "*episodes"]:
        """Actions until the goal was first reached; one more than the steps taken where never."""
        reached = self.states.success[..., 1:]
        return jnp.where(reached.any(axis=-1), reached.argmax(axis=-1), reached.shape[-1]) + 1


def rollouts(
    env: Environment, act: Act, starts: Any, key: Key, steps: int, carry: PyTree = ()
) -> Rollouts:
    """Act for `steps` steps from a batch of states; an ended episode stays where it ended.

    Args:
        env: A pure environment.
        act: The policy for one episode. An agent's is
            `lambda o, g, carry, key: agent.act(state, o, g, carry, key, temperature)`.
        starts: The environment's states, with a leading axis over episodes.
        key: Split into one key an episode.
        steps: Actions in each episode.
        carry: The policy's memory at the start, with the same leading axis (a plan, say).

    Raises:
        ValueError: If `steps` is below 1.
    """
    if steps < 1:
        raise ValueError(f"a rollout takes at least 1 step, not {steps}")

    def episode(state: Any, carry: PyTree, key: Key) -> Rollouts:
        def step(moment: tuple[Any, PyTree], key: Key) -> tuple[Any, Any]:
            state, carry = moment
            key_act, key_env = jax.random.split(key)
            action, carry = act(state.observation, state.goal, carry, key_act)
            over = state.terminated | state.truncated
            after = env.step(state, action, key_env)
            after = jax.tree.map(lambda old, new: jnp.where(over, old, new), state, after)
            return (after, carry), (after, action, ~over)

        _, (states, actions, alive) = jax.lax.scan(
            step, (state, carry), jax.random.split(key, steps)
        )
        states = jax.tree.map(
            lambda first, rest: jnp.concatenate([first[None], rest]), state, states
        )
        return Rollouts(states, actions, alive)

    episodes = len(jax.tree.leaves(starts)[0])
    return jax.vmap(episode)(starts, carry, jax.random.split(key, episodes))
