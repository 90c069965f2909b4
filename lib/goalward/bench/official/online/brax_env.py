"""An adapter: an environment of brax, as JaxGCRL has them, under the course's protocol."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Bool, Float, Int

from goalward.protocol import Key


@struct.dataclass
class BraxState:
    """A state of brax, and how old the episode is.

    Attributes:
        inner: brax's own state.
        time: steps since the reset.
        observation: the part of brax's observation that is not the goal.
        goal: the rest of it.
        reward: brax's own.
        success: whether the goal is within reach.
        terminated: whether brax says that it is over (a fall).
        truncated: whether the horizon is reached.
    """

    inner: Any
    time: Int[Array, ""]
    observation: Float[Array, " size"]
    goal: Float[Array, " goal"]
    reward: Float[Array, ""]
    success: Bool[Array, ""]
    terminated: Bool[Array, ""]
    truncated: Bool[Array, ""]


@dataclass(frozen=True, eq=False)
class BraxEnvironment:
    """Equal to itself alone: brax's environments have no notion of equality.

    Attributes:
        world: with `state_dim`, `goal_indices` and `goal_reach_thresh`, as JaxGCRL's have them.
        horizon: steps until an episode is truncated.
        starts: states to begin from, stacked, see `with_starts`; a reset takes one of them, as
            brax's own automatic reset goes back to a first state. None computes each reset.
    """

    world: Any
    horizon: int
    starts: Any = None

    @property
    def observation_size(self) -> int:
        """Numbers in an observation, without the goal."""
        return int(self.world.state_dim)

    @property
    def action_size(self) -> int:
        """Numbers in an action."""
        return int(self.world.action_size)

    @property
    def goal_entries(self) -> tuple[int, ...]:
        """The entries of an observation that are the goal."""
        return tuple(int(i) for i in self.world.goal_indices)

    @property
    def reach(self) -> float:
        """Success is a distance below this."""
        return float(self.world.goal_reach_thresh)

    def reset(self, key: Key) -> BraxState:
        """A first state."""
        if self.starts is None:
            return self._shown(self.world.reset(jax.random.key_data(key)), jnp.zeros((), int))
        number = jax.random.randint(key, (), 0, len(jax.tree.leaves(self.starts)[0]))
        return self._shown(jax.tree.map(lambda leaf: leaf[number], self.starts), jnp.zeros((), int))

    def step(self, state: BraxState, action: Float[Array, " action"], key: Key) -> BraxState:
        """Brax's own step; brax has no randomness in it."""
        return self._shown(self.world.step(state.inner, action), state.time + 1)

    def _shown(self, inner: Any, time: Array) -> BraxState:
        size = self.observation_size
        return BraxState(
            inner=inner,
            time=time,
            observation=inner.obs[:size],
            goal=inner.obs[size:],
            reward=inner.reward,
            success=inner.metrics["success"] > 0,
            terminated=inner.done > 0,
            truncated=time >= self.horizon,
        )


def with_starts(world: Any, horizon: int, starts: int, key: Key) -> BraxEnvironment:
    """The environment with so many first states, computed beforehand.

    A step of the loop also asks for a reset, whose physics would be paid for each time.
    """
    keys = jax.random.key_data(jax.random.split(key, starts))
    return BraxEnvironment(world, horizon, jax.jit(jax.vmap(world.reset))(keys))
