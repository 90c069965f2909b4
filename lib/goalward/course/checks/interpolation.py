"""Visible checks of the interpolation chapter's exercises: AssertionError when wrong."""

import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np


def predictive(student: Callable[..., Any]) -> None:
    """Mean and covariance against sums on a grid of the density itself, and its linearity."""
    for c, slope, now in ((0.5, 0.7, 1.3), (4.0, -0.9, 0.4)):
        mean, cov = _pair(student(np.array([[slope]]), c, np.array([now])), (1,), (1, 1))
        x = np.linspace(-30, 30, 60_001)
        density = np.exp(-0.5 * (slope * now - x) ** 2 - 0.5 * x**2 / c)
        density /= density.sum()
        exact = (density * x).sum()
        assert abs(mean[0] - exact) < 1e-6, (
            f"in one dimension with A = {slope}, c = {c}, ψ = {now} the mean is {exact:.4f}, "
            f"not {mean[0]:.4f}: complete the square in ψ'"
        )
        variance = (density * (x - exact) ** 2).sum()
        assert abs(cov[0, 0] - variance) < 1e-6, (
            f"with c = {c} the variance is {variance:.4f}, not {cov[0, 0]:.4f}"
        )
    rng = np.random.default_rng(0)
    A, past = _matrix(rng, 3), rng.normal(size=3)
    mean, cov = _pair(student(A.copy(), 2.0, past.copy()), (3,), (3, 3))
    joint = _chain_covariance(A, 2.0, 1)
    gain = joint[3:, :3] @ np.linalg.inv(joint[:3, :3])
    assert np.allclose(mean, gain @ past, atol=1e-6), (
        "the mean is wrong for an A that turns: A or Aᵀ?"
    )
    exact_cov = joint[3:, 3:] - gain @ joint[:3, 3:]
    assert np.allclose(cov, exact_cov, atol=1e-6), "the covariance is wrong in three dimensions"


def waypoint_posterior(student: Callable[..., Any]) -> None:
    """Mean and covariance against conditioning the joint Gaussian of the whole chain."""
    rng = np.random.default_rng(1)
    for d, n, c in ((1, 1, 2.0), (2, 1, 0.7), (2, 3, 2.0), (3, 4, 10.0)):
        A, start, end = _matrix(rng, d), rng.normal(size=d), rng.normal(size=d)
        case = f"with d = {d}, n = {n}, c = {c}"
        answer = student(A.copy(), c, start.copy(), end.copy(), n)
        mean, cov = _pair(answer, (n, d), (n * d, n * d))
        exact_mean, exact_cov = _condition_on_ends(A, c, start, end, n)
        assert np.allclose(cov, exact_cov, atol=1e-6), (
            f"{case} the covariance is off by {np.abs(cov - exact_cov).max():.1e}: "
            "look at the diagonal blocks and at which side of the diagonal has Aᵀ"
        )
        assert np.allclose(mean, exact_mean, atol=1e-6), (
            f"{case} the covariance is right and the mean is off by "
            f"{np.abs(mean - exact_mean).max():.1e}: A belongs to the past, Aᵀ to the future"
        )


def smoother(student: Callable[..., Any]) -> None:
    """Means against the conditioned Gaussian, then a chain too long for the dense matrix."""
    rng = np.random.default_rng(2)
    for d, n, c in ((2, 1, 2.0), (2, 2, 1.0), (3, 7, 4.0)):
        A, start, end = _matrix(rng, d), rng.normal(size=d), rng.normal(size=d)
        mean = _array(student(A.copy(), c, start.copy(), end.copy(), n), (n, d), "the means")
        exact, _ = _condition_on_ends(A, c, start, end, n)
        assert np.allclose(mean, exact, atol=1e-6), (
            f"with d = {d}, n = {n} the means are off by {np.abs(mean - exact).max():.1e}"
        )
    n = 1000
    tracemalloc.start()
    try:
        mean = _array(student(A, c, start, end, n), (n, 3), "the means")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 20e6, (
        f"{n} waypoints took {peak / 1e6:.0f} MB: work with d by d blocks, never with the "
        "n·d by n·d matrix"
    )
    middle = (c + 1) / c * mean[500] + c / (c + 1) * A.T @ A @ mean[500]
    neighbours = A @ mean[499] + A.T @ mean[501]
    assert np.allclose(middle, neighbours, atol=1e-6), "a long chain's means do not solve Mμ = η"


def scale_from_correlation(student: Callable[..., Any]) -> None:
    """The predicted c against a numerical minimum of the loss in one dimension."""
    for rho in (0.3, 0.6, 0.9):
        value = float(_array(student(rho), (), "c"))
        exact = _best_scale(rho)
        assert abs(value / exact - 1) < 0.02, (
            f"at ρ = {rho} minimising the loss numerically gives c = {exact:.3f}, not {value:.3f}"
        )


def _best_scale(rho: float) -> float:
    """Minimiser u of the infinite-batch loss of f = -u (s z - z')² / 2, by alternation.

    The loss is u(s² + 1)/2 - usρ - log(1 + u)/2 - s²u/(2(1 + u)); in s it is a parabola, in u it is
    searched on a fine grid.
    """
    u = np.exp(np.linspace(np.log(1e-3), np.log(1e3), 400_001))
    s = rho / (1 - 1 / (1 + u))
    loss = 0.5 * u * (s**2 + 1) - u * s * rho - 0.5 * np.log1p(u) - 0.5 * s**2 * u / (1 + u)
    return float(u[np.argmin(loss)])


def _matrix(rng: np.random.Generator, d: int) -> np.ndarray:
    A = rng.normal(size=(d, d))
    return 0.9 * A / np.linalg.norm(A, 2)


def _chain_covariance(A: np.ndarray, c: float, steps: int) -> np.ndarray:
    """Covariance of the whole chain from N(0, cI) on, by its recursion forward in time."""
    d, forward = len(A), c / (c + 1) * A
    noise = np.zeros(((steps + 1) * d, (steps + 1) * d))
    noise[:d, :d] = np.sqrt(c) * np.eye(d)
    for i in range(1, steps + 1):
        noise[i * d : (i + 1) * d] = forward @ noise[(i - 1) * d : i * d]
        noise[i * d : (i + 1) * d, i * d : (i + 1) * d] += np.sqrt(c / (c + 1)) * np.eye(d)
    return noise @ noise.T


def _condition_on_ends(
    A: np.ndarray, c: float, start: np.ndarray, end: np.ndarray, n: int
) -> tuple[np.ndarray, np.ndarray]:
    d = len(A)
    joint = _chain_covariance(A, c, n + 1)
    ends = np.r_[0:d, (n + 1) * d : (n + 2) * d]
    between = np.arange(d, (n + 1) * d)
    gain = joint[np.ix_(between, ends)] @ np.linalg.inv(joint[np.ix_(ends, ends)])
    mean = gain @ np.r_[start, end]
    return mean.reshape(n, d), joint[np.ix_(between, between)] - gain @ joint[np.ix_(ends, between)]


def _pair(
    answer: Any, mean_shape: tuple[int, ...], cov_shape: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray]:
    two = isinstance(answer, tuple | list) and len(answer) == 2
    assert two, "return two things: mean and cov"
    mean, cov = answer
    return _array(mean, mean_shape, "the mean"), _array(cov, cov_shape, "the covariance")


def _array(answer: Any, shape: tuple[int, ...], what: str) -> np.ndarray:
    array = np.asarray(answer, dtype=float)
    assert array.shape == shape, f"{what} should have shape {shape}, not {array.shape}"
    assert np.isfinite(array).all(), f"{what} must be finite"
    return array
