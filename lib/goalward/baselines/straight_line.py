"""Plans without a model: a straight line between two points, and the goal repeated."""

import jax.numpy as jnp
from jaxtyping import Array, Float


def straight_line(
    start: Float[Array, "*batch d"], end: Float[Array, "*batch d"], n: int
) -> Float[Array, "*batch n d"]:
    """The n points that divide the segment from start to end into n + 1 equal parts.

    Raises:
        ValueError: If n is below 1.
    """
    if n < 1:
        raise ValueError(f"a plan has at least 1 waypoint, not {n}")
    fraction = (jnp.arange(1, n + 1) / (n + 1))[:, None]
    return (1 - fraction) * start[..., None, :] + fraction * end[..., None, :]


def repeat_goal(end: Float[Array, "*batch d"], n: int) -> Float[Array, "*batch n d"]:
    """No planning: every waypoint is the goal."""
    return jnp.repeat(end[..., None, :], n, axis=-2)
