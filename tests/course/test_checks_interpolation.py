"""The visible checks let right answers of every style through and name each planted mistake."""

import jax.numpy as jnp
import numpy as np
import pytest

from goalward.course.checks import interpolation as checks
from goalward.methods.interpolation import GaussMarkov


def predict(A, c, now, gain=None, spread=None, turn=lambda A: A):
    shrink = c / (c + 1)
    return (shrink if gain is None else gain) * turn(A) @ now, (
        shrink if spread is None else spread
    ) * np.eye(len(A))


def posterior(A, c, start, end, n, diagonal=None, flip=False, flip_eta=False):
    d = len(A)
    block = (c + 1) / c * np.eye(d) + c / (c + 1) * (diagonal(A) if diagonal else A.T @ A)
    M, eta = np.kron(np.eye(n), block), np.zeros(n * d)
    for i in range(n - 1):
        below, above = (A.T, A) if flip else (A, A.T)
        M[(i + 1) * d : (i + 2) * d, i * d : (i + 1) * d] = -below
        M[i * d : (i + 1) * d, (i + 1) * d : (i + 2) * d] = -above
    eta[:d] += A @ start
    eta[-d:] += (A if flip_eta else A.T) @ end
    return np.linalg.solve(M, eta).reshape(n, d), np.linalg.inv(M)


RIGHT = [
    (checks.predictive, predict),
    (checks.predictive, lambda A, c, x: tuple(map(jnp.asarray, predict(A, c, x)))),
    (checks.predictive, lambda A, c, x: list(GaussMarkov(A, c).predict(x))),
    (checks.waypoint_posterior, posterior),
    (checks.waypoint_posterior, lambda A, c, s, e, n: GaussMarkov(A, c).waypoints(s, e, n)),
    (checks.smoother, lambda A, c, s, e, n: GaussMarkov(A, c).smooth(s, e, n)[0]),
    (checks.scale_from_correlation, lambda rho: rho**2 / (1 - rho**2)),
    (checks.scale_from_correlation, lambda rho: jnp.asarray(1 / (1 / rho**2 - 1))),
]
WRONG = [
    (checks.predictive, lambda A, c, x: predict(A, c, x, gain=1.0), "mean"),
    (checks.predictive, lambda A, c, x: predict(A, c, x, spread=1.0), "variance"),
    (checks.predictive, lambda A, c, x: predict(A, c, x, spread=c), "variance"),
    (checks.predictive, lambda A, c, x: predict(A, c, x, turn=lambda A: A.T), "A or Aᵀ"),
    (checks.predictive, lambda A, c, x: predict(A, c, x)[0], "two things"),
    (checks.predictive, lambda A, c, x: (np.zeros(2), np.eye(1)), "shape"),
    (
        checks.waypoint_posterior,
        lambda *args: posterior(*args, diagonal=lambda A: A @ A.T),
        "diagonal",
    ),
    (checks.waypoint_posterior, lambda *args: posterior(*args, flip=True), "covariance is off"),
    (checks.waypoint_posterior, lambda *args: posterior(*args, flip_eta=True), "mean is off"),
    (
        checks.waypoint_posterior,
        lambda A, c, s, e, n: posterior(A, c, e, s, n),
        "mean is off",
    ),
    (checks.smoother, lambda *args: posterior(*args)[0], "MB"),
    (checks.smoother, lambda A, c, s, e, n: GaussMarkov(A.T, c).smooth(s, e, n)[0], "off by"),
    (
        checks.smoother,
        lambda A, c, s, e, n: GaussMarkov(A, c).smooth(s, e, n)[0] if n < 100 else np.ones((n, 3)),
        "long chain",
    ),
    (checks.scale_from_correlation, lambda rho: rho / (1 - rho), "minimising"),
    (checks.scale_from_correlation, lambda rho: 1 / (1 - rho**2), "minimising"),
    (
        checks.scale_from_correlation,
        lambda rho: 1 / (0.5 * (-1 + np.sqrt(9 - 8 * rho))) - 1,
        "minimising",
    ),
]


@pytest.mark.parametrize(("check", "answer"), RIGHT)
def test_right_answers_pass(check, answer):
    check(answer)


@pytest.mark.parametrize(("check", "answer", "message"), WRONG)
def test_wrong_answers_are_named(check, answer, message):
    with pytest.raises(AssertionError, match=message):
        check(answer)
