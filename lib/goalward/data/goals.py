"""Batches for learning to predict and reach goals, relabelled with goals from the data itself."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Float, Int, Shaped

from goalward.data import sampling
from goalward.data.trajectories import Dataset
from goalward.protocol import Key

Items = Any
"""(batch, *item) An array; anything at all while JAX takes the pytree apart."""


@struct.dataclass
class GoalTransitions:
    """Transitions, each with a commanded goal and a state from elsewhere."""

    state: Items
    action: Items
    next_state: Items
    next_action: Items
    """The action recorded in the next state."""
    goal: Items
    """The commanded goal: a random state, unrelated to the transition."""
    random: Items
    """Another random state, the candidate future."""

    @property
    def anchor(self) -> tuple[Items, Items, Items]:
        """What a critic of goal-conditioned futures starts from."""
        return self.state, self.action, self.goal

    @property
    def candidate(self) -> Items:
        """What it scores."""
        return self.random


@struct.dataclass
class GoalFutures:
    """States and actions, each with a commanded goal and a state from later on."""

    state: Items
    action: Items
    goal: Items
    future: Items

    @property
    def anchor(self) -> tuple[Items, Items, Items]:
        """What a critic of goal-conditioned futures starts from."""
        return self.state, self.action, self.goal

    @property
    def candidate(self) -> Items:
        """What it scores."""
        return self.future


@struct.dataclass
class HindsightTransitions:
    """Transitions, each with a goal that its own trajectory really came to."""

    state: Items
    action: Items
    next_state: Items
    next_goal: Items
    """The next state, seen as a goal."""
    goal: Items
    """A state from later in the trajectory, seen as a goal."""
    commanded: Items = struct.field(default=None, kw_only=True)
    """The goal that the actor was told; None where the data do not say."""
    terminated: Items = struct.field(default=None, kw_only=True)
    """Whether the episode ended for good in the next state; None where none does."""


def goal_transitions(data: Dataset, key: Key, batch: int) -> GoalTransitions:
    """Uniform transitions with independent goals and random states.

    Both are the next states of other uniform transitions, so that all negatives of TD losses, the
    other rows' next states as well as the random states, have one and the same marginal.
    """
    rows, next_rows = sampling.transitions(data, key, 3 * batch)
    now, (following, goal, random) = rows[:batch], jnp.split(next_rows, 3)
    return GoalTransitions(
        state=take(data.observations, now),
        action=take(data.actions, now),
        next_state=take(data.observations, following),
        next_action=take(data.actions, following),
        goal=take(data.observations, goal),
        random=take(data.observations, random),
    )


def goal_futures(
    data: Dataset,
    key: Key,
    batch: int,
    gamma: float | Float[Array, ""],
    tail: str = "renormalise",
) -> GoalFutures:
    """Uniform states with a future each, and independent goals.

    What happens to the geometric's tail: see `goalward.data.sampling.geometric_offsets`.
    """
    pair_key, goal_key = jax.random.split(key)
    now, future = sampling.future_pairs(data, pair_key, batch, gamma, tail)
    _, goal = sampling.transitions(data, goal_key, batch)
    return GoalFutures(
        state=take(data.observations, now),
        action=take(data.actions, now),
        goal=take(data.observations, goal),
        future=take(data.observations, future),
    )


def hindsight_transitions(
    data: Dataset,
    key: Key,
    batch: int,
    gamma: float | Float[Array, ""],
    tail: str = "renormalise",
    goal_entries: tuple[int, ...] | None = None,
) -> HindsightTransitions:
    """Uniform transitions with a future each: hindsight relabelling (Andrychowicz et al. 2017).

    What happens to the geometric's tail: see `goalward.data.sampling.geometric_offsets`.

    Args:
        goal_entries: which entries of an observation make a goal; all of them if left out.
    """
    now, future = sampling.future_pairs(data, key, batch, gamma, tail)
    following = data.later(now, 1)
    next_state = take(data.observations, following)
    goal = take(data.observations, future)
    if goal_entries is None:
        next_goal = next_state
    else:
        next_goal, goal = next_state[:, goal_entries], goal[:, goal_entries]
    return HindsightTransitions(
        state=take(data.observations, now),
        action=take(data.actions, now),
        next_state=next_state,
        next_goal=next_goal,
        goal=goal,
        commanded=None if data.commanded is None else take(data.commanded, now),
        terminated=None if data.fallen is None else take(data.fallen, following),
    )


def mix_goals(goal: Shaped[Array, "batch *item"], share: float) -> Shaped[Array, "batch *item"]:
    """The same goals, of which the first `share` of the rows are moved one row on.

    A row's neighbour comes from another trajectory, so a moved goal is a random one.
    """
    moved = round(share * len(goal))
    return jnp.concatenate([jnp.roll(goal, 1, axis=0)[:moved], goal[moved:]])


def partly_commanded(batch: HindsightTransitions, share: float) -> Shaped[Array, "batch *item"]:
    """The batch's goals, of which the first `share` of the rows are not their own futures.

    They are the goals that were commanded, or random ones where the data do not say.
    """
    if batch.commanded is None:
        return mix_goals(batch.goal, share)
    kept = round(share * len(batch.goal))
    return jnp.concatenate([batch.commanded[:kept], batch.goal[kept:]])


def take(
    values: Shaped[Array, "rows *item"], rows: Int[Array, " batch"]
) -> Shaped[Array, "batch *item"]:
    """Rows of an array; small integers, kept small in storage, come back as ordinary ones."""
    taken = values[rows]
    return taken.astype(jnp.int32) if jnp.issubdtype(taken.dtype, jnp.integer) else taken
