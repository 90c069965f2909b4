"""Batches with a reward for arriving, from rewards kept beside the data set.

`rewards[row]` is what reaching that row of the data earns; so one data set serves many tasks.
"""

from typing import Any

import jax
import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Float

from goalward.data import sampling
from goalward.data.goals import HindsightTransitions, hindsight_transitions, take
from goalward.data.trajectories import Dataset
from goalward.protocol import Key

Items = Any
"""(batch, *item) An array; anything at all while JAX takes the pytree apart."""

RewardedData = tuple[Dataset, Float[Array, " rows"]]
"""A data set and the reward of each of its rows."""


@struct.dataclass
class RewardTransitions:
    """Transitions with the reward of the state that they lead to."""

    state: Items
    action: Items
    reward: Items
    next_state: Items
    next_action: Items
    """The action recorded in the next state."""


@struct.dataclass
class RewardedFutures(HindsightTransitions):
    """Transitions with a future each, and as many rewarded states from anywhere."""

    candidate: Items
    """Draws from the marginal of the futures."""
    reward: Items
    """What arriving in each candidate earns."""


def reward_transitions(
    data: Dataset, rewards: Float[Array, " rows"], key: Key, batch: int
) -> RewardTransitions:
    """Uniform transitions; each earns the reward of the row that it leads to."""
    now, following = sampling.transitions(data, key, batch)
    return RewardTransitions(
        state=take(data.observations, now),
        action=take(data.actions, now),
        reward=jnp.asarray(rewards)[following],
        next_state=take(data.observations, following),
        next_action=take(data.actions, following),
    )


def rewarded_futures(
    data: Dataset,
    rewards: Float[Array, " rows"],
    key: Key,
    batch: int,
    gamma: float | Float[Array, ""],
    tail: str = "renormalise",
    goal_entries: tuple[int, ...] | None = None,
) -> RewardedFutures:
    """`hindsight_transitions`, and futures of other anchors with their rewards."""
    key_anchor, key_candidate = jax.random.split(key)
    anchors = hindsight_transitions(data, key_anchor, batch, gamma, tail, goal_entries)
    _, rows = sampling.future_pairs(data, key_candidate, batch, gamma, tail)
    candidate = take(data.observations, rows)
    return RewardedFutures(
        **vars(anchors),
        candidate=candidate if goal_entries is None else candidate[:, goal_entries],
        reward=jnp.asarray(rewards)[rows],
    )
