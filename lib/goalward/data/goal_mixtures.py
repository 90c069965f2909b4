"""Goals for learning values and policies from recorded data, as OGBench draws them.

A goal is the present state itself, a later one of the same trajectory, or one from anywhere in the
data (Park et al. 2025). All are states in which an action was taken: the state that a trajectory's
last action leads to is a next state, but never a goal.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Float

from goalward.data import sampling
from goalward.data.goals import HindsightTransitions, Items, take
from goalward.data.sampling import Indices
from goalward.data.trajectories import Dataset
from goalward.protocol import Key


@dataclass(frozen=True, kw_only=True)
class GoalMixture:
    """Where goals come from: three probabilities that add up to 1.

    Attributes:
        current: the present state, so that its value is learned to be zero.
        trajectory: a later state of the same trajectory; the last one's goal is itself.
        random: a state from anywhere in the data.
        geometric: a later state is a geometric number of steps ahead; else uniform.
    """

    current: float = 0.0
    trajectory: float = 0.0
    random: float = 0.0
    geometric: bool = True

    def __post_init__(self) -> None:
        shares = (self.current, self.trajectory, self.random)
        if min(shares) < 0 or abs(sum(shares) - 1) > 1e-6:
            raise ValueError(
                "current, trajectory and random must be probabilities that add up to 1, not "
                f"{', '.join(map(str, shares))}"
            )


@struct.dataclass
class ValueBatch(HindsightTransitions):
    """Transitions, each with a goal for the value, `goal`, and one for the policy.

    Reward and mask are the value's: 0 and 0 where the state *is* the goal, the same row of the
    data, not only the same observation; else -1 and 1.
    """

    actor_goal: Items
    """What the policy is told."""
    reward: Items
    mask: Items
    """0 where nothing comes after the reward."""

    @property
    def value_goal(self) -> Items:
        """What the value is told."""
        return self.goal


def goal_batch(
    data: Dataset,
    key: Key,
    batch: int,
    gamma: float | Float[Array, ""],
    value_goals: GoalMixture,
    actor_goals: GoalMixture,
    tail: str = "clip",
    goal_entries: tuple[int, ...] | None = None,
) -> ValueBatch:
    """Uniform transitions with goals from two mixtures, drawn independently.

    Args:
        tail: what happens to the geometric beyond the trajectory's end, see
            `goalward.data.sampling.geometric_offsets`; OGBench clips.
        goal_entries: which entries of an observation make a goal; all of them if left out.
    """
    key_now, key_value, key_actor = jax.random.split(key, 3)
    now = sampling.uniform_anchors(data, key_now, batch)
    value_rows = goal_rows(data, key_value, now, gamma, value_goals, tail)
    actor_rows = goal_rows(data, key_actor, now, gamma, actor_goals, tail)
    success = (now == value_rows).astype(jnp.float32)
    next_state = take(data.observations, now + 1)
    seen = ... if goal_entries is None else (slice(None), goal_entries)
    return ValueBatch(
        state=take(data.observations, now),
        action=take(data.actions, now),
        next_state=next_state,
        next_goal=next_state[seen],
        goal=take(data.observations, value_rows)[seen],
        actor_goal=take(data.observations, actor_rows)[seen],
        reward=success - 1,
        mask=1 - success,
    )


def goal_rows(
    data: Dataset,
    key: Key,
    now: Indices,
    gamma: float | Float[Array, ""],
    mixture: GoalMixture,
    tail: str = "clip",
) -> Indices:
    """A row for each row's goal."""
    key_kind, key_future, key_random = jax.random.split(key, 3)
    left = data.left[now].astype(now.dtype) - 1  # not counting the row without an action
    if mixture.geometric:
        ahead = sampling.geometric_offsets(key_future, jnp.maximum(left, 1), gamma, tail)
        ahead = jnp.minimum(ahead, left)
    else:
        ahead = uniform_offsets(key_future, left)
    anywhere = sampling.uniform_anchors(data, key_random, len(now))
    kind = jax.random.uniform(key_kind, now.shape)
    later = jnp.where(kind < mixture.current + mixture.trajectory, now + ahead, anywhere)
    return jnp.where(kind < mixture.current, now, later)


def uniform_offsets(key: Key, lengths: Indices) -> Indices:
    """1 to `lengths` steps ahead by rounding a uniform position, or 0 where none are left.

    As OGBench rounds it, the nearest and the furthest step are half as likely as any between.
    """
    nearest = jnp.minimum(lengths, 1)
    position = jax.random.uniform(key, lengths.shape)
    ahead = jnp.round(position * nearest + (1 - position) * lengths)
    return ahead.astype(lengths.dtype)
