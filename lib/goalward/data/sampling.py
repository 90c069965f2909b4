"""Draw row indices of a `Dataset`; none of them ever crosses the end of a trajectory."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from goalward.data.trajectories import Dataset
from goalward.protocol import Key, check_discount

Indices = Int[Array, " batch"]


def geometric_offsets(
    key: Key,
    lengths: Indices,
    gamma: float | Float[Array, ""],
    tail: str = "renormalise",
    first: int = 1,
) -> Indices:
    r"""How many steps ahead the future is: $\Pr(\delta) \propto \gamma^{\delta-1}$, $\delta \ge 1$.

    A trajectory with `lengths` steps left holds no later future, so something has to happen to
    the tail of the geometric distribution. `tail="renormalise"` divides by the mass inside the
    trajectory, as the public code of contrastive RL does; `tail="clip"` puts the tail on the last
    state. Both are biased near the end: the first towards the present, the second towards the
    last state.

    Args:
        lengths: steps left from each anchor, at least `first`.
        first: the smallest offset. With 0 the present counts as a future too,
            $\Pr(\delta) \propto \gamma^\delta$ for $\delta \ge 0$: then logits on the diagonal
            speak of being there, not of coming back.

    Raises:
        ValueError: `tail` is unknown, `first` is not 0 or 1, or `gamma` is below 0, 1 or above.
    """
    check_discount(gamma)
    if first not in (0, 1):
        raise ValueError(f"first must be 0 (the present counts) or 1, not {first!r}")
    if tail not in ("renormalise", "clip"):
        raise ValueError(f"tail must be 'renormalise' or 'clip', not {tail!r}")
    uniform, last = jax.random.uniform(key, lengths.shape), lengths + 1 - first
    # Inverse distribution function; log1p keeps it exact for small arguments.
    log_gamma = jnp.log(gamma)
    inside = -jnp.expm1(last * log_gamma) if tail == "renormalise" else 1.0
    offsets = jnp.floor(jnp.log1p(-uniform * inside) / log_gamma) + 1
    return (jnp.clip(offsets, 1, last) - (1 - first)).astype(lengths.dtype)


def waypoint_offsets(
    key: Key, lengths: Indices, lam: float | Float[Array, ""], single: float = 0.0
) -> Indices:
    r"""How many steps ahead a waypoint is: 1 with probability `single`, else clipped geometric.

    $\Pr(k) = p\,\mathbb 1\{k = 1\} + (1 - p)(1 - \lambda)\lambda^{k-1}$ below `lengths`, which gets
    the rest.

    Args:
        lengths: the furthest that each may lie, at least 1.
        lam: $\lambda$; without the clip and single steps, $1/(1-\lambda)$ steps on average.
        single: $p$.
    """
    key_single, key_offset = jax.random.split(key)
    offsets = geometric_offsets(key_offset, lengths, lam, tail="clip")
    return jnp.where(jax.random.bernoulli(key_single, single, lengths.shape), 1, offsets)


def uniform_anchors(data: Dataset, key: Key, batch: int) -> Indices:
    """Rows that have a next row, each in the data's window with the same probability."""
    return data.row(data.first + jax.random.randint(key, (batch,), 0, data.size))


def transitions(data: Dataset, key: Key, batch: int) -> tuple[Indices, Indices]:
    """Rows of uniformly drawn states and of the states right after them."""
    anchors = uniform_anchors(data, key, batch)
    return anchors, data.later(anchors, 1)


def future_pairs(
    data: Dataset,
    key: Key,
    batch: int,
    gamma: float | Float[Array, ""],
    tail: str = "renormalise",
    first: int = 1,
) -> tuple[Indices, Indices]:
    """Rows of states and of futures in the same trajectory, a geometric number of steps later.

    What happens to the geometric's tail beyond the trajectory's end, and whether the present
    counts as a future (`first=0`): see `geometric_offsets`.
    """
    anchor_key, offset_key = jax.random.split(key)
    anchors = uniform_anchors(data, anchor_key, batch)
    left = data.left[anchors].astype(anchors.dtype)
    return anchors, data.later(anchors, geometric_offsets(offset_key, left, gamma, tail, first))


def fixed_stride_pairs(
    key: Key, n_traj: int, length: int, stride: int, batch: int
) -> tuple[Indices, Indices]:
    """Rows exactly `stride` steps apart, in flat data of equal trajectories of `length` rows.

    No geometric, hence no tail: anchors within `stride` of the end are never drawn.

    Raises:
        ValueError: no trajectory is that long.
    """
    if not 1 <= stride < length:
        raise ValueError(f"stride must be in 1..{length - 1} for trajectories of {length} rows")
    traj_key, time_key = jax.random.split(key)
    trajectories = jax.random.randint(traj_key, (batch,), 0, n_traj)
    times = jax.random.randint(time_key, (batch,), 0, length - stride)
    anchors = trajectories * length + times
    return anchors, anchors + stride


def repeated_future_pairs(
    data: Dataset,
    key: Key,
    batch: int,
    repeats: int | Int[Array, ""],
    gamma: float | Float[Array, ""],
    tail: str = "renormalise",
    first: int = 1,
) -> tuple[Indices, Indices]:
    """Pairs as in `future_pairs`, from `batch / repeats` trajectories with `repeats` pairs each.

    Rows of one trajectory follow each other; each has an anchor and an offset of its own. The
    trajectories of a batch are distinct where the data have that many: one from each of
    `batch / repeats` equal parts of the data, whose order is taken to mean nothing. Each
    trajectory is as likely as any other. With `repeats=1` no negative shares its anchor's.

    Args:
        data: trajectories of equal length.
        repeats: a divisor of `batch`; it may be traced, so that one compilation serves several.

    Raises:
        ValueError: the trajectories differ in length, or `repeats` does not divide `batch`.
    """
    if data.length is None:
        raise ValueError("repeated_future_pairs needs trajectories of equal length")
    if not isinstance(repeats, jax.core.Tracer) and (repeats < 1 or batch % int(repeats)):
        raise ValueError(f"repeats must divide the batch of {batch}, not {repeats}")
    pick_key, roll_key, anchor_key, offset_key = jax.random.split(key, 4)
    count, groups = data.size // data.length, batch // repeats
    group = jnp.arange(batch) // repeats
    # Where each part begins and ends; all rows of a group use the random number of its first.
    begin, end = group * count // groups, (group + 1) * count // groups
    uniform = jax.random.uniform(pick_key, (batch,))[group]
    chosen = begin + jnp.floor(uniform * (end - begin)).astype(begin.dtype)
    chosen = (chosen + jax.random.randint(roll_key, (), 0, count)) % count
    step = jax.random.randint(anchor_key, (batch,), 0, data.length)
    anchors = data.row(data.first + chosen * data.length + step)
    offsets = geometric_offsets(offset_key, data.length - step, gamma, tail, first)
    return anchors, anchors + offsets
