"""One number, or one curve, for a method over many data sets; and how sure of it a few seeds are.

After Agarwal et al. 2021, "Deep reinforcement learning at the edge of the statistical precipice".
The scores of a method are one array for each data set: a row a seed, a column a task. Every
statistic here is one of the distribution that gives each data set the same weight and, within it,
each seed and each task. The bootstrap draws the seeds of each data set anew, with all their tasks:
the tasks of one seed are one policy's and do not vary on their own.
"""

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence

import numpy as np
from jaxtyping import Float

from goalward.evaluation.intervals import Interval, student_quantile

RESAMPLES = 2_000

Scores = Sequence[Float[np.ndarray, "_ _"]]
"""One array (seeds, tasks) for each data set; how many there are of each may differ."""

Statistic = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Of values and their weights: one number for each row of weights, or one row."""


def shared(measured: Mapping[Hashable, Collection[str]]) -> tuple[list[str], list[str]]:
    """The data sets that everyone was measured on, and in words who lacks which of the others.

    Numbers of several methods may stand side by side where they are of these data sets, all of
    them, and of no other: a method that was only tried on an easy one would look good.

    Args:
        measured: the names of each method's data sets.
    """
    everywhere = dict.fromkeys(name for names in measured.values() for name in names)
    common = [name for name in everywhere if all(name in names for names in measured.values())]
    lacking = []
    for method, names in measured.items():
        missing = [name for name in everywhere if name not in names]
        if missing:
            who = " ".join(method) if isinstance(method, tuple) else str(method)
            lacking.append(f"{who} has no runs on {', '.join(missing)}")
    return common, lacking


def pool(scores: Scores) -> tuple[Float[np.ndarray, " runs"], Float[np.ndarray, " runs"]]:
    """All scores in one row, and their weights, which add up to one.

    Raises:
        ValueError: without scores, or where they are not finite tables.
    """
    tables = [np.asarray(table, dtype=float) for table in scores]
    if not tables or any(table.ndim != 2 or not table.size for table in tables):
        raise ValueError("scores are one table (seeds, tasks) for each data set, at least one")
    if not all(np.isfinite(table).all() for table in tables):
        raise ValueError("scores must be finite: leave out what is not measured yet")
    share = [np.full(table.size, 1 / (table.size * len(tables))) for table in tables]
    return np.concatenate([table.ravel() for table in tables]), np.concatenate(share)


def mean(
    values: Float[np.ndarray, " runs"], weights: Float[np.ndarray, "*rows runs"]
) -> Float[np.ndarray, "*rows"]:
    """The weighted mean."""
    return np.asarray(weights @ values)


def interquartile_mean(
    values: Float[np.ndarray, " runs"], weights: Float[np.ndarray, "*rows runs"]
) -> Float[np.ndarray, "*rows"]:
    """The mean of the middle half: deaf to outliers, and less noisy than the median.

    A score that straddles a quartile counts with the part that lies inside. So for 4k equal weights
    it is the mean without the k lowest and the k highest, and no number of runs is special.
    """
    order = np.argsort(values)
    weights = weights[..., order]
    upto = np.cumsum(weights, axis=-1)
    inside = np.clip(upto, 0.25, 0.75) - np.clip(upto - weights, 0.25, 0.75)
    return np.asarray(2 * (inside @ values[order]))


def optimality_gap(
    values: Float[np.ndarray, " runs"],
    weights: Float[np.ndarray, "*rows runs"],
    target: float = 1.0,
) -> Float[np.ndarray, "*rows"]:
    """By how much the scores miss a target on average; what lies above it earns nothing."""
    return np.asarray(weights @ np.maximum(target - values, 0))


def performance_profile(
    values: Float[np.ndarray, " runs"],
    weights: Float[np.ndarray, "*rows runs"],
    thresholds: Float[np.ndarray, " thresholds"],
) -> Float[np.ndarray, "*rows thresholds"]:
    """The share of runs and tasks that score above each threshold.

    Where scores lie in [0, 1], the area below the profile is their mean.
    """
    return weights @ (values[:, None] > thresholds).astype(float)


def bootstrap_weights(
    scores: Scores, resamples: int, rng: np.random.Generator
) -> Float[np.ndarray, "resamples runs"]:
    """The weights of the pooled scores when the seeds of each data set are drawn anew.

    Raises:
        ValueError: where a data set has one seed, of which nothing can be learned about the others.
    """
    rows = []
    for table in scores:
        seeds, tasks = np.shape(table)
        drawn = _draws(seeds, resamples, rng)
        rows.append(np.repeat(drawn, tasks, axis=1) / (seeds * tasks * len(scores)))
    return np.concatenate(rows, axis=1)


def stratified_interval(
    scores: Scores,
    statistic: Statistic = interquartile_mean,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
    confidence: float = 0.95,
) -> Interval:
    """A statistic and its percentile interval under the stratified bootstrap.

    With few seeds it is too narrow: draws from n values vary by n - 1 parts in n of what they
    should. Student's t interval, of `difference_interval`, is not.

    Raises:
        ValueError: as `pool` and `bootstrap_weights`.
    """
    values, weights = pool(scores)
    drawn = bootstrap_weights(scores, resamples, np.random.default_rng(seed))
    low, high = _percentiles(statistic(values, drawn), confidence)
    return Interval(float(statistic(values, weights)), float(low), float(high))


def profile_band(
    scores: Scores,
    thresholds: Float[np.ndarray, " thresholds"],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
    confidence: float = 0.95,
) -> Float[np.ndarray, "3 thresholds"]:
    """The performance profile and, at each threshold by itself, the ends of its interval.

    Raises:
        ValueError: as `pool` and `bootstrap_weights`.
    """
    values, weights = pool(scores)
    drawn = bootstrap_weights(scores, resamples, np.random.default_rng(seed))
    low, high = _percentiles(performance_profile(values, drawn, thresholds), confidence)
    return np.stack([performance_profile(values, weights, thresholds), low, high])


def improvement(a: Scores, b: Scores) -> float:
    """The probability that a random seed of `a` scores higher than one of `b` in a random task.

    Mann and Whitney's statistic as a share, ties counted half, averaged over tasks and data sets.
    It says how often, not by how much.

    Raises:
        ValueError: unless both have the same data sets with the same tasks.
    """
    return float(np.mean([wins.mean() for wins in _wins(a, b)]))


def improvement_interval(
    a: Scores,
    b: Scores,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
    confidence: float = 0.95,
) -> Interval:
    """The probability of improvement, the seeds of both drawn anew in each data set.

    Raises:
        ValueError: as `improvement` and `bootstrap_weights`.
    """
    rng = np.random.default_rng(seed)
    drawn = np.zeros(resamples)
    tables = _wins(a, b)
    for wins in tables:
        rows, columns = (_draws(n, resamples, rng) for n in wins.shape)
        drawn += ((rows @ wins) * columns).sum(axis=1) / (wins.size * len(tables))
    low, high = _percentiles(drawn, confidence)
    return Interval(improvement(a, b), float(low), float(high))


def difference_interval(
    pairs: Sequence[tuple[Float[np.ndarray, " _"], Float[np.ndarray, " _"]]],
    confidence: float = 0.95,
) -> Interval:
    """The difference of the means of independent seeds, a - b, averaged over pairs (a, b).

    Student's t with Welch and Satterthwaite's degrees of freedom, rounded down: the seeds may vary
    more in one than in the other. It speaks about other seeds of the same pairs, not other pairs.

    Raises:
        ValueError: without a pair, or where a side has fewer than two seeds or is not finite.
    """
    sides = [[np.asarray(side, dtype=float) for side in pair] for pair in pairs]
    flat = [side for pair in sides for side in pair]
    if not flat or any(side.ndim != 1 or len(side) < 2 for side in flat):
        raise ValueError("a difference of means needs a pair, and at least 2 seeds on each side")
    if not all(np.isfinite(side).all() for side in flat):
        raise ValueError("a difference of means needs finite values")
    middle = float(np.mean([a.mean() - b.mean() for a, b in sides]))
    parts = np.array([side.var(ddof=1) / len(side) for side in flat]) / len(sides) ** 2
    variance = parts.sum()
    if variance == 0:
        return Interval(middle, middle, middle)
    # Of shares, since the square of a tiny variance would be zero.
    degrees = 1 / float(((parts / variance) ** 2 / [len(side) - 1 for side in flat]).sum())
    half = student_quantile((1 + confidence) / 2, int(degrees + 1e-9)) * float(np.sqrt(variance))
    return Interval(middle, middle - half, middle + half)


def _wins(a: Scores, b: Scores) -> list[np.ndarray]:
    """For each data set: how often a seed of `a` (rows) beats one of `b` (columns), over tasks."""
    pool(a), pool(b)  # complain
    if [np.shape(x)[1] for x in a] != [np.shape(y)[1] for y in b]:
        raise ValueError("compare methods on the same data sets, with the same tasks")
    return [
        (np.sign(np.asarray(x)[:, None] - np.asarray(y)[None]) / 2 + 0.5).mean(axis=2)
        for x, y in zip(a, b, strict=True)
    ]


def _draws(seeds: int, resamples: int, rng: np.random.Generator) -> np.ndarray:
    """How often each seed is drawn when as many are drawn as there are."""
    if seeds < 2:
        raise ValueError("a bootstrap interval needs at least 2 seeds in each data set")
    return rng.multinomial(seeds, np.full(seeds, 1 / seeds), size=resamples).astype(float)


def _percentiles(drawn: np.ndarray, confidence: float) -> np.ndarray:
    return np.quantile(drawn, [(1 - confidence) / 2, (1 + confidence) / 2], axis=0)
