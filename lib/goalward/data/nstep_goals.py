"""Goals and subgoals some steps ahead, for values that take several steps at once."""

import jax
import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Bool, Float

from goalward.data import sampling
from goalward.data.goal_mixtures import GoalMixture, ValueBatch, goal_rows
from goalward.data.goals import Items, take
from goalward.data.sampling import Indices
from goalward.data.trajectories import Dataset
from goalward.protocol import Key


@struct.dataclass
class NStepBatch(ValueBatch):
    r"""Transitions with subgoals for two levels, and a value's steps to its own subgoal.

    `steps` is $\tilde n$, `reward` is $\gamma^{\tilde n}$ where those steps end in the goal and
    else 0, `mask` is 0 there and else 1.
    """

    steps: Items
    value_subgoal: Items
    """The state that many steps ahead, seen as a goal."""
    value_next: Items
    """The same state itself."""
    subgoal: Items
    """What the high level shall propose on the way to `actor_goal`."""
    low_goal: Items
    """What the low level is told: the state a number of steps ahead, or the trajectory's last."""


def nstep_goal(
    now: Indices, goal: Indices, last: Indices, n: int, end_is_success: bool = False
) -> tuple[Indices, Bool[Array, " batch"]]:
    r"""How many steps to take from a row, and whether they end in the goal's row.

    $\tilde n=\min(n,\ \text{steps to the last row},\ \text{steps to the goal if it lies ahead})$.
    They end in the goal if that lies ahead by fewer than $n$; a goal exactly $n$ steps ahead does
    not count, its value is known from elsewhere. Where a trajectory ends first, nothing is
    reached.

    Args:
        end_is_success: count every stop before $n$ as success, as the published code of SHARSA
            does: the end of a trajectory too, whatever its goal was.
    """
    ahead = goal - now
    steps = jnp.minimum(n, last - now)
    steps = jnp.where((ahead >= 0) & (ahead < steps), ahead, steps)
    return steps, (steps < n) if end_is_success else (ahead == steps) & (steps < n)


def nstep_batch(
    data: Dataset,
    key: Key,
    batch: int,
    gamma: float | Float[Array, ""],
    value_goals: GoalMixture,
    actor_goals: GoalMixture,
    n: int,
    tail: str = "clip",
    goal_entries: tuple[int, ...] | None = None,
    end_is_success: bool = False,
) -> NStepBatch:
    """Uniform transitions with goals from two mixtures, and states up to `n` steps ahead.

    Args:
        n: how far ahead a subgoal lies at most.
        tail, goal_entries: see `goalward.data.goal_mixtures.goal_batch`.
        end_is_success: see `nstep_goal`.
    """
    key_now, key_value, key_actor = jax.random.split(key, 3)
    now = sampling.uniform_anchors(data, key_now, batch)
    value_rows = goal_rows(data, key_value, now, gamma, value_goals, tail)
    actor_rows = goal_rows(data, key_actor, now, gamma, actor_goals, tail)
    last = now + data.left[now].astype(now.dtype) - 1
    steps, reached = nstep_goal(now, value_rows, last, n, end_is_success)
    actor_steps, _ = nstep_goal(now, actor_rows, last, n)
    seen = (...,) if goal_entries is None else (slice(None), goal_entries)

    def goals(rows: Array) -> Items:
        return take(data.observations, rows)[seen]

    success = reached.astype(jnp.float32)
    next_state = take(data.observations, now + 1)
    return NStepBatch(
        state=take(data.observations, now),
        action=take(data.actions, now),
        next_state=next_state,
        next_goal=next_state[seen],
        goal=goals(value_rows),
        actor_goal=goals(actor_rows),
        reward=gamma**steps * success,
        mask=1 - success,
        steps=steps,
        value_subgoal=goals(now + steps),
        value_next=take(data.observations, now + steps),
        subgoal=goals(now + actor_steps),
        low_goal=goals(jnp.minimum(now + n, last)),
    )
