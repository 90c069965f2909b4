"""Is what a table of distances would do right? Scores of single actions, not of arrivals."""

import numpy as np
from jaxtyping import Bool, Float, Int

from goalward.tabular import paths


def strictly_right(
    d: Float[np.ndarray, "states goals"],
    next_state: Int[np.ndarray, "states actions"],
    distances: Float[np.ndarray, "states goals"],
) -> Bool[np.ndarray, "states goals"]:
    """Whether one action alone looks best to `d`, and lies on a shortest path by `distances`."""
    chosen = paths.greedy_actions(d, next_state)
    right = paths.greedy_actions(distances, next_state)
    return (chosen.sum(-1) == 1) & (chosen & right).any(-1)
