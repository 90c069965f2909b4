r"""Backups of several steps: how the errors of bootstrapped targets add up over a long way.

A target of $n$ steps pays the next $n$ rewards as they were and takes the rest from a value that is
itself learned. What that value gets wrong is carried on, so the number of backups between a state
and the end counts: about its distance over $n$.
"""

import numpy as np
from jaxtyping import Float, Int


def bias_profile(
    distances: Int[np.ndarray, "*d"], n: int, gamma: float, bias: float = 1.0
) -> Float[np.ndarray, "*d"]:
    r"""The error of values at a distance from the end if each value that a target uses is off by b.

    $b\sum_{j=1}^{\lceil L/n\rceil-1}\gamma^{nj}$ at distance $L$: none up to $n$, where the target
    sees the end, and about $bL/n$ far away as long as $\gamma^L$ is near 1.

    Raises:
        ValueError: a distance or `n` is below 1.
    """
    if n < 1 or (distances < 1).any():
        raise ValueError("bias_profile takes distances and a number of steps of at least 1")
    backups = np.ceil(distances / n) - 1
    if gamma == 1:
        return bias * backups
    shrink = gamma**n
    return np.asarray(bias * shrink * (1 - shrink**backups) / (1 - shrink), dtype=np.float64)


def linear_nstep_fixed_point(
    chain: Float[np.ndarray, "states states"],
    reward: Float[np.ndarray, " states"],
    features: Float[np.ndarray, "states features"],
    gamma: float,
    n: int,
    weights: Float[np.ndarray, " states"] | None = None,
) -> Float[np.ndarray, " features"]:
    r"""Where temporal differences of $n$ steps come to rest with linear values $\Phi\theta$.

    $\theta=(\Phi^\top D(\Phi-\gamma^nP^n\Phi))^{-1}\Phi^\top Dr_n$ with
    $r_n=\sum_{k<n}\gamma^kP^kr$: at that point the features do not see the error of the target. It
    is computed, not learned, from exact expectations: neither more data nor more updates change it.

    Args:
        chain: $P$; a row's sum may fall short of 1: with the rest the process ends.
        reward: $r$, paid on leaving each state.
        weights: how often each state is updated, the diagonal of $D$; evenly if left out.

    Raises:
        ValueError: `n` is below 1.
    """
    if n < 1:
        raise ValueError(f"n must be at least 1, not {n}")
    returns = np.zeros(len(chain))
    for _ in range(n):
        returns = reward + gamma * (chain @ returns)
    ahead = np.linalg.matrix_power(chain, n)
    tested = (features if weights is None else features * weights[:, None]).T
    matrix = tested @ (features - gamma**n * (ahead @ features))
    return np.asarray(np.linalg.solve(matrix, tested @ returns))


def best_fit(
    features: Float[np.ndarray, "states features"],
    values: Float[np.ndarray, " states"],
) -> Float[np.ndarray, " features"]:
    r"""The weights $\theta$ whose values $\Phi\theta$ are nearest in mean square."""
    return np.asarray(np.linalg.lstsq(features, values, rcond=None)[0])
