"""A replay buffer on the device: the last steps of many environments, as one `Dataset`.

Each environment is a stream of rows in a ring, one row a step: what was seen, what was done, which
goal was commanded. The last observation of an episode has a row of its own, whose action was not
taken, so no row holds anything from beyond a reset.
"""

from typing import Any

import jax
import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Bool, Int

from goalward.data.trajectories import Dataset, Leaf


@struct.dataclass
class Steps:
    """Steps of many environments; the leading axes are step and environment.

    Attributes:
        observations: before the action.
        actions: as the actor chose them; not taken where `last`.
        commanded: the goals that the actor was told.
        last: whether the row is the last of its episode in the buffer.
        fallen: whether the episode ended for good in this observation.
        broken: whether the physics failed after this row: then the whole episode is not used.
    """

    observations: Leaf  # (steps, envs, observation)
    actions: Leaf  # (steps, envs, action)
    commanded: Leaf  # (steps, envs, goal)
    last: Leaf  # (steps, envs)
    fallen: Leaf
    broken: Leaf


@struct.dataclass
class Replay:
    """The ring, and what samplers need to know of it.

    Attributes:
        steps: as many rows as fit; the leading axes are row and environment.
        written: rows written to each stream since the beginning.
        left: (rows, envs) Steps from each row to the last row of its episode that is there.
        anchors: (rows × envs,) The numbers of the rows from which a transition starts, one stream
            after the other; the rest of the table means nothing.
        size: how many these are.
    """

    steps: Steps
    written: Leaf
    left: Leaf
    anchors: Leaf
    size: Leaf

    def insert(self, new: Steps) -> "Replay":
        """The buffer with new steps in place of the oldest.

        Raises:
            ValueError: the ring is not a multiple of the new steps long.
        """
        rows, envs = self.left.shape
        count = len(new.last)
        if rows % count:
            raise ValueError(f"a ring of {rows} rows takes a divisor of that at once, not {count}")
        place = self.written % rows
        steps = jax.tree.map(
            lambda ring, row: jax.lax.dynamic_update_slice_in_dim(ring, row, place, 0),
            self.steps,
            new,
        )
        written = self.written + count
        left = _left(steps.last, written)
        index = jnp.arange(rows)[:, None]
        spoilt = jnp.take_along_axis(steps.broken, (index + left) % rows, axis=0)
        # In the order of the streams, so that it does not depend on how many there are.
        usable = ((left > 0) & ~spoilt).T.ravel()
        (found,) = jnp.nonzero(usable, size=rows * envs, fill_value=0)
        anchors = (found % rows) * envs + found // rows
        return Replay(steps, written, left, anchors, usable.sum())

    def view(self) -> Dataset:
        """What samplers draw from; all transitions are equally likely."""
        flat: Any = jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), self.steps)
        return Dataset(
            observations=flat.observations,
            actions=flat.actions,
            terminals=flat.last,
            left=self.left.ravel(),
            anchors=self.anchors,
            first=jnp.zeros((), jnp.int32),
            size=self.size,
            commanded=flat.commanded,
            fallen=flat.fallen,
            stride=self.left.shape[1],
        )


def empty(rows: int, envs: int, observation: int, action: int, goal: int) -> Replay:
    """A buffer with nothing in it.

    Args:
        rows: steps of each environment that fit.
        envs: how many environments.
        observation: how many numbers an observation has.
        action: how many numbers an action has.
        goal: how many numbers a goal has.
    """
    false = jnp.zeros((rows, envs), bool)
    steps = Steps(
        observations=jnp.zeros((rows, envs, observation)),
        actions=jnp.zeros((rows, envs, action)),
        commanded=jnp.zeros((rows, envs, goal)),
        last=false,
        fallen=false,
        broken=false,
    )
    none = jnp.zeros((), jnp.int32)
    return Replay(
        steps, none, jnp.zeros((rows, envs), jnp.int32), jnp.zeros(rows * envs, jnp.int32), none
    )


def _left(last: Bool[Array, "rows envs"], written: Int[Array, ""]) -> Int[Array, "rows envs"]:
    """Steps from each row to the next that ends an episode, around the ring."""
    rows = len(last)
    index = jnp.arange(rows)[:, None]
    newest = (written - 1) % rows
    # The newest row ends what there is of its episode; rows never written lead nowhere.
    ends = last | (index == newest) | (index >= written)
    never = 2 * rows
    here = jnp.where(ends, index, never)
    ahead = jax.lax.cummin(here, axis=0, reverse=True)
    around = here.min(axis=0) + rows
    return jnp.where(ahead < never, ahead, around) - index
