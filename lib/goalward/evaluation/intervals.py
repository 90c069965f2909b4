"""Confidence intervals over seeds: Student's t for few, the bootstrap for ten and more."""

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from jax.scipy.special import betainc

BOOTSTRAP_FROM = 10
"""From this many values on, the bootstrap replaces Student's t."""

RESAMPLES = 10_000

Values = Sequence[float] | np.ndarray
"""One number per seed."""


class Interval(NamedTuple):
    """An estimate and the confidence interval around it, in the unit of what was measured."""

    mean: float
    low: float
    high: float


@cache  # a band asks for the same one at every point
def student_quantile(probability: float, degrees: int) -> float:
    """The quantile of Student's t distribution, by bisection on the incomplete beta function.

    Args:
        probability: between 0.5 and 1.
        degrees: degrees of freedom, at least 1.

    Raises:
        ValueError: if the probability is outside [0.5, 1) or there are no degrees of freedom.
    """
    if not 0.5 <= probability < 1 or degrees < 1:
        raise ValueError(
            "student_quantile takes a probability in [0.5, 1) and at least 1 degree of freedom, "
            f"not {probability} and {degrees}"
        )

    def tail(t: float) -> float:
        return 0.5 * float(betainc(degrees / 2, 0.5, degrees / (degrees + t * t)))

    low, high = 0.0, 1.0
    while tail(high) > 1 - probability:
        high *= 2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if tail(middle) > 1 - probability else (low, middle)
    return (low + high) / 2


def interval(values: Values, confidence: float = 0.95) -> Interval:
    """The mean over independent seeds and its confidence interval.

    Below ten values Student's t, from ten on the percentile bootstrap of the mean (with a fixed
    seed, so that the same values give the same interval).

    Raises:
        ValueError: with fewer than two values, or values that are not finite.
    """
    values = np.asarray(values, dtype=float)
    if values.ndim != 1 or len(values) < 2:
        raise ValueError(
            f"an interval needs one value per seed and at least 2 seeds, not shape {values.shape}"
        )
    if not np.isfinite(values).all():
        raise ValueError(f"an interval needs finite values; seed {_first_bad(values)} is not")
    mean = float(values.mean())
    if len(values) < BOOTSTRAP_FROM:
        half = student_quantile((1 + confidence) / 2, len(values) - 1)
        half *= float(values.std(ddof=1)) / np.sqrt(len(values))
        return Interval(mean, mean - half, mean + half)
    rows = np.random.default_rng(0).integers(len(values), size=(RESAMPLES, len(values)))
    low, high = np.quantile(values[rows].mean(1), [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(mean, float(low), float(high))


def paired_interval(a: Values, b: Values, confidence: float = 0.95) -> Interval:
    """The mean difference a - b where both were measured with the same seeds and data.

    Raises:
        ValueError: if the two do not pair up, or as `interval`.
    """
    a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if a.shape != b.shape:
        raise ValueError(f"paired values need the same seeds: shapes {a.shape} and {b.shape}")
    return interval(a - b, confidence)


def ratio_interval(a: Values, b: Values, confidence: float = 0.95) -> Interval:
    """The geometric mean of the paired ratio a / b: `paired_interval` on logarithms.

    Raises:
        ValueError: if a value is not positive, or as `paired_interval`.
    """
    if min(np.min(a), np.min(b)) <= 0:
        raise ValueError("a ratio interval needs positive values")
    return Interval(*np.exp(paired_interval(np.log(a), np.log(b), confidence)).tolist())


def _first_bad(values: np.ndarray) -> int:
    return int(np.flatnonzero(~np.isfinite(values))[0])
