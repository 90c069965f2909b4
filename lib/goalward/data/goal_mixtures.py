"""Goals for learning values and policies from recorded data, as OGBench draws them.

A goal is the present state itself, a later one of the same trajectory, or one from anywhere in the
data (Park et al. 2025). All are states in which an action was taken: the state that a trajectory's
last action leads to is a next state, but never a goal.
"""

from dataclasses import dataclass
from typing import Any

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


@struct.dataclass
class SubgoalBatch(ValueBatch):
    """The same, and states some steps ahead: near goals for a policy of two levels."""

    low_goal: Items
    """What the low level is told: the state a number of steps ahead, or the trajectory's last."""
    subgoal_state: Items
    """What the high level shall name: the same state, or its own goal where that comes first."""
    subgoal: Items
    """The state to name, seen as a goal."""


@struct.dataclass
class WaypointBatch(ValueBatch):
    """The same, and for each row a state further along its own trajectory."""

    waypoint: Items
    """Not beyond the value's goal, where that lies ahead."""
    steps: Items
    """How far ahead it lies, at least 1."""


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
    now, value_rows, actor_rows, _ = _draw(data, key, batch, gamma, value_goals, actor_goals, tail)
    return ValueBatch(**_value_fields(data, now, value_rows, actor_rows, goal_entries))


def subgoal_batch(
    data: Dataset,
    key: Key,
    batch: int,
    gamma: float | Float[Array, ""],
    value_goals: GoalMixture,
    actor_goals: GoalMixture,
    steps: int,
    tail: str = "clip",
    goal_entries: tuple[int, ...] | None = None,
) -> SubgoalBatch:
    """The same batch as `goal_batch` for the same key, with states `steps` ahead.

    A state to name lies not beyond the policy's goal where that was drawn from the state's own
    trajectory; a goal from anywhere is no bound, even where it happens to lie ahead. Nothing lies
    beyond the trajectory's last state in which an action was taken.

    Args:
        steps: how far ahead, at least 1.
        tail: see `goal_batch`.
        goal_entries: see `goal_batch`.
    """
    now, value_rows, actor_rows, own = _draw(
        data, key, batch, gamma, value_goals, actor_goals, tail
    )
    low = now + jnp.minimum(steps, _left(data, now))
    subgoal_state = take(data.observations, jnp.where(own, jnp.minimum(low, actor_rows), low))
    seen = _seen(goal_entries)
    return SubgoalBatch(
        **_value_fields(data, now, value_rows, actor_rows, goal_entries),
        low_goal=take(data.observations, low)[seen],
        subgoal_state=subgoal_state,
        subgoal=subgoal_state[seen],
    )


def waypoint_batch(
    data: Dataset,
    key: Key,
    batch: int,
    gamma: float | Float[Array, ""],
    value_goals: GoalMixture,
    actor_goals: GoalMixture,
    lam: float | Float[Array, ""],
    single: float = 0.0,
    tail: str = "clip",
    goal_entries: tuple[int, ...] | None = None,
) -> WaypointBatch:
    """The same batch as `goal_batch` for the same key, with a waypoint for each row.

    A waypoint lies not beyond the value's goal where that is a later state of the row's own
    trajectory, however it was drawn, and nowhere beyond the trajectory's last state that has an
    action; but at least one step ahead.

    Args:
        lam: see `goalward.data.sampling.waypoint_offsets`, as for `single`.
        tail: see `goal_batch`.
        goal_entries: see `goal_batch`.
    """
    now, value_rows, actor_rows, _ = _draw(data, key, batch, gamma, value_goals, actor_goals, tail)
    left, ahead = _left(data, now), value_rows - now
    furthest = jnp.where((ahead >= 0) & (ahead <= left), ahead, left)
    key_waypoint = jax.random.fold_in(key, 3)  # `_draw` splits the key in three
    steps = sampling.waypoint_offsets(key_waypoint, jnp.maximum(furthest, 1), lam, single)
    return WaypointBatch(
        **_value_fields(data, now, value_rows, actor_rows, goal_entries),
        waypoint=take(data.observations, now + steps),
        steps=steps,
    )


def _draw(
    data: Dataset,
    key: Key,
    batch: int,
    gamma: float | Array,
    value_goals: GoalMixture,
    actor_goals: GoalMixture,
    tail: str,
) -> tuple[Array, Array, Array, Array]:
    """Rows of transitions, of both goals, and whether the policy's is of the same trajectory."""
    key_now, key_value, key_actor = jax.random.split(key, 3)
    now = sampling.uniform_anchors(data, key_now, batch)
    value_rows = goal_rows(data, key_value, now, gamma, value_goals, tail)
    return now, value_rows, *_goal_rows(data, key_actor, now, gamma, actor_goals, tail)


def _value_fields(
    data: Dataset,
    now: Array,
    value_rows: Array,
    actor_rows: Array,
    goal_entries: tuple[int, ...] | None,
) -> dict[str, Array]:
    success = (now == value_rows).astype(jnp.float32)
    next_state = take(data.observations, now + 1)
    seen = _seen(goal_entries)
    return {
        "state": take(data.observations, now),
        "action": take(data.actions, now),
        "next_state": next_state,
        "next_goal": next_state[seen],
        "goal": take(data.observations, value_rows)[seen],
        "actor_goal": take(data.observations, actor_rows)[seen],
        "reward": success - 1,
        "mask": 1 - success,
    }


def _seen(goal_entries: tuple[int, ...] | None) -> Any:
    """The index that makes goals of observations."""
    return ... if goal_entries is None else (slice(None), goal_entries)


def _left(data: Dataset, now: Array) -> Array:
    """Steps left until the last row that has an action."""
    left: Array = data.left[now].astype(now.dtype) - 1
    return left


def goal_rows(
    data: Dataset,
    key: Key,
    now: Indices,
    gamma: float | Float[Array, ""],
    mixture: GoalMixture,
    tail: str = "clip",
) -> Indices:
    """A row for each row's goal."""
    return _goal_rows(data, key, now, gamma, mixture, tail)[0]


def _goal_rows(
    data: Dataset,
    key: Key,
    now: Array,
    gamma: float | Array,
    mixture: GoalMixture,
    tail: str,
) -> tuple[Array, Array]:
    """The goals' rows, and which were drawn from the row's own trajectory."""
    key_kind, key_future, key_random = jax.random.split(key, 3)
    left = _left(data, now)
    if mixture.geometric:
        ahead = sampling.geometric_offsets(key_future, jnp.maximum(left, 1), gamma, tail)
        ahead = jnp.minimum(ahead, left)
    else:
        ahead = uniform_offsets(key_future, left)
    anywhere = sampling.uniform_anchors(data, key_random, len(now))
    kind = jax.random.uniform(key_kind, now.shape)
    own = kind < mixture.current + mixture.trajectory
    later = jnp.where(own, now + ahead, anywhere)
    return jnp.where(kind < mixture.current, now, later), own


def uniform_offsets(key: Key, lengths: Indices) -> Indices:
    """1 to `lengths` steps ahead by rounding a uniform position, or 0 where none are left.

    As OGBench rounds it, the nearest and the furthest step are half as likely as any between.
    """
    nearest = jnp.minimum(lengths, 1)
    position = jax.random.uniform(key, lengths.shape)
    ahead = jnp.round(position * nearest + (1 - position) * lengths)
    return ahead.astype(lengths.dtype)
