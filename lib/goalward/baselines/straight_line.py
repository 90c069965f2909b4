"""Plans without a model: a straight line between two points, and the goal repeated."""

import numpy as np
from jaxtyping import Float


def straight_line(
    start: Float[np.ndarray, "*batch d"], end: Float[np.ndarray, "*batch d"], n: int
) -> Float[np.ndarray, "*batch n d"]:
    """The n points that divide the segment from start to end into n + 1 equal parts.

    Raises:
        ValueError: If n is below 1.
    """
    if n < 1:
        raise ValueError(f"a plan has at least 1 waypoint, not {n}")
    fraction = (np.arange(1, n + 1, dtype=start.dtype) / (n + 1))[:, None]
    return (1 - fraction) * start[..., None, :] + fraction * end[..., None, :]


def repeat_goal(end: Float[np.ndarray, "*batch d"], n: int) -> Float[np.ndarray, "*batch n d"]:
    """No planning: every waypoint is the goal."""
    return np.repeat(end[..., None, :], n, axis=-2)
