"""Aimless behaviour for collecting data."""

import numpy as np
from jaxtyping import Float


def smooth_actions(
    rng: np.random.Generator,
    n: int,
    steps: int,
    dim: int,
    persistence: float = 0.8,
    spread: float = 1.2,
) -> Float[np.ndarray, "n steps dim"]:
    r"""Random actions in (-1, 1) whose direction drifts: $a_t=\tanh(\text{spread}\;u_t)$.

    $u_t=\rho u_{t-1}+\sqrt{1-\rho^2}\,\epsilon_t$ is a stationary normal process of unit variance;
    the `persistence` $\rho$ keeps it going, so that it gets further than independent actions would.

    Raises:
        ValueError: `persistence` is outside [0, 1).
    """
    if not 0 <= persistence < 1:
        raise ValueError(f"persistence must be in [0, 1), not {persistence}")
    drift = rng.normal(size=(n, steps, dim))
    for t in range(1, steps):
        drift[:, t] = persistence * drift[:, t - 1] + np.sqrt(1 - persistence**2) * drift[:, t]
    return np.tanh(spread * drift).astype(np.float32)
