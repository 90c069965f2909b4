"""Flow matching: by hand, against the exact field of a Gaussian, and that nothing beats it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from goalward.losses.flow import flow_matching, line_velocity_error
from goalward.nets.flow import integrate

MEAN, DEVIATION = jnp.array([1.5, -0.5]), jnp.array([0.3, 2.0])


def exact(x, t):
    """E[x1 - x0 | x_t = x] for independent entries x1 ~ N(mean, deviation²), by regression."""
    variance = (1 - t) ** 2 + (t * DEVIATION) ** 2
    slope = (t * DEVIATION**2 - (1 - t)) / variance
    return MEAN + slope * (x - t * MEAN)


def left_over(t):
    """Var[x1 - x0 | x_t], averaged over the two entries."""
    variance = (1 - t) ** 2 + (t * DEVIATION) ** 2
    return float(jnp.mean(1 + DEVIATION**2 - (t * DEVIATION**2 - (1 - t)) ** 2 / variance))


def draws(count):
    return MEAN + DEVIATION * jax.random.normal(jax.random.key(7), (count, 2))


def test_by_hand():
    x0, x1 = jnp.array([[0.0, 2.0]]), jnp.array([[4.0, 3.0]])
    t = jnp.array([[0.25]])
    # The line is at (1, 2.25) and moves by (4, 1).
    error = line_velocity_error(lambda x, t: 2 * x + t, x0, x1, t)
    assert error == pytest.approx(((2.25 - 4) ** 2 + (4.75 - 1) ** 2) / 2)
    still = line_velocity_error(lambda x, t: jnp.array([[4.0, 1.0]]), x0, x1, t)
    assert still == pytest.approx(0)


def test_it_is_the_mean_over_loops():
    rng = np.random.default_rng(0)
    x0, x1 = rng.normal(size=(2, 5, 3))
    t = rng.uniform(size=(5, 1))
    total = 0.0
    for i in range(5):
        for j in range(3):
            place = (1 - t[i, 0]) * x0[i, j] + t[i, 0] * x1[i, j]
            total += (np.sin(place) + t[i, 0] - (x1[i, j] - x0[i, j])) ** 2
    got = line_velocity_error(lambda x, t: jnp.sin(x) + t, *map(jnp.asarray, (x0, x1, t)))
    assert got == pytest.approx(total / 15, rel=1e-5)


def test_the_exact_field_reaches_the_least_value_and_no_other_does():
    """Averaged over time the least value is the variance that is left; changes only add."""
    count = 200_000
    loss = jax.jit(lambda s, b: flow_matching(lambda x, t: s * exact(x, t) + b, X1, KEY))
    X1, KEY = draws(count), jax.random.key(1)
    times = (np.arange(400) + 0.5) / 400
    least = np.mean([left_over(t) for t in times])
    assert loss(1.0, 0.0) == pytest.approx(least, rel=0.02)
    for scale, shift in ((0.9, 0.0), (1.1, 0.0), (1.0, 0.15), (1.0, -0.15)):
        assert loss(scale, shift) > loss(1.0, 0.0) + 0.005


def test_noise_is_standard_and_time_is_uniform():
    seen = {}

    def look(x, t):
        seen["x"], seen["t"] = x, t
        return jnp.zeros_like(x)

    zero = jnp.zeros((100_000, 2))
    loss = flow_matching(look, zero, jax.random.key(3))
    noise, t = np.asarray(seen["x"] / (1 - seen["t"])), np.asarray(seen["t"])
    assert t.shape == (100_000, 1)
    np.testing.assert_allclose(np.quantile(t, [0.1, 0.5, 0.9]), [0.1, 0.5, 0.9], atol=0.01)
    np.testing.assert_allclose(noise.mean(axis=0), 0, atol=0.02)
    np.testing.assert_allclose(np.cov(noise.T), np.eye(2), atol=0.02)
    assert abs(np.corrcoef(t[:, 0], np.abs(noise[:, 0]))[0, 1]) < 0.02
    assert loss == pytest.approx(1, abs=0.02)
    other = flow_matching(look, zero, jax.random.key(4))
    assert other != loss


def test_following_the_exact_field_gives_the_data():
    x0 = jax.random.normal(jax.random.key(2), (50_000, 2))
    x1 = np.asarray(integrate(exact, x0, 200))
    np.testing.assert_allclose(x1.mean(axis=0), MEAN, atol=0.03)
    np.testing.assert_allclose(x1.std(axis=0), DEVIATION, rtol=0.03)
