"""Recorded trajectories as one flat pytree of arrays."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import Array, Int, PyTree, Shaped

Leaf = Any
"""An integer or real array; anything at all while JAX takes the pytree apart."""

Rows = Shaped[Array | np.ndarray, "..."]


@struct.dataclass
class Dataset:
    """Rows of all trajectories, one after the other, with the fields that OGBench uses.

    A trajectory of T transitions takes T + 1 rows; `terminals` marks the last one, whose action
    was chosen but not taken. The fields after it serve the samplers in `goalward.data.sampling`.
    Build one with `from_flat` or `from_trajectories`.
    """

    observations: Leaf  # (rows, *observation)
    actions: Leaf  # (rows, *action)
    terminals: Leaf  # (rows,) bool
    left: Leaf
    """(rows,) Steps left until the last row of the row's trajectory."""
    anchors: Leaf
    """(transitions,) The rows that have a next row; None where arithmetic finds them."""
    first: Leaf
    size: Leaf
    """The samplers draw from transitions `first` to `first + size - 1`: see `window`."""
    length: int | None = struct.field(pytree_node=False, default=None)
    """Transitions in each trajectory, where all have the same number."""
    commanded: Leaf = None
    """(rows, goal) The goal that the actor was told; None where that is not known."""
    fallen: Leaf = None
    """(rows,) Whether the row's state ended its episode for good; None where nothing does."""
    stride: int = struct.field(pytree_node=False, default=1)
    """How many rows on the next state lies; above 1 where streams alternate in a ring."""

    def row(self, transition: Int[Array, "*batch"]) -> Int[Array, "*batch"]:
        """The row in which a transition starts; transitions are counted from 0."""
        if self.length is not None:
            return transition + transition // self.length
        anchors: Array = self.anchors
        return anchors[transition].astype(transition.dtype)

    def later(
        self, rows: Int[Array, "*batch"], steps: int | Int[Array, "*batch"]
    ) -> Int[Array, "*batch"]:
        """The rows so many steps after the given ones, within their trajectories."""
        if self.stride == 1:
            return rows + steps
        return (rows + steps * self.stride) % len(self.observations)

    def window(
        self, first: int | Int[Array, "*runs"], size: int | Int[Array, "*runs"]
    ) -> "Dataset":
        """The same data, of which the samplers use `size` transitions from `first` on.

        Both may be traced: one compilation, and one copy of the data, serve every size. See
        `window_axes` to vmap over them.
        """
        return self.replace(first=jnp.asarray(first), size=jnp.asarray(size))  # type: ignore


def window_axes(data: Dataset) -> PyTree:
    """`in_axes` for `jax.vmap` that share the data and map over the window alone."""
    shared: Dataset = jax.tree.map(lambda _: None, data)
    return shared.replace(first=0, size=0)  # type: ignore[attr-defined]


def split_by_seed(data: Dataset, seeds: int) -> tuple[Dataset, PyTree]:
    """The same data, cut into equal windows, one a seed; and the axes to vmap over.

    Both go to `goalward.training.loop.train`: as `data` and as `data_axis`.
    """
    part = int(data.size) // seeds
    first = data.first + part * jnp.arange(seeds)
    return data.window(first, jnp.full(seeds, part)), window_axes(data)


def from_flat(observations: Rows, actions: Rows, terminals: Rows) -> Dataset:
    """A data set from flat arrays in which `terminals` marks the last row of each trajectory.

    Raises:
        ValueError: the arrays have different lengths, the last row does not end a trajectory, or
            there is no transition.
    """
    ends = np.asarray(terminals).astype(bool)
    if not len(observations) == len(actions) == len(ends):
        raise ValueError(
            "observations, actions and terminals must have the same number of rows, not "
            f"{len(observations)}, {len(actions)} and {len(ends)}"
        )
    if not (len(ends) and ends[-1]):
        raise ValueError("the last row must end a trajectory: set terminals[-1] to True")
    if ends.all():
        raise ValueError("there is no transition: every trajectory has a single row")
    last = np.flatnonzero(ends)
    left = last[np.searchsorted(last, np.arange(len(ends)))] - np.arange(len(ends))
    anchors = np.flatnonzero(~ends)
    return Dataset(
        observations=jnp.asarray(observations),
        actions=jnp.asarray(actions),
        terminals=jnp.asarray(ends),
        left=jnp.asarray(left, dtype=jnp.int32),
        anchors=jnp.asarray(anchors, dtype=jnp.int32),
        first=jnp.asarray(0),
        size=jnp.asarray(len(anchors)),
    )


def from_trajectories(observations: Rows, actions: Rows) -> Dataset:
    """A data set from trajectories of equal length: the first two axes are trajectory and step.

    Needs no table of anchors and only small integers beside the data: ten million transitions of
    a small world fit into a laptop's memory.

    Raises:
        ValueError: the arrays disagree in their first two axes, or there is no transition.
    """
    n, steps = observations.shape[:2]
    if actions.shape[:2] != (n, steps):
        raise ValueError(
            "observations and actions must agree in trajectories and steps, not "
            f"{(n, steps)} and {actions.shape[:2]}"
        )
    if n < 1 or steps < 2:
        raise ValueError(f"need a trajectory of at least two rows, not {n} of {steps}")
    left = np.arange(steps)[::-1].astype(np.min_scalar_type(-steps))
    return Dataset(
        observations=jnp.asarray(observations).reshape(n * steps, *observations.shape[2:]),
        actions=jnp.asarray(actions).reshape(n * steps, *actions.shape[2:]),
        terminals=jnp.asarray(np.tile(left == 0, n)),
        left=jnp.asarray(np.tile(left, n)),
        anchors=None,
        first=jnp.asarray(0),
        size=jnp.asarray(n * (steps - 1)),
        length=steps - 1,
    )
